//! [`Pool`]: connections for many tasks, from a server that may fail.
//!
//! deadpool-postgres keeps the connections; around it stand
//! - our own slots, so that waiting for one (our own load) and connecting (the
//!   server's business) are told apart: only the second counts against the
//!   breaker, and both share one deadline;
//! - the [breaker], asked before anything else and once more when
//!   a slot was waited for; when it opens, who waits is refused at once;
//! - the ramp, which lets few connections be made at once after an outage;
//! - the epoch of the host, by which all older connections are
//!   dropped at the first sign of a dead host.

mod guard;
mod manager;
mod ramp;
mod rules;
mod session;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use deadpool::managed::{self, PoolError};
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio_postgres::{Row, types::ToSql};

pub(crate) use self::session::{Effect, effect};
pub use self::{guard::Connection, rules::Rules};
use self::{
    manager::{HostEpoch, Manager},
    ramp::Ramp,
};
use crate::{
    breaker::{self, Breaker, Outcome, Probe, Refused},
    clock::{self, Elapsed, Instant},
    config::{ConfigError, PoolConfig},
    connect::{AbortOnDrop, Connect, Shared, Tcp},
    error::{AcquireStage, Error},
    metrics::{Counter, Metrics, Timing},
    pipeline::{Builder, Shapes},
};

/// A pool of connections behind a circuit breaker. Cheap to clone; the last clone
/// closes it.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
    // Not part of `Inner`, which loans keep alive: probing ends with the handles.
    probe: Arc<Option<AbortOnDrop>>,
}

struct Inner {
    objects: managed::Pool<Manager>,
    slots: Arc<Semaphore>,
    breaker: Breaker,
    rules: Rules,
    epoch: HostEpoch,
    ramp: Ramp,
    metrics: Arc<Metrics>,
    acquire_timeout: Duration,
    statement_timeout: Duration,
    statement_cache_size: usize,
    min_connections: usize,
    shapes: Shapes,
    pipelining: bool,
    pipeline_batch_size: u32,
}

/// How many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Open, or being opened.
    pub size: usize,
    /// Of these: not on loan.
    pub idle: usize,
    /// The most there can be.
    pub max: usize,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.status())
            .field("breaker", &self.breaker().state())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool over plain TCP. Connects when first used.
    ///
    /// # Errors
    /// If the configuration is not valid.
    ///
    /// # Panics
    /// Outside of a tokio runtime: the breaker's probe is a task.
    pub fn new(config: PoolConfig) -> Result<Self, ConfigError> {
        Self::with_connect(config, Tcp, fastrand::Rng::new())
    }

    /// A pool over a transport of the caller's, with its jitter drawn from `rng`.
    ///
    /// # Errors
    /// If the configuration is not valid.
    ///
    /// # Panics
    /// Outside of a tokio runtime: the breaker's probe is a task.
    pub fn with_connect(
        config: PoolConfig,
        connect: impl Connect + 'static,
        rng: fastrand::Rng,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        for key in config.without_effect() {
            tracing::warn!(
                pool = config.name,
                key,
                "set, and without effect in this version"
            );
        }
        let postgres = config.postgres()?;
        let metrics = Arc::new(Metrics::default());
        let connect = Shared {
            connect: Arc::new(connect),
            metrics: metrics.clone(),
        };
        let epoch = HostEpoch::default();
        let max = config.max_connections as usize;
        let ramp = Ramp::new(max);
        let objects = managed::Pool::builder(Manager::new(
            postgres.clone(),
            connect.clone(),
            epoch.clone(),
            ramp.clone(),
        ))
        .config(managed::PoolConfig {
            max_size: max,
            ..managed::PoolConfig::default()
        })
        .build()
        .map_err(|_| ConfigError::Syntax("no runtime".to_owned()))?;
        let mut rng = rng;
        let breakers_rng = rng.fork();
        let inner = Arc::new_cyclic(|pool: &Weak<Inner>| Inner {
            objects,
            slots: Arc::new(Semaphore::new(max)),
            // A handle on the breaker that outlives the pool keeps no connection open.
            breaker: Breaker::with_on_open(config.breaker(), breakers_rng, {
                let pool = pool.clone();
                move || pool.upgrade().iter().for_each(|pool| pool.circuit_opened())
            }),
            rules: config.rules(),
            epoch,
            ramp,
            metrics: metrics.clone(),
            acquire_timeout: config.acquire_timeout,
            statement_timeout: config.statement_timeout,
            statement_cache_size: config.statement_cache_size as usize,
            min_connections: config.min_connections as usize,
            shapes: Shapes::new(config.statement_cache_size as usize),
            pipelining: config.enable_pipelining,
            pipeline_batch_size: config.pipeline_batch_size,
        });
        let breaker = &inner.breaker;
        let probe = (breaker.config().probe == Probe::Active).then(|| {
            let task = breaker::run_probe(breaker.clone(), connect, postgres, metrics, rng);
            AbortOnDrop(tokio::spawn(task).abort_handle())
        });
        Ok(Self {
            inner,
            probe: Arc::new(probe),
        })
    }

    /// Runs a statement on a connection of the pool and returns its rows.
    ///
    /// Cancel safe, as [`Connection::query`].
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire) and of [`Connection::query`].
    pub async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.acquire().await?.query(sql, params).await
    }

    /// Runs a statement on a connection of the pool and returns how many rows it
    /// affected.
    ///
    /// Cancel safe, as [`Connection::query`].
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire) and of [`Connection::query`].
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.acquire().await?.execute(sql, params).await
    }

    /// Borrows a connection, for several statements or a transaction. They are
    /// not refused in the middle, whatever the breaker does.
    ///
    /// Cancel safe: a dropped future gives its place in the queue, its slot and
    /// its permit back.
    ///
    /// # Errors
    /// [`Error::CircuitOpen`] at once, or as soon as the circuit opens;
    /// [`Error::AcquireTimeout`]; [`Error::Connect`]; [`Error::Closed`].
    pub async fn acquire(&self) -> Result<Connection, Error> {
        let acquired = self.inner.clone().acquire().await;
        if let Err(error) = &acquired {
            self.inner.metrics.error(error.class());
        }
        acquired
    }

    /// Makes `min_connections` connections, so that the first callers find them.
    ///
    /// Cancel safe: those that were made stay in the pool.
    ///
    /// # Errors
    /// The first error of an [`acquire`](Self::acquire).
    pub async fn warm_up(&self) -> Result<(), Error> {
        let wanted = (0..self.inner.min_connections).map(|_| self.acquire());
        // Held until all are there, so that none is handed out twice.
        let made = join_all(wanted).await;
        made.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }

    /// A pipeline of queries: see [`pipeline`](crate::pipeline). Without
    /// `enable_pipelining` it sends a query at a time, unless it is given another batch
    /// size.
    pub fn pipeline(&self) -> Builder {
        let Inner {
            pipelining,
            pipeline_batch_size,
            ..
        } = *self.inner;
        Builder::new(self.clone(), pipelining, pipeline_batch_size)
    }

    pub(crate) fn shapes(&self) -> &Shapes {
        &self.inner.shapes
    }

    pub(crate) fn acquire_timeout(&self) -> Duration {
        self.inner.acquire_timeout
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        self.inner.statement_timeout
    }

    /// The circuit breaker.
    #[must_use]
    pub fn breaker(&self) -> &Breaker {
        &self.inner.breaker
    }

    /// Counters and histograms.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// How many connections there are.
    #[must_use]
    pub fn status(&self) -> Status {
        let status = self.inner.objects.status();
        Status {
            size: status.size,
            idle: status.available,
            max: status.max_size,
        }
    }

    /// Closes idle connections now and the others on their return, and ends probing;
    /// who waits or comes later gets [`Error::Closed`].
    pub fn close(&self) {
        if let Some(probe) = self.probe.as_ref() {
            probe.0.abort();
        }
        self.inner.slots.close();
        self.inner.objects.close();
    }
}

