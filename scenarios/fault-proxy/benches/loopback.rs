//! What the proxy costs on loopback, and how exact its toxics are, each beside
//! its goal. A goal that is missed is reported, not failed: the machine decides.
//!
//! Client and upstream are blocking threads, so what is measured is the
//! proxy's threads and nothing of ours around them. Direct and proxied rounds
//! alternate, so that both see the same machine. Run it on an idle one:
//! `cargo bench -p fault-proxy --bench loopback`.

#![expect(clippy::print_stdout, reason = "a benchmark's output")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use fault_proxy::{Options, Server};
use tokio::time::Instant;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 5;
const ROUND_TRIPS: usize = 20_000;
const DOWNLOAD_BYTES: usize = 1 << 30;
const CONNECTIONS: u32 = 1_000;

fn main() -> Outcome {
    println!("{:42} {:>44}  goal", "", "measured");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let server = runtime.block_on(Server::bind(([127, 0, 0, 1], 0).into(), Options::default()))?;
    let api = server.local_addr();
    let upstream = echo_or_flood()?;
    let body = format!(r#"{{"name":"p","listen":"127.0.0.1:0","upstream":"{upstream}"}}"#);
    let created = call(api, "POST", "/proxies", &body)?;
    let proxied = listen_of(&created)?;

    round_trips(upstream, proxied)?;
    downloads(upstream, proxied)?;
    connects(upstream, proxied)?;
    for ms in [1, 10, 50] {
        latency(api, proxied, ms)?;
    }
    for rate in [100, 1_000, 10_000, 100_000] {
        bandwidth(api, proxied, rate)?;
    }
    many(api)?;
    runtime.block_on(server.shutdown());
    Ok(())
}

/// Echoes 64-byte messages; a message that begins with 1 is answered with
/// [`DOWNLOAD_BYTES`] instead.
fn echo_or_flood() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok(address)
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut message = [0; 64];
    let chunk = vec![0; 256 * 1024];
    loop {
        stream.read_exact(&mut message)?;
        if message[0] == 1 {
            for _ in 0..DOWNLOAD_BYTES / chunk.len() {
                stream.write_all(&chunk)?;
            }
        } else {
            stream.write_all(&message)?;
        }
    }
}

/// One line of the table.
fn row(what: &str, measured: &str, goal: &str, is_met: bool) {
    let verdict = if is_met { "met" } else { "MISSED" };
    println!("{what:42} {measured:>44}  {goal}: {verdict}");
}

fn round_trips(direct: SocketAddr, proxied: SocketAddr) -> Outcome {
    let (mut base, mut through) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (address, times) in [(direct, &mut base), (proxied, &mut through)] {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            for _ in 0..ROUND_TRIPS {
                times.push(round_trip(&mut stream)?);
            }
        }
    }
    let (base, through) = (sorted(base), sorted(through));
    for (name, at) in [("min", 0.0), ("p50", 0.5), ("p99", 0.99)] {
        let (base, through) = (quantile(&base, at), quantile(&through, at));
        let added = through.saturating_sub(base);
        let what = format!("64 B round trip, {name}");
        let measured = format!("direct {base:.1?}, proxied {through:.1?}, added {added:.1?}");
        if name == "p50" {
            let goal = "at most 30 us added";
            row(&what, &measured, goal, added <= Duration::from_micros(30));
        } else {
            println!("{what:42} {measured:>44}");
        }
    }
    Ok(())
}

fn round_trip(stream: &mut TcpStream) -> std::io::Result<Duration> {
    let mut message = [0; 64];
    let start = Instant::now();
    stream.write_all(&message)?;
    stream.read_exact(&mut message)?;
    Ok(start.elapsed())
}

fn downloads(direct: SocketAddr, proxied: SocketAddr) -> Outcome {
    let (mut base, mut through) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        base.push(download(direct, DOWNLOAD_BYTES)?);
        through.push(download(proxied, DOWNLOAD_BYTES)?);
    }
    let (base, through) = (median(base), median(through));
    let measured = format!("direct {base:.0} MB/s, proxied {through:.0} MB/s");
    let goal = "at least 900 MB/s";
    row(
        "one stream, median of 5 GB",
        &measured,
        goal,
        through >= 900.0,
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// MB/s until at least `len` bytes are there.
fn download(address: SocketAddr, len: usize) -> Outcome<f64> {
    let mut stream = TcpStream::connect(address)?;
    let mut buffer = vec![0; 256 * 1024];
    let start = Instant::now();
    stream.write_all(&[1; 64])?;
    let mut received = 0;
    while received < len {
        received += stream.read(&mut buffer)?;
    }
    Ok(received as f64 / 1e6 / start.elapsed().as_secs_f64())
}

fn connects(direct: SocketAddr, proxied: SocketAddr) -> Outcome {
    let (mut base, mut through) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        for (address, times) in [(direct, &mut base), (proxied, &mut through)] {
            let start = Instant::now();
            round_trip(&mut TcpStream::connect(address)?)?;
            times.push(start.elapsed());
        }
    }
    let (base, through) = (
        quantile(&sorted(base), 0.5),
        quantile(&sorted(through), 0.5),
    );
    let measured = format!("direct {base:.1?}, proxied {through:.1?}");
    println!("{:42} {measured:>44}", "connect and echo, p50");
    Ok(())
}

