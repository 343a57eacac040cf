//! What is under test: the same operations through a bare pool, or through the
//! engine.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use deadpool_postgres::{ConfigConnectImpl, Connect, ManagerConfig, PoolError, RecyclingMethod};
use futures_util::future::BoxFuture;
use reports::run::{Arm, Attempts, Outcome};
use seawall::{
    ErrorClass, Pool, PoolConfig,
    config::{ConfigError, Secret},
    connect::Tcp,
    metrics::Counter,
};
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;

use super::workload::{Operation, Workload};
use crate::environment::{Endpoint, LOAD};

/// A configuration under test.
#[derive(Debug, Clone)]
pub enum Setup {
    /// deadpool-postgres with its defaults: no deadlines.
    Bare,
    /// The engine, with this configuration (its endpoint is ignored).
    Engine(Box<PoolConfig>),
}

/// The setting of an arm's record that names the client.
const CLIENT: &str = "client";
const BARE: &str = "deadpool-postgres";
const ENGINE: &str = "seawall";

impl Setup {
    /// The engine, with this configuration.
    #[must_use]
    pub fn engine(config: PoolConfig) -> Self {
        Self::Engine(Box::new(config))
    }

    /// As an arm, with its whole configuration in the record's words: the values of the
    /// guide's keys as they stand in TOML, without quotes.
    #[must_use]
    pub fn arm(self, name: &str, about: &str) -> (Arm, Self) {
        let mut config = BTreeMap::new();
        match &self {
            Self::Bare => {
                config.insert(CLIENT.to_owned(), BARE.to_owned());
                config.insert("timeouts".to_owned(), "none".to_owned());
                let most = deadpool_postgres::PoolConfig::default().max_size;
                config.insert("max_connections".to_owned(), most.to_string());
            }
            Self::Engine(engine) => {
                config.insert(CLIENT.to_owned(), ENGINE.to_owned());
                let settings = engine.settings().into_iter();
                config.extend(settings.map(|(key, value)| match value {
                    toml::Value::String(text) => (key, text),
                    other => (key, other.to_string()),
                }));
            }
        }
        let arm = Arm {
            name: name.to_owned(),
            about: about.to_owned(),
            config,
        };
        (arm, self)
    }

    /// What an arm was set up with, by its record.
    ///
    /// # Errors
    /// If the record does not hold all of its configuration, or this version does not
    /// take it.
    pub fn recorded(arm: &Arm) -> Result<Self, NotRecorded> {
        let no = |reason: String| NotRecorded {
            arm: arm.name.clone(),
            reason,
        };
        let mut settings = arm.config.clone();
        match settings.remove(CLIENT).as_deref() {
            Some(BARE) => Ok(Self::Bare),
            Some(ENGINE) => {
                let table = settings.into_iter().map(|(key, text)| {
                    // As TOML if it is, else as a string: strings stand without quotes.
                    let value = format!("value = {text}").parse::<toml::Table>();
                    let value = value.ok().and_then(|mut table| table.remove("value"));
                    (key, value.unwrap_or(toml::Value::String(text)))
                });
                let config = PoolConfig::from_table(table.collect());
                config.map(Self::engine).map_err(|e| no(e.to_string()))
            }
            Some(other) => Err(no(format!("no client {other} is known"))),
            None => Err(no("its whole configuration was not recorded".to_owned())),
        }
    }
}

/// The record of an arm does not say how it was set up, or not so that this version can
/// do the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("arm {arm}: {reason}")]
pub struct NotRecorded {
    /// The arm.
    pub arm: String,
    /// What is missing or not understood.
    pub reason: String,
}

/// A pool of one arm, for one injection.
#[derive(Debug)]
pub struct Client {
    pool: Kind,
    workload: Workload,
    /// Its number in the ledger.
    number: i32,
}

#[derive(Debug)]
enum Kind {
    Bare {
        pool: deadpool_postgres::Pool,
        connects: Arc<AtomicU64>,
        statements: AtomicU64,
    },
    Engine(Pool),
}

