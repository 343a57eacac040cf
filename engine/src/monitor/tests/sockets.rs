//! WebSockets, spoken by hand.

use super::*;

/// Opens one. The answer, if it is refused.
pub(super) async fn upgrade(to: SocketAddr, headers: &[&str]) -> Result<TcpStream, Answer> {
    let mut stream = connect(to).await;
    let mut text = format!(
        "GET /ws HTTP/1.1\r\nhost: {to}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text += "\r\n";
    stream.write_all(text.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let answer = answer(&head);
    if answer.status == 101 {
        Ok(stream)
    } else {
        Err(answer)
    }
}

/// A frame: what kind it is, and what is in it.
async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.expect("a frame");
    let length = match stream.read_u8().await.expect("a length") {
        126 => stream.read_u16().await.expect("a length").into(),
        127 => stream.read_u64().await.expect("a length"),
        n => n.into(),
    };
    let mut body = vec![0; usize::try_from(length).expect("it fits")];
    stream.read_exact(&mut body).await.expect("a body");
    (first & 0x0f, body)
}

/// The next message.
pub(super) async fn text(stream: &mut TcpStream) -> Value {
    let read = async {
        loop {
            let (kind, body) = frame(stream).await;
            if kind == 1 {
                return serde_json::from_slice(&body).expect("JSON");
            }
        }
    };
    let in_time = clock::now() + Duration::from_secs(4);
    clock::timeout_at(in_time, read)
        .await
        .expect("a message in time")
}

/// How a socket is closed.
async fn closed(stream: &mut TcpStream) -> u16 {
    loop {
        let (kind, body) = frame(stream).await;
        if kind == 8 {
            return u16::from_be_bytes([body[0], body[1]]);
        }
    }
}

#[tokio::test]
async fn all_pages_are_told_the_same_once_a_second() {
    let served = Served::new("", &["a", "b"]);
    let mut one = upgrade(served.dashboard(), &[]).await.expect("a socket");
    let mut two = upgrade(served.dashboard(), &[]).await.expect("a socket");
    let first = text(&mut one).await;
    assert_eq!(first["pools"][0]["active_connections"], 2);
    assert_eq!(first["pools"].as_array().expect("pools").len(), 2);
    let next = text(&mut one).await;
    let seq = |message: &Value| message["seq"].as_u64().expect("a number");
    assert_eq!(seq(&next), seq(&first) + 1);
    let mut same = text(&mut two).await;
    while seq(&same) < seq(&next) {
        same = text(&mut two).await;
    }
    assert_eq!(same, next);
    let status = served.get("/api/status").await.json();
    for field in [
        "active_connections",
        "utilization_rate",
        "health",
        "pool_name",
        "id",
    ] {
        assert_eq!(
            status["pools"][0][field], next["pools"][0][field],
            "{field}"
        );
    }
    assert_eq!(served.counted(&[], "websockets_open").await, 2);
    drop((one, two));
    until(async || served.counted(&[], "websockets_open").await == 0).await;
    assert_eq!(served.counted(&[], "websockets_dropped_malformed").await, 0);
}

#[tokio::test]
async fn every_step_of_the_history_comes_once() {
    let served = Served::new("", &["a"]);
    served.pools[0].set("queue_depth", 3.0);
    let mut socket = upgrade(served.dashboard(), &[]).await.expect("a socket");
    let mut times: Vec<u64> = Vec::new();
    while times.len() < 4 {
        let message = text(&mut socket).await;
        let place = message["charted"].as_array().expect("names").iter();
        let place = place
            .clone()
            .position(|name| name == "queue_depth")
            .expect("it is charted");
        for step in message["pools"][0]["steps"].as_array().expect("steps") {
            assert_eq!(step["values"][place], 3.0);
            times.push(step["unix_ms"].as_u64().expect("a time"));
        }
    }
    let apart: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(apart.iter().all(|ms| *ms == 1_000), "{times:?}");
}

#[tokio::test]
async fn who_says_something_else_is_not_listened_to() {
    let served = Served::new("", &["a"]);
    let masked = |kind: u8, body: &[u8]| {
        let length = u8::try_from(body.len()).expect("short");
        let mut frame = vec![0x80 | kind, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(body);
        frame
    };
    let huge = [0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let all: [(&[u8], u16); 5] = [
        (b"\xff\xff\xff\xff all of this is nonsense", 1_002),
        (b"\x81\x05hello", 1_002),
        (&huge, 1_002),
        (&masked(1, b"hello"), 1_008),
        (&masked(9, b"").repeat(200), 1_008),
    ];
    for (i, (said, code)) in all.into_iter().enumerate() {
        let mut socket = upgrade(served.dashboard(), &[]).await.expect("a socket");
        socket.write_all(said).await.expect("sent");
        let in_time = clock::now() + Duration::from_secs(2);
        let closed = clock::timeout_at(in_time, closed(&mut socket)).await;
        assert_eq!(closed, Ok(code), "{i}");
    }
    let malformed = served.counted(&[], "websockets_dropped_malformed").await;
    assert_eq!(malformed, 5);
    // Who is there says so when asked, and is heard.
    let mut socket = upgrade(served.dashboard(), &[]).await.expect("a socket");
    socket.write_all(&masked(9, b"there?")).await.expect("sent");
    loop {
        let (kind, body) = frame(&mut socket).await;
        if kind == 10 {
            assert_eq!(body, b"there?");
            break;
        }
    }
}

#[tokio::test]
async fn who_takes_nothing_is_dropped_and_holds_up_nobody() {
    // Much to say, so that what the system keeps is soon full.
    let names: Vec<String> = (0..300)
        .map(|i| format!("{i} {}", "x".repeat(1_000)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let served = Served::new("", &names);
    let slow = upgrade(served.dashboard(), &[]).await.expect("a socket");
    let mut quick = upgrade(served.dashboard(), &[]).await.expect("a socket");
    let mut seen = 0;
    let began = clock::now();
    loop {
        let message = text(&mut quick).await;
        seen += 1;
        let dropped = &message["server"]["dashboard"]["websockets_dropped_slow"];
        let stalled = &message["server"]["dashboard"]["clients_stalled"];
        if dropped.as_u64() > Some(0) || stalled.as_u64() > Some(0) {
            break;
        }
        assert!(
            clock::now() - began < Duration::from_secs(40),
            "it is never dropped"
        );
    }
    assert!(seen >= 4, "the quick one was told all the time: {seen}");
    drop(slow);
}
