//! What an answer of the server means: for the caller, for the connection, and for everybody
//! else's.

use std::time::Duration;

use futures_util::future::join_all;
use scenarios::environment::Environment;
use seawall::{
    Connection, Error, ErrorClass, Pool, PoolConfig, breaker::State, clock, metrics::Counter,
    pipeline::Strategy,
};

use crate::{
    pipeline::{self, outcomes, within},
    server,
};

fn pool(server: &Environment, change: impl FnOnce(&mut PoolConfig)) -> Pool {
    pipeline::pool(server.endpoint(), |config| {
        config.max_connections = 1;
        change(config);
    })
}

async fn backend(pool: &Pool) -> i32 {
    let rows = pool.query("SELECT pg_backend_pid()", &[]).await;
    rows.expect("answered")[0].get(0)
}

async fn done(pool: &Pool, sql: &str) {
    pool.execute(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

async fn within_a_block(connection: &mut Connection, sql: &[&str]) {
    for sql in sql {
        connection
            .execute(sql, &[])
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }
}

/// Once a COMMIT of a transaction that had failed was `Ok(0)`, and nothing was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_rolls_back_is_an_error() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |_| {});
    done(&pool, "CREATE TABLE t (i int PRIMARY KEY)").await;
    done(&pool, "INSERT INTO t VALUES (0)").await;
    for ends in [
        "COMMIT",
        "commit;",
        "COMMIT WORK",
        "COMMIT TRANSACTION",
        "END",
        "END TRANSACTION",
        "/* so be it */ COMMIT",
        "-- so be it\nEND",
        "COMMIT AND NO CHAIN",
        "COMMIT AND CHAIN",
        "END AND CHAIN",
        "PREPARE TRANSACTION 'x'",
    ] {
        let mut connection = pool.acquire().await.expect("one");
        within_a_block(&mut connection, &["BEGIN", "INSERT INTO t VALUES (1)"]).await;
        connection
            .execute("INSERT INTO t VALUES (0)", &[])
            .await
            .expect_err("is there");
        for query in [false, true] {
            let ended = match query {
                false => connection.execute(ends, &[]).await.map(drop),
                // There is no block any more, or a new one.
                true => break,
            };
            let error = ended.expect_err(ends);
            assert!(matches!(error, Error::RolledBack), "{ends}: {error:?}");
            assert!(!error.may_have_run(), "{ends}");
        }
        let chained = ends.ends_with("AND CHAIN");
        assert_eq!(
            connection.execute("SAVEPOINT s", &[]).await.is_ok(),
            chained,
            "{ends}"
        );
    }
    for ends in ["COMMIT", "END"] {
        let mut connection = pool.acquire().await.expect("one");
        within_a_block(&mut connection, &["BEGIN"]).await;
        connection
            .execute("INSERT INTO t VALUES (0)", &[])
            .await
            .expect_err("is there");
        let error = connection.query(ends, &[]).await.expect_err(ends);
        assert!(matches!(error, Error::RolledBack), "{ends}: {error:?}");
    }
    // Who asks for it gets what was asked for.
    for ends in [
        "ROLLBACK",
        "ABORT",
        "rollback and no chain",
        "ROLLBACK WORK",
        "ABORT;",
    ] {
        for failed in [false, true] {
            let mut connection = pool.acquire().await.expect("one");
            within_a_block(&mut connection, &["BEGIN"]).await;
            if failed {
                connection
                    .execute("INSERT INTO t VALUES (0)", &[])
                    .await
                    .expect_err("is there");
            }
            connection.execute(ends, &[]).await.expect(ends);
        }
    }
    // What was mended commits; what is no block at all has nothing to roll back.
    let mut connection = pool.acquire().await.expect("one");
    within_a_block(
        &mut connection,
        &["BEGIN", "INSERT INTO t VALUES (2)", "SAVEPOINT s"],
    )
    .await;
    connection
        .execute("INSERT INTO t VALUES (0)", &[])
        .await
        .expect_err("is there");
    within_a_block(
        &mut connection,
        &["ROLLBACK TO s", "COMMIT", "COMMIT", "END"],
    )
    .await;
    drop(connection);
    // Statements in one string are refused before any of them runs.
    let many = "BEGIN; INSERT INTO t VALUES (0); COMMIT";
    let error = pool.execute(many, &[]).await.expect_err("one at a time");
    assert_eq!(error.sqlstate().map(|s| s.code()), Some("42601"));
    let rows = pool
        .query("SELECT i FROM t ORDER BY i", &[])
        .await
        .expect("read");
    let there: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(there, [0, 2]);
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// A transaction that is rolled back where nobody expects it, at its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_s_transaction_is_done_or_not() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |_| {});
    done(
        &pool,
        "CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let builder = pool
        .pipeline()
        .strategy(Strategy::Transactional)
        .batch_size(3);
    let mut pipeline = builder.start().expect("valid");
    for i in [1, 2, 1] {
        pipeline
            .add("INSERT INTO t VALUES ($1)", &[&i])
            .await
            .expect("added");
    }
    assert_eq!(outcomes(&pipeline.flush().await), ["rolled_back 23505"; 3]);
    let rows = pool
        .query("SELECT count(*) FROM t", &[])
        .await
        .expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 0);
    server.stop().await.expect("stopped");
}

/// Once only a statement outside of a block made a connection leave a server that takes no
/// writes: BEGIN; INSERT; ROLLBACK stayed for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_leaves_a_server_that_takes_no_writes() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |_| {});
    done(&pool, "CREATE TABLE t (i int)").await;
    const STANDBY: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    for (before, after, leaves) in [
        (&[][..], &[][..], true),
        (&["BEGIN"], &["ROLLBACK"], true),
        (
            &["BEGIN", "SAVEPOINT s"],
            &["ROLLBACK TO s", "COMMIT"],
            true,
        ),
        (&["BEGIN ISOLATION LEVEL SERIALIZABLE"], &["ABORT"], true),
        (&["START TRANSACTION READ WRITE"], &["ROLLBACK"], false),
        // Asked for: that says nothing of the server.
        (&["BEGIN READ ONLY"], &["ROLLBACK"], false),
    ] {
        let first = backend(&pool).await;
        let mut connection = pool.acquire().await.expect("one");
        within_a_block(&mut connection, &[STANDBY]).await;
        within_a_block(&mut connection, before).await;
        let written = connection.execute("INSERT INTO t VALUES (1)", &[]).await;
        if let Err(error) = written {
            assert_eq!(error.class(), ErrorClass::ReadOnly, "{error:?}");
        }
        // Until it is given back it can be used.
        within_a_block(&mut connection, after).await;
        drop(connection);
        assert_eq!(backend(&pool).await != first, leaves, "{before:?}");
        done(
            &pool,
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        )
        .await;
    }
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// Statements that fail by their own fault, with states that a sick server has as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_s_own_error_opens_the_circuit_for_nobody() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| config.max_connections = 16);
    let raise = |state: &str| {
        format!("DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = '{state}'; END $$")
    };
    let mut statements = vec![
        "SELECT pg_read_file('/nope')".to_owned(),
        "COPY pg_class TO '/nope/nope'".to_owned(),
        "LOAD 'nope'".to_owned(),
    ];
    statements.extend(
        [
            "XX000", "XX001", "XX002", "58000", "58030", "58P01", "58P02", "57P01", "57P02",
            "57P03", "57P05", "57000", "57014", "53000", "53100", "53200", "53300", "53400",
            "28000", "28P01", "3D000", "08000", "08006", "08P01", "F0000", "HV000", "P0001",
            "25P03", "40001", "40P01", "26000", "0A000",
        ]
        .map(raise),
    );
    let first = backend(&pool).await;
    for sql in &statements {
        for _ in 0..6 {
            let error = pool.execute(sql, &[]).await.expect_err("mine");
            assert!(
                !matches!(error, Error::CircuitOpen { .. }),
                "{sql}: {error}"
            );
            assert!(
                !error.may_have_run() || sql.contains("08"),
                "{sql}: {error:?}"
            );
        }
        assert_eq!(pool.breaker().state(), State::Closed, "{sql}");
        assert_eq!(pool.metrics().counter(Counter::Evicted), 0, "{sql}");
    }
    assert_eq!(backend(&pool).await, first, "the session lives");
    // Those that lose a race over the catalogue.
    let define = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    let racing = (0..16).map(|_| async {
        let mut refused = 0;
        for _ in 0..10 {
            let defined = pool.execute(define, &[]).await;
            refused += usize::from(matches!(defined, Err(Error::CircuitOpen { .. })));
        }
        refused
    });
    let refused: usize = join_all(racing).await.into_iter().sum();
    assert_eq!(refused, 0);
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// Once the next borrower got a closed connection for it, and five of them opened the
/// circuit.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_or_from_nobody_costs_nobody_else() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |_| {});
    done(&pool, "CREATE TABLE t (i int)").await;
    done(&pool, "INSERT INTO t SELECT generate_series(1, 100000)").await;
    for block in [false, true] {
        for sql in [
            "COPY t FROM STDIN",
            "/* in */ copy t (i) from stdin (format binary)",
            "COPY t TO STDOUT",
            "COPY (SELECT * FROM t) TO STDOUT (FORMAT binary)",
            "COPY (SELECT * FROM t WHERE false) TO STDOUT",
        ] {
            for query in [false, true] {
                let mut connection = pool.acquire().await.expect("one");
                if block {
                    within_a_block(&mut connection, &["BEGIN"]).await;
                }
                let copied = match query {
                    false => within(5, connection.execute(sql, &[])).await.map(drop),
                    true => within(5, connection.query(sql, &[])).await.map(drop),
                };
                let error = copied.expect_err("nobody to copy with");
                assert!(matches!(error, Error::Copy), "{sql}: {error:?}");
                assert_eq!(error.class(), ErrorClass::Statement);
                drop(connection);
                let next = within(5, pool.query("SELECT count(*) FROM t", &[])).await;
                assert_eq!(next.expect("served")[0].get::<_, i64>(0), 100_000, "{sql}");
            }
        }
    }
    // One that the server can do by itself.
    done(&pool, "CREATE TABLE u (t text)").await;
    done(&pool, "COPY u FROM PROGRAM 'echo 1'").await;
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// Tables made anew with other types, under statements that are known.
#[tokio::test(flavor = "multi_thread")]
async fn types_that_have_changed_are_looked_up_anew() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| config.max_connections = 2);
    const PUT: &str = "INSERT INTO t (v) VALUES ($1)";
    const GET: &str = "SELECT * FROM t WHERE v = $1";
    macro_rules! anew {
        ($type:literal, $value:expr, $as:ty) => {
            done(&pool, "DROP TABLE IF EXISTS t").await;
            done(&pool, concat!("CREATE TABLE t (v ", $type, ")")).await;
            let value: $as = $value;
            for _ in 0..4 {
                let put = pool.execute(PUT, &[&value]).await;
                assert_eq!(put.expect(concat!("put as ", $type)), 1);
                let rows = pool
                    .query(GET, &[&value])
                    .await
                    .expect(concat!("got as ", $type));
                assert_eq!(rows[0].get::<_, $as>(0), value);
            }
            for strategy in [Strategy::BestEffort, Strategy::Transactional] {
                let builder = pool.pipeline().strategy(strategy).batch_size(4);
                let mut pipeline = builder.start().expect("valid");
                for sql in [PUT, GET, PUT, GET] {
                    pipeline.add(sql, &[&value]).await.expect("added");
                }
                assert_eq!(outcomes(&pipeline.flush().await), ["ok"; 4], $type);
            }
        };
    }
    anew!("int4", 7, i32);
    anew!("text", "seven".to_owned(), String);
    anew!("int8", 7, i64);
    anew!("float8", 7.0, f64);
    anew!("int4, w text", 7, i32);
    // Ended backends change nothing about it.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE application_name = 'piped' AND pid <> pg_backend_pid()";
    let session = pipeline::session(&server).await;
    for _ in 0..2 {
        session.client.query(end, &[]).await.expect("ended");
    }
    while pool.query("SELECT 1", &[]).await.is_err() {}
    anew!("text", "eight".to_owned(), String);
    // A real mistake stays one, each time.
    for _ in 0..3 {
        let wrong = pool.execute(PUT, &[&7_i32]).await.expect_err("not text");
        assert!(wrong.sqlstate().is_none(), "{wrong:?}");
        assert!(!wrong.may_have_run());
    }
    assert_eq!(pool.breaker().state(), State::Closed);
    server.stop().await.expect("stopped");
}

