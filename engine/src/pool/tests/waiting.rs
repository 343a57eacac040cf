//! Callers that wait for the circuit to close.

use super::*;
use crate::config::WaitOrder;

fn config(max_connections: u32) -> PoolConfig {
    PoolConfig {
        max_connections,
        acquire_timeout: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(500),
        circuit_breaker_when_open: WhenOpen::Wait,
        ..PoolConfig::default()
    }
}

fn waits(stub: &Stub, config: PoolConfig) -> Pool {
    Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1)).expect("valid")
}

fn open(pool: &Pool) {
    for _ in 0..5 {
        let permit = pool.breaker().admit(clock::now()).expect("closed");
        permit.record(CallOutcome::Failure, clock::now());
    }
    assert_eq!(pool.breaker().state(), State::Open);
}

type Caller = tokio::task::JoinHandle<(Result<(), Error>, Duration)>;

/// A caller that wants an answer within so many ms.
fn caller(pool: &Pool, within_ms: u64) -> Caller {
    let pool = pool.clone();
    let within = Duration::from_millis(within_ms);
    let began = clock::now();
    tokio::spawn(async move {
        let answer = pool.within(within).query("SELECT 1", &[]).await.map(drop);
        (answer, clock::now() - began)
    })
}

fn ms(after: Duration) -> u128 {
    after.as_millis()
}

