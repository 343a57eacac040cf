//! What the pool does when its circuit opens, whoever found out: connections from before
//! are dropped, few are made at once, callers that wait are refused, and the probe runs.
//!
//! Once a trip that a caller found while it asked to be admitted changed the state and
//! nothing else: recovery then took the whole recovery timeout.

use futures_util::FutureExt as _;

use super::*;
use crate::breaker::{Event, Reason, Transition};

/// A pool of three over a server that is well, one of its connections idle and two on loan.
struct Setup {
    stub: Stub,
    pool: Pool,
    loans: Vec<Connection>,
}

impl Setup {
    async fn new(hanging: Duration) -> Self {
        let stub = Stub::new();
        let config = PoolConfig {
            max_connections: 3,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
            circuit_breaker_hanging: hanging,
            circuit_breaker_when_open: WhenOpen::Refuse,
            ..PoolConfig::default()
        };
        let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
        let pool = pool.expect("valid");
        let mut loans: Vec<_> = join_all((0..3).map(|_| pool.acquire()))
            .await
            .into_iter()
            .map(|loan| loan.expect("well"))
            .collect();
        loans.truncate(2);
        Self { stub, pool, loans }
    }

    /// A caller that waits until it is told what becomes of its slot.
    async fn waiting(&self) -> tokio::task::JoinHandle<(Result<(), Error>, Instant)> {
        let pool = self.pool.clone();
        let caller = tokio::spawn(async move {
            let acquired = pool.acquire().await.map(drop);
            (acquired, clock::now())
        });
        tokio::task::yield_now().await;
        caller
    }
}

type Statement = tokio::task::JoinHandle<Result<(), Error>>;

/// A statement on each, which a server that says nothing leaves hanging.
fn hang(loans: Vec<Connection>) -> Vec<Statement> {
    let query = |mut loan: Connection| async move { loan.query("SELECT 1", &[]).await.map(drop) };
    loans.into_iter().map(query).map(tokio::spawn).collect()
}

/// How many connections may be made at once.
fn room(pool: &Pool) -> usize {
    let ramp = &pool.inner.ramp;
    let places = (0..20).map_while(|_| ramp.enter().now_or_never());
    places.collect::<Vec<_>>().len()
}

async fn next_change(events: &mut breaker::Events) -> Transition {
    let soon = clock::now() + Duration::from_millis(1);
    let event = clock::timeout_at(soon, events.next()).await;
    let Event::Changed(change) = event.expect("told at once") else {
        panic!("none was missed");
    };
    change
}

