//! What is shown of a pool is what happened: results, times, history and status.

use super::*;
use crate::{
    metrics::{QueryKind, ResultLabel, Timing},
    status::{HealthState, Watched as _},
};

fn pool_of(stub: &Stub, config: PoolConfig) -> Pool {
    Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1)).expect("valid")
}

async fn given_up(pool: &Pool) {
    let until = clock::now() + Duration::from_millis(5);
    let query = pool.query("SELECT 1", &[]);
    assert!(clock::timeout_at(until, query).await.is_err());
}

fn results(pool: &Pool, label: ResultLabel) -> u64 {
    pool.metrics().results(label)
}

/// Each query is counted once, whether it was answered, refused, given up, or had no
/// connection.
#[tokio::test(start_paused = true)]
async fn every_query_has_one_result() {
    let stub = Stub::new();
    let pool = pool(&stub, 2);
    pool.query("SELECT 1", &[]).await.expect("well");
    pool.execute("insert into t values (1)", &[])
        .await
        .expect("well");
    stub.set(Mood::Refuses);
    pool.query("UPDATE t SET a = 1", &[])
        .await
        .expect_err("refused");
    stub.set(Mood::Well);
    let mut connection = pool.acquire().await.expect("well");
    connection
        .query("/* why */ DELETE FROM t", &[])
        .await
        .expect("well");
    stub.set(Mood::Mute);
    {
        let until = clock::now() + Duration::from_millis(5);
        let query = connection.query("SELECT 1", &[]);
        assert!(clock::timeout_at(until, query).await.is_err());
    }
    let again = connection.query("SELECT 1", &[]).await;
    assert!(matches!(again, Err(Error::Unusable)));
    given_up(&pool).await;
    // Both are held by what was given up; so nobody gets one.
    given_up(&pool).await;
    assert_eq!(results(&pool, ResultLabel::Ok), 3);
    assert_eq!(
        results(&pool, ResultLabel::Failed(ErrorClass::Statement)),
        1
    );
    assert_eq!(
        results(&pool, ResultLabel::Failed(ErrorClass::Exhausted)),
        1
    );
    assert_eq!(results(&pool, ResultLabel::GivenUp), 3);
    let now = pool.metrics().snapshot();
    assert_eq!((now.queries(), now.query_errors()), (8, 2));
    let kinds = QueryKind::ALL.iter().map(|kind| now.kinds(*kind));
    assert_eq!(kinds.collect::<Vec<_>>(), [5, 1, 1, 1, 0]);
    // One connection was unusable, one was being made, and one was in use: nothing was sent.
    assert_eq!(now.counter(Counter::QueriesSent), 5);
    assert_eq!(now.histogram(Timing::Query).count(), 5);
    assert_eq!(now.counter(Counter::AcquiresGivenUp), 2);
    assert_eq!(now.sqlstates().collect::<Vec<_>>(), [("23", 1)]);
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_made_are_closed_or_open() {
    let stub = Stub::new();
    let pool = pool(&stub, 3);
    let held = join_all((0..3).map(|_| pool.acquire())).await;
    let open = || {
        let now = pool.metrics().snapshot();
        now.counter(Counter::Created) - now.counter(Counter::Closed)
    };
    assert_eq!(open(), 3);
    drop(held);
    pool.query("SELECT 1", &[]).await.expect("well");
    let now = pool.metrics().snapshot();
    assert_eq!(now.counter(Counter::Acquired), 4);
    assert_eq!(now.counter(Counter::Reused), 1);
    assert_eq!(now.histogram(Timing::Hold).count(), 4);
    stub.set(Mood::Fatal);
    pool.query("SELECT 1", &[]).await.expect_err("ended");
    assert_eq!(open(), pool.status().size as u64);
    pool.close();
    assert_eq!(open(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_past_is_what_happened_when_it_did() {
    let stub = Stub::new();
    let pool = pool(&stub, 2);
    let began = pool.inner.unix_ms();
    for _ in 0..10 {
        for _ in 0..20 {
            pool.query("SELECT 1", &[]).await.expect("well");
        }
        clock::sleep(Duration::from_secs(1)).await;
    }
    clock::sleep(Duration::from_secs(10)).await;
    let to = began + 20_000;
    let points = pool
        .inner
        .history("queries_per_second", began, to, 5_000)
        .expect("known");
    let values: Vec<_> = points.iter().map(|p| p.value.expect("kept")).collect();
    assert_eq!(values.len(), 4);
    // The last query of a second and the slot that it is in may be a moment apart.
    assert!(
        (values[0] - 20.0).abs() < 4.1 && (values[1] - 20.0).abs() < 4.1,
        "{values:?}"
    );
    assert_eq!(values[3], 0.0);
    let sum: f64 = values.iter().map(|v| v * 5.0).sum();
    assert!((sum - 200.0).abs() < 0.01, "none is lost: {values:?}");
    let p99 = pool.inner.history("query_p99_seconds", began, to, 5_000);
    let p99 = p99.expect("known");
    assert!(p99[0].value.is_some());
    assert_eq!(p99[3].value, None, "there is no quantile of nothing");
    let heat = pool.inner.heatmap(began, to, 20_000);
    let all: u64 = heat.columns.iter().flat_map(|c| &c.counts).sum();
    assert_eq!(all, 200);
    let unknown = pool.inner.history("querys_per_second", began, to, 5_000);
    let nearest = unknown.expect_err("no such").nearest;
    assert_eq!(nearest.as_deref(), Some("queries_per_second"));
    // Before the pool was, and after now, nothing is known.
    let early = pool
        .inner
        .history("queries_per_second", began - 9_000, began, 1_000);
    assert!(early.expect("known").iter().all(|p| p.value.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_history_is_as_long_as_it_is_to_be_and_goes_when_it_is_not() {
    let stub = Stub::new();
    let pool = pool_of(
        &stub,
        PoolConfig {
            max_connections: 2,
            metrics_retention_minutes: 1,
            ..PoolConfig::default()
        },
    );
    let began = pool.inner.unix_ms();
    for _ in 0..150 {
        pool.query("SELECT 1", &[]).await.expect("well");
        clock::sleep(Duration::from_secs(1)).await;
    }
    let memory = pool.comprehensive_status().history;
    // A minute of seconds, and of quarters of them.
    assert_eq!(memory.slots, 60 + 240);
    assert!(memory.bytes <= memory.bytes_most, "{memory:?}");
    let points = pool
        .inner
        .history("queries_per_second", began, began + 150_000, 1_000);
    let points = points.expect("known");
    let known = points.iter().filter(|p| p.value.is_some()).count();
    assert!((59..=61).contains(&known), "{known}");
    assert!(points[148].value.is_some() && points[80].value.is_none());
    pool.set_metrics_retention(0);
    let status = pool.comprehensive_status();
    assert_eq!((status.history.slots, status.history.bytes), (0, 0));
    assert_eq!(
        pool.inner.history("error_rate", began, began + 9, 1),
        Ok(vec![])
    );
    pool.set_metrics_retention(1);
    clock::sleep(Duration::from_secs(2)).await;
    assert!(pool.comprehensive_status().history.slots > 0);
}

#[tokio::test(start_paused = true)]
async fn a_status_says_what_is_wrong_and_that_it_is_over() {
    let stub = Stub::new();
    let pool = pool(&stub, 2);
    for _ in 0..50 {
        pool.query("SELECT 1", &[]).await.expect("well");
        clock::sleep(Duration::from_millis(50)).await;
    }
    let well = pool.comprehensive_status();
    assert_eq!(well.health.state, HealthState::Healthy, "{:?}", well.health);
    assert_eq!(well.detailed_metrics.counters["queries_total"], 50);
    assert_eq!(well.error_rate, Some(0.0));
    assert!(
        well.queries_per_second > 15.0,
        "{}",
        well.queries_per_second
    );
    stub.set(Mood::Gone);
    for _ in 0..8 {
        pool.query("SELECT 1", &[]).await.expect_err("gone");
    }
    clock::sleep(Duration::from_secs(1)).await;
    let down = pool.comprehensive_status();
    assert_eq!(down.health.state, HealthState::Down, "{:?}", down.health);
    assert_eq!(down.circuit_breaker.state, "open");
    assert!(down.circuit_breaker.time_until_recovery.is_some());
    assert_eq!(down.circuit_breaker.metrics.opened, 1);
    let last = down.circuit_breaker.transitions.last().expect("opened");
    assert_eq!((last.from, last.to), ("closed", "open"));
    assert!(last.unix_ms >= well.unix_ms && last.unix_ms <= down.unix_ms);
    assert!(!down.error_examples.is_empty());
    let rate = down.error_rate.expect("asked");
    assert!(rate > 0.0 && rate <= 1.0, "{rate}");
    stub.set(Mood::Well);
    pool.breaker().admits().await;
    for _ in 0..200 {
        pool.query("SELECT 1", &[]).await.expect("back");
        clock::sleep(Duration::from_millis(100)).await;
    }
    let back = pool.comprehensive_status();
    assert_eq!(back.health.state, HealthState::Healthy, "{:?}", back.health);
    assert_eq!(back.circuit_breaker.time_until_recovery, None);
}

/// Without a runtime there is nothing to keep a history with, and nothing to panic over.
#[test]
fn without_a_runtime_a_status_is_had_all_the_same() {
    let pool = Pool::new(PoolConfig::default()).expect("valid");
    let status = pool.comprehensive_status();
    assert_eq!(status.history.slots, 0);
    assert_eq!(status.total_connections, 0);
    assert_eq!(status.error_rate, None);
}

#[tokio::test(start_paused = true)]
async fn who_has_a_connection_for_long_is_shown() {
    let stub = Stub::new();
    let pool = pool(&stub, 2);
    let mut held = pool.acquire().await.expect("well");
    clock::sleep(Duration::from_secs(3)).await;
    let shown = pool.comprehensive_status().longest_holders;
    assert_eq!(shown.len(), 1);
    assert!((shown[0].held_s - 3.0).abs() < 0.1 && shown[0].doing == "idle");
    held.query("BEGIN", &[]).await.expect("well");
    let doing = pool.comprehensive_status().longest_holders[0].doing;
    assert!(["in_transaction", "idle"].contains(&doing), "{doing}");
    drop(held);
    clock::sleep(Duration::from_secs(1)).await;
    assert_eq!(pool.comprehensive_status().longest_holders, []);
}

/// An example of an error has nothing of what the server said: that may hold what was typed.
#[tokio::test(start_paused = true)]
async fn an_example_of_an_error_holds_no_word_of_the_server() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    stub.set(Mood::Refuses);
    pool.query("SELECT 1", &[]).await.expect_err("refused");
    let example = pool.comprehensive_status().error_examples.remove(0);
    assert_eq!(example.class, "statement");
    assert_eq!(example.sqlstate.as_deref(), Some("23505"));
    assert_eq!(example.text, "statement failed");
}

#[cfg(feature = "prometheus")]
#[tokio::test(start_paused = true)]
async fn an_exposition_survives_any_name_and_says_each_thing_once() {
    use crate::exposition::{Format, text};
    let stub = Stub::new();
    let name = "a\"b\\c\nd é <script>";
    let named = || {
        pool_of(
            &stub,
            PoolConfig {
                name: name.to_owned(),
                max_connections: 2,
                ..PoolConfig::default()
            },
        )
    };
    let (one, two) = (named(), named());
    one.query("SELECT 1", &[]).await.expect("well");
    let pools = [one.watched(), two.watched()];
    let plain = text(&pools, Format::Text);
    assert!(plain.ends_with('\n'));
    let escaped = "pool=\"a\\\"b\\\\c\\nd é <script>\"";
    let total = format!("connection_pool_queries_total{{{escaped},role=\"any\"}} 1\n");
    assert!(plain.contains(&total), "{plain}");
    let mut types: Vec<_> = plain.lines().filter(|l| l.starts_with("# TYPE")).collect();
    let n = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), n, "a type is said once");
    let series = |line: &&str| !line.starts_with('#');
    let mut all: Vec<_> = plain
        .lines()
        .filter(series)
        .filter_map(|l| l.rsplit_once(' '))
        .map(|(s, _)| s)
        .collect();
    let n = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), n, "a series is there once");
    assert!(n < 1_000, "{n}");
    let open = text(&pools, Format::OpenMetrics);
    assert!(open.ends_with("# EOF\n"));
    for text in [&plain, &open] {
        let buckets = text
            .lines()
            .filter(|l| l.contains("hold_duration_seconds_bucket"));
        assert_eq!(buckets.clone().count(), 2 * 17, "16 bounds, and no bound");
        let last = buckets.filter(|l| l.contains("le=\"+Inf\""));
        assert_eq!(last.count(), 2);
    }
    for (accept, format) in [
        (None, Format::Text),
        (Some("*/*"), Format::Text),
        (
            Some("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
            Format::OpenMetrics,
        ),
        (
            Some("application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.9"),
            Format::Text,
        ),
        (
            Some("application/openmetrics-text;q=nonsense"),
            Format::Text,
        ),
    ] {
        assert_eq!(Format::negotiate(accept), format, "{accept:?}");
    }
}
