//! What is under test: the same operations through a bare pool, a careful one, or the
//! engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    ConfigConnectImpl, Connect, ManagerConfig, RecyclingMethod, Runtime, Timeouts,
};
use futures_util::future::BoxFuture;
use reports::run::{Attempts, Outcome};
use seawall::{
    Error, ErrorClass, Pool, PoolConfig, clock,
    config::{ConfigError, Secret, WhenOpen},
    connect::Tcp,
    metrics::Counter,
};
use tokio::task::JoinHandle;
use tokio_postgres::{NoTls, Row};

use super::{
    proof::Proofs,
    session::{Borrowed, Params, Pooled, not_lent},
    setup::Setup,
    told::Told,
    workload::Workload,
};
use crate::environment::{Endpoint, LOAD};

/// A pool of one arm, for one injection.
#[derive(Debug)]
pub struct Client {
    pool: Kind,
    pub(super) workload: Workload,
    /// Its number in the ledger.
    number: i32,
    max_connections: u32,
    pub(super) proofs: Proofs,
    /// Whether the next transaction that is not committed is rolled back, or left open.
    pub(super) left_open: AtomicBool,
    /// The number that the next caller asks for who asks for one.
    pub(super) echoes: AtomicI64,
    /// What callers of marked writes of the user's own scripts were told.
    pub(super) told: Told,
}

#[derive(Debug)]
enum Kind {
    Deadpool {
        pool: deadpool_postgres::Pool,
        /// How long a statement may take, for a careful one.
        deadline: Option<Duration>,
        connects: Arc<AtomicU64>,
        statements: AtomicU64,
    },
    Engine {
        pool: Pool,
        /// How long callers wait in all, if they wait for an open circuit to close.
        within: Option<Duration>,
    },
}

impl Client {
    /// A pool that connects to `endpoint` when first used. Its number tells its rows, its
    /// writes and its sessions from those of others.
    ///
    /// # Errors
    /// If the configuration is not valid.
    pub fn new(
        setup: &Setup,
        endpoint: &Endpoint,
        workload: &Workload,
        number: i32,
        rng: fastrand::Rng,
    ) -> Result<Self, ConfigError> {
        let name = session_name(number);
        let pool = match setup {
            Setup::Bare { max_connections } => {
                let config = endpoint.config(&name);
                deadpool(config, *max_connections, None)?
            }
            Setup::Careful {
                max_connections,
                deadline,
            } => {
                let config = careful(endpoint.config(&name), *deadline);
                deadpool(config, *max_connections, Some(*deadline))?
            }
            Setup::Engine(config) => {
                let waits = config.circuit_breaker_when_open == WhenOpen::Wait;
                let config = PoolConfig {
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    database: endpoint.database.clone(),
                    user: endpoint.user.clone(),
                    password: endpoint.password.clone(),
                    connection_string: Secret::default(),
                    // By this name a fault knows its victims.
                    name,
                    ..(**config).clone()
                };
                let deadline = config.acquire_timeout.max(config.statement_timeout);
                Kind::Engine {
                    within: waits.then_some(deadline),
                    pool: Pool::with_connect(config, Tcp, rng)?,
                }
            }
        };
        Ok(Self {
            pool,
            workload: workload.clone(),
            number,
            max_connections: setup.max_connections(),
            proofs: Proofs::new(workload.run, number),
            left_open: AtomicBool::new(false),
            echoes: AtomicI64::new(i64::from(number) << 32),
            told: Told::default(),
        })
    }