fn latency(api: SocketAddr, proxied: SocketAddr, ms: u64) -> Outcome {
    let body = format!(r#"{{"type":"latency","name":"t","attributes":{{"latency":{ms}}}}}"#);
    call(api, "POST", "/proxies/p/toxics", &body)?;
    let mut stream = TcpStream::connect(proxied)?;
    stream.set_nodelay(true)?;
    let times: Result<Vec<_>, _> = (0..100).map(|_| round_trip(&mut stream)).collect();
    let median = quantile(&sorted(times?), 0.5);
    let over = median.saturating_sub(Duration::from_millis(ms));
    let goal = Duration::from_micros(1200);
    row(
        &format!("latency of {ms} ms, overshoot at p50"),
        &format!("{over:.0?}"),
        "under 1.2 ms",
        median >= Duration::from_millis(ms) && over < goal,
    );
    call(api, "DELETE", "/proxies/p/toxics/t", "")?;
    Ok(())
}

fn bandwidth(api: SocketAddr, proxied: SocketAddr, rate: usize) -> Outcome {
    let body = format!(r#"{{"type":"bandwidth","name":"t","attributes":{{"rate":{rate}}}}}"#);
    call(api, "POST", "/proxies/p/toxics", &body)?;
    let mb_per_s = download(proxied, rate * 1000 * 3)?;
    let ideal = rate as f64 / 1e3;
    let error = 100.0 * (mb_per_s / ideal - 1.0);
    row(
        &format!("bandwidth of {ideal} MB/s"),
        &format!("{mb_per_s:.3} MB/s, {error:+.2} %"),
        "within 3 %",
        error.abs() <= 3.0,
    );
    call(api, "DELETE", "/proxies/p/toxics/t", "")?;
    Ok(())
}

/// Many connections at once: each works, and what an idle one takes. All four
/// of its sockets are this process's, but only the proxy has memory for them.
fn many(api: SocketAddr) -> Outcome {
    raise_open_files()?;
    let upstream = echo_in_turn()?;
    let body = format!(r#"{{"name":"many","listen":"127.0.0.1:0","upstream":"{upstream}"}}"#);
    let proxied = listen_of(&call(api, "POST", "/proxies", &body)?)?;
    let before = resident_kib()?;
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(proxied)?;
        round_trip(&mut stream)?;
        streams.push(stream);
    }
    let kib = resident_kib()?.saturating_sub(before) as f64 / f64::from(CONNECTIONS);
    for stream in &mut streams {
        round_trip(stream)?;
    }
    row(
        "connections at once, each with an echo",
        &format!("{}", streams.len()),
        "1000",
        true,
    );
    let measured = format!("{kib:.1} KiB");
    row(
        "memory of an idle connection",
        &measured,
        "under 32 KiB",
        kib < 32.0,
    );
    Ok(())
}

/// Echoes one message to each of [`CONNECTIONS`] clients as it comes, then one
/// more to each in the same order: one thread, and no memory for any of them.
fn echo_in_turn() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let mut message = [0; 64];
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept()?;
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
            streams.push(stream);
        }
        for stream in &mut streams {
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
        }
        Ok(())
    });
    Ok(address)
}

/// 1 024 is usual, and too few for four sockets of each connection.
fn raise_open_files() -> Outcome {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

fn resident_kib() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmRSS")?
        .parse()?)
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn quantile(sorted: &[Duration], at: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let index = (0..=last)
        .find(|index| *index as f64 >= at * last as f64)
        .unwrap_or(last);
    sorted.get(index).copied().unwrap_or_default()
}

fn call(api: SocketAddr, method: &str, path: &str, body: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(api)?;
    let len = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    if !reply.starts_with("HTTP/1.1 2") {
        return Err(reply.into());
    }
    Ok(reply)
}

fn listen_of(reply: &str) -> Outcome<SocketAddr> {
    let json = reply.split("\r\n\r\n").nth(1).ok_or("no body")?;
    let proxy: serde_json::Value = serde_json::from_str(json)?;
    Ok(proxy["listen"].as_str().ok_or("no listen")?.parse()?)
}
