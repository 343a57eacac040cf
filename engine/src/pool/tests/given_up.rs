//! What callers give up keeps its slot until the server has ended it, and tells what the
//! server was like meanwhile.

use super::*;

fn free(pool: &Pool) -> usize {
    pool.inner.slots.free()
}

/// Gives a query up after `ms`.
async fn give_up(pool: &Pool, ms: u64) {
    let until = clock::now() + Duration::from_millis(ms);
    let given_up = clock::timeout_at(until, pool.query("SELECT 1", &[])).await;
    assert!(given_up.is_err(), "{given_up:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_when_the_session_is_idle_again_and_not_before() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    pool.query("SELECT 1", &[]).await.expect("well");
    stub.set(Mood::Mute);
    give_up(&pool, 10).await;
    clock::sleep(Duration::from_millis(100)).await;
    assert_eq!(free(&pool), 0, "it may still run");
    stub.set(Mood::Well);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!((free(&pool), pool.status().idle), (1, 1));
    pool.query("SELECT 1", &[]).await.expect("its own answer");
    let metrics = pool.metrics();
    assert_eq!(metrics.counter(Counter::Created), 1, "the same one");
    assert_eq!(metrics.counter(Counter::Abandoned), 1);
    assert_eq!(metrics.counter(Counter::Discarded), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_stays_silent_is_closed_within_a_bound_and_is_a_failure() {
    let stub = Stub::new();
    let pool = pool(&stub, 5);
    for failed in 1..=5 {
        assert_eq!(pool.breaker().state(), State::Closed);
        // Two of them, of which one stays idle.
        stub.set(Mood::Well);
        drop(join_all((0..2).map(|_| pool.acquire())).await);
        stub.set(Mood::Mute);
        give_up(&pool, 10).await;
        clock::sleep(Duration::from_millis(199)).await;
        assert_eq!(free(&pool), 4, "not yet: {failed}");
        clock::sleep(Duration::from_millis(2)).await;
        assert_eq!(
            (free(&pool), pool.status().size),
            (5, 0),
            "nor is the other"
        );
    }
    assert_eq!(pool.breaker().state(), State::Open);
}

/// A caller in too much of a hurry for a log-in once made nothing but work for the server.
#[tokio::test(start_paused = true)]
async fn a_connection_is_made_whoever_goes_away_meanwhile() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    stub.set(Mood::Mute);
    give_up(&pool, 10).await;
    assert_eq!(free(&pool), 0);
    stub.set(Mood::Well);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!((free(&pool), pool.status().idle), (1, 1));
    pool.query("SELECT 1", &[]).await.expect("on that one");
    assert_eq!(pool.metrics().counter(Counter::ConnectAttempts), 1);
    // One that comes to nothing is a failure, and is counted as an error.
    pool.inner.evict(pool.inner.epoch.current());
    stub.set(Mood::Mute);
    for failed in 1..=5 {
        assert_eq!(pool.breaker().state(), State::Closed);
        give_up(&pool, 10).await;
        clock::sleep(Duration::from_millis(200)).await;
        assert_eq!(pool.metrics().errors(ErrorClass::Timeout), failed);
    }
    assert_eq!(pool.breaker().state(), State::Open);
}

/// A server that answers is not blamed for a caller's haste.
#[tokio::test(start_paused = true)]
async fn haste_is_no_failure() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    pool.query("SELECT 1", &[]).await.expect("well");
    for _ in 0..50 {
        stub.set(Mood::Mute);
        give_up(&pool, 10).await;
        stub.set(Mood::Well);
        clock::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(pool.breaker().transitions(), 0);
    assert_eq!(pool.metrics().counter(Counter::Created), 1);
}

/// An opening circuit ends what is left of those that were given up.
#[tokio::test(start_paused = true)]
async fn an_opening_circuit_closes_what_was_given_up() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    pool.query("SELECT 1", &[]).await.expect("well");
    stub.set(Mood::Mute);
    give_up(&pool, 10).await;
    pool.breaker().force_open();
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!((free(&pool), pool.status().size), (1, 0));
}

/// Without a runtime to wait in, it is closed at once.
#[test]
fn outside_of_a_runtime_a_loan_is_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    // It hears nothing of the block, which is known by the words that opened it.
    let stub = Stub {
        wired: false,
        ..Stub::new()
    };
    let (pool, mut connection) = runtime.block_on(async {
        let pool = pool(&stub, 1);
        let connection = pool.acquire().await.expect("well");
        (pool, connection)
    });
    runtime
        .block_on(connection.execute("BEGIN", &[]))
        .expect("begun");
    drop(connection);
    assert_eq!((free(&pool), pool.status().size), (1, 0));
}
