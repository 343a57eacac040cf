//! Links cut, sessions ended and servers killed in the middle of batches: nothing that
//! was said to be done is missing, nothing that was said not to be is there, and
//! nothing is there twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use scenarios::environment::{Endpoint, Environment, Shutdown};
use seawall::{
    Pool,
    breaker::State,
    clock,
    pipeline::{BatchSize, Builder, Outcome, Strategy},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
};

use super::{pool, session, within};
use crate::server;

/// Passes bytes on, so many in each direction, and then drops the connection.
#[derive(Clone)]
struct Link {
    to_server: Arc<AtomicI64>,
    to_client: Arc<AtomicI64>,
}

const FREE: i64 = i64::MAX / 2;

impl Link {
    async fn before(upstream: String) -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        let link = Self {
            to_server: Arc::new(AtomicI64::new(FREE)),
            to_client: Arc::new(AtomicI64::new(FREE)),
        };
        let this = link.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (this, upstream) = (this.clone(), upstream.clone());
                tokio::spawn(async move {
                    // Refused while it is down: then so are we.
                    if let Ok(server) = TcpStream::connect(upstream).await {
                        client.set_nodelay(true).expect("set");
                        server.set_nodelay(true).expect("set");
                        let (from_client, to_client) = client.into_split();
                        let (from_server, to_server) = server.into_split();
                        tokio::select! {
                            () = pass(from_client, to_server, &this.to_server) => {}
                            () = pass(from_server, to_client, &this.to_client) => {}
                        }
                    }
                });
            }
        });
        (link, port)
    }

    fn free(&self) {
        self.to_server.store(FREE, Ordering::SeqCst);
        self.to_client.store(FREE, Ordering::SeqCst);
    }
}

async fn pass(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, left: &AtomicI64) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        let before = left.fetch_sub(n as i64, Ordering::SeqCst);
        let n = usize::try_from(before.clamp(0, n as i64)).expect("small");
        if n == 0 || to.write_all(&bytes[..n]).await.is_err() {
            // The next connection is not cut.
            left.store(FREE, Ordering::SeqCst);
            return;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    CutToServer,
    CutToClient,
    Terminate,
    Kill,
}

type Way = fn(Builder) -> Builder;

const WAYS: [(&str, Way); 5] = [
    ("autocommit", |b| b.batch_size(40)),
    ("auto window", |b| b.batch_size(BatchSize::Auto)),
    ("group", |b| b.group_commit(true).batch_size(25)),
    ("transactional", |b| b.strategy(Strategy::Transactional)),
    ("sequential", |b| b.strategy(Strategy::Sequential)),
];

const BATCH: i64 = 100;

async fn fail(server: &Environment, link: &Link, fault: Fault, rng: &mut fastrand::Rng) {
    // A batch is some 9 kB there, and some 3 kB back.
    match fault {
        Fault::CutToServer => link.to_server.store(rng.i64(0..11_000), Ordering::SeqCst),
        Fault::CutToClient => link.to_client.store(rng.i64(0..4_500), Ordering::SeqCst),
        Fault::Terminate => {
            let session = session(server).await;
            clock::sleep(Duration::from_micros(rng.u64(0..4_000))).await;
            let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'piped'";
            session.client.query(all, &[]).await.expect("terminated");
        }
        Fault::Kill => {
            clock::sleep(Duration::from_micros(rng.u64(0..4_000))).await;
            server.shut_down(Shutdown::Kill).await.expect("killed");
            server.restart().await.expect("started");
        }
    }
}

/// A pool in which one outage does not make another of the next batch.
fn patient(endpoint: &Endpoint) -> Pool {
    pool(endpoint, |config| {
        config.max_connections = 2;
        config.circuit_breaker_failure_threshold = 100;
        config.circuit_breaker_error_rate = 1.0;
        config.statement_timeout = Duration::from_secs(2);
    })
}