impl Client {
    /// A pool that connects to `endpoint` when first used.
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
        let pool = match setup {
            Setup::Bare => bare(endpoint)?,
            Setup::Engine(config) => Kind::Engine(Pool::with_connect(
                PoolConfig {
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    database: endpoint.database.clone(),
                    user: endpoint.user.clone(),
                    password: endpoint.password.clone(),
                    connection_string: Secret::default(),
                    // By this name a fault knows its victims.
                    name: LOAD.to_owned(),
                    ..(**config).clone()
                },
                Tcp,
                rng,
            )?),
        };
        Ok(Self {
            pool,
            workload: workload.clone(),
            number,
        })
    }

    /// Its number in the ledger.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.number
    }

    /// The engine's pool, if it is one.
    #[must_use]
    pub fn engine(&self) -> Option<&Pool> {
        match &self.pool {
            Kind::Bare { .. } => None,
            Kind::Engine(pool) => Some(pool),
        }
    }

    /// Statements handed to a connection, and connections tried.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        match &self.pool {
            Kind::Bare {
                connects,
                statements,
                ..
            } => Attempts {
                statements: statements.load(Ordering::Relaxed),
                connects: connects.load(Ordering::Relaxed),
            },
            Kind::Engine(pool) => Attempts {
                statements: pool.metrics().counter(Counter::Queries),
                connects: pool.metrics().counter(Counter::ConnectAttempts),
            },
        }
    }

    /// Does one operation and says what became of it. Waits as long as the pool
    /// under test does; for a bare one that may be for ever. Calls `sent` before a
    /// statement can be handed to a connection.
    ///
    /// Cancel safe: dropped after `sent`, it may or may not have happened.
    pub async fn run(&self, operation: Operation, sent: impl FnOnce()) -> Outcome {
        let done = match &self.pool {
            Kind::Engine(pool) => {
                // The engine's own deadlines say more than this ever could.
                sent();
                self.through_engine(pool, operation).await
            }
            Kind::Bare {
                pool, statements, ..
            } => {
                let sent = || {
                    statements.fetch_add(1, Ordering::Relaxed);
                    sent();
                };
                self.through_bare(pool, operation, sent).await
            }
        };
        match done {
            Ok(()) => Outcome::Ok,
            Err(error) => outcome(&error, operation.writes),
        }
    }

    async fn through_engine(&self, pool: &Pool, op: Operation) -> Result<(), seawall::Error> {
        let Workload {
            run, read, write, ..
        } = &self.workload;
        if op.writes {
            pool.execute(write, &[run, &self.number, &op.seq]).await?;
        } else {
            pool.query(read, &[&op.account()]).await?;
        }
        Ok(())
    }

    async fn through_bare(
        &self,
        pool: &deadpool_postgres::Pool,
        op: Operation,
        sent: impl FnOnce(),
    ) -> Result<(), seawall::Error> {
        let client = pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => seawall::Error::Connect(error),
            _ => seawall::Error::Closed,
        })?;
        sent();
        let Workload {
            run, read, write, ..
        } = &self.workload;
        let done = if op.writes {
            match client.prepare_cached(write).await {
                Ok(write) => client
                    .execute(&write, &[run, &self.number, &op.seq])
                    .await
                    .map(drop),
                Err(error) => Err(error),
            }
        } else {
            match client.prepare_cached(read).await {
                Ok(read) => client.query(&read, &[&op.account()]).await.map(drop),
                Err(error) => Err(error),
            }
        };
        done.map_err(seawall::Error::Statement)
    }
}

/// What a failure means to the caller, in the words of the report.
fn outcome(error: &seawall::Error, writes: bool) -> Outcome {
    match error.class() {
        ErrorClass::CircuitOpen | ErrorClass::Exhausted => Outcome::Rejected,
        _ if writes && error.may_have_run() => Outcome::Unknown,
        ErrorClass::Timeout => Outcome::TimedOut,
        _ => Outcome::Failed,
    }
}

fn bare(endpoint: &Endpoint) -> Result<Kind, ConfigError> {
    let connects = Arc::new(AtomicU64::new(0));
    let manager = deadpool_postgres::Manager::from_connect(
        endpoint.config(LOAD),
        Counted(connects.clone(), ConfigConnectImpl { tls: NoTls }),
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    let pool = deadpool_postgres::Pool::builder(manager)
        .build()
        .map_err(|_| ConfigError::Syntax("no runtime".to_owned()))?;
    Ok(Kind::Bare {
        pool,
        connects,
        statements: AtomicU64::new(0),
    })
}

/// Counts the connections that the bare pool tries.
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
    use std::time::Duration;

    use seawall::{Error, error::AcquireStage};

    use super::*;

    #[test]
    fn an_arm_s_record_holds_its_whole_configuration() {
        let own = PoolConfig {
            max_connections: 3,
            circuit_breaker_failure_threshold: 7,
            circuit_breaker_recovery_timeout: Duration::from_millis(1_500),
            circuit_breaker_error_rate: 0.25,
            circuit_breaker_probe: seawall::breaker::Probe::Passive,
            circuit_breaker_ignore: vec!["57P01".to_owned(), "23".to_owned()],
            server_statement_timeout: false,
            ..PoolConfig::default()
        };
        for config in [PoolConfig::default(), own] {
            let (arm, _) = Setup::engine(config.clone()).arm("ours", "the engine");
            assert_eq!(
                arm.config["max_connections"],
                config.max_connections.to_string()
            );
            let Ok(Setup::Engine(found)) = Setup::recorded(&arm) else {
                panic!("{arm:?}");
            };
            assert_eq!(*found, config);
        }
        let (mut bare, _) = Setup::Bare.arm("bare", "without the engine");
        assert!(matches!(Setup::recorded(&bare), Ok(Setup::Bare)));
        bare.config.clear();
        let error = Setup::recorded(&bare).expect_err("nothing is known of it");
        assert!(error.to_string().contains("arm bare"), "{error}");
    }

    #[test]
    fn only_a_write_that_was_sent_is_unknown() {
        let ms = Duration::from_millis(1);
        let open = Error::CircuitOpen {
            retry_after: ms,
            since: seawall::clock::now(),
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
