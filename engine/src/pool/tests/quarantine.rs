//! Sessions from before an outage: those that were only slow are lent again, others are not.

use super::*;

/// A pool of three, all idle, over a server that says who it is.
async fn three(stub: &Stub) -> Pool {
    *stub.server.lock().unwrap() = Some(b'a');
    let pool = pool(stub, 3);
    let loans = join_all((0..3).map(|_| pool.acquire())).await;
    drop(loans);
    assert_eq!(pool.status().idle, 3);
    pool
}

fn open(pool: &Pool) {
    while pool.breaker().state() == State::Closed {
        let permit = pool.breaker().admit(clock::now()).expect("closed");
        permit.record(CallOutcome::Failure, clock::now());
    }
}

async fn closed(pool: &Pool) {
    let soon = clock::now() + Duration::from_secs(2);
    let closes = clock::timeout_at(soon, pool.breaker().admits());
    closes.await.expect("the probe was answered");
    clock::sleep(Duration::from_millis(6)).await;
}

fn counted(pool: &Pool) -> [u64; 3] {
    [Counter::Created, Counter::Kept, Counter::Evicted].map(|c| pool.metrics().counter(c))
}

#[tokio::test(start_paused = true)]
async fn those_that_were_only_slow_are_lent_again() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    let mut held = pool.acquire().await.expect("well");
    let mut busy = pool.acquire().await.expect("well");
    stub.set(Mood::Mute);
    let busy = tokio::spawn(async move { busy.query("SELECT 1", &[]).await.map(drop) });
    clock::sleep(Duration::from_millis(100)).await;
    open(&pool);
    assert_eq!((pool.status().size, pool.status().idle), (3, 0));
    clock::sleep(Duration::from_millis(100)).await;
    assert_eq!(pool.status().size, 3, "kept while nobody knows");
    stub.set(Mood::Well);
    closed(&pool).await;
    busy.await.expect("no panic").expect("answered in time");
    held.query("SELECT 1", &[])
        .await
        .expect("on the same session");
    drop(held);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!(counted(&pool), [3, 3, 0], "none was made anew");
    assert_eq!(pool.status().idle, 3);
    for _ in 0..10 {
        pool.query("SELECT 1", &[]).await.expect("well");
    }
    assert_eq!(counted(&pool)[0], 3);
}

/// A statement that was out of time is drained, and its session lent again.
#[tokio::test(start_paused = true)]
async fn one_whose_statement_was_given_up_is_kept_once_it_is_idle() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    stub.set(Mood::Mute);
    let asked = join_all((0..3).map(|_| pool.query("SELECT 1", &[]))).await;
    assert!(asked.iter().all(Result::is_err), "after 300 ms");
    open(&pool);
    clock::sleep(Duration::from_millis(400)).await;
    assert_eq!(pool.inner.slots.free(), 0, "they are on the server still");
    stub.set(Mood::Well);
    closed(&pool).await;
    assert_eq!(pool.inner.slots.free(), 3);
    assert_eq!(counted(&pool), [3, 3, 0]);
}

#[tokio::test(start_paused = true)]
async fn those_that_never_answer_are_closed_when_the_server_is_back() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    let cut_off = stub.clone();
    stub.set(Mood::Mute);
    let busy = tokio::spawn({
        let pool = pool.clone();
        async move { pool.query("SELECT 1", &[]).await.map(drop) }
    });
    clock::sleep(Duration::from_millis(10)).await;
    open(&pool);
    clock::sleep(Duration::from_millis(400)).await;
    assert!(busy.await.expect("no panic").is_err());
    // New connections are served; what was there before goes on waiting.
    cut_off.for_new_ones(Mood::Well);
    closed(&pool).await;
    assert_eq!((pool.status().size, pool.inner.slots.free()), (3, 3));
    // Who needs a session has one made at once, in the place of one of them.
    let began = clock::now();
    pool.query("SELECT 1", &[]).await.expect("on a new one");
    assert!(clock::now() - began < Duration::from_millis(5));
    assert_eq!((counted(&pool)[0], pool.status().size), (4, 3));
    clock::sleep(Duration::from_secs(1)).await;
    assert_eq!(pool.status().size, 1, "the others are given up");
    let discarded = pool.metrics().counter(Counter::Discarded);
    assert_eq!((counted(&pool), discarded), ([4, 0, 2], 1), "two were idle");
}

