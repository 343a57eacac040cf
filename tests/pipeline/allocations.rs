//! What a query costs in allocations, beside what tokio-postgres needs for it. One
//! thread does everything, so the counts are exact.

use allocation_counter::measure;
use futures_util::future::join_all;
use seawall::pipeline::{Builder, QueryResult, Strategy};
use tokio::runtime::Builder as Runtime;

use super::{pool, session};
use crate::server;

const N: i32 = 2_000;
const INSERT: &str = "INSERT INTO n VALUES ($1)";
const SELECT: &str = "SELECT $1::int";
/// Of our own, for a query.
const MOST: f64 = 2.0;

type Way = fn(Builder) -> Builder;

const WAYS: [(&str, &str, Way); 5] = [
    ("autocommit", INSERT, |b| b.batch_size(500)),
    ("group commit", INSERT, |b| {
        b.batch_size(500).group_commit(true)
    }),
    ("transactional", INSERT, |b| {
        b.strategy(Strategy::Transactional)
    }),
    ("coalesced", INSERT, |b| {
        b.batch_size(500).group_commit(true).coalesce(true)
    }),
    ("reads", SELECT, |b| b.batch_size(500).group_commit(true)),
];

/// How many in the best of five: answers that come in more pieces cost a few more, on
/// either side.
fn least(run: &mut dyn FnMut()) -> u64 {
    let counts = (0..5).map(|_| measure(&mut *run).count_total);
    counts.min().expect("five")
}

#[test]
fn a_query_costs_at_most_two_of_our_own() {
    let runtime = Runtime::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (server, _place) = runtime.block_on(server::any());
    let session = runtime.block_on(session(&server));
    let pool = {
        let _inside = runtime.enter();
        pool(server.endpoint(), |_| {})
    };
    let table = "CREATE TABLE n (i int)";
    let made = runtime.block_on(session.client.batch_execute(table));
    made.expect("made");
    for (name, sql, change) in WAYS {
        let client = &session.client;
        let statement = runtime.block_on(client.prepare(sql)).expect("prepared");
        let theirs = least(&mut || {
            runtime.block_on(async {
                for batch in (0..N).collect::<Vec<_>>().chunks(500) {
                    let queries = batch
                        .iter()
                        .map(async |i| client.query(&statement, &[i]).await);
                    for rows in join_all(queries).await {
                        drop(rows.expect("done"));
                    }
                }
            });
        });
        let mut pipeline = {
            let _inside = runtime.enter();
            change(pool.pipeline()).start().expect("valid")
        };
        let mut run = || {
            runtime.block_on(async {
                for i in 0..N {
                    pipeline.add(sql, &[&i]).await.expect("added");
                }
                let results = pipeline.flush().await;
                assert!(
                    i32::try_from(results.len()) == Ok(N)
                        && results.iter().all(QueryResult::success)
                );
            });
        };
        // A connection, its statements, and buffers that have grown.
        run();
        let ours = least(&mut run);
        let [ours, theirs] = [ours, theirs].map(|count| count as f64 / f64::from(N));
        // A run of what returns no rows does not go through tokio-postgres, but for the first.
        let repeated = matches!(name, "group commit" | "transactional" | "coalesced");
        let theirs = if repeated { 0.0 } else { theirs };
        assert!(
            ours <= theirs + MOST,
            "{name}: {ours:.2} a query, of which tokio-postgres's own {theirs:.2}"
        );
        println!("{name:14} {ours:.2} a query, of which tokio-postgres's {theirs:.2}");
        runtime.block_on(pipeline.close());
    }
    drop(session);
    runtime.block_on(server.stop()).expect("stopped");
}
