//! PostgreSQL's own clients through the fault proxy, while toxics that spare the
//! living are on it: they work, and no byte is lost.

use std::{
    io::{Read, Write},
    process::{Child, Stdio},
};

use fault_proxy::{Options, Server};
use reqwest::{Method, blocking::Client};
use scenarios::environment::Endpoint;
use serde_json::{Value, json};

use super::{
    programs::{client, output},
    server,
};

/// A proxy in front of a server, and the way to its API.
struct Proxy {
    http: Client,
    url: String,
    port: u16,
}

impl Proxy {
    fn new(api: std::net::SocketAddr, upstream: &str) -> Self {
        let mut proxy = Self {
            http: Client::builder().no_proxy().build().expect("a client"),
            url: format!("http://{api}/proxies"),
            port: 0,
        };
        let body = json!({"name": "pg", "listen": "127.0.0.1:0", "upstream": upstream});
        let made = proxy.call(Method::POST, "", &body);
        let listen: Value = serde_json::from_str(&made).expect("JSON");
        let port = listen["listen"]
            .as_str()
            .and_then(|it| it.split(':').next_back());
        proxy.port = port.expect("a port").parse().expect("a number");
        proxy.url.push_str("/pg/toxics");
        proxy
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> String {
        let url = format!("{}{path}", self.url);
        let request = self.http.request(method, &url).body(body.to_string());
        let reply = request.send().expect("an answer");
        let status = reply.status();
        let text = reply.text().expect("a body");
        assert!(status.is_success(), "{url} {body}: {status} {text}");
        text
    }

    fn add(&self, toxic: &Value) {
        self.call(Method::POST, "", toxic);
    }

    fn change(&self, name: &str, attributes: &Value) {
        self.call(
            Method::PATCH,
            &format!("/{name}"),
            &json!({"attributes": attributes}),
        );
    }

    fn remove(&self, name: &str) {
        self.call(Method::DELETE, &format!("/{name}"), &Value::Null);
    }
}

/// Runs `test` on a thread that may block, with a server and a proxy before it.
async fn behind_a_proxy(test: impl FnOnce(&Endpoint, &Proxy) + Send + 'static) {
    let (postgres, _place) = server::any().await;
    let anywhere = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(anywhere, Options::default())
        .await
        .expect("a free port");
    let api = server.local_addr();
    let endpoint = postgres.endpoint().clone();
    let tested = tokio::task::spawn_blocking(move || {
        let proxy = Proxy::new(api, &endpoint.address());
        test(&endpoint, &proxy);
    });
    let tested = tested.await;
    server.shutdown().await;
    postgres.stop().await.expect("stopped");
    if let Err(panicked) = tested {
        std::panic::resume_unwind(panicked.into_panic());
    }
}

/// Type, attributes, toxicity.
fn toxics() -> Vec<(&'static str, Value, f32)> {
    vec![
        ("latency", json!({"latency": 5, "jitter": 3}), 1.0),
        ("bandwidth", json!({"rate": 500}), 1.0),
        (
            "slicer",
            json!({"average_size": 20, "size_variation": 10, "delay": 20}),
            1.0,
        ),
        ("slow_close", json!({"delay": 50}), 1.0),
        ("noop", json!({}), 1.0),
        ("limit_data", json!({"bytes": 100_000_000}), 1.0),
        ("limit_data", json!({"bytes": 0}), 0.0),
        ("timeout", json!({"timeout": 1}), 0.0),
        ("reset_peer", json!({"timeout": 0}), 0.0),
        ("blackhole", json!({}), 0.0),
        ("reset", json!({}), 0.0),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_and_pgbench_work_under_every_toxic_that_spares_the_link() {
    behind_a_proxy(|direct, proxy| {
        output(client("pgbench", direct).args(["-i", "-q"]), "initialise");
        let through = direct.through(proxy.port);
        for (kind, attributes, toxicity) in toxics() {
            for stream in ["upstream", "downstream"] {
                let what = format!("{kind} {attributes} {toxicity} {stream}");
                proxy.add(&json!({
                    "name": "t", "type": kind, "stream": stream,
                    "toxicity": toxicity, "attributes": attributes,
                }));
                let mut psql = client("psql", &through);
                let answer = output(
                    psql.args([
                        "-XAtc",
                        "SELECT count(*), repeat('x', 5000) FROM pgbench_accounts",
                    ]),
                    &what,
                );
                let expected = format!(
                    "100000|{}
",
                    "x".repeat(5_000)
                );
                assert!(answer == expected, "{what}: {} bytes", answer.len());
                let mut pgbench = client("pgbench", &through);
                let report = output(
                    pgbench.args([
                        "-n", "-S", "-M", "prepared", "-c", "4", "-j", "2", "-t", "5",
                    ]),
                    &what,
                );
                let processed = "number of transactions actually processed: 20/20";
                assert!(report.contains(processed), "{what}: {report}");
                proxy.remove("t");
            }
        }
    })
    .await;
}

const COPY_BYTES: usize = 100_000_000;

/// Lines of COPY's text format with nothing that it would write otherwise.
fn content() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COPY_BYTES + 1_000);
    let mut number = 0_u64;
    while bytes.len() < COPY_BYTES {
        number += 1;
        // Neighbours differ, so that bytes that change places are noticed.
        let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let line = format!(
            "{number}\t{word:016x}{}\n",
            "abcdefghijklmnopqrstuvwxyz".repeat(30)
        );
        bytes.extend_from_slice(line.as_bytes());
    }
    bytes
}

/// What happens to the toxics when so much of the data has passed: each is
/// added, changed and removed while bytes are on their way.
fn disturb(proxy: &Proxy, stream: &str, step: usize) {
    let add = |kind: &str, attributes: Value| {
        proxy.add(&json!({"name": kind, "type": kind, "stream": stream, "attributes": attributes}));
    };
    match step {
        1 => add("latency", json!({"latency": 20, "jitter": 10})),
        2 => add("bandwidth", json!({"rate": 40_000})),
        3 => add(
            "slicer",
            json!({"average_size": 16_000, "size_variation": 4_000, "delay": 10}),
        ),
        4 => proxy.change("latency", &json!({"latency": 2, "jitter": 0})),
        5 => proxy.change("bandwidth", &json!({"rate": 60_000})),
        6 => proxy.change(
            "slicer",
            &json!({"average_size": 1_000, "size_variation": 900, "delay": 0}),
        ),
        7 => proxy.remove("bandwidth"),
        8 => proxy.remove("latency"),
        9 => proxy.remove("slicer"),
        _ => {}
    }
}

fn psql(endpoint: &Endpoint, sql: &str) -> Child {
    client("psql", endpoint)
        // A later scan must not begin where an earlier one was.
        .env("PGOPTIONS", "-c synchronize_seqscans=off")
        .args(["-Xqc", sql])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was found")
}

/// All that the table holds, in the order in which it came. `progress` is called
/// with each tenth that is there.
fn download(endpoint: &Endpoint, len: usize, progress: impl Fn(usize)) -> Vec<u8> {
    let mut psql = psql(endpoint, "COPY copied TO STDOUT");
    let mut from = psql.stdout.take().expect("piped");
    let mut bytes = Vec::with_capacity(len);
    for step in 1..=10 {
        let part = len.div_ceil(10) as u64;
        let read = from.by_ref().take(part).read_to_end(&mut bytes);
        assert!(
            read.is_ok_and(|read| read > 0),
            "it ended after {} bytes",
            bytes.len()
        );
        progress(step);
    }
    from.read_to_end(&mut bytes).expect("read");
    assert!(psql.wait().expect("ended").success());
    bytes
}

fn upload(endpoint: &Endpoint, bytes: &[u8], progress: impl Fn(usize)) {
    let mut psql = psql(endpoint, "COPY copied FROM STDIN");
    let mut to = psql.stdin.take().expect("piped");
    for (step, part) in (1..).zip(bytes.chunks(bytes.len().div_ceil(10))) {
        to.write_all(part).expect("psql takes it");
        progress(step);
    }
    drop(to);
    assert!(psql.wait().expect("ended").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_arrives_byte_for_byte_while_toxics_come_change_and_go() {
    behind_a_proxy(|direct, proxy| {
        let through = direct.through(proxy.port);
        let table = "CREATE UNLOGGED TABLE copied (number bigint, body text)";
        output(client("psql", direct).args(["-Xqc", table]), "table");
        let sent = content();
        upload(&through, &sent, |step| {
            disturb(proxy, "upstream", step);
        });
        let stored = download(direct, sent.len(), |_| {});
        assert!(stored == sent, "what was uploaded is not what is there");
        let received = download(&through, sent.len(), |step| {
            disturb(proxy, "downstream", step);
        });
        assert!(received == sent, "what was downloaded is not what is there");
    })
    .await;
}
