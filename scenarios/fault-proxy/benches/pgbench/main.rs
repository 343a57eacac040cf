//! What `pgbench` does through the proxy, compared with direct.
//!
//! `cargo bench -p fault-proxy --bench pgbench -- [--rounds 7] [--seconds 3]
//! [--clients 8]` starts a PostgreSQL of its own in a temporary folder. Its
//! programs are looked for in `PG_BIN`, in `PATH` and where Debian puts them.
//!
//! Each round runs `pgbench -S -M prepared` direct, through the proxy, and
//! through a relay of two blocking threads for each connection that can do
//! nothing else. The relay says what the kernel alone takes for the way, which
//! on a machine that `pgbench` keeps busy by itself is most of it. Only the
//! ratios within a round are compared: both sides of one saw the same machine.

#![expect(clippy::print_stdout, reason = "a benchmark's output")]

mod postgres;

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use fault_proxy::{Options, Server};
use postgres::Postgres;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

struct Settings {
    rounds: usize,
    seconds: usize,
    clients: usize,
}

fn main() -> Outcome {
    let settings = settings()?;
    let postgres = Postgres::start(&["fsync=off"])?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let server = runtime.block_on(Server::bind(([127, 0, 0, 1], 0).into(), Options::default()))?;
    let proxied = proxy(server.local_addr(), postgres.address())?;
    let relayed = relay(postgres.address())?;

    let Settings {
        rounds,
        seconds,
        clients,
    } = settings;
    println!(
        "pgbench -S -M prepared -c {clients} -j {} -T {seconds}, transactions per second",
        clients.min(2)
    );
    println!("round   direct  proxied  ratio  blocking relay  ratio");
    let (mut proxy_ratios, mut relay_ratios) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let [threads, clients, seconds] = [clients.min(2), clients, seconds].map(|n| n.to_string());
        let args = [
            "-S", "-M", "prepared", "-c", &clients, "-j", &threads, "-T", &seconds,
        ];
        let run = |port| postgres.pgbench(port, &args);
        let base = run(postgres.address().port())?;
        let (through, floor) = (run(proxied.port())?, run(relayed.port())?);
        let (ratio, floor_ratio) = (through / base, floor / base);
        println!("{round:5} {base:8.0} {through:8.0} {ratio:6.3} {floor:15.0} {floor_ratio:6.3}");
        proxy_ratios.push(ratio);
        relay_ratios.push(floor_ratio);
    }
    summary("proxied / direct, goal 0.75", proxy_ratios);
    summary("blocking relay / direct", relay_ratios);
    runtime.block_on(server.shutdown());
    Ok(())
}

fn summary(what: &str, mut ratios: Vec<f64>) {
    ratios.sort_unstable_by(f64::total_cmp);
    if let (Some(low), Some(median), Some(high)) =
        (ratios.first(), ratios.get(ratios.len() / 2), ratios.last())
    {
        println!("{what}: median {median:.3} [{low:.3} .. {high:.3}]");
    }
}

fn settings() -> Outcome<Settings> {
    let mut settings = Settings {
        rounds: 7,
        seconds: 3,
        clients: 8,
    };
    // cargo adds --bench.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(arg) = args.next() {
        let place = match arg.as_str() {
            "--rounds" => &mut settings.rounds,
            "--seconds" => &mut settings.seconds,
            "--clients" => &mut settings.clients,
            other => {
                return Err(format!("{other}: allowed are --rounds, --seconds, --clients").into());
            }
        };
        let value = args.next().ok_or(format!("{arg}: a number is missing"))?;
        *place = value
            .parse()
            .map_err(|error| format!("{arg} {value}: {error}"))?;
    }
    Ok(settings)
}

/// Makes the proxy; where it listens.
fn proxy(api: SocketAddr, upstream: SocketAddr) -> Outcome<SocketAddr> {
    let body = format!(r#"{{"name":"pg","listen":"127.0.0.1:0","upstream":"{upstream}"}}"#);
    let mut stream = TcpStream::connect(api)?;
    let len = body.len();
    write!(
        stream,
        "POST /proxies HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let json = reply.split("\r\n\r\n").nth(1).ok_or("no body")?;
    let proxy: serde_json::Value = serde_json::from_str(json)?;
    Ok(proxy["listen"].as_str().ok_or("no listen")?.parse()?)
}

/// The least that a relay in user space can do; where it listens.
fn relay(upstream: SocketAddr) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let _ = join(client, upstream);
        }
    });
    Ok(address)
}

fn join(client: TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || pass(from_client, to_server));
    std::thread::spawn(move || pass(server, client));
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..len).unwrap_or_default();
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
