//! What an answer means, with a transport of ours and without one.

use super::*;
use crate::{metrics::OutcomeLabel, pipeline::Strategy};

async fn run(connection: &mut Connection, sql: &str) -> Result<(), Error> {
    connection.execute(sql, &[]).await.map(drop)
}

/// Whatever ends a block: an answer as a ROLLBACK that nobody asked for is an error.
#[tokio::test(start_paused = true)]
async fn a_commit_that_is_answered_as_a_rollback_is_an_error() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    stub.set(Mood::RollsBack);
    let mut connection = pool.acquire().await.expect("one");
    for (sql, asked_for) in [
        ("COMMIT", false),
        ("END", false),
        ("commit and chain", false),
        ("PREPARE TRANSACTION 'x'", false),
        ("-- so be it\nCOMMIT", false),
        ("CALL ends_it()", false),
        ("ROLLBACK", true),
        ("ABORT WORK", true),
        ("rollback and chain", true),
    ] {
        let ended = run(&mut connection, sql).await;
        assert_eq!(ended.is_ok(), asked_for, "{sql}: {ended:?}");
        if let Err(error) = ended {
            assert!(matches!(error, Error::RolledBack), "{sql}: {error:?}");
        }
    }
    assert_eq!(pool.breaker().transitions(), 0, "it was answered");
}

/// Without a transport of ours the tag is not heard, and that a statement has failed is
/// remembered.
#[tokio::test(start_paused = true)]
async fn without_a_wire_a_block_that_has_failed_does_not_commit() {
    let stub = Stub {
        wired: false,
        ..Stub::new()
    };
    let pool = pool(&stub, 1);
    for (mended_by, ends, commits) in [
        (None, "COMMIT", false),
        (None, "END", false),
        (None, "COMMIT AND CHAIN", false),
        (None, "ROLLBACK", true),
        (Some("ROLLBACK TO s"), "COMMIT", true),
    ] {
        let mut connection = pool.acquire().await.expect("one");
        run(&mut connection, "BEGIN").await.expect("begun");
        stub.set(Mood::Refuses);
        run(&mut connection, "INSERT").await.expect_err("refused");
        stub.set(Mood::Well);
        let unsent = connection.query("SELECT 'a\0b'", &[]).await;
        unsent.expect_err("says nothing of the block");
        if let Some(sql) = mended_by {
            run(&mut connection, sql).await.expect("mended");
        }
        let ended = run(&mut connection, ends).await;
        assert_eq!(ended.is_ok(), commits, "{ends}: {ended:?}");
    }
    let mut connection = pool.acquire().await.expect("one");
    for sql in ["BEGIN", "INSERT", "COMMIT"] {
        run(&mut connection, sql).await.expect("none has failed");
    }
}

/// It is never so, and not to be taken for done.
#[tokio::test(start_paused = true)]
async fn a_pipeline_s_commit_that_is_answered_as_a_rollback_is_none() {
    for strategy in [Strategy::Transactional, Strategy::Sequential] {
        let stub = Stub::new();
        let pool = pool(&stub, 1);
        let builder = pool.pipeline().strategy(strategy).batch_size(3);
        let mut pipeline = builder.start().expect("valid");
        for (mood, label) in [
            (Mood::Well, OutcomeLabel::Ok),
            (Mood::RollsBack, OutcomeLabel::RolledBack),
        ] {
            stub.set(mood);
            for _ in 0..3 {
                pipeline.add("SELECT 1", &[]).await.expect("added");
            }
            let results = pipeline.flush().await;
            let labels = results.iter().map(|result| result.outcome().label());
            assert!(labels.eq([label; 3]), "{strategy:?} {results:?}");
        }
    }
}

/// Statements without a name need a transport that sends them with each use.
#[tokio::test(start_paused = true)]
async fn without_a_wire_there_are_no_statements_without_a_name() {
    let stub = Stub {
        wired: false,
        ..Stub::new()
    };
    let config = PoolConfig {
        statement_cache_size: 0,
        ..PoolConfig::default()
    };
    let pool = Pool::with_connect(config, stub, fastrand::Rng::with_seed(1)).expect("valid");
    let error = pool.query("SELECT 1", &[]).await.expect_err("not possible");
    assert!(matches!(error, Error::NamesRequired), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Configuration);
}
