//! Work that its caller gives up: it is stopped on the server, and holds its place in the
//! pool until it is. A server that does not answer callers with time-outs of their own is
//! found out all the same, and one that does is not blamed for their haste.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use scenarios::environment::Environment;
use seawall::{
    Error, Pool, PoolConfig, breaker::State, clock, metrics::Counter, pipeline::Strategy,
};

use super::{pipeline::session, relay::Relay, server};

const SLOTS: u32 = 5;

fn pool(server: &Environment, port: u16, change: impl FnOnce(&mut PoolConfig)) -> Pool {
    let endpoint = server.endpoint();
    let mut config = PoolConfig {
        host: endpoint.host.clone(),
        port,
        user: endpoint.user.clone(),
        password: endpoint.password.clone(),
        database: endpoint.database.clone(),
        name: "given-up".to_owned(),
        max_connections: SLOTS,
        enable_pipelining: true,
        statement_timeout: Duration::from_secs(60),
        ..PoolConfig::default()
    };
    change(&mut config);
    Pool::new(config).expect("a valid configuration")
}

/// The most sessions of ours that the server has while `work` goes on.
async fn most_sessions(server: &Environment, work: impl Future<Output = ()>) -> i64 {
    let watcher = session(server).await;
    let (most, over) = (
        Arc::new(AtomicI64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let watching = tokio::spawn({
        let (most, over) = (most.clone(), over.clone());
        async move {
            let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'given-up'";
            while !over.load(Ordering::SeqCst) {
                let row = watcher.client.query_one(count, &[]).await.expect("counted");
                most.fetch_max(row.get(0), Ordering::SeqCst);
                clock::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    work.await;
    over.store(true, Ordering::SeqCst);
    watching.await.expect("no panic");
    most.load(Ordering::SeqCst)
}

/// How a caller begins what it gives up.
#[derive(Debug, Clone, Copy)]
enum Way {
    Query,
    Transaction,
    IdleTransaction,
    Copy,
    Flush(Strategy),
    Pipeline,
    /// Its own statement has a deadline, and the connection is kept.
    KeptConnection,
}

const WAYS: [Way; 8] = [
    Way::Query,
    Way::Transaction,
    Way::IdleTransaction,
    Way::Copy,
    Way::Flush(Strategy::BestEffort),
    Way::Flush(Strategy::Transactional),
    Way::Pipeline,
    Way::KeptConnection,
];

impl Way {
    async fn begin(self, pool: Pool) -> Result<(), Error> {
        let slow = "SELECT pg_sleep(30)";
        match self {
            Self::Query => pool.query(slow, &[]).await.map(drop),
            Self::Transaction => {
                let mut connection = pool.acquire().await?;
                connection.execute("BEGIN", &[]).await?;
                connection.query(slow, &[]).await.map(drop)
            }
            Self::IdleTransaction => {
                let mut connection = pool.acquire().await?;
                connection.execute("BEGIN", &[]).await?;
                connection.query("SELECT 1", &[]).await?;
                std::future::pending().await
            }
            Self::Copy => {
                let copy = "COPY (SELECT pg_sleep(30)) TO '/dev/null'";
                pool.execute(copy, &[]).await.map(drop)
            }
            Self::Flush(strategy) => {
                let mut pipeline = pool.pipeline().strategy(strategy).start().expect("valid");
                for _ in 0..3 {
                    pipeline.add(slow, &[]).await?;
                }
                pipeline.flush().await;
                Ok(())
            }
            Self::Pipeline => {
                let mut pipeline = pool.pipeline().batch_size(1).start().expect("valid");
                for _ in 0..3 {
                    pipeline.add(slow, &[]).await?;
                }
                std::future::pending().await
            }
            Self::KeptConnection => {
                let mut connection = pool.acquire().await?;
                let deadline = clock::now() + Duration::from_millis(50);
                let given_up = clock::timeout_at(deadline, connection.query(slow, &[])).await;
                assert!(given_up.is_err());
                std::future::pending().await
            }
        }
    }
}

/// Once five callers on a pool of five had 99 sessions on a server that takes 100.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_give_up_never_have_more_sessions_than_the_pool() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, server.endpoint().port, |_| {});
    for way in WAYS {
        let until = clock::now() + Duration::from_secs(2);
        let callers = (0..SLOTS).map(|_| {
            let pool = pool.clone();
            async move {
                while clock::now() < until {
                    let patience = clock::now() + Duration::from_millis(100);
                    match clock::timeout_at(patience, way.begin(pool.clone())).await {
                        Err(_) => {}
                        Ok(Err(error)) => panic!("{way:?}: {error:?}"),
                        Ok(Ok(())) => panic!("{way:?}: not given up"),
                    }
                }
            }
        });
        let most = most_sessions(&server, async { drop(join_all(callers).await) }).await;
        // One that is closed is counted until its process has ended.
        let bound = 2 * i64::from(SLOTS);
        assert!((1..=bound).contains(&most), "{way:?}: {most}");
        let asked = clock::now();
        let row = pool.query("SELECT 41 + 1", &[]).await.expect("served");
        assert_eq!(row[0].get::<_, i32>(0), 42, "{way:?}");
        let took = clock::now() - asked;
        assert!(took < Duration::from_secs(1), "{way:?}: {took:?}");
        assert_eq!(
            pool.breaker().transitions(),
            0,
            "{way:?}: the server is well"
        );
        println!(
            "{way:?}: {most} sessions, next after {took:?}, {} made",
            pool.metrics().counter(Counter::Created)
        );
    }
    server.stop().await.expect("stopped");
}

/// A statement that its own deadline ends goes on on the server no more than one that its
/// caller gives up.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_timed_out_is_stopped_on_the_server() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, server.endpoint().port, |config| {
        config.statement_timeout = Duration::from_millis(100);
        config.server_statement_timeout = false;
    });
    let watcher = session(&server).await;
    let mut connection = pool.acquire().await.expect("one");
    connection.execute("BEGIN", &[]).await.expect("begun");
    let slow = connection.query("SELECT pg_sleep(30)", &[]).await;
    assert!(
        matches!(slow, Err(Error::StatementTimeout { .. })),
        "{slow:?}"
    );
    let running = "SELECT count(*) FROM pg_stat_activity
                   WHERE application_name = 'given-up' AND state <> 'idle'";
    let deadline = clock::now() + Duration::from_secs(2);
    loop {
        let row = watcher
            .client
            .query_one(running, &[])
            .await
            .expect("counted");
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        assert!(clock::now() < deadline, "it runs on");
        clock::sleep(Duration::from_millis(10)).await;
    }
    let after = connection.query("SELECT 1", &[]).await;
    assert!(matches!(after, Err(Error::Unusable)), "{after:?}");
    server.stop().await.expect("stopped");
}

/// Once the circuit did not open in 15 s: a caller that went away said nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_found_out_by_callers_with_time_outs_of_their_own() {
    let (server, _place) = server::any().await;
    let relay = Relay::before(server.endpoint()).await;
    let pool = pool(&server, relay.port, |config| config.max_connections = 10);
    let warm = join_all((0..10).map(|_| pool.acquire())).await;
    drop(warm);
    let before = relay.accepted();
    relay.freeze();
    let frozen = clock::now();
    let callers = (0..20).map(|_| {
        let pool = pool.clone();
        async move {
            let mut waited = 0;
            while pool.breaker().state() == State::Closed
                && clock::now() - frozen < Duration::from_secs(15)
            {
                let patience = clock::now() + Duration::from_millis(500);
                let answer = clock::timeout_at(patience, pool.query("SELECT 1", &[])).await;
                waited += usize::from(answer.is_err());
            }
            waited
        }
    });
    let waited: usize = join_all(callers).await.iter().sum();
    let took = clock::now() - frozen;
    println!(
        "opened after {took:?}, {waited} waited, {} connects",
        relay.accepted() - before
    );
    assert_eq!(pool.breaker().state(), State::Open);
    assert!(took < Duration::from_secs(4), "{took:?}");
    server.stop().await.expect("stopped");
}

/// Callers in too much of a hurry say nothing about a server that is well.
#[tokio::test(flavor = "multi_thread")]
async fn impatient_callers_never_open_the_circuit_of_a_server_that_is_well() {
    let (server, _place) = server::any().await;
    for (patience_us, sql) in [
        (1_000, "SELECT pg_sleep(0.01)"),
        (200, "SELECT 1"),
        (1_000, "SELECT pg_sleep(30)"),
        (20_000, "SELECT sum(i) FROM generate_series(1, 10000000) i"),
    ] {
        let pool = pool(&server, server.endpoint().port, |_| {});
        let until = clock::now() + Duration::from_secs(3);
        let callers = (0..16).map(|_| {
            let pool = pool.clone();
            async move {
                let mut given_up = 0;
                while clock::now() < until {
                    let patience = clock::now() + Duration::from_micros(patience_us);
                    match clock::timeout_at(patience, pool.query(sql, &[])).await {
                        Err(_) => given_up += 1,
                        Ok(Err(error)) => panic!("{sql}: {error:?}"),
                        Ok(Ok(_)) => {}
                    }
                }
                given_up
            }
        });
        let given_up: usize = join_all(callers).await.iter().sum();
        println!(
            "{sql}: {given_up} given up, {} made",
            pool.metrics().counter(Counter::Created)
        );
        assert!(given_up > 100, "{sql}: {given_up}");
        assert_eq!(pool.breaker().transitions(), 0, "{sql}");
        pool.query("SELECT 1", &[]).await.expect("served");
    }
    server.stop().await.expect("stopped");
}
