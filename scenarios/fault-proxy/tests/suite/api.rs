//! Every endpoint and every refusal: status, content type, body.

use fault_proxy::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig};

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// One request and what must come of it. `{listen}` in a body stands for where
/// the proxy "a" listens.
struct Row(
    &'static str,
    &'static str,
    &'static str,
    u16,
    &'static str,
    &'static str,
);

const TABLE: &[Row] = &[
    Row(
        "GET",
        "/version",
        "",
        200,
        "application/json;charset=utf-8",
        "{\"version\": \"2.12.0\"}\n",
    ),
    Row("GET", "/proxies", "", 200, JSON, "{}"),
    // What a proxy needs.
    Row(
        "POST",
        "/proxies",
        "",
        400,
        PLAIN,
        "{\"error\":\"bad request body: EOF\",\"status\":400}\n",
    ),
    Row(
        "POST",
        "/proxies",
        "{}",
        400,
        PLAIN,
        "{\"error\":\"missing required field: name\",\"status\":400}\n",
    ),
    Row(
        "POST",
        "/proxies",
        r#"{"name":"a"}"#,
        400,
        PLAIN,
        "{\"error\":\"missing required field: upstream\",\"status\":400}\n",
    ),
    Row(
        "POST",
        "/proxies",
        r#"{"name":"a","listen":"nope","upstream":"x:1"}"#,
        500,
        PLAIN,
        "{\"error\":\"listen tcp: address nope: missing port in address\",\"status\":500}\n",
    ),
    Row(
        "POST",
        "/proxies",
        r#"{"NAME":"a","listen":"localhost:0","upstream":"127.0.0.1:1","other":[]}"#,
        201,
        JSON,
        r#"{"name":"a","listen":"{listen}","upstream":"127.0.0.1:1","enabled":true,"toxics":[]}"#,
    ),
    Row(
        "POST",
        "/proxies",
        r#"{"name":"a","upstream":"x:1"}"#,
        409,
        PLAIN,
        "{\"error\":\"proxy already exists\",\"status\":409}\n",
    ),
    Row(
        "POST",
        "/proxies",
        r#"{"name":"b","listen":"{listen}","upstream":"x:1"}"#,
        500,
        PLAIN,
        "{\"error\":\"listen tcp {listen}: bind: address already in use\",\"status\":500}\n",
    ),
    Row(
        "GET",
        "/proxies/a",
        "",
        200,
        JSON,
        r#"{"name":"a","listen":"{listen}","upstream":"127.0.0.1:1","enabled":true,"toxics":[]}"#,
    ),
    Row(
        "GET",
        "/proxies/b",
        "",
        404,
        PLAIN,
        "{\"error\":\"proxy not found\",\"status\":404}\n",
    ),
    // Toxics.
    Row("GET", "/proxies/a/toxics", "", 200, JSON, "[]"),
    Row(
        "POST",
        "/proxies/a/toxics",
        r#"{"type":"latency","attributes":{"latency":5}}"#,
        200,
        JSON,
        r#"{"attributes":{"latency":5,"jitter":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}"#,
    ),
    Row(
        "POST",
        "/proxies/a/toxics",
        r#"{"type":"latency"}"#,
        409,
        PLAIN,
        "{\"error\":\"toxic already exists\",\"status\":409}\n",
    ),
    Row(
        "POST",
        "/proxies/a/toxics",
        r#"{"type":"timeout","stream":"UpStream","toxicity":0.8}"#,
        200,
        JSON,
        r#"{"attributes":{"timeout":0},"name":"timeout_UpStream","type":"timeout","stream":"UpStream","toxicity":0.8}"#,
    ),
    Row(
        "POST",
        "/proxies/a/toxics",
        r#"{"type":"x"}"#,
        400,
        PLAIN,
        "{\"error\":\"invalid toxic type\",\"status\":400}\n",
    ),
    Row(
        "POST",
        "/proxies/a/toxics",
        r#"{"type":"latency","stream":""}"#,
        400,
        PLAIN,
        "{\"error\":\"stream was invalid, can be either upstream or downstream\",\"status\":400}\n",
    ),
    Row(
        "POST",
        "/proxies/b/toxics",
        "{",
        404,
        PLAIN,
        "{\"error\":\"proxy not found\",\"status\":404}\n",
    ),
    Row(
        "GET",
        "/proxies/a/toxics/latency_downstream",
        "",
        200,
        JSON,
        r#"{"attributes":{"latency":5,"jitter":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}"#,
    ),
    Row(
        "PATCH",
        "/proxies/a/toxics/latency_downstream",
        r#"{"attributes":{"jitter":2},"toxicity":0.5,"name":"z"}"#,
        200,
        JSON,
        r#"{"attributes":{"latency":5,"jitter":2},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":0.5}"#,
    ),
    Row(
        "POST",
        "/proxies/a/toxics/latency_downstream",
        r#"{"attributes":{"jitter":-1}}"#,
        400,
        PLAIN,
        "{\"error\":\"bad request body: jitter must be between 0 and 4294967295, was -1\",\"status\":400}\n",
    ),
    Row(
        "POST",
        "/proxies/a/toxics/nope",
        "{",
        404,
        PLAIN,
        "{\"error\":\"toxic not found\",\"status\":404}\n",
    ),
    Row(
        "GET",
        "/proxies/a/toxics",
        "",
        200,
        JSON,
        r#"[{"attributes":{"timeout":0},"name":"timeout_UpStream","type":"timeout","stream":"UpStream","toxicity":0.8},{"attributes":{"latency":5,"jitter":2},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":0.5}]"#,
    ),
    Row(
        "DELETE",
        "/proxies/a/toxics/nope",
        "",
        404,
        PLAIN,
        "{\"error\":\"toxic not found\",\"status\":404}\n",
    ),
    Row(
        "DELETE",
        "/proxies/a/toxics/timeout_UpStream",
        "",
        204,
        "",
        "",
    ),
    // Changing a proxy.
    Row(
        "PATCH",
        "/proxies/a",
        "[]",
        400,
        PLAIN,
        "{\"error\":\"bad request body: json: cannot unmarshal array into proxy of type object\",\"status\":400}\n",
    ),
    Row(
        "PATCH",
        "/proxies/b",
        "[]",
        404,
        PLAIN,
        "{\"error\":\"proxy not found\",\"status\":404}\n",
    ),
    Row(
        "POST",
        "/proxies/a",
        r#"{"enabled":false}"#,
        200,
        JSON,
        r#"{"name":"a","listen":"{listen}","upstream":"127.0.0.1:1","enabled":false,"toxics":[{"attributes":{"latency":5,"jitter":2},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":0.5}]}"#,
    ),
    Row("POST", "/reset", "", 204, "", ""),
    Row(
        "GET",
        "/proxies",
        "",
        200,
        JSON,
        r#"{"a":{"name":"a","listen":"{listen}","upstream":"127.0.0.1:1","enabled":true,"toxics":[]}}"#,
    ),
    Row(
        "PATCH",
        "/proxies/a",
        r#"{"upstream":"127.0.0.1:2"}"#,
        200,
        JSON,
        r#"{"name":"a","listen":"{listen}","upstream":"127.0.0.1:2","enabled":true,"toxics":[]}"#,
    ),
    // Populate.
    Row(
        "POST",
        "/populate",
        r#"[{"name":"a","listen":"{listen}","upstream":"127.0.0.1:2"}]"#,
        201,
        JSON,
        r#"{"proxies":[{"name":"a","listen":"{listen}","upstream":"127.0.0.1:2","enabled":true,"toxics":[]}]}"#,
    ),
    Row(
        "POST",
        "/populate",
        r#"[{"name":"a","listen":"{listen}","upstream":"x:1"},{"name":"b"}]"#,
        400,
        JSON,
        r#"{"error":"missing required field: upstream at proxy 2","status":400,"proxies":null}"#,
    ),
    Row(
        "POST",
        "/populate",
        r#"[{"name":"a","listen":"{listen}","upstream":"127.0.0.1:2"},{"name":"b","listen":"{listen}","upstream":"x:1"},{"name":"c","upstream":"x:1"}]"#,
        500,
        JSON,
        r#"{"error":"listen tcp {listen}: bind: address already in use","status":500,"proxies":[{"name":"a","listen":"{listen}","upstream":"127.0.0.1:2","enabled":true,"toxics":[]}]}"#,
    ),
    Row(
        "GET",
        "/proxies/c",
        "",
        404,
        PLAIN,
        "{\"error\":\"proxy not found\",\"status\":404}\n",
    ),
    // What is not there.
    Row("DELETE", "/proxies/a", "", 204, "", ""),
    Row(
        "DELETE",
        "/proxies/a",
        "",
        404,
        PLAIN,
        "{\"error\":\"proxy not found\",\"status\":404}\n",
    ),
    Row("PUT", "/proxies", "", 405, "", ""),
    Row("GET", "/reset", "", 405, "", ""),
    Row("GET", "/", "", 404, PLAIN, "404 page not found\n"),
    Row("GET", "/metrics", "", 404, PLAIN, "404 page not found\n"),
];

#[tokio::test]
async fn every_endpoint_answers_as_toxiproxy_does() {
    let rig = Rig::new().await;
    let mut listen = String::new();
    for Row(method, path, body, status, kind, expected) in TABLE {
        let reply = rig
            .call(method, path, &body.replace("{listen}", &listen))
            .await;
        if reply.status == 201 && *method == "POST" && *path == "/proxies" {
            listen = reply.json()["listen"].as_str().unwrap().to_owned();
        }
        let row = format!("{method} {path} {body}");
        assert_eq!(reply.body, expected.replace("{listen}", &listen), "{row}");
        assert_eq!(reply.status, *status, "{row}");
        assert_eq!(
            reply.header("content-type").unwrap_or_default(),
            *kind,
            "{row}"
        );
        let is_matched = !["/", "/metrics"].contains(path) && *status != 405;
        assert_eq!(
            reply.header("x-toxiproxy-request-id").is_some(),
            is_matched,
            "{row}"
        );
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
    let reply = rig.ok("GET", "/metrics", "").await;
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
