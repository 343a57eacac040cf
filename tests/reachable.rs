//! Ways to a server that fail without a word, and a pool that outlives the runtime it was
//! made in: whoever asks next is served.

use std::time::Duration;

use scenarios::environment::{Environment, Shutdown};
use seawall::{Pool, PoolConfig, breaker::State, clock};

use super::server;

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