    /// Its number in the ledger.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.number
    }

    /// What its sessions are called on the server.
    #[must_use]
    pub fn session_name(&self) -> String {
        session_name(self.number)
    }

    /// Most connections that it may have at once.
    #[must_use]
    pub fn max_connections(&self) -> u32 {
        self.max_connections
    }

    /// What may be in its rows, and what was.
    #[must_use]
    pub fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// What callers of marked writes of the user's own scripts were told.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// The engine's pool, if it is one.
    #[must_use]
    pub fn engine(&self) -> Option<&Pool> {
        match &self.pool {
            Kind::Deadpool { .. } => None,
            Kind::Engine { pool, .. } => Some(pool),
        }
    }

    /// Statements handed to a connection, and connections tried.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        match &self.pool {
            Kind::Deadpool {
                connects,
                statements,
                ..
            } => Attempts {
                statements: statements.load(Ordering::Relaxed),
                connects: connects.load(Ordering::Relaxed),
            },
            Kind::Engine { pool, .. } => Attempts {
                statements: pool.metrics().counter(Counter::QueriesSent),
                connects: pool.metrics().counter(Counter::ConnectAttempts),
            },
        }
    }

    /// Runs one statement on whatever session is free, and returns its rows. Waits as long
    /// as the pool under test does; for a bare one that may be for ever.
    ///
    /// # Errors
    /// What the pool says; of another pool than the engine's in the engine's words.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        self.query_sent(|| {}, sql, params).await
    }

    /// The same. Calls `sent` before the statement can be handed to a connection.
    pub(super) async fn query_sent(
        &self,
        sent: impl FnOnce(),
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        match &self.pool {
            Kind::Engine { pool, within } => {
                // The engine's own deadlines say more than this ever could.
                sent();
                match within {
                    Some(within) => pool.within(*within).query(sql, params).await,
                    None => pool.query(sql, params).await,
                }
            }
            Kind::Deadpool { .. } => self.borrow(sent).await?.query(self, sql, params).await,
        }
    }

    /// Runs one statement, and returns how many rows it affected. Calls `sent` before it
    /// can be handed to a connection. As [`query`](Self::query) in all else.
    pub(super) async fn execute(
        &self,
        sent: impl FnOnce(),
        sql: &str,
        params: Params<'_>,
    ) -> Result<u64, Error> {
        match &self.pool {
            Kind::Engine { pool, within } => {
                // The engine's own deadlines say more than this ever could.
                sent();
                match within {
                    Some(within) => pool.within(*within).execute(sql, params).await,
                    None => pool.execute(sql, params).await,
                }
            }
            Kind::Deadpool { .. } => self.borrow(sent).await?.execute(self, sql, params).await,
        }
    }

    /// A session to run several statements on. Calls `sent` before any can be handed to it.
    pub(super) async fn borrow(&self, sent: impl FnOnce()) -> Result<Borrowed, Error> {
        match &self.pool {
            Kind::Engine { pool, within } => {
                sent();
                let lent = match within {
                    Some(within) => pool.within(*within).acquire().await,
                    None => pool.acquire().await,
                };
                lent.map(Borrowed::Engine)
            }
            Kind::Deadpool { pool, deadline, .. } => {
                let began = clock::now();
                let lent = pool.get().await;
                let client = lent.map_err(|error| not_lent(error, clock::now() - began))?;
                sent();
                Ok(Borrowed::Deadpool(Pooled::new(client, *deadline)))
            }
        }
    }

    /// Counts a statement that is handed to a connection; the engine counts its own.
    pub(super) fn count_statement(&self) {
        if let Kind::Deadpool { statements, .. } = &self.pool {
            statements.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a failure means to the caller, in the words of the report. `in_doubt`: what failed
/// would have changed something by itself.
pub(super) fn outcome(error: &Error, in_doubt: bool) -> Outcome {
    match error.class() {
        ErrorClass::CircuitOpen | ErrorClass::Exhausted => Outcome::Rejected,
        _ if in_doubt && error.may_have_run() => Outcome::Unknown,
        ErrorClass::Timeout => Outcome::TimedOut,
        _ => Outcome::Failed,
    }
}

fn session_name(number: i32) -> String {
    format!("{LOAD}-{number}")
}

/// What a good engineer sets of a connection.
fn careful(mut config: tokio_postgres::Config, deadline: Duration) -> tokio_postgres::Config {
    config
        .connect_timeout(deadline)
        .keepalives_idle(Duration::from_secs(15))
        .tcp_user_timeout(Duration::from_secs(30))
        .options(format!("-c statement_timeout={}", deadline.as_millis()));
    config
}

fn deadpool(
    config: tokio_postgres::Config,
    max_connections: u32,
    deadline: Option<Duration>,
) -> Result<Kind, ConfigError> {
    let connects = Arc::new(AtomicU64::new(0));
    let recycling_method = match deadline {
        None => RecyclingMethod::Fast,
        Some(_) => RecyclingMethod::Verified,
    };
    let manager = deadpool_postgres::Manager::from_connect(
        config,
        Counted(connects.clone(), ConfigConnectImpl { tls: NoTls }),
        ManagerConfig { recycling_method },
    );
    let pool = deadpool_postgres::Pool::builder(manager)
        .max_size(usize::try_from(max_connections).unwrap_or(usize::MAX))
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: deadline,
            create: deadline,
            recycle: deadline,
        })
        .build()
        .map_err(|_| ConfigError::Syntax("no runtime".to_owned()))?;
    Ok(Kind::Deadpool {
        pool,
        deadline,
        connects,
        statements: AtomicU64::new(0),
    })
}

/// Counts the connections that a pool of deadpool's tries.
struct Counted(Arc<AtomicU64>, ConfigConnectImpl<NoTls>);

impl Connect for Counted {
    fn connect(
        &self,
        config: &tokio_postgres::Config,
    ) -> BoxFuture<'_, Result<(tokio_postgres::Client, JoinHandle<()>), tokio_postgres::Error>>
    {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.1.connect(config)
    }
}

#[cfg(test)]
mod tests {
    use seawall::error::AcquireStage;

    use super::*;

    #[test]
    fn only_a_write_that_was_sent_is_unknown() {
        let ms = Duration::from_millis(1);
        let open = Error::CircuitOpen {
            retry_after: ms,
            since: clock::now(),
            reason: None,
        };
        let late = Error::StatementTimeout { timeout: ms };
        let queued = Error::AcquireTimeout {
            stage: AcquireStage::WaitingForSlot,
            waited: ms,
        };
        let connecting = Error::AcquireTimeout {
            stage: AcquireStage::Connecting,
            waited: ms,
        };
        for (error, read, write) in [
            (open, Outcome::Rejected, Outcome::Rejected),
            (queued, Outcome::Rejected, Outcome::Rejected),
            (connecting, Outcome::TimedOut, Outcome::TimedOut),
            (late, Outcome::TimedOut, Outcome::Unknown),
        ] {
            assert_eq!(outcome(&error, false), read, "{error}");
            assert_eq!(outcome(&error, true), write, "{error}");
        }
    }
}
