//! A server, upstreams to put behind it, and plain HTTP to drive it.

use std::net::SocketAddr;
use std::time::Duration;

use fault_proxy::{Options, Server};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// No step of any test takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long "nothing comes" is watched for.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) api: SocketAddr,
}

/// A parsed HTTP response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), options)
            .await
            .unwrap();
        let api = server.local_addr();
        Self { server, api }
    }

    pub(crate) async fn send(&self, head: &str, body: &str) -> Reply {
        let mut stream = TcpStream::connect(self.api).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut text))
            .await
            .unwrap()
            .unwrap();
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Reply {
            status,
            headers: headers.replace("\r\n", "\n"),
            body: body.to_owned(),
        }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        self.send(&format!("{method} {path} HTTP/1.1"), body).await
    }

    /// As `call`, and it must succeed.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: &str) -> Reply {
        let reply = self.call(method, path, body).await;
        assert!(
            (200..300).contains(&reply.status),
            "{method} {path}: {reply:?}"
        );
        reply
    }

    /// Makes the proxy "p" in front of `upstream`; where it listens.
    pub(crate) async fn proxy(&self, upstream: SocketAddr) -> SocketAddr {
        let body = format!(r#"{{"name":"p","listen":"127.0.0.1:0","upstream":"{upstream}"}}"#);
        let reply = self.ok("POST", "/proxies", &body).await;
        reply.json()["listen"].as_str().unwrap().parse().unwrap()
    }

    /// Puts a toxic on "p".
    pub(crate) async fn toxic(&self, body: &str) {
        self.ok("POST", "/proxies/p/toxics", body).await;
    }

    pub(crate) async fn untoxic(&self, name: &str) {
        self.ok("DELETE", &format!("/proxies/p/toxics/{name}"), "")
            .await;
    }
}

/// An upstream that sends back what it gets, and ends when its client does.
pub(crate) async fn echo() -> SocketAddr {
    upstream(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await
}

/// An upstream that does `serve` with each connection.
pub(crate) async fn upstream<F, S>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// An upstream that answers no connection attempt: nobody accepts, and its
/// backlog is full. Both the listener and those that fill it are returned.
pub(crate) async fn hung() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = timeout(QUIET, TcpStream::connect(address)).await {
        filling.push(stream.unwrap());
    }
    (address, (listener, filling))
}

/// Sends `message` and waits for it to come back.
pub(crate) async fn round_trip(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(message).await.unwrap();
    let mut answer = vec![0; message.len()];
    timeout(PATIENCE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, message);
}

/// Connects and makes a round trip, so that the connection is known to be up.
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    round_trip(&mut stream, b"hello").await;
    stream
}

/// Nothing comes for a while: no byte, no end, no reset.
pub(crate) async fn assert_silent(stream: &mut TcpStream) {
    let mut byte = [0];
    if let Ok(came) = timeout(QUIET, stream.read(&mut byte)).await {
        panic!("expected silence, got {came:?}");
    }
}

/// What ends the stream: the bytes before it, and whether it was orderly.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, std::io::Result<()>) {
    let mut bytes = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("no end came");
    (bytes, end.map(drop))
}
