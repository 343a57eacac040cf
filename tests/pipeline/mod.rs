//! The pipeline on a real server.

mod allocations;
mod failures;
mod losses;
mod oracle;
mod reading;
mod semantics;
mod tls;

use std::time::Duration;

use scenarios::environment::{Endpoint, Environment, Session};
use seawall::{Pool, PoolConfig, clock, pipeline::QueryResult};

pub(crate) fn config(endpoint: &Endpoint) -> PoolConfig {
    PoolConfig {
        name: "piped".to_owned(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        user: endpoint.user.clone(),
        password: endpoint.password.clone(),
        database: endpoint.database.clone(),
        enable_pipelining: true,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(5),
        ..PoolConfig::default()
    }
}

pub(crate) fn pool(endpoint: &Endpoint, change: impl FnOnce(&mut PoolConfig)) -> Pool {
    let mut config = config(endpoint);
    change(&mut config);
    Pool::new(config).expect("a valid configuration")
}

/// A session of the test's own.
pub(crate) async fn session(server: &Environment) -> Session {
    let deadline = clock::now() + Duration::from_secs(20);
    loop {
        // Back from a crash, it takes a moment until it takes sessions.
        match server.endpoint().session(deadline).await {
            Ok(session) => return session,
            Err(error) if clock::now() >= deadline => panic!("{error}"),
            Err(_) => clock::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// What became of each: `ok`, or `failed 23505`.
pub(crate) fn outcomes(results: &[QueryResult]) -> Vec<String> {
    results.iter().map(outcome).collect()
}

pub(crate) fn outcome(result: &QueryResult) -> String {
    let name = result.outcome().name();
    match result.error().map(|error| error.sqlstate()) {
        None => name.to_owned(),
        Some(None) => format!("{name} -"),
        Some(Some(state)) => format!("{name} {}", state.code()),
    }
}

/// Ends it if it hangs.
pub(crate) async fn within<T>(seconds: u64, what: impl Future<Output = T>) -> T {
    let deadline = clock::now() + Duration::from_secs(seconds);
    let done = clock::timeout_at(deadline, what).await;
    done.unwrap_or_else(|_| panic!("not done within {seconds} s"))
}
