//! Random batches, some of whose statements fail, against a naive client that runs one
//! statement at a time: same outcomes, same rows, same tables.

use deadpool_postgres::ConfigConnectImpl;
use proptest::{prelude::*, test_runner::TestRunner};
use seawall::{
    Pool,
    pipeline::{BatchSize, Builder, Strategy as Plan},
};
use tokio_postgres::{Client, NoTls, Row, types::ToSql};

use super::{config, outcome, pool, session, within};
use crate::server;

/// `u` is only checked at the commit.
const TABLE: &str = "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, \
    v int NOT NULL CHECK (v < 90), u int UNIQUE DEFERRABLE INITIALLY DEFERRED)";
const ALL: &str = "SELECT id, v, u FROM t ORDER BY id";

#[derive(Debug, Clone)]
enum Query {
    Insert(i32, i32),
    Update(i32, i32),
    Delete(i32),
    Select(i32),
    /// Two columns of one key, and an error of evaluation when it is zero.
    Divide(i32),
    /// Cannot be prepared.
    Nonsense,
    /// Cannot be encoded.
    WrongType,
}

fn query() -> impl Strategy<Value = Query> {
    let id = 0..12_i32;
    prop_oneof![
        // Often several in a row, which go out as one and its repeats.
        12 => (id.clone(), 0..96_i32).prop_map(|(id, v)| Query::Insert(id, v)),
        3 => (id.clone(), 0..96_i32).prop_map(|(id, v)| Query::Update(id, v)),
        2 => id.clone().prop_map(Query::Delete),
        2 => id.prop_map(Query::Select),
        1 => (0..3_i32).prop_map(Query::Divide),
        1 => Just(Query::Nonsense),
        1 => Just(Query::WrongType),
    ]
}

/// Queries that mostly go through: no two inserts have anything in common.
fn harmless() -> impl Strategy<Value = Vec<Query>> {
    let query = prop_oneof![
        6 => Just(Query::Insert(0, 0)),
        1 => (0..12_i32).prop_map(Query::Delete),
        1 => (0..12_i32).prop_map(Query::Select),
    ];
    prop::collection::vec(query, 1..20).prop_map(|mut queries| {
        for (n, query) in (0..).zip(&mut queries) {
            if let Query::Insert(id, v) = query {
                (*id, *v) = (n, n);
            }
        }
        queries
    })
}

impl Query {
    fn parts(&self) -> (&'static str, Vec<Box<dyn ToSql + Sync + Send>>) {
        let insert = "INSERT INTO t (id, v, u) VALUES ($1, $2, $3)";
        match *self {
            // Unique in few values, so that commits fail too.
            Self::Insert(id, v) => (insert, vec![Box::new(id), Box::new(v), Box::new(v % 20)]),
            Self::Update(id, v) => (
                "UPDATE t SET v = $2, u = $2 % 20 WHERE id = $1 RETURNING v, u",
                vec![Box::new(id), Box::new(v)],
            ),
            Self::Delete(id) => ("DELETE FROM t WHERE id = $1", vec![Box::new(id)]),
            Self::Select(id) => (
                "SELECT v, u FROM t WHERE id >= $1 ORDER BY id",
                vec![Box::new(id)],
            ),
            Self::Divide(by) => ("SELECT 6 / $1::int, $1", vec![Box::new(by)]),
            Self::Nonsense => ("SELECT nothing FROM nowhere", vec![]),
            Self::WrongType => (insert, vec![Box::new("x"), Box::new(1), Box::new(1)]),
        }
    }

    fn key(&self) -> i32 {
        match *self {
            Self::Insert(id, _) | Self::Update(id, _) | Self::Delete(id) | Self::Select(id) => id,
            _ => 0,
        }
    }
}

/// An outcome, the rows as text, and how many there were, if it was done.
type Seen = (String, Option<Vec<String>>, Option<u64>);

