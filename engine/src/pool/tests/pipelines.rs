//! Pipelines on the links of a pool: what is counted, and what a circuit means to them.

use super::*;
use crate::{
    metrics::{OutcomeLabel, Timing},
    pipeline::Strategy,
};

/// Queries, timings and batches of a pool.
fn counted(pool: &Pool) -> (u64, u64, u64) {
    let snapshot = pool.metrics().snapshot();
    (
        pool.metrics().counter(Counter::QueriesSent),
        snapshot.histogram(Timing::Query).count(),
        snapshot.batch_sizes().quantiles().max,
    )
}

/// A batch was counted as one query if it failed, and timed as one whatever became of it;
/// what was prepared for it was counted as well.
#[tokio::test(start_paused = true)]
async fn each_query_is_counted_and_timed_once() {
    for strategy in [Strategy::BestEffort, Strategy::Transactional] {
        for (mood, label) in [
            (Mood::Well, OutcomeLabel::Ok),
            (Mood::Fatal, OutcomeLabel::Unknown),
        ] {
            let stub = Stub::new();
            let pool = pool(&stub, 1);
            let builder = pool.pipeline().strategy(strategy).batch_size(100);
            let builder = builder.idempotent(true).retries(0);
            let mut pipeline = builder.start().expect("valid");
            // Known from then on, with what goes around it.
            pipeline.add("SELECT 1", &[]).await.expect("added");
            pipeline.flush().await;
            assert_eq!(counted(&pool).0, 1, "{strategy:?}: nothing but the query");
            for _ in 0..10 {
                pipeline.add("SELECT 1", &[]).await.expect("added");
            }
            stub.set(mood);
            let results = pipeline.flush().await;
            let labels = results.iter().map(|result| result.outcome().label());
            assert!(labels.clone().eq([label; 10]), "{strategy:?} {results:?}");
            let batch = if mood == Mood::Well { 10 } else { 1 };
            let case = format!("{strategy:?} {mood:?}");
            assert_eq!(counted(&pool), (11, 11, batch), "{case}");
        }
    }
}

/// In shadow mode an open circuit refuses nobody, and a pipeline neither waits for it nor
/// runs in circles.
#[tokio::test(start_paused = true)]
async fn a_pipeline_is_not_held_up_by_a_circuit_that_only_reports() {
    let stub = Stub::new();
    let config = PoolConfig {
        circuit_breaker_mode: breaker::Mode::Shadow,
        circuit_breaker_probe: Probe::Passive,
        ..PoolConfig::default()
    };
    let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
    let pool = pool.expect("valid");
    stub.set(Mood::Gone);
    while pool.breaker().state() != State::Open {
        pool.query("SELECT 1", &[]).await.expect_err("nobody there");
    }
    stub.set(Mood::Well);
    for grouped in [false, true] {
        let builder = pool.pipeline().batch_size(4).group_commit(grouped);
        let mut pipeline = builder.idempotent(true).start().expect("valid");
        for _ in 0..10 {
            pipeline.add("SELECT 1", &[]).await.expect("added");
        }
        let deadline = clock::now() + Duration::from_secs(30);
        let results = clock::timeout_at(deadline, pipeline.flush()).await;
        let results = results.expect("in time");
        assert!(results.iter().all(|result| result.success()), "{results:?}");
    }
}

/// Once such a query was said to have changed nothing, because the last time it was sent it
/// did not leave.
#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_in_doubt_once_it_has_left() {
    for (read_only, label) in [
        (false, OutcomeLabel::Unknown),
        (true, OutcomeLabel::NotSent),
    ] {
        for strategy in [Strategy::BestEffort, Strategy::Transactional] {
            let stub = Stub::new();
            let pool = pool(&stub, 1);
            let builder = pool.pipeline().strategy(strategy).batch_size(100);
            let builder = builder.retries(1);
            let builder = builder.idempotent(true).read_only(read_only);
            let mut pipeline = builder.start().expect("valid");
            pipeline.add("SELECT 1", &[]).await.expect("added");
            pipeline.flush().await;
            // Taken, and not answered; then nobody is there.
            stub.set(Mood::Mute);
            for _ in 0..3 {
                pipeline.add("SELECT 1", &[]).await.expect("added");
            }
            let server = stub.clone();
            let gone = tokio::spawn(async move {
                clock::sleep(Duration::from_millis(100)).await;
                server.set(Mood::Gone);
            });
            let results = pipeline.flush().await;
            gone.await.expect("no panic");
            let labels = results.iter().map(|result| result.outcome().label());
            assert!(labels.eq([label; 3]), "{strategy:?} {results:?}");
        }
    }
}

/// The server ended the session when it was asked who it is: that was lost, and all that was
/// said is that the connection is unusable.
#[tokio::test(start_paused = true)]
async fn a_session_that_ends_before_a_transaction_says_why() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    let builder = pool.pipeline().strategy(Strategy::Transactional).retries(0);
    let mut pipeline = builder.start().expect("valid");
    pipeline.add("SELECT 1", &[]).await.expect("added");
    stub.set(Mood::Fatal);
    let results = pipeline.flush().await;
    let error = results[0].error().expect("nothing was sent");
    assert_eq!(error.sqlstate().map(|state| state.code()), Some("08P01"));
}
