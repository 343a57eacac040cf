//! Listening, refusing, and leaving nothing behind.

use std::io::ErrorKind;
use std::time::Duration;

use fault_proxy::{Options, ServeError, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig, connect, echo, hung, read_to_end, round_trip};

async fn is_refused(address: std::net::SocketAddr) -> bool {
    TcpStream::connect(address)
        .await
        .is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn disabling_closes_and_refuses_and_enabling_listens_before_the_answer() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    for _ in 0..50 {
        let mut stream = connect(listen).await;
        rig.ok("POST", "/proxies/p", r#"{"enabled":false}"#).await;
        assert!(is_refused(listen).await);
        assert!(read_to_end(&mut stream).await.0.is_empty());
        rig.ok("POST", "/proxies/p", r#"{"enabled":true}"#).await;
        connect(listen).await;
    }
    rig.ok("DELETE", "/proxies/p", "").await;
    assert!(is_refused(listen).await);
}

#[tokio::test]
async fn a_proxy_follows_its_new_upstream_and_keeps_its_port() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut old = connect(listen).await;
    let other = crate::rig::upstream(|mut stream| async move {
        let _ = stream.write_all(b"other").await;
    })
    .await;
    rig.ok(
        "PATCH",
        "/proxies/p",
        &format!(r#"{{"upstream":"{other}"}}"#),
    )
    .await;
    assert!(read_to_end(&mut old).await.0.is_empty());
    let mut new = TcpStream::connect(listen).await.unwrap();
    assert_eq!(read_to_end(&mut new).await.0, b"other");
}

#[tokio::test]
async fn what_stays_the_same_keeps_its_connections_and_what_moves_drops_them() {
    let rig = Rig::new().await;
    let upstream = echo().await;
    let listen = rig.proxy(upstream).await;
    let mut stream = connect(listen).await;
    let same = format!(
        r#"{{"name":"p","listen":"localhost:{}","upstream":"{upstream}"}}"#,
        listen.port()
    );
    for (method, path, body) in [
        ("PATCH", "/proxies/p", same.clone()),
        ("POST", "/populate", format!("[{same}]")),
        ("POST", "/reset", String::new()),
    ] {
        rig.ok(method, path, &body).await;
        round_trip(&mut stream, path.as_bytes()).await;
    }
    let moved = rig
        .ok("PATCH", "/proxies/p", r#"{"listen":"127.0.0.1:0"}"#)
        .await;
    assert!(read_to_end(&mut stream).await.0.is_empty());
    assert!(is_refused(listen).await);
    let listen = moved.json()["listen"].as_str().unwrap().parse().unwrap();
    connect(listen).await;
}

#[tokio::test]
async fn a_proxy_that_cannot_move_stays_where_it_is() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut stream = connect(listen).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let body = format!(r#"{{"listen":"{}"}}"#, taken.local_addr().unwrap());
    assert_eq!(rig.call("PATCH", "/proxies/p", &body).await.status, 500);
    round_trip(&mut stream, b"still here").await;
    let body = format!(r#"{{"listen":"localhost:{}"}}"#, listen.port());
    rig.ok("PATCH", "/proxies/p", &body).await;
    round_trip(&mut stream, b"the same address is no move").await;
    // Another address on the same port: the old listener is in the way.
    let body = format!(r#"{{"listen":"0.0.0.0:{}"}}"#, listen.port());
    rig.ok("PATCH", "/proxies/p", &body).await;
    assert!(read_to_end(&mut stream).await.0.is_empty());
    connect(listen).await;
    rig.ok("PATCH", "/proxies/p", r#"{"listen":"127.0.0.1:0"}"#)
        .await;
    assert!(is_refused(listen).await);
}

#[tokio::test]
async fn a_hung_upstream_delays_nobody_and_ends_in_time() {
    let dial_timeout = Duration::from_millis(500);
    let rig = Rig::with(Options {
        dial_timeout,
        ..Options::default()
    })
    .await;
    // An address that answers nothing.
    let listen = rig.proxy("192.0.2.1:9".parse().unwrap()).await;
    let mut first = TcpStream::connect(listen).await.unwrap();
    let mut second = TcpStream::connect(listen).await.unwrap();
    rig.toxic(r#"{"type":"latency"}"#).await;
    read_to_end(&mut first).await.1.unwrap();
    read_to_end(&mut second).await.1.unwrap();
}

#[tokio::test]
async fn shutdown_leaves_no_task_and_no_port() {
    let echo = echo().await;
    let before = Handle::current().metrics().num_alive_tasks();
    let rig = Rig::new().await;
    let listen = rig.proxy(echo).await;
    let api = rig.api;
    // One of each kind that might stay: idle, caught, dialling, and API
    // connections that say nothing or stop in the middle of a request.
    let mut idle = connect(listen).await;
    let _silent = TcpStream::connect(api).await.unwrap();
    let mut half = TcpStream::connect(api).await.unwrap();
    half.write_all(b"POST /populate HTTP/1.1\r\nContent-Length: 10\r\n\r\n[")
        .await
        .unwrap();
    let (upstream, _backlog) = hung().await;
    let body = format!(r#"{{"name":"q","upstream":"{upstream}"}}"#);
    let reply = rig.ok("POST", "/proxies", &body).await.json();
    let hung = reply["listen"].as_str().unwrap().parse().unwrap();
    let _dialling = TcpStream::connect(hung).await.unwrap();
    rig.toxic(r#"{"type":"blackhole"}"#).await;
    let mut caught = TcpStream::connect(listen).await.unwrap();
    // Far below the deadlines that would end those connections in any case.
    timeout(Duration::from_secs(5), rig.server.shutdown())
        .await
        .unwrap();
    assert!(is_refused(api).await);
    assert!(is_refused(listen).await);
    assert!(is_refused(hung).await);
    // Dropped API connections leave their tasks a turn later.
    let gone = async {
        while Handle::current().metrics().num_alive_tasks() > before + 1 {
            tokio::task::yield_now().await;
        }
    };
    drop(idle.read(&mut [0]).await);
    drop(caught.read(&mut [0]).await);
    timeout(PATIENCE, gone).await.expect("tasks are left");
}

#[tokio::test]
async fn a_dropped_server_lets_go_of_its_ports() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut stream = connect(listen).await;
    let api = rig.api;
    drop(rig);
    assert!(read_to_end(&mut stream).await.0.is_empty());
    let refused = async {
        while !(is_refused(api).await && is_refused(listen).await) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
}

#[tokio::test]
async fn a_taken_api_port_is_an_error_that_names_it() {
    let rig = Rig::new().await;
    let error = Server::bind(rig.api, Options::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", rig.api));
    let ServeError::Listen { source, .. } = error else {
        panic!()
    };
    assert_eq!(source.kind(), ErrorKind::AddrInUse);
}
