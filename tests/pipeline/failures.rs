//! Failures that meet something else: a second unit, a lost connection, a session that is
//! not what it was. Each was a wrong outcome once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::ConfigConnectImpl;
use seawall::{
    Pool, clock,
    pipeline::{QueryResult, Strategy},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::NoTls;

use super::{config, outcomes, pool, session, within};
use crate::server;

const INSERT: &str = "INSERT INTO n VALUES ($1)";
const TABLE: &str = "CREATE TABLE n (i int CHECK (i >= 0))";

async fn count(pool: &Pool) -> i64 {
    let rows = pool.query("SELECT count(*) FROM n", &[]).await;
    rows.expect("counted")[0].get(0)
}

fn done(results: &[QueryResult]) -> usize {
    results.iter().filter(|result| result.success()).count()
}

/// Passes everything on, but ends the first connection that says ROLLBACK.
async fn before(upstream: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    let cut = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.expect("it is up");
            let cut = cut.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let up = async move {
                    let mut bytes = vec![0; 65_536];
                    while let Ok(n @ 1..) = from_client.read(&mut bytes).await {
                        let says = bytes[..n].windows(8).any(|word| word == b"ROLLBACK");
                        if says && !cut.swap(true, Ordering::SeqCst) {
                            return;
                        }
                        if to_server.write_all(&bytes[..n]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! {
                    () = up => {}
                    _ = copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    port
}

/// What was skipped behind a failure was answered, and is not done for that.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failure_skipped_is_not_done_if_the_connection_then_ends() {
    let (server, _place) = server::any().await;
    let endpoint = server.endpoint();
    let port = before(format!("{}:{}", endpoint.host, endpoint.port)).await;
    let through = pool(endpoint, |config| config.port = port);
    let direct = pool(endpoint, |_| {});
    direct.execute(TABLE, &[]).await.expect("made");
    let builder = through.pipeline().batch_size(10).group_commit(true);
    let mut pipeline = builder.retries(0).start().expect("valid");
    // Prepared, so that the next units go out behind each other.
    pipeline.add(INSERT, &[&0]).await.expect("added");
    pipeline.flush().await;
    for i in 1..=40 {
        let i = if i == 5 { -1 } else { i };
        pipeline.add(INSERT, &[&i]).await.expect("added");
    }
    let results = within(20, pipeline.flush()).await;
    assert_eq!(results.len(), 40);
    let there = usize::try_from(count(&direct).await).expect("few");
    assert_eq!(done(&results) + 1, there, "{:?}", outcomes(&results));
    server.stop().await.expect("stopped");
}

/// A query that cannot be sent is found before anything is: those before it have no
/// answer yet.
#[tokio::test(flavor = "multi_thread")]
async fn reads_before_one_that_cannot_be_sent_are_run() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    let builder = pool.pipeline().batch_size(10).read_only(true);
    let mut pipeline = builder.start().expect("valid");
    let sql = "SELECT $1::int";
    // Known before, so that none goes out for that.
    pipeline.add(sql, &[&0]).await.expect("added");
    pipeline.flush().await;
    for value in [Some(1), None, Some(2), Some(3)] {
        let added = match value {
            Some(value) => pipeline.add(sql, &[&value]).await,
            None => pipeline.add(sql, &[&"not a number"]).await,
        };
        added.expect("added");
    }
    let results = within(20, pipeline.flush()).await;
    assert_eq!(outcomes(&results), ["ok", "failed -", "ok", "ok"]);
    let values = results.iter().filter_map(|result| result.rows()?.first());
    let values: Vec<i32> = values.map(|row| row.get(0)).collect();
    assert_eq!(values, [1, 2, 3]);
    server.stop().await.expect("stopped");
}

/// Over a transport that is not ours every statement has its Sync, so none may be sent
/// before BEGIN is known to have been done.
#[tokio::test(flavor = "multi_thread")]
async fn a_begin_that_fails_does_not_let_the_rest_run() {
    let (server, _place) = server::any().await;
    let plain = ConfigConnectImpl { tls: NoTls };
    let mut config = config(server.endpoint());
    config.max_connections = 1;
    config.min_connections = 0;
    let rng = fastrand::Rng::with_seed(1);
    let pool = Pool::with_connect(config, plain, rng).expect("valid");
    let beside = super::pool(server.endpoint(), |_| {});
    beside.execute(TABLE, &[]).await.expect("made");
    for strategy in [Strategy::BestEffort, Strategy::Transactional] {
        let builder = pool.pipeline().strategy(strategy).group_commit(true);
        let mut pipeline = builder.batch_size(50).start().expect("valid");
        for round in 0..3 {
            // Not in the connection's cache, while BEGIN and COMMIT are.
            let insert = format!("INSERT INTO n VALUES ($1) /* {strategy:?} {round} */");
            let before = count(&beside).await;
            // Each text is prepared once.
            let all = format!("DEALLOCATE ALL /* {strategy:?} {round} */");
            pool.execute(&all, &[]).await.expect("done");
            for i in 0..10 {
                pipeline.add(&insert, &[&i]).await.expect("added");
            }
            let results = within(20, pipeline.flush()).await;
            let after = count(&beside).await;
            let new = usize::try_from(after - before).expect("more");
            assert_eq!(done(&results), new, "{:?}", outcomes(&results));
        }
    }
    server.stop().await.expect("stopped");
}

/// The statement that a pipeline repeats is looked at again when its types have changed.
#[tokio::test(flavor = "multi_thread")]
async fn types_that_have_changed_are_asked_for_again() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute(TABLE, &[]).await.expect("made");
    let builder = pool.pipeline().batch_size(10).group_commit(true);
    let mut pipeline = builder.start().expect("valid");
    pipeline.add(INSERT, &[&1_i32]).await.expect("added");
    assert_eq!(outcomes(&pipeline.flush().await), ["ok"]);
    let session = session(&server).await;
    let wider = "ALTER TABLE n ALTER i TYPE bigint";
    session.client.batch_execute(wider).await.expect("altered");
    // Sessions of the pool that know the old type end.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE application_name = 'piped'";
    session.client.query(end, &[]).await.expect("ended");
    // It is only seen when it is prepared anew, on a new connection.
    within(20, async {
        loop {
            let added = pipeline.add(INSERT, &[&1_i32]).await;
            added.expect("added");
            if outcomes(&pipeline.flush().await) == ["failed -"] {
                break;
            }
        }
    })
    .await;
    for _ in 0..2 {
        pipeline.add(INSERT, &[&1_i64]).await.expect("added");
        assert_eq!(outcomes(&within(20, pipeline.flush()).await), ["ok"]);
    }
    server.stop().await.expect("stopped");
}

/// How many rows a merged insert made is not always how many it was given.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_trigger_left_out_are_not_counted() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    let session = session(&server).await;
    let made = "CREATE TABLE n (i int); \
        CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN IF NEW.i % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END $$; \
        CREATE TRIGGER odd BEFORE INSERT ON n FOR EACH ROW EXECUTE FUNCTION odd()";
    session.client.batch_execute(made).await.expect("made");
    let builder = pool.pipeline().batch_size(10).group_commit(true);
    let mut pipeline = builder.coalesce(true).start().expect("valid");
    for i in 0..10 {
        pipeline.add(INSERT, &[&i]).await.expect("added");
    }
    let results = pipeline.flush().await;
    assert_eq!(done(&results), 10);
    assert!(results.iter().all(|r| r.rows_affected().is_none()));
    assert_eq!(count(&pool).await, 5);
    server.stop().await.expect("stopped");
}

/// A transaction is carried by whoever flushes; one that gives up leaves it to a task.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_is_given_up_goes_on() {
    let (server, _place) = server::any().await;
    let pool = pool(server.endpoint(), |_| {});
    pool.execute(TABLE, &[]).await.expect("made");
    let builder = pool.pipeline().strategy(Strategy::Transactional);
    let mut pipeline = builder.start().expect("valid");
    pipeline.add(INSERT, &[&1]).await.expect("added");
    let slow = "SELECT pg_sleep(0.2)::text";
    pipeline.add(slow, &[]).await.expect("added");
    let given_up = clock::timeout_at(clock::now() + Duration::from_millis(50), pipeline.flush());
    assert!(given_up.await.is_err());
    // Nobody polls the pipeline now.
    within(10, async {
        while count(&pool).await == 0 {
            clock::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let results = within(10, pipeline.flush()).await;
    assert_eq!(outcomes(&results), ["ok", "ok"]);
    // And the next go on as ever.
    for _ in 0..2 {
        pipeline.add(INSERT, &[&2]).await.expect("added");
        let results = within(10, pipeline.flush()).await;
        assert_eq!(outcomes(&results), ["ok"]);
    }
    assert!(within(10, pipeline.close()).await.is_empty());
    server.stop().await.expect("stopped");
}
