//! The engine on a real server: what callers meet when it fails.

use std::time::Duration;

use futures_util::future::join_all;
use scenarios::environment::{Environment, Shutdown};
use seawall::{
    Error, ErrorClass, Pool, PoolConfig,
    breaker::State,
    clock,
    config::{Role, WhenOpen},
    metrics::Counter,
};

use super::server;

fn pool(environment: &Environment, change: impl FnOnce(&mut PoolConfig)) -> Pool {
    let endpoint = environment.endpoint();
    let mut config = PoolConfig {
        host: endpoint.host.clone(),
        port: endpoint.port,
        user: endpoint.user.clone(),
        password: endpoint.password.clone(),
        database: endpoint.database.clone(),
        acquire_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_secs(2),
        circuit_breaker_when_open: WhenOpen::Refuse,
        ..PoolConfig::default()
    };
    change(&mut config);
    Pool::new(config).expect("a valid configuration")
}

async fn backend(pool: &Pool) -> i32 {
    let rows = pool
        .query("SELECT pg_backend_pid()", &[])
        .await
        .expect("answered");
    rows[0].get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_opens_the_circuit_and_the_probe_closes_it_without_traffic() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |_| {});
    assert_eq!(
        pool.execute("CREATE TABLE t (i int PRIMARY KEY)", &[])
            .await
            .expect("made"),
        0
    );
    server.shut_down(Shutdown::Kill).await.expect("killed");
    let refused = loop {
        match pool
            .query("SELECT 1", &[])
            .await
            .expect_err("the server is dead")
        {
            Error::CircuitOpen { retry_after, .. } => break retry_after,
            error => assert!(error.class() == ErrorClass::Network, "{error:?}"),
        }
    };
    assert!(refused > Duration::ZERO);
    assert_eq!(pool.breaker().state(), State::Open);
    assert!(
        matches!(pool.acquire().await, Err(Error::CircuitOpen { .. })),
        "as itself"
    );
    server.restart().await.expect("started");
    let closed = async {
        while pool.breaker().state() != State::Closed {
            clock::sleep(Duration::from_millis(5)).await;
        }
    };
    let deadline = clock::now() + Duration::from_secs(30);
    clock::timeout_at(deadline, closed)
        .await
        .expect("no caller was needed");
    assert_eq!(
        pool.execute("INSERT INTO t VALUES (1)", &[])
            .await
            .expect("served"),
        1
    );
    server.stop().await.expect("stopped");
}