/// What the server has forgotten, or planned for another table, is prepared again and run
/// once, where nothing can have run.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_the_server_lost_is_run_once() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |_| {});
    done(
        &pool,
        "CREATE TABLE t (i int, at timestamptz DEFAULT now())",
    )
    .await;
    const PUT: &str = "INSERT INTO t (i) VALUES ($1) RETURNING *";
    pool.query(PUT, &[&1]).await.expect("put");
    done(&pool, "DEALLOCATE ALL").await;
    pool.query(PUT, &[&2]).await.expect("prepared again");
    done(&pool, "ALTER TABLE t ADD w text").await;
    let rows = pool.query(PUT, &[&3]).await.expect("planned again");
    assert_eq!(rows[0].len(), 3);
    // One whose own error it is runs once only, as it is not known what it did.
    done(&pool, "CREATE TABLE ran (i int)").await;
    done(
        &pool,
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO ran VALUES (1); COMMIT; RAISE EXCEPTION 'x' USING ERRCODE = '0A000'; END $$",
    )
    .await;
    pool.execute("CALL p()", &[]).await.expect_err("raised");
    let rows = pool
        .query("SELECT count(*) FROM ran", &[])
        .await
        .expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 1);
    // In a block the error has ended it.
    pool.query(PUT, &[&0]).await.expect("known");
    let mut connection = pool.acquire().await.expect("one");
    within_a_block(&mut connection, &["BEGIN", "DEALLOCATE ALL"]).await;
    let gone = connection.query(PUT, &[&4]).await.expect_err("26000");
    assert_eq!(gone.sqlstate().map(|s| s.code()), Some("26000"));
    drop(connection);
    let rows = pool
        .query("SELECT i FROM t ORDER BY i", &[])
        .await
        .expect("read");
    let there: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(there, [0, 1, 2, 3]);
    server.stop().await.expect("stopped");
}

