//! `toxiproxy_rust` against our server: all its calls, and that each does to a
//! connection what its user expects.
//!
//! The crate checks no status and panics inside a runtime, so the tests are
//! plain threads, and what it says is read back.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use fault_proxy::{Options, Server};
use seawall::clock;
use toxiproxy_rust::{
    client::Client,
    proxy::{Proxy, ProxyPack},
};

/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Our server, with a client that a user would make.
struct Rig {
    client: Client,
    server: Option<Server>,
}

impl Rig {
    fn new() -> Self {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let server = block_on(Server::bind(anywhere, Options::default())).expect("a free port");
        Self {
            client: Client::new(server.local_addr()),
            server: Some(server),
        }
    }

    /// A proxy in front of an echo, as `populate` gives it.
    fn proxy(&self, name: &str) -> Proxy {
        let mut made = self
            .client
            .populate(vec![pack(name, &echo().to_string())])
            .expect("populated");
        made.pop().expect("one")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.server.take().map(Server::shutdown).map(block_on);
    }
}

/// The server has threads of its own, so the plainest runtime will do.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn pack(name: &str, upstream: &str) -> ProxyPack {
    ProxyPack::new(name.into(), "127.0.0.1:0".into(), upstream.into())
}

/// Sends back what it gets, and ends when its client does.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut to = stream.try_clone().expect("a copy");
                let _ = std::io::copy(&mut &stream, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn connect(proxy: &Proxy) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(&proxy.proxy_pack.listen)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// How long a message took to come back.
fn round_trip(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<Duration> {
    let start = clock::now();
    stream.write_all(message)?;
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer, message);
    Ok(start.elapsed())
}

fn works(proxy: &Proxy) -> bool {
    connect(proxy).is_ok_and(|mut stream| round_trip(&mut stream, b"hello").is_ok())
}

/// How long it takes until the stream ends.
fn time_to_end(stream: &mut TcpStream) -> Duration {
    let start = clock::now();
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    start.elapsed()
}

#[test]
fn every_call_about_proxies_does_what_it_says() {
    let rig = Rig::new();
    let client = &rig.client;
    assert!(client.is_running());
    assert_eq!(
        client.version().expect("answered").trim(),
        r#"{"version": "2.12.0"}"#
    );
    assert!(client.all().expect("answered").is_empty());

    let upstream = echo().to_string();
    let made = client
        .populate(vec![pack("a", &upstream), pack("b", &upstream)])
        .expect("populated");
    let names: Vec<_> = made.iter().map(|it| it.proxy_pack.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(made.iter().all(|it| it.proxy_pack.enabled && works(it)));
    let all = client.all().expect("answered");
    assert_eq!(all.len(), 2);
    let listen = &all["a"].proxy_pack.listen;
    assert_eq!(*listen, made[0].proxy_pack.listen, "the port it got");
    assert!(client.find_proxy("c").is_err());

    let found = client.find_proxy("a").expect("found");
    assert_eq!(found.proxy_pack.upstream, upstream);
    found.disable().expect("disabled");
    assert!(!client.find_proxy("a").expect("found").proxy_pack.enabled);
    assert!(!works(&found));
    found.enable().expect("enabled");
    assert!(works(&found));

    found
        .with_down(|| assert!(connect(&found).is_err(), "refused meanwhile"))
        .expect("down and up");
    assert!(works(&found));

    found.with_timeout("downstream".into(), 0, 1.0);
    found.disable().expect("disabled");
    let reset = client.find_and_reset_proxy("a").expect("reset");
    assert!(reset.toxics().expect("answered").is_empty());
    assert!(works(&reset));

    for proxy in &made {
        proxy.with_timeout("upstream".into(), 0, 1.0);
        proxy.disable().expect("disabled");
    }
    client.reset().expect("reset");
    for (name, proxy) in client.all().expect("answered") {
        assert!(proxy.proxy_pack.enabled, "{name}");
        assert!(proxy.proxy_pack.toxics.is_empty(), "{name}");
        assert!(works(&proxy), "{name}");
    }

    found.delete().expect("deleted");
    assert!(client.find_proxy("a").is_err());
    assert!(!works(&found));
    assert_eq!(client.all().expect("answered").len(), 1);
}

#[test]
fn every_toxic_is_made_as_it_was_asked_for_on_either_stream() {
    type Expected = (&'static str, f32, &'static [(&'static str, u32)]);
    let rig = Rig::new();
    let proxy = rig.proxy("p");
    for stream in ["upstream", "downstream"] {
        let s = || stream.to_owned();
        proxy
            .with_latency(s(), 1, 2, 0.1)
            .with_bandwidth(s(), 3, 0.2)
            .with_slow_close(s(), 4, 0.3)
            .with_timeout(s(), 5, 0.4)
            .with_slicer(s(), 8, 7, 6, 0.5)
            .with_limit_data(s(), 9, 0.6);
    }
    let toxics = proxy.toxics().expect("answered");
    assert_eq!(toxics.len(), 12);
    let expected: [Expected; 6] = [
        ("latency", 0.1, &[("latency", 1), ("jitter", 2)]),
        ("bandwidth", 0.2, &[("rate", 3)]),
        ("slow_close", 0.3, &[("delay", 4)]),
        ("timeout", 0.4, &[("timeout", 5)]),
        (
            "slicer",
            0.5,
            &[("average_size", 8), ("size_variation", 7), ("delay", 6)],
        ),
        ("limit_data", 0.6, &[("bytes", 9)]),
    ];
    for (stream, made) in ["upstream", "downstream"].iter().zip(toxics.chunks(6)) {
        for (toxic, (kind, toxicity, attributes)) in made.iter().zip(expected) {
            let attributes: HashMap<_, _> = attributes
                .iter()
                .map(|&(name, value)| (name.to_owned(), value))
                .collect();
            assert_eq!(toxic.name, format!("{kind}_{stream}"));
            assert_eq!(toxic.r#type, kind);
            assert_eq!(toxic.stream, *stream);
            assert!((toxic.toxicity - toxicity).abs() < 1e-6, "{kind}");
            assert_eq!(toxic.attributes, attributes, "{kind}");
        }
    }
    proxy.delete_all_toxics().expect("deleted");
    assert!(proxy.toxics().expect("answered").is_empty());
    assert!(works(&proxy));
}

#[test]
fn every_toxic_acts_within_apply_and_is_gone_after_it() {
    let rig = Rig::new();
    let proxy = rig.proxy("p");
    let ms = Duration::from_millis;
    let down = || "downstream".to_owned();
    let mut live = connect(&proxy).expect("connected");
    let applied = [
        proxy.with_latency(down(), 200, 0, 1.0).apply(|| {
            let took = round_trip(&mut live, b"hello").expect("alive");
            assert!(took >= ms(200), "{took:?}");
        }),
        proxy.with_bandwidth(down(), 10, 1.0).apply(|| {
            let took = round_trip(&mut live, &[7; 5_000]).expect("alive");
            assert!(took >= ms(350), "5 KB at 10 KB/s: {took:?}");
        }),
        proxy.with_slicer(down(), 10, 5, 1_000, 1.0).apply(|| {
            let took = round_trip(&mut live, &[7; 1_000]).expect("alive");
            assert!(took >= ms(60), "at least 66 pauses of 1 ms: {took:?}");
        }),
        proxy.with_slow_close(down(), 200, 1.0).apply(|| {
            let mut stream = connect(&proxy).expect("connected");
            round_trip(&mut stream, b"hello").expect("alive");
            stream.shutdown(Shutdown::Write).expect("open until now");
            let took = time_to_end(&mut stream);
            assert!(took >= ms(200), "{took:?}");
        }),
        proxy.with_timeout(down(), 200, 1.0).apply(|| {
            let mut stream = connect(&proxy).expect("connected");
            stream.write_all(b"hello").expect("open until now");
            let took = time_to_end(&mut stream);
            assert!(took >= ms(150) && took < PATIENCE, "{took:?}");
        }),
        proxy.with_limit_data(down(), 4, 1.0).apply(|| {
            let mut stream = connect(&proxy).expect("connected");
            stream.write_all(b"hello").expect("open until now");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an orderly end");
            assert_eq!(answer, b"hell");
        }),
    ];
    for result in applied {
        result.expect("applied and removed");
        assert!(proxy.toxics().expect("answered").is_empty());
    }
    // The toxics that spare the living took nothing from who was there all along,
    // and it is as fast as before.
    drop(live);
    let mut live = connect(&proxy).expect("connected");
    let took = round_trip(&mut live, &[7; 5_000]).expect("alive");
    assert!(took < ms(150), "{took:?}");
}
