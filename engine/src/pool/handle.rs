//! [`Pool`]: the callers' side.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio_postgres::{Row, types::ToSql};
use tracing::Instrument as _;

use super::{
    Connection, Link, Shapes, Within, acquire::Inner, asking::Asking, connector::Connector,
    query_kind, startup::Startup,
};
use crate::{
    breaker::Breaker,
    clock::{self, Instant},
    config::{ConfigError, PoolConfig},
    connect::{Connect, Tcp},
    error::Error,
    metrics::{Metrics, QueryKind},
};

/// Asks how many sessions the server takes from others than superusers.
const MOST: &str = "SELECT current_setting('max_connections')::int \
    - current_setting('superuser_reserved_connections')::int";

/// A pool of connections behind a circuit breaker. Cheap to clone; the last clone
/// closes it.
#[derive(Clone)]
pub struct Pool {
    pub(super) inner: Arc<Inner>,
    // Not part of `Inner`, which loans keep alive.
    _handles: Arc<Handles>,
}

/// All handles of a pool: background work ends with the last.
struct Handles(Arc<Inner>);

impl Drop for Handles {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// How many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Makes a pool over plain TCP. It connects when it is first used. It is bound to no
    /// runtime: what it does in the background runs in that of a caller, and goes on in that
    /// of another if that one ends. So it may stand in a static.
    ///
    /// # Errors
    /// If the configuration is not valid.
    pub fn new(config: PoolConfig) -> Result<Self, ConfigError> {
        Self::with_connect(config, Tcp, fastrand::Rng::new())
    }

    /// Makes a pool over a transport of the caller's, with its jitter drawn from `rng`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_connect(
        config: PoolConfig,
        connect: impl Connect + 'static,
        mut rng: fastrand::Rng,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        for key in config.without_effect() {
            tracing::warn!(
                pool = config.name,
                key,
                "set, and without effect in this version"
            );
        }
        let (connect, startup) = (Arc::new(connect), Startup::new(&config));
        let to = config.postgres()?;
        let connector = Connector::new(connect, &to, startup, rng.fork(), Arc::default());
        let inner = Inner::new(config, connector, rng)?;
        inner.keep_past();
        inner.keep_shown();
        Ok(Self {
            _handles: Arc::new(Handles(inner.clone())),
            inner,
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
        self.query_by(None, sql, params).await
    }

    pub(super) async fn query_by(
        &self,
        by: Option<Instant>,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let query = Some(query_kind(sql));
        self.link_by(by, query).await?.query(sql, params).await
    }

    /// Runs a statement on a connection of the pool and returns how many rows it
    /// affected.
    ///
    /// Cancel safe, as [`Connection::query`].
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire) and of [`Connection::query`].
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.execute_by(None, sql, params).await
    }

    pub(super) async fn execute_by(
        &self,
        by: Option<Instant>,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let query = Some(query_kind(sql));
        let mut link = self.link_by(by, query).await?;
        let answer = link.execute(sql, params).await;
        drop(link);
        planted!(DoubtfulWritesRunAgain, answer => match answer {
            Err(error) if error.may_have_run() => self.link().await?.execute(sql, params).await,
            answer => answer,
        })
    }

    /// Borrows a connection, for several statements or a transaction. They are
    /// not refused in the middle, whatever the breaker does.
    ///
    /// Cancel safe: a dropped future gives its place in the queue, its slot and
    /// its permit back.
    ///
    /// # Errors
    /// [`Error::CircuitOpen`] at once, or as soon as the circuit opens; with
    /// [`WhenOpen::Wait`](crate::config::WhenOpen::Wait) once it is clear that no answer can
    /// come in time, or [`Error::WaitingFull`]; [`Error::AcquireTimeout`];
    /// [`Error::Connect`]; [`Error::Closed`].
    pub async fn acquire(&self) -> Result<Connection, Error> {
        self.acquire_by(None).await
    }

    pub(super) async fn acquire_by(&self, by: Option<Instant>) -> Result<Connection, Error> {
        self.link_by(by, None).await.map(Connection::new)
    }

    /// The pool for a caller that wants its answers within `deadline` from now on: what is
    /// waited for, a connection or an answer, is waited for until then at most.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Within<'_> {
        Within::new(self, clock::now() + deadline)
    }

    /// Borrows a session without the callers' side of it. As [`acquire`](Self::acquire)
    /// in all else.
    pub(crate) async fn link(&self) -> Result<Link, Error> {
        self.link_by(None, None).await
    }

    /// `query`: what it is for, if it is for one query.
    async fn link_by(&self, by: Option<Instant>, query: Option<QueryKind>) -> Result<Link, Error> {
        let asking = Asking::new(&self.inner.metrics, query);
        let pool = &*self.inner.config.name;
        let span = tracing::debug_span!("acquire", pool);
        let acquired = self.inner.clone().acquire(by).instrument(span).await;
        if let Err(error) = &acquired {
            tracing::debug!(pool, class = error.class().name(), "no connection");
        }
        asking.ends(&acquired);
        if acquired.is_err() {
            if planted!(SlotsLeak, one in 50) {
                std::mem::forget(self.inner.slots.try_take());
            }
            planted!(SlowRefusals => if matches!(acquired, Err(Error::CircuitOpen { .. })) {
                clock::sleep(Duration::from_millis(50)).await;
            });
        }
        acquired
    }

    /// Makes `min_connections` connections, so that the first callers find them. From then on
    /// those that are lost are made anew in the background.
    ///
    /// Cancel safe: those that were made stay in the pool.
    ///
    /// # Errors
    /// [`Error::TooMany`] if the server does not take as many, with one made to ask it; the
    /// first error of an [`acquire`](Self::acquire), and then none is kept, so that others
    /// find room.
    pub async fn warm_up(&self) -> Result<(), Error> {
        let wanted = self.inner.config.min_connections;
        if wanted == 0 {
            return Ok(());
        }
        let mut first = self.link().await?;
        if wanted > 1 {
            let rows = first.ask(MOST, &[]).await?;
            let most = rows.first().and_then(|row| row.try_get::<_, i32>(0).ok());
            let most = most.and_then(|most| u32::try_from(most).ok());
            if let Some(most) = most.filter(|most| *most < wanted) {
                return Err(Error::TooMany { wanted, most });
            }
        }
        // Held until all are there, so that none is handed out twice.
        let made = join_all((1..wanted).map(|_| self.link())).await;
        let (mut links, mut failed) = (vec![first], None);
        for made in made {
            match made {
                Ok(link) => links.push(link),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let Some(error) = failed else {
            self.inner.warm.store(true, Ordering::Release);
            return Ok(());
        };
        links.iter_mut().for_each(Link::retire);
        Err(error)
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &PoolConfig {
        &self.inner.config
    }

    /// The statements that the server has described.
    pub(crate) fn shapes(&self) -> &Shapes {
        &self.inner.shapes
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
        let status = self.inner.sessions.status();
        Status {
            size: status.size,
            idle: status.available,
            max: status.max_size,
        }
    }

    /// Closes idle connections now and the others on their return, and ends probing;
    /// who waits or comes later gets [`Error::Closed`].
    pub fn close(&self) {
        self.inner.stop();
        self.inner.slots.close();
        self.inner.sessions.close();
    }
}
