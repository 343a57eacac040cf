//! Each toxic does what it says, and stops when it goes.

use std::io::ErrorKind;
use std::time::Duration;

use fault_proxy::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::rig::{Rig, assert_silent, connect, echo, read_to_end, round_trip, upstream};

async fn time_of_round_trip(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    round_trip(stream, b"ping").await;
    start.elapsed()
}

#[tokio::test]
async fn latency_delays_a_live_connection_on_each_stream_until_it_goes() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"latency","stream":"downstream","attributes":{"latency":100}}"#)
        .await;
    let one = time_of_round_trip(&mut stream).await;
    rig.toxic(r#"{"type":"latency","stream":"upstream","attributes":{"latency":100}}"#)
        .await;
    let both = time_of_round_trip(&mut stream).await;
    let body = r#"{"attributes":{"latency":10}}"#;
    rig.ok("PATCH", "/proxies/p/toxics/latency_upstream", body)
        .await;
    rig.untoxic("latency_downstream").await;
    let less = time_of_round_trip(&mut stream).await;
    let ms = Duration::from_millis;
    assert!(one >= ms(100) && both >= ms(200), "{one:?} {both:?}");
    assert!(less >= ms(10) && less < one, "{less:?}");
}

#[tokio::test]
async fn removing_latency_releases_what_it_holds() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"latency","name":"t","attributes":{"latency":3600000}}"#)
        .await;
    stream.write_all(b"held").await.unwrap();
    assert_silent(&mut stream).await;
    rig.untoxic("t").await;
    let mut answer = [0; 4];
    tokio::time::timeout(crate::rig::PATIENCE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"held");
}

#[tokio::test]
async fn timeout_discards_and_closes_after_silence() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"timeout","attributes":{"timeout":200}}"#)
        .await;
    stream.write_all(b"lost").await.unwrap();
    let start = Instant::now();
    let (bytes, end) = read_to_end(&mut stream).await;
    assert!(bytes.is_empty() && end.is_ok(), "{bytes:?} {end:?}");
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn timeout_zero_stays_silent_and_its_removal_closes() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut stream = connect(listen).await;
    rig.toxic(r#"{"type":"timeout","name":"t"}"#).await;
    stream.write_all(b"lost").await.unwrap();
    assert_silent(&mut stream).await;
    rig.untoxic("t").await;
    let (bytes, _) = read_to_end(&mut stream).await;
    assert!(bytes.is_empty());
    connect(listen).await;
}

#[tokio::test]
async fn reset_peer_waits_for_data_and_then_resets_both_sides() {
    let (ended, mut ends) = tokio::sync::mpsc::channel(1);
    let server = upstream(move |mut stream| {
        let ended = ended.clone();
        async move {
            let mut buffer = [0; 64];
            let end = loop {
                match stream.read(&mut buffer).await {
                    Ok(0) => break None,
                    Ok(len) => stream.write_all(&buffer[..len]).await.unwrap(),
                    Err(error) => break Some(error.kind()),
                }
            };
            ended.send(end).await.unwrap();
        }
    })
    .await;
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(server).await).await;
    rig.toxic(r#"{"type":"reset_peer","stream":"upstream","attributes":{"timeout":50}}"#)
        .await;
    assert_silent(&mut stream).await;
    stream.write_all(b"x").await.unwrap();
    let (_, end) = read_to_end(&mut stream).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(ends.recv().await.unwrap(), Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn reset_hits_idle_connections_at_once() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut idle = connect(listen).await;
    rig.toxic(r#"{"type":"reset","name":"t"}"#).await;
    let (_, end) = read_to_end(&mut idle).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    rig.untoxic("t").await;
    connect(listen).await;
}

#[tokio::test]
async fn bandwidth_keeps_its_rate_and_zero_blocks_until_it_goes() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"bandwidth","name":"t","attributes":{"rate":1000}}"#)
        .await;
    let start = Instant::now();
    round_trip(&mut stream, &[7; 500_000]).await;
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(440),
        "{took:?} for what takes 500 ms"
    );
    assert!(
        took < Duration::from_millis(1500),
        "{took:?} for what takes 500 ms"
    );
    rig.ok(
        "POST",
        "/proxies/p/toxics/t",
        r#"{"attributes":{"rate":0}}"#,
    )
    .await;
    stream.write_all(b"held").await.unwrap();
    assert_silent(&mut stream).await;
    rig.untoxic("t").await;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"held");
}

#[tokio::test]
async fn limit_data_delivers_its_bytes_and_closes() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"limit_data","attributes":{"bytes":10}}"#)
        .await;
    round_trip(&mut stream, b"1234").await;
    stream.write_all(b"567890abcdef").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await.0, b"567890");
}

#[tokio::test]
async fn slow_close_delays_only_the_end() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"slow_close","attributes":{"delay":200}}"#)
        .await;
    let start = Instant::now();
    stream.write_all(b"last").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    let data = start.elapsed();
    read_to_end(&mut stream).await.1.unwrap();
    let end = start.elapsed();
    assert!(
        end >= Duration::from_millis(200) && data < end,
        "{data:?} {end:?}"
    );
}

#[tokio::test]
async fn slicer_cuts_what_was_sent_as_one() {
    let rig = Rig::new().await;
    let mut stream = connect(rig.proxy(echo().await).await).await;
    rig.toxic(r#"{"type":"slicer","attributes":{"average_size":100,"delay":2000}}"#)
        .await;
    stream.write_all(&[7; 1000]).await.unwrap();
    let (mut reads, mut total, mut buffer) = (0, 0, [0; 1000]);
    while total < 1000 {
        total += stream.read(&mut buffer).await.unwrap();
        reads += 1;
    }
    assert!((3..=10).contains(&reads), "{reads} reads");
}

#[tokio::test]
async fn toxicity_hits_a_share_and_the_same_one_for_the_same_seed() {
    async fn hits(seed: u64) -> Vec<bool> {
        let rig = Rig::with(Options {
            seed,
            ..Options::default()
        })
        .await;
        let listen = rig.proxy(echo().await).await;
        rig.toxic(r#"{"type":"limit_data","toxicity":0.5,"attributes":{"bytes":0}}"#)
            .await;
        let mut hits = Vec::new();
        for _ in 0..40 {
            let mut stream = TcpStream::connect(listen).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            hits.push(stream.read(&mut [0]).await.unwrap() == 0);
        }
        hits
    }
    let first = hits(7).await;
    assert_eq!(first, hits(7).await);
    assert_ne!(first, hits(8).await);
    let share = first.iter().filter(|hit| **hit).count();
    assert!((8..=32).contains(&share), "{share} of 40");
}
