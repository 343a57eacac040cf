//! The one connection that everything of ours goes through, the one of the bare client
//! beside it, and how long their way is.

use std::time::Duration;

use seawall::{Pool, PoolConfig, clock, config::Secret, connect::Tcp};

use super::{BatchError, bare::Bare};
use crate::environment::{Endpoint, EnvironmentError, LOAD, chain};

/// Longest wait for a connection, and for an answer: a batch that takes longer than
/// this was left out long before.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Empty queries that the round trip is measured with.
const PINGS: usize = 31;

/// What queries are sent through: the same way, with the same settings of the session.
#[derive(Debug)]
pub(super) struct Link {
    /// The engine, with one connection.
    pub(super) pool: Pool,
    /// What it is compared with.
    pub(super) bare: Bare,
}

impl Link {
    /// Connects the bare client; the pool does so with its first query. `schema` is looked
    /// in for tables, if it is given.
    ///
    /// # Errors
    /// If the configuration is not valid, there is no connection, or a session does not
    /// commit as it was asked to.
    pub(super) async fn connect(
        endpoint: &Endpoint,
        schema: Option<&str>,
        commit: bool,
        rng: fastrand::Rng,
    ) -> Result<Self, BatchError> {
        let mut options = format!("-c synchronous_commit={}", on_off(commit));
        if let Some(schema) = schema {
            options += &format!(" -c search_path={schema}");
        }
        let link = Self {
            pool: pool(endpoint, &options, rng)?,
            bare: Bare::connect(endpoint, &options).await?,
        };
        synchronous_commit(&link.pool, commit).await?;
        Ok(link)
    }
}

fn pool(endpoint: &Endpoint, options: &str, rng: fastrand::Rng) -> Result<Pool, BatchError> {
    let port = endpoint.port.to_string();
    let parts = [
        ("host", endpoint.host.as_str()),
        ("port", &port),
        ("user", &endpoint.user),
        ("password", endpoint.password.expose()),
        ("dbname", &endpoint.database),
        ("options", options),
    ];
    let config = PoolConfig {
        connection_string: Secret::new(connection_string(&parts)),
        name: LOAD.to_owned(),
        min_connections: 1,
        max_connections: 1,
        enable_pipelining: true,
        acquire_timeout: PATIENCE,
        statement_timeout: PATIENCE,
        ..PoolConfig::default()
    };
    Ok(Pool::with_connect(config, Tcp, rng)?)
}

/// Fails unless the sessions of a pool commit as they were asked to. Those of the bare
/// client are asked the same, in the same words.
async fn synchronous_commit(pool: &Pool, commit: bool) -> Result<(), BatchError> {
    let lost = |error: seawall::Error| BatchError::Lost {
        reason: chain(&error),
    };
    let rows = pool.query("SHOW synchronous_commit", &[]).await;
    let rows = rows.map_err(lost)?;
    let found: String = rows.first().map_or_else(String::new, |row| row.get(0));
    if found == on_off(commit) {
        return Ok(());
    }
    let wanted = on_off(commit);
    Err(BatchError::Commit { wanted, found })
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// The median of some empty queries on a session of their own.
///
/// # Errors
/// If there is no session, or no answer.
pub(super) async fn round_trip(proxied: &Endpoint) -> Result<Duration, BatchError> {
    let deadline = clock::now() + PATIENCE;
    let session = proxied.session(deadline).await?;
    let no = |reason: String| EnvironmentError::Unreachable {
        address: proxied.address(),
        reason,
    };
    let mut took = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let began = clock::now();
        match clock::timeout_at(deadline, session.client.batch_execute("")).await {
            Ok(done) => done.map_err(|error| no(chain(&error)))?,
            Err(clock::Elapsed) => return Err(no("no answer in time".to_owned()).into()),
        }
        took.push(clock::now() - began);
    }
    took.sort_unstable();
    Ok(took[PINGS / 2])
}

/// In the form `key='value' ...`.
fn connection_string(parts: &[(&str, &str)]) -> String {
    let quoted = parts.iter().filter(|(_, value)| !value.is_empty());
    let quoted = quoted.map(|(key, value)| {
        let value = value.replace('\\', "\\\\").replace('\'', "\\'");
        format!("{key}='{value}'")
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_holds_whatever_a_password_does() {
        let password = r"it's a \ 'word'";
        let text = connection_string(&[
            ("host", "127.0.0.1"),
            ("password", password),
            ("options", "-c synchronous_commit=off -c search_path=s"),
            ("user", ""),
        ]);
        let config: tokio_postgres::Config = text.parse().expect("it can be read");
        assert_eq!(config.get_password(), Some(password.as_bytes()));
        assert_eq!(
            config.get_options(),
            Some("-c synchronous_commit=off -c search_path=s")
        );
        assert_eq!(config.get_user(), None);
    }
}
