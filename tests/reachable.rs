//! Ways to a server that fail without a word, and a pool that outlives the runtime it was
//! made in: whoever asks next is served.

use std::time::Duration;

use futures_util::future::join_all;
use scenarios::environment::{Environment, Shutdown};
use seawall::{Error, Pool, PoolConfig, breaker::State, clock, metrics::Counter};
use tokio::net::TcpListener;

use super::{relay::Relay, server};

fn config(server: &Environment) -> PoolConfig {
    let endpoint = server.endpoint();
    PoolConfig {
        host: endpoint.host.clone(),
        port: endpoint.port,
        user: endpoint.user.clone(),
        password: endpoint.password.clone(),
        database: endpoint.database.clone(),
        ..PoolConfig::default()
    }
}

/// Once the probe was a task of the runtime that made the pool, and ended with it.
#[test]
fn a_pool_recovers_in_another_runtime_than_that_it_was_made_in() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let servers = runtime();
    let (server, _place) = servers.block_on(server::any());
    let first = runtime();
    let pool = first.block_on(async {
        let pool = Pool::new(config(&server)).expect("valid");
        pool.query("SELECT 1", &[]).await.expect("served");
        pool
    });
    drop(first);
    let opened = runtime();
    servers
        .block_on(server.shut_down(Shutdown::Kill))
        .expect("killed");
    opened.block_on(async {
        while pool.breaker().state() != State::Open {
            let _refused = pool.query("SELECT 1", &[]).await;
        }
        // Long enough for a probe to have begun.
        clock::sleep(Duration::from_millis(300)).await;
    });
    // The probe that began there ends there.
    drop(opened);
    servers.block_on(server.restart()).expect("started");
    let asked = clock::now();
    runtime().block_on(async {
        while let Err(error) = pool.query("SELECT 1", &[]).await {
            assert!(clock::now() - asked < Duration::from_secs(10), "{error:?}");
            clock::sleep(Duration::from_millis(10)).await;
        }
    });
    println!("served after {:?}", clock::now() - asked);
    servers.block_on(server.stop()).expect("stopped");
}

/// Once 0 of 99 callers were served in 20 s: the first host had all of the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_mute_host_leaves_time_for_the_one_behind_it() {
    let (server, _place) = server::any().await;
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mute = mute
        .local_addr()
        .map(|at| (mute, at.port()))
        .expect("it has one");
    let well = server.endpoint();
    let string = format!(
        "host=127.0.0.1,{} port={},{} user={} password={} dbname={}",
        well.host,
        mute.1,
        well.port,
        well.user,
        well.password.expose(),
        well.database
    );
    let pool = Pool::new(PoolConfig {
        connection_string: string.into(),
        max_connections: 60,
        ..config(&server)
    });
    let pool = pool.expect("valid");
    let (mut held, mut took) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        let asked = clock::now();
        // Each makes one, since all are kept.
        held.push(pool.acquire().await);
        took.push(clock::now() - asked);
    }
    let served = held.iter().filter(|answer| answer.is_ok()).count();
    println!("{served} of 60 served; the first after {:?}", took[0]);
    assert_eq!(served, 60);
    assert!(took[0] < Duration::from_millis(1_500), "{:?}", took[0]);
    let later = took[1..].iter().max();
    assert!(later < Some(&Duration::from_millis(500)), "{later:?}");
    drop(held);
    server.stop().await.expect("stopped");
}

/// Once one caller was served after 25 s: a time-out for each connection.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_a_firewall_has_forgotten_cost_one_time_out_at_most() {
    let (server, _place) = server::any().await;
    for (idle_check_ms, failures, most_ms) in [(100, 0, 1_500), (30_000, 1, 6_500)] {
        let relay = Relay::before(server.endpoint()).await;
        let pool = Pool::new(PoolConfig {
            port: relay.port,
            idle_check: Duration::from_millis(idle_check_ms),
            ..config(&server)
        });
        let pool = pool.expect("valid");
        drop(join_all((0..10).map(|_| pool.acquire())).await);
        assert_eq!(pool.status().idle, 10);
        clock::sleep(Duration::from_millis(200)).await;
        relay.forget();
        let asked = clock::now();
        let mut failed = 0;
        while let Err(error) = pool.query("SELECT 1", &[]).await {
            failed += 1;
            assert!(matches!(error, Error::StatementTimeout { .. }), "{error:?}");
        }
        let took = clock::now() - asked;
        println!("checked after {idle_check_ms} ms: served after {took:?}, {failed} failed");
        assert!(failed <= failures, "{failed}");
        assert!(took < Duration::from_millis(most_ms), "{took:?}");
        assert_eq!(pool.breaker().transitions(), 0);
    }
    server.stop().await.expect("stopped");
}

/// What was checked and is well costs a round trip, and stays.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_idle_for_long_and_are_well_are_kept() {
    let (server, _place) = server::any().await;
    let pool = Pool::new(PoolConfig {
        idle_check: Duration::from_millis(10),
        ..config(&server)
    });
    let pool = pool.expect("valid");
    for _ in 0..20 {
        pool.query("SELECT 1", &[]).await.expect("served");
        clock::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(pool.metrics().counter(Counter::Created), 1);
    server.stop().await.expect("stopped");
}

/// Once it failed only when the server was full, for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_not_warmed_up_to_more_than_the_server_takes() {
    let (server, _place) = server::any().await;
    let pool = |connections| {
        Pool::new(PoolConfig {
            min_connections: connections,
            max_connections: connections,
            ..config(&server)
        })
        .expect("valid")
    };
    let too_large = pool(200);
    let error = too_large.warm_up().await.expect_err("100 at most");
    assert!(
        matches!(
            error,
            Error::TooMany {
                wanted: 200,
                most: 97
            }
        ),
        "{error:?}"
    );
    assert_eq!(too_large.metrics().counter(Counter::Created), 1);
    let fits = pool(20);
    fits.warm_up().await.expect("warm");
    assert_eq!(fits.status().idle, 20);

    // What the server ends is made anew, without a caller.
    let direct = super::pipeline::session(&server).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE application_name = 'seawall' AND pid <> pg_backend_pid()";
    direct.client.query(kill, &[]).await.expect("killed");
    let deadline = clock::now() + Duration::from_secs(10);
    while fits.query("SELECT 1", &[]).await.is_err() || fits.status().idle < 20 {
        assert!(clock::now() < deadline, "{:?}", fits.status());
        clock::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await.expect("stopped");
}

/// An error's text says what the server said.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_what_the_server_said() {
    let (server, _place) = server::any().await;
    let pool = Pool::new(config(&server)).expect("valid");
    let error = pool.query("SELECT 1/0", &[]).await.expect_err("no number");
    assert_eq!(
        error.to_string(),
        "statement failed: division by zero (22012)"
    );
    let nobody = Pool::new(PoolConfig {
        port: 1,
        ..config(&server)
    });
    let error = nobody.expect("valid").query("SELECT 1", &[]).await;
    let text = error.expect_err("nobody there").to_string();
    assert!(
        text.starts_with("connecting failed: Connection refused"),
        "{text}"
    );
    server.stop().await.expect("stopped");
}
