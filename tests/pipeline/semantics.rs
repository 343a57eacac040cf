//! What a user of the pipeline relies on, and what the guide's own implementation gets
//! wrong (the numbers of its defects stand at the tests).

use std::time::Duration;

use futures_util::StreamExt as _;
use scenarios::environment::Shutdown;
use seawall::{
    Error,
    breaker::State,
    clock,
    metrics::{Counter, OutcomeLabel},
    pipeline::{BatchSize, Outcome, Strategy},
};

use super::{outcomes, pool, session, within};
use crate::{command::binary, server};

const INSERT: &str = "INSERT INTO events (type, data) VALUES ($1, $2)";
const EVENTS: &str =
    "CREATE TABLE events (id bigserial PRIMARY KEY, type text NOT NULL, data text)";
const COUNT: &str = "SELECT count(*) FROM events";

/// 14: one round trip a query. 15: 0 of 1000.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_counts_right_and_takes_few_round_trips() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute(EVENTS, &[]).await.expect("made");
    // None of them divides the number of records.
    for (size, group) in [(7, false), (200, false), (300, true)] {
        let syncs = pool.metrics().counter(Counter::PipelineSyncs);
        let builder = pool.pipeline().batch_size(size).group_commit(group);
        let mut pipeline = builder.start().expect("valid");
        for i in 0..1_000 {
            let data = format!("record {i}");
            pipeline
                .add(INSERT, &[&"click", &data])
                .await
                .expect("added");
        }
        let results = pipeline.flush().await;
        assert_eq!(results.len(), 1_000);
        assert!(
            results
                .iter()
                .all(|r| r.success() && r.rows_affected() == Some(1))
        );
        assert!(
            results
                .iter()
                .enumerate()
                .all(|(i, r)| r.index() == i as u64)
        );
        assert!(pipeline.flush().await.is_empty(), "all were returned");
        pipeline.close().await;
        let syncs = pool.metrics().counter(Counter::PipelineSyncs) - syncs;
        if group {
            assert!(syncs <= 4, "{syncs} Syncs for 4 batches");
        } else {
            assert_eq!(syncs, 1_000, "each is a transaction of its own");
        }
    }
    let rows = pool.query(COUNT, &[]).await.expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 3_000);
    server.stop().await.expect("stopped");
}

/// 16: reordered by default.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reordered() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute("CREATE TABLE log (n bigserial, i int)", &[])
        .await
        .expect("made");
    for strategy in [
        Strategy::BestEffort,
        Strategy::Sequential,
        Strategy::Transactional,
    ] {
        for (size, group) in [(BatchSize::Fixed(7), false), (BatchSize::Auto, true)] {
            pool.execute("TRUNCATE log RESTART IDENTITY", &[])
                .await
                .expect("emptied");
            let builder = pool.pipeline().strategy(strategy).batch_size(size);
            let mut pipeline = builder.group_commit(group).start().expect("valid");
            for i in 0..500 {
                // Slower and faster ones, which a scheduler by cost would sort.
                let sql = if i % 3 == 0 {
                    "INSERT INTO log (i) SELECT $1 FROM pg_sleep(0.0005)"
                } else {
                    "INSERT INTO log (i) VALUES ($1)"
                };
                pipeline.add(sql, &[&i]).await.expect("added");
            }
            let results = pipeline.close().await;
            assert!(results.iter().all(seawall::pipeline::QueryResult::success));
            let rows = pool
                .query("SELECT i FROM log ORDER BY n", &[])
                .await
                .expect("read");
            let order: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(order, (0..500).collect::<Vec<_>>(), "{strategy:?} {size:?}");
        }
    }
    server.stop().await.expect("stopped");
}

/// 17: a failed acquire loses what was queued, and ends flushing for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_result_and_not_the_end() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |config| {
        config.acquire_timeout = Duration::from_millis(500);
        config.statement_timeout = Duration::from_millis(500);
    });
    pool.execute(EVENTS, &[]).await.expect("made");
    let mut pipeline = pool.pipeline().batch_size(10).start().expect("valid");
    pipeline
        .add(INSERT, &[&"before", &"x"])
        .await
        .expect("added");
    assert_eq!(outcomes(&pipeline.flush().await), ["ok"]);
    server.shut_down(Shutdown::Kill).await.expect("killed");
    // The first finds the connection dead; then nobody is asked.
    for _ in 0..2 {
        for _ in 0..25 {
            pipeline
                .add(INSERT, &[&"during", &"x"])
                .await
                .expect("added");
        }
        let results = within(30, pipeline.flush()).await;
        assert_eq!(results.len(), 25);
        assert!(
            results.iter().all(|r| !r.success()),
            "{:?}",
            outcomes(&results)
        );
    }
    assert_eq!(pool.breaker().state(), State::Open);
    pipeline.add(INSERT, &[&"open", &"x"]).await.expect("added");
    let results = pipeline.flush().await;
    let Outcome::NotSent(error) = results[0].outcome() else {
        panic!("{results:?}");
    };
    assert!(matches!(**error, Error::CircuitOpen { .. }), "{error:?}");
    server.restart().await.expect("started");
    let deadline = clock::now() + Duration::from_secs(30);
    while pool.breaker().state() != State::Closed {
        assert!(clock::now() < deadline, "the probe closes it");
        clock::sleep(Duration::from_millis(5)).await;
    }
    pipeline
        .add(INSERT, &[&"after", &"x"])
        .await
        .expect("added");
    assert_eq!(outcomes(&pipeline.flush().await), ["ok"]);
    server.stop().await.expect("stopped");
}

