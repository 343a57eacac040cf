//! No byte is lost, doubled or reordered, whatever comes and goes.

use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig, echo, read_to_end, upstream};

const TOXICS: &[&str] = &[
    r#"{"type":"latency","attributes":{"latency":15,"jitter":15}}"#,
    r#"{"type":"latency","stream":"upstream","attributes":{"latency":5}}"#,
    r#"{"type":"bandwidth","attributes":{"rate":20000}}"#,
    r#"{"type":"bandwidth","stream":"upstream","attributes":{"rate":0}}"#,
    r#"{"type":"slicer","attributes":{"average_size":700,"size_variation":300,"delay":10}}"#,
    r#"{"type":"slow_close","attributes":{"delay":20}}"#,
    r#"{"type":"noop"}"#,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_survive_toxics_that_come_change_and_go_in_flight() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut transfers = tokio::task::JoinSet::new();
    for seed in 0..4 {
        transfers.spawn(async move {
            let mut rng = Rng::with_seed(seed);
            let sent: Vec<u8> = (0..3_000_000).map(|_| rng.u8(..)).collect();
            let (mut read, mut write) = TcpStream::connect(listen).await.unwrap().into_split();
            let copy = sent.clone();
            let sending = tokio::spawn(async move {
                let mut rest = copy.as_slice();
                while !rest.is_empty() {
                    let (chunk, more) = rest.split_at(rng.usize(1..=20_000).min(rest.len()));
                    write.write_all(chunk).await.unwrap();
                    rest = more;
                    if rng.u8(..) < 32 {
                        tokio::time::sleep(Duration::from_millis(rng.u64(0..10))).await;
                    }
                }
                // Half-close: the rest must still come back.
                write.shutdown().await.unwrap();
            });
            let mut received = Vec::new();
            timeout(3 * PATIENCE, read.read_to_end(&mut received))
                .await
                .unwrap()
                .unwrap();
            sending.await.unwrap();
            assert!(
                received == sent,
                "{} of {} bytes",
                received.len(),
                sent.len()
            );
        });
    }
    let mut rng = Rng::with_seed(99);
    for _ in 0..25 {
        let name = format!("t{}", rng.u8(0..4));
        let path = format!("/proxies/p/toxics/{name}");
        match rng.u8(0..3) {
            0 => drop(rig.call("DELETE", &path, "").await),
            1 => {
                let body = format!(
                    r#"{{"attributes":{{"latency":{},"rate":{}}}}}"#,
                    rng.u8(0..20),
                    rng.u16(1000..)
                );
                rig.call("PATCH", &path, &body).await;
            }
            _ => {
                let toxic = rng.choice(TOXICS).unwrap();
                let body = format!(r#"{{"name":"{name}",{}"#, &toxic[1..]);
                rig.call("POST", "/proxies/p/toxics", &body).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(1..25))).await;
    }
    rig.ok("POST", "/reset", "").await;
    while let Some(transfer) = transfers.join_next().await {
        transfer.unwrap();
    }
}

#[tokio::test]
async fn half_close_is_passed_on_as_such() {
    // Answers only when its client has finished.
    let server = upstream(|mut stream| async move {
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.unwrap();
        request.reverse();
        stream.write_all(&request).await.unwrap();
    })
    .await;
    let rig = Rig::new().await;
    let listen = rig.proxy(server).await;
    for toxic in [
        None,
        Some(r#"{"type":"latency","attributes":{"latency":20}}"#),
    ] {
        if let Some(toxic) = toxic {
            rig.toxic(toxic).await;
        }
        let mut stream = TcpStream::connect(listen).await.unwrap();
        stream.write_all(b"abc").await.unwrap();
        stream.shutdown().await.unwrap();
        let (answer, end) = read_to_end(&mut stream).await;
        assert_eq!(answer, b"cba");
        end.unwrap();
    }
}

#[tokio::test]
async fn a_reset_by_the_server_reaches_the_client_after_its_last_words() {
    let server = upstream(|mut stream| async move {
        stream.write_all(b"last words").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let rig = Rig::new().await;
    let mut stream = TcpStream::connect(rig.proxy(server).await).await.unwrap();
    let (bytes, end) = read_to_end(&mut stream).await;
    assert_eq!(bytes, b"last words");
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_stalled_receiver_delays_neither_the_api_nor_others() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut stalled = TcpStream::connect(listen).await.unwrap();
    // Nobody reads the echo: every buffer on the way fills up.
    let flood = vec![0; 64 * 1024 * 1024];
    let flooding = timeout(Duration::from_millis(500), stalled.write_all(&flood)).await;
    assert!(flooding.is_err(), "64 MiB went somewhere");
    let changes = async {
        rig.toxic(r#"{"type":"latency","name":"t","attributes":{"latency":1}}"#)
            .await;
        drop(crate::rig::connect(listen).await);
        rig.untoxic("t").await;
        rig.ok("POST", "/proxies/p", r#"{"enabled":false}"#).await;
    };
    timeout(PATIENCE, changes).await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_gone_ends_a_server_that_still_sends() {
    let (ended, mut ends) = tokio::sync::mpsc::channel(1);
    let server = upstream(move |mut stream| {
        let ended = ended.clone();
        async move {
            while stream.write_all(&[0; 65536]).await.is_ok() {}
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let rig = Rig::new().await;
    let listen = rig.proxy(server).await;
    for half_closes_first in [false, true] {
        let mut stream = TcpStream::connect(listen).await.unwrap();
        stream.read_exact(&mut [0; 1000]).await.unwrap();
        if half_closes_first {
            stream.shutdown().await.unwrap();
            // Until every buffer on the way is full.
            tokio::time::sleep(crate::rig::QUIET).await;
        }
        drop(stream);
        timeout(PATIENCE, ends.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_reset_that_is_called_off_loses_nothing() {
    let rig = Rig::new().await;
    let mut stream = crate::rig::connect(rig.proxy(echo().await).await).await;
    let body = r#"{"type":"reset_peer","name":"t","attributes":{"timeout":3600000}}"#;
    rig.toxic(body).await;
    stream.write_all(b"held").await.unwrap();
    crate::rig::assert_silent(&mut stream).await;
    rig.untoxic("t").await;
    let mut answer = [0; 4];
    timeout(PATIENCE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"held");
}

#[tokio::test]
async fn raising_the_toxicity_reaches_live_connections_in_the_chains_order() {
    let rig = Rig::new().await;
    let mut stream = crate::rig::connect(rig.proxy(echo().await).await).await;
    let body = r#"{"type":"limit_data","name":"t","toxicity":0,"attributes":{"bytes":3}}"#;
    rig.toxic(body).await;
    rig.toxic(r#"{"type":"latency","attributes":{"latency":20}}"#)
        .await;
    crate::rig::round_trip(&mut stream, b"spared").await;
    rig.ok("PATCH", "/proxies/p/toxics/t", r#"{"toxicity":1}"#)
        .await;
    stream.write_all(b"caught").await.unwrap();
    // The limit stands before the latency, which still delivers what passed.
    assert_eq!(read_to_end(&mut stream).await.0, b"cau");
}
