//! Whatever the server does and whoever goes away, nothing leaks, and a server that is well is
//! used again.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Mood(Mood),
    Callers(usize),
    /// Borrows a connection, opens a transaction, and keeps it.
    Hold,
    DropHeld,
    /// This caller goes away, wherever it is.
    Abort(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => prop_oneof![Just(Mood::Well), Just(Mood::Mute), Just(Mood::Gone)].prop_map(Step::Mood),
        3 => (1_usize..6).prop_map(Step::Callers),
        1 => Just(Step::Hold),
        1 => Just(Step::DropHeld),
        2 => (0_usize..20).prop_map(Step::Abort),
        4 => (0_u64..150).prop_map(Step::Advance),
    ]
}

const MAX: u32 = 3;

async fn nothing_leaks(waits: bool, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let stub = Stub::new();
    *stub.server.lock().unwrap() = Some(b'a');
    let mut config = pool(&stub, MAX).config().clone();
    if waits {
        config.circuit_breaker_when_open = WhenOpen::Wait;
        config.circuit_breaker_max_waiting = 5;
    }
    let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
    let pool = pool.expect("valid");
    let mut callers = Vec::new();
    let mut held = Vec::new();
    for step in steps {
        match step {
            Step::Mood(mood) => stub.set(mood),
            Step::Callers(n) => callers.extend((0..n).map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.query("SELECT 1", &[]).await.map(drop) })
            })),
            Step::Hold => {
                if let Ok(mut connection) = pool.acquire().await
                    && connection.execute("BEGIN", &[]).await.is_ok()
                {
                    held.push(connection);
                }
            }
            Step::DropHeld => held.clear(),
            Step::Abort(i) if !callers.is_empty() => callers.swap_remove(i % callers.len()).abort(),
            Step::Abort(_) => {}
            Step::Advance(ms) => clock::sleep(Duration::from_millis(ms)).await,
        }
        prop_assert!(pool.status().size <= MAX as usize);
    }
    held.clear();
    stub.set(Mood::Well);

    // Every caller has an answer within its two deadlines, whatever the server did.
    let bound = clock::now() + Duration::from_millis(501);
    for caller in callers {
        match clock::timeout_at(bound, caller).await {
            Ok(Ok(_)) => {}
            Ok(Err(aborted)) => prop_assert!(aborted.is_cancelled(), "{aborted}"),
            Err(Elapsed) => prop_assert!(false, "a caller waits beyond its deadlines"),
        }
    }

    // With traffic, a server that is well is used again in bounded time.
    let bound = clock::now() + Duration::from_secs(3);
    while pool.query("SELECT 1", &[]).await.is_err() || pool.breaker().state() != State::Closed {
        prop_assert!(clock::now() < bound, "not served again: {pool:?}");
        clock::sleep(Duration::from_millis(20)).await;
    }

    // Nothing is left: no slot, no connection, no task. What was given up has its own bound,
    // and so has the session of the probe.
    clock::sleep(Duration::from_millis(1_001)).await;
    prop_assert_eq!(pool.inner.slots.free(), MAX as usize);
    clock::sleep(Duration::from_millis(1)).await;
    prop_assert_eq!(stub.live.load(Ordering::SeqCst), pool.status().size);
    let metrics = pool.metrics();
    let returned = metrics.counter(Counter::Released) + metrics.counter(Counter::Discarded);
    prop_assert_eq!(returned, metrics.counter(Counter::Acquired));
    drop(pool);
    clock::sleep(Duration::from_millis(1)).await;
    prop_assert_eq!(
        stub.live.load(Ordering::SeqCst),
        0,
        "connections outlive the pool"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_leaks_and_a_well_server_is_used(
        waits in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(nothing_leaks(waits, steps))?;
    }
}