/// Ten that wait for a lock and are given up by the server at one moment, beside callers
/// that are served.
#[tokio::test(flavor = "multi_thread")]
async fn lock_waits_that_end_together_open_nothing_while_others_are_served() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| {
        config.max_connections = 14;
        config.statement_timeout = Duration::from_secs(1);
    });
    done(&pool, "CREATE TABLE t (i int)").await;
    let mut holds = pool.acquire().await.expect("one");
    within_a_block(&mut holds, &["BEGIN", "LOCK TABLE t"]).await;
    for _ in 0..3 {
        let waits = join_all((0..10).map(|_| pool.query("SELECT * FROM t", &[])));
        let until = clock::now() + Duration::from_millis(1_300);
        let served = async {
            let mut served = 0;
            while clock::now() < until {
                pool.query("SELECT 1", &[]).await.expect("served");
                served += 1;
                clock::sleep(Duration::from_millis(5)).await;
            }
            served
        };
        let (waits, served) = futures_util::join!(waits, served);
        assert!(served > 100, "{served}");
        for waited in waits {
            assert_eq!(waited.expect_err("locked").class(), ErrorClass::Timeout);
        }
    }
    assert_eq!(pool.breaker().transitions(), 0);
    server.stop().await.expect("stopped");
}

/// The server ends a session that holds a transaction and does nothing, as it was told to.
/// That is its caller's affair.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_server_ends_for_being_idle_say_nothing_of_it() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| config.max_connections = 2);
    let first = backend(&pool).await;
    for held in [
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
    ] {
        for _ in 0..6 {
            let kept = pool.acquire().await.expect("one");
            let mut connection = pool.acquire().await.expect("another");
            within_a_block(&mut connection, &[&format!("SET {held} = 50")]).await;
            if held.contains("transaction") {
                within_a_block(&mut connection, &["BEGIN"]).await;
            }
            clock::sleep(Duration::from_millis(200)).await;
            let ended = connection.query("SELECT 1", &[]).await.expect_err("ended");
            assert_eq!(ended.class(), ErrorClass::Network, "{ended:?}");
            drop((connection, kept));
        }
    }
    assert_eq!(pool.breaker().transitions(), 0);
    assert_eq!(pool.metrics().counter(Counter::Evicted), 0);
    assert_eq!(backend(&pool).await, first, "the other one is lent again");
    server.stop().await.expect("stopped");
}
