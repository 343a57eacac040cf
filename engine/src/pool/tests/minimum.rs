//! The pool is kept at its minimum, without a caller and without a storm.

use super::*;

async fn warm(stub: &Stub, change: impl FnOnce(&mut PoolConfig)) -> Pool {
    let mut config = PoolConfig {
        min_connections: 3,
        max_connections: 5,
        acquire_timeout: Duration::from_millis(200),
        statement_timeout: Duration::from_millis(300),
        ..PoolConfig::default()
    };
    change(&mut config);
    let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
    let pool = pool.expect("valid");
    pool.warm_up().await.expect("well");
    assert_eq!((pool.status().size, pool.status().idle), (3, 3));
    pool
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_made_anew() {
    let stub = Stub::new();
    let pool = warm(&stub, |_| {}).await;
    pool.inner.evict(pool.inner.epoch.current());
    assert_eq!(pool.status().size, 0);
    clock::sleep(Duration::from_millis(200)).await;
    assert_eq!((pool.status().size, pool.status().idle), (3, 3));
    assert_eq!(stub.live.load(Ordering::SeqCst), 3);
    // One of them, while the others are there.
    let mut one = pool.link().await.expect("idle");
    one.retire();
    drop(one);
    assert_eq!(pool.status().size, 2);
    clock::sleep(Duration::from_millis(51)).await;
    assert_eq!((pool.status().size, pool.status().idle), (3, 3));
    clock::sleep(Duration::from_secs(100)).await;
    assert_eq!(
        pool.metrics().counter(Counter::Created),
        7,
        "no more than that"
    );
    drop(pool);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!(stub.live.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_left_alone_and_one_that_closes_is_refilled() {
    let stub = Stub::new();
    let pool = warm(&stub, |_| {}).await;
    stub.set(Mood::Gone);
    while pool.breaker().state() != State::Open {
        let _failed = pool.query("SELECT 1", &[]).await;
    }
    let connects = || pool.metrics().counter(Counter::ConnectAttempts);
    let probes = || pool.metrics().counter(Counter::Probes);
    let before = connects() - probes();
    clock::sleep(Duration::from_secs(20)).await;
    assert_eq!(connects() - probes(), before, "only probes");
    stub.set(Mood::Well);
    clock::sleep(Duration::from_secs(1)).await;
    assert_eq!(pool.breaker().state(), State::Closed);
    assert_eq!(
        (pool.status().size, pool.status().idle),
        (3, 3),
        "without a caller"
    );
}

/// Where no circuit keeps it from asking, it asks less and less often.
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_not_stormed() {
    let stub = Stub::new();
    let pool = warm(&stub, |config| {
        config.circuit_breaker_failure_threshold = crate::config::BREAKER_OFF;
        config.circuit_breaker_ignore = vec!["08".to_owned()];
        // A refused login would be tried without it as well.
        config.server_statement_timeout = false;
    })
    .await;
    stub.set(Mood::LoginRefused);
    pool.inner.evict(pool.inner.epoch.current());
    clock::sleep(Duration::from_secs(100)).await;
    let failed = pool.metrics().counter(Counter::ConnectAttempts) - 3;
    assert!((10..30).contains(&failed), "{failed}");
    stub.set(Mood::Well);
    clock::sleep(Duration::from_secs(11)).await;
    assert_eq!(pool.status().idle, 3);
}
