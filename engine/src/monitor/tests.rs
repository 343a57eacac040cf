//! The monitor over real sockets, with a pool that says what a test wants.

mod alerts;
mod door;
mod fake;
mod history;
mod limits;
mod pool;
mod sharing;
mod sockets;

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
};

use self::fake::Fake;
use super::{Monitor, MonitorError, Settings, shared};
use crate::{clock, config::Secret, status::Watched};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A monitor with pools.
struct Served {
    monitor: Arc<Monitor>,
    pools: Vec<Arc<Fake>>,
}

impl Served {
    fn new(token: &str, names: &[&str]) -> Self {
        let settings = Settings {
            dashboard: Some(LOOPBACK),
            metrics: Some(LOOPBACK),
            token: Secret::new(token),
        };
        let monitor = Arc::new(Monitor::start(settings, &Handle::current()).expect("starts"));
        let pools: Vec<_> = names.iter().map(|name| Fake::new(name)).collect();
        pools.iter().for_each(|pool| monitor.add(watched(pool)));
        Self { monitor, pools }
    }

    fn dashboard(&self) -> SocketAddr {
        self.monitor.dashboard().expect("a dashboard")
    }

    fn metrics(&self) -> SocketAddr {
        self.monitor.metrics().expect("metrics")
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.dashboard(), "GET", path, &[], "").await
    }

    /// What `/api/status` counts.
    async fn counted(&self, headers: &[&str], name: &str) -> u64 {
        let status = ask(self.dashboard(), "GET", "/api/status", headers, "").await;
        status.json()["server"]["dashboard"][name]
            .as_u64()
            .expect("a counter")
    }
}

fn watched(pool: &Arc<Fake>) -> Weak<dyn Watched> {
    let pool: Arc<dyn Watched> = pool.clone();
    Arc::downgrade(&pool)
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error").to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.expect("connects")
}

/// What a connection says until it is closed.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut some = [0; 4_096];
    // It may be reset, if not all that was sent was read.
    while let Ok(n @ 1..) = stream.read(&mut some).await {
        all.extend_from_slice(&some[..n]);
    }
    all
}

fn request(to: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("host:")) {
        text += &format!("host: {to}\r\n");
    }
    if !body.is_empty() {
        text += &format!("content-length: {}\r\n", body.len());
    }
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text + "\r\n" + body
}

async fn ask(to: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = connect(to).await;
    let text = request(to, method, path, headers, body);
    stream.write_all(text.as_bytes()).await.expect("sent");
    let all = clock::timeout_at(clock::now() + Duration::from_secs(10), rest(&mut stream)).await;
    answer(&all.expect("in time"))
}

fn answer(all: &[u8]) -> Answer {
    let all = String::from_utf8_lossy(all);
    let (head, body) = all
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("HTTP: {all:?}"));
    Answer {
        status: head[9..12].parse().expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Waits until something is so.
async fn until(mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if so().await {
            return;
        }
        clock::sleep(Duration::from_millis(25)).await;
    }
    panic!("it is never so");
}