#[tokio::test(start_paused = true)]
async fn a_trip_found_on_admission_is_acted_on_like_any_other() {
    let setup = Setup::new(Duration::from_millis(300)).await;
    let Setup { stub, pool, loans } = setup;
    let mut events = pool.breaker().events();
    stub.set(Mood::Mute);
    // Two statements that hang, on the two that are on loan.
    let hanging = hang(loans);
    // A third takes the last slot and hangs as well; a fourth waits for one.
    clock::sleep(Duration::from_millis(10)).await;
    let third = pool.acquire().await.expect("the idle one");
    let setup = Setup {
        stub,
        pool,
        loans: vec![third],
    };
    let waiting = setup.waiting().await;
    let Setup { stub, pool, loans } = setup;
    clock::sleep(Duration::from_millis(400)).await;
    assert_eq!(pool.breaker().state(), State::Closed, "nobody came");
    let found_at = clock::now();
    let found = pool.acquire().await;
    assert!(matches!(found, Err(Error::CircuitOpen { .. })), "{found:?}");
    assert_eq!(
        clock::now(),
        found_at,
        "the one that finds it is refused at once"
    );

    let change = next_change(&mut events).await;
    assert_eq!((change.from, change.to), (State::Closed, State::Open));
    assert!(matches!(change.reason, Reason::Hanging(_)), "{change:?}");
    let (refused, at) = waiting.await.expect("no panic");
    assert!(
        matches!(refused, Err(Error::CircuitOpen { .. })),
        "{refused:?}"
    );
    assert!(
        at - found_at < Duration::from_millis(1),
        "not at its deadline"
    );
    assert_eq!(room(&pool), 2, "the ramp has started");
    drop(loans);
    assert_eq!(
        pool.status().idle,
        0,
        "from before the trip: not lent again"
    );

    stub.set(Mood::Well);
    clock::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        pool.breaker().state(),
        State::Closed,
        "the probe was answered"
    );
    assert!(pool.metrics().counter(Counter::Probes) > 0);
    for statement in hanging {
        let _answered_or_not = statement.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trip_found_on_admission_takes_aside_what_is_idle() {
    let Setup { stub, pool, loans } = Setup::new(Duration::from_millis(300)).await;
    stub.set(Mood::Mute);
    let hanging = hang(loans);
    clock::sleep(Duration::from_millis(400)).await;
    assert_eq!((pool.status().size, pool.status().idle), (3, 1));
    let found = pool.acquire().await;
    assert!(matches!(found, Err(Error::CircuitOpen { .. })), "{found:?}");
    assert_eq!((pool.status().size, pool.status().idle), (3, 0));
    stub.set(Mood::Gone);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!(pool.status().size, 0);
    assert_eq!(pool.metrics().counter(Counter::Evicted), 1);
    drop(hanging);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_forced_open_is_acted_on_like_any_other() {
    let setup = Setup::new(Duration::ZERO).await;
    let mut events = setup.pool.breaker().events();
    let held = setup.pool.acquire().await.expect("the idle one");
    let waiting = setup.waiting().await;
    let Setup { pool, loans, .. } = setup;
    let forced_at = clock::now();
    pool.breaker().force_open();

    let change = next_change(&mut events).await;
    assert_eq!((change.from, change.to), (State::Closed, State::Open));
    assert_eq!(change.mode, breaker::Mode::ForcedOpen);
    let (refused, at) = waiting.await.expect("no panic");
    assert!(
        matches!(refused, Err(Error::CircuitOpen { .. })),
        "{refused:?}"
    );
    assert_eq!(at, forced_at);
    assert_eq!(room(&pool), 2, "the ramp has started");
    drop((loans, held));
    assert_eq!(pool.status().size, 0, "from before: not lent again");

    // The server is well, but it is not the probe's to say: it stays as it was told.
    clock::sleep(Duration::from_secs(100)).await;
    assert_eq!(pool.metrics().counter(Counter::Probes), 0);
    assert_eq!(pool.breaker().state(), State::Open);
    pool.breaker().force_close();
    let change = next_change(&mut events).await;
    assert_eq!((change.from, change.to), (State::Open, State::Closed));
    pool.query("SELECT 1", &[]).await.expect("served again");
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_forced_open_drops_what_is_idle() {
    let Setup { pool, loans, .. } = Setup::new(Duration::ZERO).await;
    drop(loans);
    assert_eq!(pool.status().idle, 3);
    pool.breaker().force_open();
    assert_eq!(pool.status().size, 0);
    assert_eq!(pool.metrics().counter(Counter::Evicted), 3);
}

/// A trip by outcomes, and one that the check for hanging calls finds where nobody comes.
#[tokio::test(start_paused = true)]
async fn every_way_to_open_takes_aside_what_is_idle() {
    type Trip = fn(&Breaker);
    let fail: Trip = |breaker| {
        for _ in 0..5 {
            let permit = breaker.admit(clock::now()).expect("admitted");
            permit.record(CallOutcome::Failure, clock::now());
        }
    };
    let check: Trip = |breaker| {
        assert!(breaker.check_hanging(clock::now()));
    };
    for (way, hanging, trip) in [
        ("failures", Duration::ZERO, fail),
        ("the check", Duration::from_millis(300), check),
    ] {
        let Setup { stub, pool, loans } = Setup::new(hanging).await;
        stub.set(Mood::Mute);
        let hanging = hang(loans);
        clock::sleep(Duration::from_millis(400)).await;
        trip(pool.breaker());
        assert_eq!(pool.breaker().state(), State::Open, "{way}");
        assert_eq!((pool.status().size, pool.status().idle), (3, 0), "{way}");
        assert_eq!(room(&pool), 2, "{way}");
        drop(hanging);
    }
}

/// A half-open circuit whose lease is over opens again when a caller comes.
#[tokio::test(start_paused = true)]
async fn a_lease_that_a_caller_finds_over_is_a_trip() {
    let stub = Stub::new();
    let config = PoolConfig {
        max_connections: 3,
        acquire_timeout: Duration::from_millis(200),
        circuit_breaker_probe: Probe::Passive,
        circuit_breaker_recovery_timeout: Duration::from_secs(1),
        ..PoolConfig::default()
    };
    let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
    let pool = pool.expect("valid");
    for _ in 0..5 {
        let permit = pool.breaker().admit(clock::now()).expect("closed");
        permit.record(CallOutcome::Failure, clock::now());
    }
    clock::sleep(Duration::from_secs(1)).await;
    let served = pool.acquire().await.expect("half-open");
    drop(served);
    assert_eq!(pool.breaker().state(), State::HalfOpen);
    assert_eq!(pool.status().idle, 1);
    clock::sleep(Duration::from_secs(60)).await;
    let refused = pool.acquire().await;
    assert!(
        matches!(refused, Err(Error::CircuitOpen { .. })),
        "{refused:?}"
    );
    assert_eq!(pool.breaker().state(), State::Open);
    assert_eq!(pool.status().size, 0, "from before the trip");
    assert_eq!(room(&pool), 2);
}
