//! A server that says nothing is found out before the first deadline passes, and only that.

use super::*;
use crate::breaker::Reason;

/// A pool that knows what answers usually take: nothing.
async fn known(stub: &Stub, early: bool) -> Pool {
    let config = PoolConfig {
        max_connections: 3,
        acquire_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_secs(5),
        circuit_breaker_early_detection: early,
        ..PoolConfig::default()
    };
    let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
    let pool = pool.expect("valid");
    drop(join_all((0..3).map(|_| pool.acquire())).await);
    for _ in 0..30 {
        pool.query("SELECT 1", &[]).await.expect("well");
    }
    // The medians are read anew once a second.
    clock::sleep(Duration::from_millis(1_001)).await;
    pool
}

fn ask(pool: &Pool, n: usize) -> Vec<tokio::task::JoinHandle<Result<(), Error>>> {
    let one = || {
        let pool = pool.clone();
        tokio::spawn(async move { pool.query("SELECT 1", &[]).await.map(drop) })
    };
    (0..n).map(|_| one()).collect()
}

async fn opens_within(pool: &Pool, ms: u64) -> bool {
    let by = clock::now() + Duration::from_millis(ms);
    clock::timeout_at(by, pool.breaker().opened()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_nobody_opens_the_circuit_after_a_fifth_of_a_second() {
    let stub = Stub::new();
    let pool = known(&stub, true).await;
    stub.set(Mood::Mute);
    let began = clock::now();
    let asked = ask(&pool, 2);
    assert!(opens_within(&pool, 1_000).await);
    let after = clock::now() - began;
    let (least, most) = (Duration::from_millis(200), Duration::from_millis(215));
    assert!((least..most).contains(&after), "{after:?}");
    let change = pool.breaker().history_since(0)[0];
    assert!(matches!(change.reason, Reason::Silent(_)), "{change:?}");
    drop(asked);
}

#[tokio::test(start_paused = true)]
async fn one_key_switches_it_off() {
    let stub = Stub::new();
    let pool = known(&stub, false).await;
    stub.set(Mood::Mute);
    let asked = ask(&pool, 3);
    assert!(!opens_within(&pool, 4_000).await);
    assert_eq!(pool.metrics().counter(Counter::Suspicions), 0);
    drop(asked);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_alone_is_no_sign() {
    let stub = Stub::new();
    let pool = known(&stub, true).await;
    stub.set(Mood::Mute);
    let asked = ask(&pool, 1);
    assert!(!opens_within(&pool, 4_000).await);
    drop(asked);
}

/// All wait for something, and the server is well: it takes sessions.
#[tokio::test(start_paused = true)]
async fn a_server_that_answers_the_probe_is_well() {
    let stub = Stub::new();
    let pool = known(&stub, true).await;
    stub.set(Mood::Mute);
    let asked = ask(&pool, 3);
    clock::sleep(Duration::from_millis(1)).await;
    stub.for_new_ones(Mood::Well);
    assert!(!opens_within(&pool, 4_000).await);
    // Asked again after one second, and two more.
    let suspicions = pool.metrics().counter(Counter::Suspicions);
    assert!((2..=4).contains(&suspicions), "{suspicions}");
    drop(asked);
}

#[tokio::test(start_paused = true)]
async fn a_stall_that_is_no_longer_than_a_lost_packet_opens_nothing() {
    let stub = Stub::new();
    let pool = known(&stub, true).await;
    for _ in 0..10 {
        stub.set(Mood::Mute);
        let asked = ask(&pool, 5);
        assert!(!opens_within(&pool, 198).await);
        stub.set(Mood::Well);
        for asked in asked {
            asked.await.expect("no panic").expect("answered");
        }
    }
    assert_eq!(pool.breaker().transitions(), 0);
}

/// What began before the outage, and is never answered, is not held against the server when it
/// is back.
#[tokio::test(start_paused = true)]
async fn a_circuit_that_has_closed_does_not_open_again_for_what_was_lost() {
    let stub = Stub::new();
    let pool = known(&stub, true).await;
    stub.set(Mood::Mute);
    let asked = ask(&pool, 2);
    assert!(opens_within(&pool, 1_000).await);
    stub.for_new_ones(Mood::Well);
    pool.breaker().admits().await;
    for _ in 0..20 {
        pool.query("SELECT 1", &[]).await.expect("on another");
        clock::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(pool.breaker().transitions(), 2, "opened, and closed");
    drop(asked);
}

/// A silence counts from when the circuit closed: a server that has just come back has as long
/// as any other.
#[tokio::test(start_paused = true)]
async fn a_server_that_has_just_come_back_has_as_long_as_any_other() {
    let stub = Stub::new();
    let pool = known(&stub, true).await;
    stub.set(Mood::Mute);
    let asked = ask(&pool, 2);
    assert!(opens_within(&pool, 1_000).await);
    clock::sleep(Duration::from_secs(1)).await;
    stub.for_new_ones(Mood::Well);
    pool.breaker().admits().await;
    let closed = clock::now();
    stub.for_new_ones(Mood::Mute);
    assert!(opens_within(&pool, 1_000).await);
    let after = clock::now() - closed;
    assert!(after >= Duration::from_millis(200), "{after:?}");
    drop(asked);
}
