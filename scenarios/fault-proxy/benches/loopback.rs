//! What the proxy costs on loopback, and how exact its toxics are.
//!
//! Client and upstream are blocking threads, so what is measured is the
//! proxy's runtime and nothing of ours around it. Direct and proxied rounds
//! alternate, so that both see the same machine. Run it on an idle one:
//! `cargo bench -p fault-proxy`.

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

fn main() -> Outcome {
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
    idle_memory(proxied)?;
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
        println!("64 B round trip {name}: direct {base:?}, proxied {through:?}, added {added:?}");
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
    for _ in 0..3 {
        let (base, through) = (
            download(direct, DOWNLOAD_BYTES)?,
            download(proxied, DOWNLOAD_BYTES)?,
        );
        println!("one download: direct {base:.0} MB/s, proxied {through:.0} MB/s");
    }
    Ok(())
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
    println!("connect and echo p50: direct {base:?}, proxied {through:?}");
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
    println!("latency {ms} ms: round trip p50 {median:?}, overshoot {over:?}");
    call(api, "DELETE", "/proxies/p/toxics/t", "")?;
    Ok(())
}

fn bandwidth(api: SocketAddr, proxied: SocketAddr, rate: usize) -> Outcome {
    let body = format!(r#"{{"type":"bandwidth","name":"t","attributes":{{"rate":{rate}}}}}"#);
    call(api, "POST", "/proxies/p/toxics", &body)?;
    let mb_per_s = download(proxied, rate * 1000 * 3)?;
    let ideal = rate as f64 / 1e3;
    println!(
        "bandwidth {ideal} MB/s: {mb_per_s:.3} MB/s, {:.3} of it",
        mb_per_s / ideal
    );
    call(api, "DELETE", "/proxies/p/toxics/t", "")?;
    Ok(())
}

/// The whole process, so the upstream's threads count too: an upper bound.
fn idle_memory(proxied: SocketAddr) -> Outcome {
    const CONNECTIONS: usize = 400;
    let before = resident_kib()?;
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(proxied)?;
        round_trip(&mut stream)?;
        streams.push(stream);
    }
    let kib = resident_kib()?.saturating_sub(before) as f64 / CONNECTIONS as f64;
    println!("idle connection: {kib:.1} KiB of this process, its upstream's thread included");
    Ok(())
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