#[tokio::test(start_paused = true)]
async fn callers_wait_without_a_connection_and_are_served_when_the_circuit_closes() {
    let stub = Stub::new();
    let pool = waits(&stub, config(2));
    stub.set(Mood::Gone);
    open(&pool);
    let callers: Vec<_> = (0..50).map(|_| caller(&pool, 500)).collect();
    clock::sleep(Duration::from_millis(300)).await;
    assert_eq!((pool.status().size, pool.inner.slots.free()), (0, 2));
    assert_eq!(pool.metrics().counter(Counter::Waited), 50);
    stub.set(Mood::Well);
    for caller in callers {
        let (answer, after) = caller.await.expect("no panic");
        answer.expect("served");
        assert!((300..=340).contains(&ms(after)), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_refused_when_an_answer_would_come_too_late_and_not_later() {
    let stub = Stub::new();
    let pool = waits(&stub, config(1));
    stub.set(Mood::Gone);
    open(&pool);
    for within in [500, 120, 3] {
        let (answer, after) = caller(&pool, within).await.expect("no panic");
        let error = answer.expect_err("nobody there");
        assert!(matches!(error, Error::CircuitOpen { .. }), "{error:?}");
        assert!(ms(after) <= u128::from(within), "{within}: {after:?}");
        assert!(ms(after) + 1 >= u128::from(within), "{within}: {after:?}");
    }
}

/// The first to meet the outage are not told of it: nothing was sent yet.
#[tokio::test(start_paused = true)]
async fn one_whose_connection_is_refused_waits_like_those_that_follow() {
    let stub = Stub::new();
    let config = PoolConfig {
        circuit_breaker_failure_threshold: 1,
        ..config(1)
    };
    let pool = waits(&stub, config);
    stub.set(Mood::Gone);
    let first = caller(&pool, 500);
    clock::sleep(Duration::from_millis(100)).await;
    assert_eq!(pool.breaker().state(), State::Open);
    stub.set(Mood::Well);
    let (answer, _) = first.await.expect("no panic");
    answer.expect("served");
    // If it waits in vain, it is told what it met itself.
    stub.set(Mood::Gone);
    pool.inner.evict(pool.inner.epoch.current());
    let (answer, after) = caller(&pool, 500).await.expect("no panic");
    assert!(matches!(answer, Err(Error::Connect(_))), "{answer:?}");
    assert!((498..=500).contains(&ms(after)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn one_more_than_may_wait_is_refused_at_once_and_told_how_many() {
    let stub = Stub::new();
    let config = PoolConfig {
        circuit_breaker_max_waiting: 3,
        ..config(1)
    };
    let pool = waits(&stub, config);
    stub.set(Mood::Gone);
    open(&pool);
    let callers: Vec<_> = (0..3).map(|_| caller(&pool, 500)).collect();
    clock::sleep(Duration::from_millis(1)).await;
    let (answer, after) = caller(&pool, 500).await.expect("no panic");
    let error = answer.expect_err("too many");
    let said = "circuit open, and 3 callers wait already";
    assert_eq!((error.to_string().as_str(), ms(after)), (said, 0));
    assert_eq!(error.class(), ErrorClass::CircuitOpen);
    assert_eq!(pool.metrics().counter(Counter::WaitingFull), 1);
    // One that goes away makes room for another.
    callers[0].abort();
    clock::sleep(Duration::from_millis(1)).await;
    let next = caller(&pool, 500);
    stub.set(Mood::Well);
    next.await.expect("no panic").0.expect("served");
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_wakes_all() {
    let stub = Stub::new();
    let pool = waits(&stub, config(1));
    stub.set(Mood::Gone);
    open(&pool);
    let callers: Vec<_> = (0..5).map(|_| caller(&pool, 500)).collect();
    clock::sleep(Duration::from_millis(50)).await;
    pool.close();
    for caller in callers {
        let (answer, after) = caller.await.expect("no panic");
        assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
        assert_eq!(ms(after), 50);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_circuit_that_is_forced_open() {
    let stub = Stub::new();
    let pool = waits(&stub, config(1));
    let held = pool.acquire().await.expect("well");
    let in_line = caller(&pool, 500);
    clock::sleep(Duration::from_millis(50)).await;
    stub.set(Mood::Gone);
    open(&pool);
    let waiting = caller(&pool, 500);
    clock::sleep(Duration::from_millis(50)).await;
    pool.breaker().force_open();
    drop(held);
    for (caller, at) in [(in_line, 100), (waiting, 50), (caller(&pool, 500), 0)] {
        let (answer, after) = caller.await.expect("no panic");
        assert!(
            matches!(answer, Err(Error::CircuitOpen { .. })),
            "{answer:?}"
        );
        assert_eq!(ms(after), at);
    }
}

/// Without a probe callers find out: who cannot live to see it is refused at once.
#[tokio::test(start_paused = true)]
async fn without_a_probe_a_caller_waits_for_its_turn_to_find_out() {
    let stub = Stub::new();
    let config = PoolConfig {
        circuit_breaker_probe: Probe::Passive,
        circuit_breaker_recovery_timeout: Duration::from_secs(1),
        ..config(1)
    };
    let pool = waits(&stub, config);
    stub.set(Mood::Gone);
    open(&pool);
    let (answer, after) = caller(&pool, 500).await.expect("no panic");
    assert!(
        matches!(answer, Err(Error::CircuitOpen { .. })),
        "{answer:?}"
    );
    assert_eq!(ms(after), 0, "too early");
    stub.set(Mood::Well);
    clock::sleep(Duration::from_millis(800)).await;
    let callers: Vec<_> = (0..6).map(|_| caller(&pool, 500)).collect();
    for caller in callers {
        let (answer, after) = caller.await.expect("no panic");
        answer.expect("served");
        assert!((200..400).contains(&ms(after)), "{after:?}");
    }
}

/// A deadline that is shorter than the server is slow says nothing of the server.
#[tokio::test(start_paused = true)]
async fn what_a_callers_deadline_cuts_short_is_no_failure_of_the_server() {
    let stub = Stub::new();
    let pool = waits(&stub, config(3));
    pool.query("SELECT 1", &[]).await.expect("well");
    for _ in 0..30 {
        stub.set(Mood::Mute);
        let (answer, after) = caller(&pool, 20).await.expect("no panic");
        let timed_out = matches!(answer, Err(Error::StatementTimeout { .. }));
        assert!(timed_out, "{answer:?}");
        assert_eq!(ms(after), 20);
        stub.set(Mood::Well);
        clock::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(pool.breaker().transitions(), 0);
    // If the server says nothing afterwards either, it is.
    stub.set(Mood::Mute);
    for _ in 0..5 {
        let _cut_short = caller(&pool, 20).await.expect("no panic");
    }
    clock::sleep(Duration::from_secs(2)).await;
    assert_eq!(pool.breaker().state(), State::Open);
}

/// Served in the order they came in, or from the last to the first.
#[tokio::test(start_paused = true)]
async fn the_order_of_those_who_wait_is_the_one_that_was_asked_for() {
    for (order, first) in [(WaitOrder::FirstCome, 1), (WaitOrder::NewestFirst, 9)] {
        let stub = Stub::new();
        let config = PoolConfig {
            circuit_breaker_wait_order: order,
            ..config(1)
        };
        let pool = waits(&stub, config);
        stub.set(Mood::Gone);
        open(&pool);
        let served = Arc::new(Mutex::new(Vec::new()));
        let callers: Vec<_> = (0..10)
            .map(|i| {
                let (pool, served) = (pool.clone(), served.clone());
                tokio::spawn(async move {
                    let loan = pool.within(Duration::from_millis(500)).acquire().await;
                    served.lock().unwrap().push(i);
                    clock::sleep(Duration::from_millis(1)).await;
                    drop(loan);
                })
            })
            .collect();
        clock::sleep(Duration::from_millis(100)).await;
        stub.set(Mood::Well);
        for caller in callers {
            caller.await.expect("no panic");
        }
        // The one that is there first takes the slot that is free; the others wait in line.
        let served = served.lock().unwrap().clone();
        assert_eq!(served[..2], [0, first], "{order:?}: {served:?}");
        assert_eq!(served.len(), 10);
    }
}

/// Once those that had a moment left when the circuit closed opened it again: their connections
/// were said to have failed. They are made all the same, for those that follow.
#[tokio::test(start_paused = true)]
async fn a_caller_with_little_time_left_says_nothing_of_how_long_a_connection_takes() {
    let stub = Stub::new();
    let pool = waits(&stub, config(10));
    for _ in 0..3 {
        stub.set(Mood::Mute);
        let callers: Vec<_> = (0..10).map(|_| caller(&pool, 50)).collect();
        for caller in callers {
            let (answer, after) = caller.await.expect("no panic");
            let error = answer.expect_err("mute");
            assert_eq!(error.class(), ErrorClass::Timeout, "{error:?}");
            assert_eq!(ms(after), 50);
        }
        stub.set(Mood::Well);
        clock::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(pool.breaker().transitions(), 0);
    assert_eq!(pool.metrics().counter(Counter::Created), 10);
    // A server that takes no session for a whole time-out is another matter.
    pool.inner.evict(pool.inner.epoch.current());
    stub.set(Mood::Mute);
    let callers: Vec<_> = (0..10).map(|_| caller(&pool, 50)).collect();
    clock::sleep(Duration::from_millis(501)).await;
    assert_eq!(pool.breaker().state(), State::Open);
    drop(callers);
}