/// A server that is back, but not as what it was, is no reason to close.
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_closes_only_for_the_server_that_is_wanted() {
    let (server, _place) = server::any().await;
    let of_role = |role| pool(&server, |config| config.circuit_breaker_role = role);
    let (primary, replica) = (of_role(Role::Primary), of_role(Role::Replica));
    server.shut_down(Shutdown::Fast).await.expect("shut down");
    for pool in [&primary, &replica] {
        let error = pool.query("SELECT 1", &[]).await.expect_err("nobody there");
        assert_eq!(error.class(), ErrorClass::Network);
        // A connection that nobody accepts needs no second.
        assert_eq!(pool.breaker().state(), State::Open);
    }
    server.restart().await.expect("started");
    let both = async {
        while primary.breaker().state() != State::Closed {
            clock::sleep(Duration::from_millis(5)).await;
        }
        // It has been asked, and more than once, since it is there again.
        let asked = replica.metrics().counter(Counter::ProbesFailed) + 5;
        while replica.metrics().counter(Counter::ProbesFailed) < asked {
            clock::sleep(Duration::from_millis(5)).await;
        }
    };
    let deadline = clock::now() + Duration::from_secs(30);
    clock::timeout_at(deadline, both).await.expect("probed");
    assert_eq!(replica.breaker().state(), State::Open);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_own_mistakes_and_a_full_pool_never_open_the_circuit() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| {
        config.max_connections = 1;
        config.acquire_timeout = Duration::from_millis(50);
    });
    pool.execute("CREATE TABLE t (i int PRIMARY KEY)", &[])
        .await
        .expect("made");
    pool.execute("INSERT INTO t VALUES (1)", &[])
        .await
        .expect("inserted");
    for _ in 0..50 {
        let error = pool
            .execute("INSERT INTO t VALUES (1)", &[])
            .await
            .expect_err("is there");
        assert_eq!(error.class(), ErrorClass::Statement);
        assert!(!error.may_have_run());
    }
    let held = pool.acquire().await.expect("one");
    let waiting = join_all((0..50).map(|_| pool.query("SELECT 1", &[]))).await;
    for waited in waiting {
        assert_eq!(waited.expect_err("full").class(), ErrorClass::Exhausted);
    }
    drop(held);
    assert_eq!(pool.breaker().transitions(), 0);
    pool.query("SELECT 1", &[]).await.expect("still served");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_not_reused_with_a_statement_or_a_transaction_on_it() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| {
        config.max_connections = 1;
        config.statement_timeout = Duration::from_millis(300);
        // Else the server may be the first to stop it, and the connection is clean.
        config.server_statement_timeout = false;
    });
    let first = backend(&pool).await;
    assert_eq!(backend(&pool).await, first, "a clean one is reused");

    let asked = clock::now();
    let slow = pool
        .query("SELECT pg_sleep(20)", &[])
        .await
        .expect_err("too slow");
    assert_eq!(slow.class(), ErrorClass::Timeout);
    assert_eq!(backend(&pool).await, first, "stopped, and then reused");

    let until = clock::now() + Duration::from_millis(20);
    let dropped = clock::timeout_at(until, pool.query("SELECT pg_sleep(20)", &[])).await;
    assert!(dropped.is_err());
    assert_eq!(backend(&pool).await, first, "the caller went away");
    assert!(clock::now() - asked < Duration::from_secs(5));

    pool.execute("CREATE TABLE t (i int)", &[])
        .await
        .expect("made");
    let mut connection = pool.acquire().await.expect("one");
    connection.execute("BEGIN", &[]).await.expect("begun");
    connection
        .execute("INSERT INTO t VALUES (1)", &[])
        .await
        .expect("inserted");
    drop(connection);
    let rows = pool
        .query("SELECT count(*) FROM t", &[])
        .await
        .expect("counted");
    assert_eq!(rows[0].get::<_, i64>(0), 0, "rolled back");
    let open = "SELECT pg_backend_pid(), pg_current_xact_id_if_assigned() IS NULL";
    let rows = pool.query(open, &[]).await.expect("answered");
    assert_eq!(rows[0].get::<_, i32>(0), first);
    assert!(rows[0].get::<_, bool>(1), "no transaction is open");
    assert_eq!(pool.metrics().counter(Counter::Abandoned), 3);
    assert_eq!(pool.metrics().counter(Counter::Discarded), 0);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_backend_evicts_its_siblings_and_costs_one_failure() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| config.min_connections = 8);
    pool.warm_up().await.expect("warm");
    assert_eq!(pool.status().idle, 8);
    let deadline = clock::now() + Duration::from_secs(5);
    let direct = server
        .endpoint()
        .session(deadline)
        .await
        .expect("a session");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'seawall' AND pid <> pg_backend_pid()";
    let killed = direct.client.query(kill, &[]).await.expect("killed").len();
    assert!(killed >= 8, "{killed}");
    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(pool.query("SELECT 1", &[]).await.is_err());
    }
    assert!(failed <= 1, "{failed} callers found a dead connection");
    assert_eq!(pool.breaker().state(), State::Closed);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_stops_what_nobody_waits_for() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| {
        config.statement_timeout = Duration::from_millis(450);
    });
    let rows = pool
        .query("SHOW statement_timeout", &[])
        .await
        .expect("shown");
    assert_eq!(rows[0].get::<_, String>(0), "450ms");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_once_and_again_after_they_are_gone() {
    let (server, _place) = server::any().await;
    let pool = pool(&server, |config| {
        config.max_connections = 1;
        config.statement_cache_size = 4;
    });
    let count = "SELECT count(*) FROM pg_prepared_statements";
    for i in 0..20 {
        pool.query(&format!("SELECT {i}"), &[])
            .await
            .expect("answered");
    }
    let rows = pool.query(count, &[]).await.expect("counted");
    assert!(rows[0].get::<_, i64>(0) <= 5, "the cache is bounded");

    pool.query("SELECT 41 + 1", &[]).await.expect("answered");
    pool.execute("DEALLOCATE ALL", &[])
        .await
        .expect("deallocated");
    let rows = pool.query("SELECT 41 + 1", &[]).await;
    assert_eq!(rows.expect("prepared again")[0].get::<_, i32>(0), 42);
    server.stop().await.expect("stopped");
}