async fn batch(pool: &Pool, way: Way, first: i64) -> Vec<(i64, Outcome)> {
    within(30, async {
        // The one before may have opened it.
        while pool.breaker().state() != State::Closed {
            clock::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let mut pipeline = way(pool.pipeline()).start().expect("valid");
    for seq in first..first + BATCH {
        let sql = "INSERT INTO ledger (seq, filler) VALUES ($1, $2)";
        let added = pipeline.add(sql, &[&seq, &"some twenty letters.."]).await;
        added.expect("added");
    }
    let results = within(60, pipeline.close()).await;
    (first..)
        .zip(results.iter().map(|r| r.outcome().clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_cut_the_ledger_is_clean() {
    let (server, _place) = server::any().await;
    let direct = session(&server).await;
    let (link, port) = Link::before(server.endpoint().address()).await;
    let endpoint = server.endpoint().through(port);
    let pool = patient(&endpoint);
    let made = "CREATE TABLE ledger (seq bigint NOT NULL, filler text)";
    direct.client.batch_execute(made).await.expect("made");
    let mut rng = fastrand::Rng::with_seed(5);
    let mut said: BTreeMap<i64, (usize, &str, Fault, Outcome)> = BTreeMap::new();
    for i in 0..200 {
        let fault = match i % 40 {
            39 => Fault::Kill,
            n if n % 3 == 0 => Fault::CutToServer,
            n if n % 3 == 1 => Fault::CutToClient,
            _ => Fault::Terminate,
        };
        let (name, way) = WAYS[rng.usize(..WAYS.len())];
        let first = i as i64 * BATCH;
        let (results, ()) = tokio::join!(
            batch(&pool, way, first),
            fail(&server, &link, fault, &mut rng)
        );
        link.free();
        for (seq, outcome) in results {
            said.insert(seq, (i, name, fault, outcome));
        }
    }
    drop(direct);
    let direct = session(&server).await;
    let rows = "SELECT seq, count(*) FROM ledger GROUP BY seq";
    let rows = direct.client.query(rows, &[]).await.expect("read");
    let there: BTreeMap<i64, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(said.len(), 200 * usize::try_from(BATCH).expect("small"));
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<(&str, Fault, &str), usize> = BTreeMap::new();
    for (seq, (i, name, fault, outcome)) in &said {
        let times = there.get(seq).copied().unwrap_or(0);
        let right = match outcome {
            Outcome::Ok => times == 1,
            Outcome::Unknown(_) => times <= 1,
            _ => times == 0,
        };
        if !right {
            wrong.push(format!(
                "{seq} of batch {i}, {name}, {fault:?}: {} and {times} times there",
                outcome.name()
            ));
        }
        *counts.entry((name, *fault, outcome.name())).or_default() += 1;
    }
    assert!(
        wrong.is_empty(),
        "{}: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
    // All or nothing, also where nobody knows which.
    for i in 0..200 {
        let batch = said.range(i * BATCH..(i + 1) * BATCH);
        let whole = batch.filter(|(_, (_, name, ..))| *name == "transactional");
        let found: Vec<bool> = whole.map(|(seq, _)| there.contains_key(seq)).collect();
        assert!(found.windows(2).all(|two| two[0] == two[1]), "batch {i}");
    }
    println!("{counts:#?}");
    server.stop().await.expect("stopped");
}

/// A transaction that is known to be committed has not therefore answered.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_not_taken_for_no_rows() {
    let (server, _place) = server::any().await;
    let (link, port) = Link::before(server.endpoint().address()).await;
    let endpoint = server.endpoint().through(port);
    let pool = patient(&endpoint);
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut known, mut lost) = (0, 0);
    for _ in 0..60 {
        link.to_client.store(rng.i64(0..1_500), Ordering::SeqCst);
        let builder = pool.pipeline().strategy(Strategy::Transactional);
        let mut pipeline = builder.start().expect("valid");
        for i in 0..20_i32 {
            let added = pipeline.add("SELECT $1::int, 'filler'", &[&i]).await;
            added.expect("added");
        }
        let results = within(20, pipeline.close()).await;
        link.free();
        for (i, result) in (0_i32..).zip(&results) {
            match (result.success(), result.rows()) {
                (true, Some(rows)) => {
                    let values: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
                    assert_eq!((values, result.rows_affected()), (vec![i], Some(1)));
                    known += 1;
                }
                (success, rows) => {
                    assert!(rows.is_none() && result.rows_affected().is_none());
                    lost += u32::from(success);
                }
            }
        }
    }
    assert!(known > 0 && lost > 0, "{known} known, {lost} lost");
    server.stop().await.expect("stopped");
}