/// While few may be made at once, those that come back are used.
#[tokio::test(start_paused = true)]
async fn one_that_comes_back_is_taken_before_one_is_made() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    stub.set(Mood::Mute);
    open(&pool);
    clock::sleep(Duration::from_millis(1)).await;
    // Two that hang take the places of the ramp.
    let places = [pool.inner.ramp.enter().await, pool.inner.ramp.enter().await];
    stub.for_new_ones(Mood::Well);
    pool.breaker().admits().await;
    let asked = join_all((0..20).map(|_| pool.query("SELECT 1", &[])));
    // Those of before answer when callers are in line already.
    let answer = async {
        clock::sleep(Duration::from_millis(10)).await;
        stub.set(Mood::Well);
    };
    let (asked, ()) = tokio::join!(asked, answer);
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    assert_eq!(counted(&pool), [3, 3, 0]);
    drop(places);
}

/// The old server may come back to life behind its old connections.
#[tokio::test(start_paused = true)]
async fn those_of_another_server_are_closed_although_they_answer() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    stub.set(Mood::Mute);
    open(&pool);
    clock::sleep(Duration::from_millis(1)).await;
    *stub.server.lock().unwrap() = Some(b'b');
    stub.set(Mood::Well);
    closed(&pool).await;
    assert_eq!(counted(&pool), [3, 0, 3]);
    assert_eq!(pool.status().size, 0);
}

#[tokio::test(start_paused = true)]
async fn they_are_not_kept_for_ever() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    stub.set(Mood::Mute);
    open(&pool);
    clock::sleep(Duration::from_secs(59)).await;
    assert_eq!(pool.status().size, 3);
    clock::sleep(Duration::from_secs(2)).await;
    assert_eq!(pool.status().size, 0);
}

/// Once a trip in shadow mode dropped every connection, although nobody was refused.
#[tokio::test(start_paused = true)]
async fn a_breaker_that_only_watches_touches_no_connection() {
    let stub = Stub::new();
    let pool = three(&stub).await;
    pool.breaker().set_mode(breaker::Mode::Shadow);
    open(&pool);
    assert_eq!(pool.status().idle, 3);
    assert_eq!(counted(&pool), [3, 0, 0]);
}

/// The sessions of the probes that were answered are lent: the server begins no others.
#[tokio::test(start_paused = true)]
async fn sessions_of_probes_are_lent_to_the_first_callers_and_not_kept_for_long() {
    for callers in [3, 0] {
        let stub = Stub::new();
        let pool = pool(&stub, 3);
        stub.set(Mood::Gone);
        open(&pool);
        stub.set(Mood::Mute);
        clock::sleep(Duration::from_millis(150)).await;
        let tried = || pool.metrics().counter(Counter::ConnectAttempts);
        assert!(tried() > 4, "{}", tried());
        stub.set(Mood::Well);
        closed(&pool).await;
        let before = tried();
        let loans = join_all((0..callers).map(|_| pool.acquire())).await;
        assert!(loans.iter().all(Result::is_ok), "{loans:?}");
        assert_eq!((tried(), pool.status().size), (before, callers));
        assert_eq!(
            stub.live.load(Ordering::SeqCst),
            3,
            "never more than it may have"
        );
        drop(loans);
        clock::sleep(Duration::from_secs(1)).await;
        assert_eq!(stub.live.load(Ordering::SeqCst), callers);
    }
}
