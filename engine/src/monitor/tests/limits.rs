//! What is too much.

use super::*;
use crate::monitor::listen::CONNECTIONS;

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let served = Served::new("", &["a"]);
    let json = "content-type: application/json";
    let mut stream = connect(served.dashboard()).await;
    let head = format!(
        "POST /api/alerts HTTP/1.1\r\nhost: localhost\r\n{json}\r\ncontent-length: 1000000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let in_time = clock::now() + Duration::from_secs(2);
    let all = clock::timeout_at(in_time, rest(&mut stream))
        .await
        .expect("answered and closed");
    assert_eq!(answer(&all).status, 413);
    // Without saying how much there will be.
    let mut stream = connect(served.dashboard()).await;
    let head = format!(
        "POST /api/alerts HTTP/1.1\r\nhost: localhost\r\n{json}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    // Who goes on sending may find the connection closed before the answer is read.
    let send = async { while stream.write_all(chunk.as_bytes()).await.is_ok() {} };
    clock::timeout_at(in_time + Duration::from_secs(3), send)
        .await
        .expect("not read to the end");
    assert_eq!(served.counted(&[], "bodies_refused").await, 2);
}

#[tokio::test]
async fn headers_that_do_not_end_are_not_waited_for() {
    let served = Served::new("", &["a"]);
    let mut stream = connect(served.dashboard()).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .expect("sent");
    let drip = async {
        loop {
            clock::sleep(Duration::from_millis(200)).await;
            if stream.write_all(b"x: y\r\n").await.is_err() {
                return;
            }
        }
    };
    let late = clock::now() + Duration::from_secs(9);
    clock::timeout_at(late, drip).await.expect("closed");
    until(async || served.counted(&[], "headers_late").await == 1).await;
    let mut stream = connect(served.dashboard()).await;
    let endless = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(100_000));
    let _ = stream.write_all(endless.as_bytes()).await;
    assert!(String::from_utf8_lossy(&rest(&mut stream).await).starts_with("HTTP/1.1 431"));
    let mut stream = connect(served.dashboard()).await;
    stream
        .write_all(b"\x16\x03\x01 hello\r\n\r\n")
        .await
        .expect("sent");
    rest(&mut stream).await;
    until(async || served.counted(&[], "not_http").await >= 1).await;
}

#[tokio::test]
async fn connections_without_end_do_no_harm() {
    let served = Served::new("", &["a"]);
    let at = served.dashboard();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS + 200 {
        if let Ok(stream) = TcpStream::connect(at).await {
            held.push(stream);
        }
    }
    // Those that are too many are closed: they say nothing, and end.
    let mut last = held.pop().expect("some");
    let in_time = clock::now() + Duration::from_secs(2);
    let ended = clock::timeout_at(in_time, rest(&mut last)).await;
    assert_eq!(ended.expect("closed at once").len(), 0);
    // The other server has places of its own.
    assert_eq!(
        ask(served.metrics(), "GET", "/metrics", &[], "")
            .await
            .status,
        200
    );
    drop(held);
    until(async || {
        let mut stream = connect(at).await;
        let text = request(at, "GET", "/healthz", &[], "");
        let sent = stream.write_all(text.as_bytes()).await;
        sent.is_ok() && rest(&mut stream).await.starts_with(b"HTTP/1.1 200")
    })
    .await;
    assert!(served.counted(&[], "connections_refused").await >= 200);
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_wait() {
    let served = Served::new("", &["a"]);
    let mut refused = 0;
    for _ in 0..600 {
        let answer = served.get("/api/pools").await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some());
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert_eq!(
        served.get("/page/app.js").await.status,
        200,
        "files cost nothing"
    );
}
