//! A host that vanishes: what was connected stays dead, what connects later
//! does not.

use fault_proxy::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig, assert_silent, connect, echo, hung, read_to_end, upstream};

const BLACKHOLE: &str = r#"{"type":"blackhole","name":"hole"}"#;

/// Deaf and dumb: what is sent vanishes, nothing comes.
async fn assert_dead(stream: &mut TcpStream) {
    stream.write_all(b"anyone?").await.unwrap();
    assert_silent(stream).await;
}

#[tokio::test]
async fn the_caught_stay_dead_after_it_and_the_others_work() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut before = connect(listen).await;
    rig.toxic(BLACKHOLE).await;
    let mut during = TcpStream::connect(listen).await.unwrap();
    assert_dead(&mut before).await;
    assert_dead(&mut during).await;
    rig.untoxic("hole").await;
    connect(listen).await;
    assert_dead(&mut before).await;
    assert_dead(&mut during).await;
    rig.ok("POST", "/reset", "").await;
    rig.toxic(r#"{"type":"reset"}"#).await;
    assert_dead(&mut before).await;
    assert_dead(&mut during).await;
}

#[tokio::test]
async fn coming_and_going_at_once_is_enough_to_catch() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut caught = Vec::new();
    for _ in 0..20 {
        caught.push(connect(listen).await);
    }
    rig.toxic(BLACKHOLE).await;
    // Connected, but surely not all accepted when the blackhole goes.
    for _ in 0..20 {
        caught.push(TcpStream::connect(listen).await.unwrap());
    }
    rig.untoxic("hole").await;
    connect(listen).await;
    for stream in &mut caught {
        stream.write_all(b"anyone?").await.unwrap();
    }
    tokio::time::sleep(crate::rig::QUIET).await;
    for (index, stream) in caught.iter().enumerate() {
        let read = stream.try_read(&mut [0]);
        assert!(read.is_err(), "connection {index} is alive: {read:?}");
    }
}

#[tokio::test]
async fn a_server_that_closes_is_not_heard_and_a_client_that_closes_frees_both() {
    let (ended, mut ends) = mpsc::channel(4);
    let server = upstream(move |mut stream| {
        let ended = ended.clone();
        async move {
            let mut buffer = [0; 64];
            let len = stream.read(&mut buffer).await.unwrap();
            stream.write_all(&buffer[..len]).await.unwrap();
            if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                ended.send(()).await.unwrap();
            }
        }
    })
    .await;
    let rig = Rig::new().await;
    let listen = rig.proxy(server).await;
    let (mut client, other) = (connect(listen).await, connect(listen).await);
    rig.toxic(BLACKHOLE).await;
    assert_dead(&mut client).await;
    assert!(ends.try_recv().is_err(), "the server hears nothing either");
    drop(other);
    timeout(PATIENCE, ends.recv()).await.unwrap().unwrap();
    drop(client);
    timeout(PATIENCE, ends.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_is_still_dialling_is_caught_too() {
    let rig = Rig::new().await;
    let (upstream, _backlog) = hung().await;
    let listen = rig.proxy(upstream).await;
    let mut stream = TcpStream::connect(listen).await.unwrap();
    rig.toxic(BLACKHOLE).await;
    rig.untoxic("hole").await;
    assert_dead(&mut stream).await;
}

#[tokio::test]
async fn disabling_the_proxy_frees_the_caught() {
    let rig = Rig::new().await;
    let listen = rig.proxy(echo().await).await;
    let mut stream = connect(listen).await;
    rig.toxic(BLACKHOLE).await;
    assert_dead(&mut stream).await;
    rig.ok("POST", "/proxies/p", r#"{"enabled":false}"#).await;
    let (bytes, _) = read_to_end(&mut stream).await;
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn toxicity_spares_some() {
    let rig = Rig::with(Options {
        seed: 5,
        ..Options::default()
    })
    .await;
    let listen = rig.proxy(echo().await).await;
    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(connect(listen).await);
    }
    rig.toxic(r#"{"type":"blackhole","toxicity":0.5}"#).await;
    for stream in &mut streams {
        stream.write_all(b"x").await.unwrap();
    }
    tokio::time::sleep(crate::rig::QUIET).await;
    let alive = streams
        .iter()
        .filter(|stream| stream.try_read(&mut [0]).is_ok())
        .count();
    assert!((8..=32).contains(&alive), "{alive} of 40");
}