fn text(rows: &[Row]) -> Vec<String> {
    let value = |row: &Row, i| {
        row.try_get::<_, Option<i32>>(i)
            .map_or_else(|e| e.to_string(), |v| format!("{v:?}"))
    };
    rows.iter()
        .map(|row| {
            (0..row.len())
                .map(|i| value(row, i))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// The first that cannot be prepared or encoded, and its error.
fn unsendable(queries: &[Query]) -> Option<(usize, &'static str)> {
    queries
        .iter()
        .enumerate()
        .find_map(|(i, query)| match query {
            Query::Nonsense => Some((i, "42P01")),
            Query::WrongType => Some((i, "-")),
            _ => None,
        })
}

async fn naive(client: &Client, plan: Plan, queries: &[Query]) -> Vec<Seen> {
    let all_or_nothing = plan == Plan::Transactional;
    if let (true, Some((at, state))) = (all_or_nothing, unsendable(queries)) {
        // Found before anything is sent, so no other can fail first.
        return (0..queries.len())
            .map(|i| if i == at { "failed" } else { "rolled_back" })
            .map(|name| (format!("{name} {state}"), None, None))
            .collect();
    }
    if all_or_nothing {
        client.batch_execute("BEGIN").await.expect("begun");
    }
    let mut seen: Vec<Seen> = Vec::new();
    let mut failed = None;
    for query in queries {
        if let (Some(state), true) = (&failed, all_or_nothing || plan == Plan::Sequential) {
            let name = if all_or_nothing {
                "rolled_back"
            } else {
                "skipped"
            };
            seen.push((format!("{name} {state}"), None, None));
            continue;
        }
        let (sql, params) = query.parts();
        let params: Vec<_> = params.iter().map(|p| &**p as &(dyn ToSql + Sync)).collect();
        let answer = async {
            let statement = client.prepare(sql).await?;
            if statement.columns().is_empty() {
                return Ok((Vec::new(), client.execute(&statement, &params).await?));
            }
            let rows = client.query(&statement, &params).await?;
            let n = rows.len() as u64;
            Ok::<_, tokio_postgres::Error>((rows, n))
        };
        match answer.await {
            Ok((rows, n)) => seen.push(("ok".to_owned(), Some(text(&rows)), Some(n))),
            Err(error) => {
                let state = error.code().map_or("-", |code| code.code()).to_owned();
                seen.push((format!("failed {state}"), None, None));
                failed = Some(state);
            }
        }
    }
    if all_or_nothing {
        let commit = client.batch_execute(if failed.is_some() {
            "ROLLBACK"
        } else {
            "COMMIT"
        });
        if let Err(error) = commit.await {
            failed = Some(error.code().expect("of the server").code().to_owned());
        }
        if let Some(state) = failed {
            for seen in seen.iter_mut().filter(|seen| seen.0 == "ok") {
                *seen = (format!("rolled_back {state}"), None, None);
            }
        }
    }
    seen
}

type Change = fn(Builder) -> Builder;

/// Every way to send.
const WAYS: [(&str, Plan, Change); 9] = [
    ("autocommit", Plan::BestEffort, |b| b),
    ("one at a time", Plan::BestEffort, |b| b.batch_size(1)),
    ("group", Plan::BestEffort, |b| b.group_commit(true)),
    ("small groups", Plan::BestEffort, |b| {
        b.group_commit(true).batch_size(3)
    }),
    ("auto groups", Plan::BestEffort, |b| {
        b.group_commit(true).batch_size(BatchSize::Auto)
    }),
    ("coalesced", Plan::BestEffort, |b| {
        b.group_commit(true).coalesce(true)
    }),
    ("sequential", Plan::Sequential, |b| b),
    ("transactional", Plan::Transactional, |b| b),
    ("keyed", Plan::Parallel, |b| b.connections(3).batch_size(4)),
];

#[test]
fn any_batch_comes_out_as_one_at_a_time_would() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (server, _place) = runtime.block_on(server::any());
    let session = runtime.block_on(session(&server));
    let _inside = runtime.enter();
    // Over our transport, and over a plain one, which has a Sync for each statement.
    let plain = ConfigConnectImpl { tls: NoTls };
    let config = config(server.endpoint());
    let plain = Pool::with_connect(config, plain, fastrand::Rng::with_seed(1));
    let pools = [pool(server.endpoint(), |_| {}), plain.expect("valid")];
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let batch = prop_oneof![prop::collection::vec(query(), 1..24), harmless()];
    let batches = prop::collection::vec(batch, 1..3);
    let checked = runner.run(&batches, |batches| {
        let ways = WAYS
            .iter()
            .flat_map(|way| pools.iter().map(move |pool| (way, pool)));
        for (&(name, plan, change), pool) in ways {
            runtime.block_on(within(60, async {
                let client = &session.client;
                let keyed = plan == Plan::Parallel;
                client.batch_execute(TABLE).await.expect("made");
                let mut expected = Vec::new();
                for batch in &batches {
                    let queries: Vec<Query> = batch
                        .iter()
                        .filter(|q| !keyed || alone(q))
                        .cloned()
                        .collect();
                    expected.push(naive(client, plan, &queries).await);
                }
                let table = text(&client.query(ALL, &[]).await.expect("read"));
                client.batch_execute(TABLE).await.expect("made");
                let builder = change(pool.pipeline().strategy(plan).batch_size(100));
                let mut pipeline = builder.start().expect("valid");
                let mut seen = Vec::new();
                for batch in &batches {
                    for query in batch.iter().filter(|q| !keyed || alone(q)) {
                        let (sql, params) = query.parts();
                        let params: Vec<_> =
                            params.iter().map(|p| &**p as &(dyn ToSql + Sync)).collect();
                        let added = pipeline.add_keyed(query.key(), sql, &params).await;
                        added.expect("added");
                    }
                    let results = pipeline.flush().await;
                    let results = results
                        .iter()
                        .map(|r| (outcome(r), r.rows().map(text), r.rows_affected()));
                    seen.push(results.collect::<Vec<_>>());
                }
                prop_assert_eq!(&seen, &expected, "{}", name);
                let now = text(&client.query(ALL, &[]).await.expect("read"));
                prop_assert_eq!(now, table, "{}", name);
                Ok(())
            }))?;
        }
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
    drop(session);
    runtime.block_on(server.stop()).expect("stopped");
}

/// Whether it minds only its own key: between keys there is no order.
fn alone(query: &Query) -> bool {
    match query {
        Query::Delete(_) | Query::Divide(_) | Query::Nonsense | Query::WrongType => true,
        Query::Insert(_, v) => *v >= 90,
        Query::Update(..) | Query::Select(_) => false,
    }
}