impl Inner {
    async fn acquire(self: Arc<Self>) -> Result<Connection, Error> {
        let started = clock::now();
        let deadline = started + self.acquire_timeout;
        let mut permit = self.breaker.admit_owned(started)?;
        let slot = match self.slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let waiting = self.slots.clone().acquire_owned();
                let slot = match self.until_open(deadline, waiting).await? {
                    Ok(slot) => slot.map_err(|_| Error::Closed)?,
                    Err(Elapsed) => {
                        let waited = self.acquire_timeout;
                        return Err(Error::AcquireTimeout {
                            stage: AcquireStage::WaitingForSlot,
                            waited,
                        });
                    }
                };
                if permit.is_stale() {
                    permit = self.breaker.admit_owned(clock::now())?;
                }
                slot
            }
        };
        let link = match self.until_open(deadline, self.objects.get()).await? {
            Ok(Ok(link)) => link,
            Ok(Err(PoolError::Backend(error))) => {
                let error = Error::Connect(error);
                let (outcome, cause) = self.rules.judge(&error);
                permit.record(outcome, Some(cause), started, clock::now());
                return Err(error);
            }
            // Closed; the others cannot be: there are no hooks and no time-outs.
            Ok(Err(_)) => return Err(Error::Closed),
            Err(Elapsed) => {
                let error = Error::AcquireTimeout {
                    stage: AcquireStage::Connecting,
                    waited: self.acquire_timeout,
                };
                let cause = Some(error.cause());
                permit.record(Outcome::Failure, cause, started, clock::now());
                return Err(error);
            }
        };
        self.metrics.time(Timing::Acquire, clock::now() - started);
        Ok(Connection::new(link, self, permit, slot))
    }

    /// Runs `future` until it is done, `deadline` has passed, or the circuit is
    /// open.
    async fn until_open<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Result<Result<F::Output, Elapsed>, Error> {
        tokio::select! {
            biased;
            done = clock::timeout_at(deadline, future) => Ok(done),
            _ = self.breaker.opened() => Err(self.breaker.refusal(clock::now()).into()),
        }
    }

    /// Acts on a circuit that has opened, whoever found the trip: the host may be dead, so
    /// no older connection is lent again, and few are made at once when it is back.
    fn circuit_opened(&self) {
        self.ramp.start();
        self.evict(self.epoch.current());
    }

    /// Drops every idle connection that was made in `epoch` or before; those on
    /// loan are closed on their return. True for the one that ended the epoch.
    fn evict(&self, epoch: u64) -> bool {
        let ended = self.epoch.end(epoch);
        if ended {
            let kept = self.objects.retain(|link, _| link.epoch > epoch);
            self.metrics
                .add(Counter::Evicted, kept.removed.len() as u64);
        }
        ended
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::CircuitOpen {
            retry_after: refused.retry_after,
            since: refused.since,
            reason: refused.reason,
        }
    }
}

#[cfg(test)]
mod tests;
