//! Every endpoint and every refusal: status, content type, body.

use fault_proxy::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig};

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What it holds stands at its top.
const TABLE: &str = include_str!("api.txt");

#[tokio::test]
async fn every_endpoint_answers_as_toxiproxy_does() {
    let rig = Rig::new().await;
    let mut listen = String::new();
    let mut lines = TABLE.lines();
    while let Some(line) = lines.next() {
        let Some(request) = line.strip_prefix("> ") else {
            continue;
        };
        let fill = |text: &str| {
            let port = listen.rsplit(':').next().unwrap_or_default();
            text.replace("{listen}", &listen).replace("{port}", port)
        };
        let mut parts = request.splitn(3, ' ');
        let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
        let body = fill(parts.next().unwrap_or_default());
        let reply = rig.call(method, path, &body).await;
        if reply.status == 201 && path == "/proxies" {
            listen = reply.json()["listen"].as_str().unwrap().to_owned();
        }
        let fill = |text: &str| text.replace("{listen}", &listen);
        let kind = match reply.header("content-type") {
            Some(JSON) => "json",
            Some(PLAIN) => "text",
            Some("application/json;charset=utf-8") => "version",
            None => "empty",
            Some(other) => other,
        };
        let answer = format!("< {} {kind} {}", reply.status, reply.body);
        let expected = lines.next().map(fill).unwrap_or_default();
        assert_eq!(answer.trim_end(), expected, "{request}");
        let has_newline = ["text", "version"].contains(&kind);
        assert_eq!(reply.body.ends_with('\n'), has_newline, "{request}");
        let is_matched = reply.status != 405 && reply.body != "404 page not found\n";
        let has_id = reply.header("x-toxiproxy-request-id").is_some();
        assert_eq!(has_id, is_matched, "{request}");
    }
    rig.server.shutdown().await;
}

#[tokio::test]
async fn a_browser_is_refused() {
    let rig = Rig::new().await;
    for (header, body) in [
        ("User-Agent: Mozilla/5.0", "User agent not allowed\n"),
        ("Origin: http://evil.example", "Origin not allowed\n"),
        ("Sec-Fetch-Site: same-origin", "Origin not allowed\n"),
    ] {
        let reply = rig
            .send(&format!("POST /reset HTTP/1.1\r\n{header}"), "")
            .await;
        assert_eq!((reply.status, reply.body.as_str()), (403, body), "{header}");
        assert_eq!(reply.header("content-type"), Some(PLAIN));
    }
    let reply = rig
        .send(
            "GET /proxies HTTP/1.1\r\nUser-Agent: curl/8 Mozilla/5.0",
            "",
        )
        .await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let rig = Rig::new().await;
    let body = format!("[{}]", " ".repeat(2 * 1024 * 1024));
    let mut stream = TcpStream::connect(rig.api).await.unwrap();
    let head = format!(
        "POST /populate HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer may come, and the connection close, before all is sent.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    rig.ok("GET", "/proxies", "").await;
}

#[tokio::test]
async fn metrics_count_bytes_when_they_are_switched_on() {
    let rig = Rig::with(Options {
        metrics: true,
        ..Options::default()
    })
    .await;
    let upstream = crate::rig::echo().await;
    let listen = rig.proxy(upstream).await;
    drop(crate::rig::connect(listen).await);
    let mut reply = rig.ok("GET", "/metrics", "").await;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(kind));
    // What was sent is counted when that is done, and by then it may have been read.
    for _ in 0..500 {
        if reply.body.matches("} 5\n").count() == 4 {
            break;
        }
        reply = rig.ok("GET", "/metrics", "").await;
    }
    for what in ["received", "sent"] {
        for direction in ["upstream", "downstream"] {
            let line = format!(
                "toxiproxy_proxy_{what}_bytes_total{{direction=\"{direction}\",\
                 listener=\"{listen}\",proxy=\"p\",upstream=\"{upstream}\"}} 5\n"
            );
            assert!(reply.body.contains(&line), "{line} not in {}", reply.body);
        }
    }
}