/// 18: retries are never made, counters stay 0.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_is_run_again_and_everything_is_counted() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    let other = session(&server).await;
    let made = "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, 0), (2, 0)";
    other.client.batch_execute(made).await.expect("made");
    let builder = pool.pipeline().strategy(Strategy::Transactional);
    let mut pipeline = builder.start().expect("valid");
    let add = "UPDATE a SET n = n + 1 WHERE id = $1";
    // It takes 2, and waits for 1; we have 1 and wait for 2, and are the one to go.
    other
        .client
        .batch_execute("BEGIN; SET LOCAL deadlock_timeout = '1h'; UPDATE a SET n = 10 WHERE id = 2")
        .await
        .expect("held");
    pipeline.add(add, &[&1]).await.expect("added");
    pipeline.add(add, &[&2]).await.expect("added");
    let theirs = async {
        // Once ours stands behind theirs.
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'piped' AND wait_event_type = 'Lock'";
        let watch = session(&server).await;
        loop {
            let row = watch.client.query_one(waits, &[]).await.expect("looked");
            if row.get::<_, i64>(0) > 0 {
                break;
            }
            clock::sleep(Duration::from_millis(5)).await;
        }
        other
            .client
            .batch_execute("UPDATE a SET n = 10 WHERE id = 1; COMMIT")
            .await
            .expect("theirs goes on");
    };
    let (results, ()) = within(20, async { tokio::join!(pipeline.flush(), theirs) }).await;
    assert_eq!(outcomes(&results), ["ok", "ok"]);
    let rows = pool
        .query("SELECT n FROM a ORDER BY id", &[])
        .await
        .expect("read");
    let n: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(n, [11, 11]);
    let ok = pool.metrics().outcomes(OutcomeLabel::Ok);
    assert_eq!(ok, 2, "each query has one result");
    assert!(pool.metrics().counter(Counter::PipelineBatches) >= 1);
    server.stop().await.expect("stopped");
}

/// 19: what is rolled back stays.
#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_is_nothing_if_anything_fails() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute(EVENTS, &[]).await.expect("made");
    let builder = pool.pipeline().strategy(Strategy::Transactional);
    let mut pipeline = builder.start().expect("valid");
    pipeline.add(INSERT, &[&"a", &"x"]).await.expect("added");
    pipeline
        .add(INSERT, &[&None::<&str>, &"x"])
        .await
        .expect("added");
    pipeline.add(INSERT, &[&"c", &"x"]).await.expect("added");
    let results = pipeline.flush().await;
    assert_eq!(
        outcomes(&results),
        ["rolled_back 23502", "failed 23502", "rolled_back 23502"]
    );
    let rows = pool.query(COUNT, &[]).await.expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 0);
    for sql in ["BEGIN", "commit", "ROLLBACK TO x", "COPY events FROM stdin"] {
        let refused = pipeline.add(sql, &[]).await.expect_err("not its business");
        assert!(
            matches!(refused, Error::PipelineRefused { .. }),
            "{refused}"
        );
    }
    // One failed statement is no failure of the server, and its siblings are none.
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_stream_in_order_and_in_bounded_memory() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute("CREATE TABLE n (i int)", &[])
        .await
        .expect("made");
    let builder = pool
        .pipeline()
        .group_commit(true)
        .batch_size(BatchSize::Auto);
    let builder = builder.max_queries(2_000).max_results(500);
    let mut pipeline = builder.start().expect("valid");
    let mut results = pipeline.results();
    let reader = tokio::spawn(async move {
        let mut n = 0;
        while let Some(result) = results.next().await {
            assert!(result.success(), "{:?}", result.outcome());
            assert_eq!(result.index(), n);
            n += 1;
        }
        n
    });
    for i in 0..50_000 {
        pipeline
            .add("INSERT INTO n VALUES ($1)", &[&i])
            .await
            .expect("added");
    }
    assert!(
        pipeline.close().await.is_empty(),
        "they went into the stream"
    );
    assert_eq!(within(20, reader).await.expect("read"), 50_000);

    // Without a reader, and without a flush, it says so instead of growing.
    let builder = pool.pipeline().max_results(100).batch_size(10);
    let mut pipeline = builder.linger(Duration::ZERO).start().expect("valid");
    let full = within(20, async {
        loop {
            if let Err(full) = pipeline.add("INSERT INTO n VALUES ($1)", &[&1]).await {
                return full;
            }
        }
    });
    assert!(matches!(full.await, Error::PipelineFull { .. }));
    assert!(pipeline.flush().await.len() >= 100);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lingers_goes_out_and_what_is_dropped_is_counted() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute("CREATE TABLE n (i int)", &[])
        .await
        .expect("made");
    let count = async || {
        let rows = pool
            .query("SELECT count(*) FROM n", &[])
            .await
            .expect("counted");
        rows[0].get::<_, i64>(0)
    };
    let builder = pool.pipeline().batch_size(100);
    let builder = builder.linger(Duration::from_millis(20));
    let mut pipeline = builder.start().expect("valid");
    pipeline
        .add("INSERT INTO n VALUES ($1)", &[&1])
        .await
        .expect("added");
    within(10, async {
        while count().await == 0 {
            clock::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    assert_eq!(
        outcomes(&pipeline.flush().await),
        ["ok"],
        "and its result is kept"
    );

    let builder = pool.pipeline().strategy(Strategy::Transactional);
    let mut pipeline = builder.start().expect("valid");
    for i in 0..3 {
        pipeline
            .add("INSERT INTO n VALUES ($1)", &[&i])
            .await
            .expect("added");
    }
    drop(pipeline);
    assert_eq!(pool.metrics().counter(Counter::PipelineDropped), 3);
    assert_eq!(count().await, 1);
    // Nothing is held that others need.
    for _ in 0..20 {
        assert!(pool.acquire().await.is_ok());
    }
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_while_it_is_not_enabled() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |config| {
        config.enable_pipelining = false;
        config.pipeline_batch_size = 50;
    });
    pool.execute(EVENTS, &[]).await.expect("made");
    let mut pipeline = pool.pipeline().start().expect("valid");
    for _ in 0..20 {
        pipeline.add(INSERT, &[&"a", &"x"]).await.expect("added");
    }
    assert!(
        pipeline
            .flush()
            .await
            .iter()
            .all(seawall::pipeline::QueryResult::success)
    );
    assert_eq!(pool.metrics().snapshot().batch_sizes().quantiles().max, 1);
    server.stop().await.expect("stopped");
}

/// A statement that cannot run in a transaction is none the less a query.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_grouped_is_run_alone() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute("CREATE TABLE n (i int)", &[])
        .await
        .expect("made");
    for strategy in [Strategy::BestEffort, Strategy::Sequential] {
        let builder = pool.pipeline().strategy(strategy).batch_size(100);
        let mut pipeline = builder.group_commit(true).start().expect("valid");
        pipeline
            .add("INSERT INTO n VALUES ($1)", &[&1])
            .await
            .expect("added");
        pipeline.add("VACUUM n", &[]).await.expect("added");
        // It needs the one before, which is still in the pipeline.
        pipeline
            .add("CREATE TABLE later (i int)", &[])
            .await
            .expect("added");
        if strategy == Strategy::BestEffort {
            pipeline
                .add("INSERT INTO later VALUES (1)", &[])
                .await
                .expect("added");
        }
        let results = pipeline.flush().await;
        assert!(
            results.iter().all(seawall::pipeline::QueryResult::success),
            "{results:?}"
        );
        pool.execute("DROP TABLE later", &[])
            .await
            .expect("dropped");
    }
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_gone_are_prepared_again() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |config| config.max_connections = 1);
    pool.execute(EVENTS, &[]).await.expect("made");
    for group in [true, false] {
        // Alone on the wire: behind one that failed others have run.
        let builder = pool.pipeline().batch_size(if group { 100 } else { 1 });
        let mut pipeline = builder.group_commit(group).start().expect("valid");
        for change in [
            "DEALLOCATE ALL".to_owned(),
            format!("ALTER TABLE events ADD COLUMN more_{group} int"),
        ] {
            for _ in 0..2 {
                pipeline.add(INSERT, &[&"a", &"x"]).await.expect("added");
                let read = "SELECT * FROM events LIMIT 1";
                pipeline.add(read, &[]).await.expect("added");
                let results = pipeline.flush().await;
                assert_eq!(outcomes(&results), ["ok", "ok"], "{change}");
                // The second time it is there already, which is no matter here.
                let _there = pool.execute(&change, &[]).await;
            }
        }
    }
    server.stop().await.expect("stopped");
}

/// The guide's import, as a user runs it.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_imports_50_000_records() {
    let (server, _place) = server::any().await;
    // A disk that is slow to confirm is not the subject.
    let session = session(&server).await;
    let setting = "ALTER SYSTEM SET synchronous_commit = off";
    session.client.batch_execute(setting).await.expect("set");
    session
        .client
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("reloaded");
    let folder = binary().with_file_name("examples");
    let endpoint = server.endpoint();
    let url = format!(
        "postgresql://{}:{}@{}:{}/{}",
        endpoint.user,
        endpoint.password.expose(),
        endpoint.host,
        endpoint.port,
        endpoint.database
    );
    let example = folder.join("import");
    assert!(
        example.is_file(),
        "{} is missing; hint: `cargo test --workspace`, or `cargo build -p seawall --examples`",
        example.display()
    );
    let output = std::process::Command::new(example)
        .args([&url, "300"])
        .output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("Imported 50000/50000 records"),
        "{said}{why}"
    );
    let rows = session.client.query_one(COUNT, &[]).await.expect("counted");
    assert_eq!(rows.get::<_, i64>(0), 50_000);
    server.stop().await.expect("stopped");
}
