//! [`Builder`]: the settings of a pipeline.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::handle::Pipeline;
use crate::{config::ConfigError, pool::Pool};

/// What a failed query means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// Nothing: one connection, in order, each query a transaction of its own, or as
    /// if it were ([`Builder::group_commit`]).
    #[default]
    BestEffort,
    /// The rest of the batch is skipped; what stood before it stays done. A batch is
    /// what is flushed together.
    Sequential,
    /// All of the batch or nothing, in one transaction. A batch is what is flushed
    /// together: none goes out before, so it has to fit into
    /// [`max_queries`](Builder::max_queries) and [`max_bytes`](Builder::max_bytes).
    Transactional,
    /// As `BestEffort`, over several connections: in no order, but for queries with
    /// the same key ([`Pipeline::add_keyed`]).
    Parallel,
}

/// How many queries a batch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchSize {
    /// A batch of so many, 1..=10000, goes out when it is full, has 64 KiB of parameters,
    /// is flushed, or has waited for the linger time. One query in a transaction of its own
    /// making ([`Builder::group_commit`]) costs a BEGIN and a COMMIT more than alone.
    Fixed(u32),
    /// A batch has as many as have come together while the server was busy with those
    /// before, up to what the measured rate and round-trip time need.
    Auto,
}

impl From<u32> for BatchSize {
    fn from(queries: u32) -> Self {
        Self::Fixed(queries)
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) strategy: Strategy,
    pub(super) batch_size: BatchSize,
    pub(super) linger: Duration,
    pub(super) max_queries: usize,
    pub(super) max_bytes: usize,
    pub(super) max_results: usize,
    pub(super) idempotent: bool,
    pub(super) group_commit: bool,
    pub(super) read_only: bool,
    pub(super) coalesce: bool,
    pub(super) retries: u32,
    pub(super) connections: usize,
    pub(super) latency_budget: Duration,
}

impl Settings {
    /// Whether a batch is one transaction on the wire.
    pub(super) fn grouped(&self) -> bool {
        match self.strategy {
            Strategy::BestEffort | Strategy::Parallel => self.group_commit || self.read_only,
            Strategy::Sequential | Strategy::Transactional => true,
        }
    }
}

/// Sets up a [`Pipeline`]: see [`Pool::pipeline`].
#[derive(Debug, Clone)]
#[must_use = "it is started with `start`"]
pub struct Builder {
    pool: Pool,
    settings: Settings,
}

impl Pool {
    /// Makes a pipeline of queries: see [`pipeline`](crate::pipeline). Without
    /// `enable_pipelining` it sends a query at a time, unless it is given another batch
    /// size.
    pub fn pipeline(&self) -> Builder {
        Builder::new(self.clone())
    }
}

impl Builder {
    fn new(pool: Pool) -> Self {
        let config = pool.config();
        // Rolled back, all is as it was: a query at a time.
        let batch_size = if config.enable_pipelining {
            config.pipeline_batch_size
        } else {
            1
        };
        Self {
            pool,
            settings: Settings {
                strategy: Strategy::default(),
                batch_size: BatchSize::Fixed(batch_size),
                // The guide's flush interval.
                linger: Duration::from_millis(100),
                max_queries: 10_000,
                max_bytes: 16 << 20,
                max_results: 1_000_000,
                idempotent: false,
                group_commit: false,
                read_only: false,
                coalesce: false,
                retries: 3,
                connections: 4,
                latency_budget: Duration::from_millis(100),
            },
        }
    }

    /// Sets what a failed query means for the others. Default: [`Strategy::BestEffort`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.settings.strategy = strategy;
        self
    }

    /// Sets how many queries a batch has. Default: the pool's `pipeline_batch_size`, or 1
    /// where `enable_pipelining` is off.
    pub fn batch_size(mut self, size: impl Into<BatchSize>) -> Self {
        self.settings.batch_size = size.into();
        self
    }

    /// Sets the longest wait of a batch that is not full, up to 60 s. Default: 100 ms. A
    /// batch of automatic size does not wait.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger = linger;
        self
    }

    /// Sets how many queries may be without a result, 1..=1000000: [`Pipeline::add`] waits
    /// for room. Default: 10000.
    pub fn max_queries(mut self, queries: usize) -> Self {
        self.settings.max_queries = queries;
        self
    }

    /// Sets how many bytes of parameters the queries without a result may have, and how many
    /// bytes of rows may wait to be read from [`Pipeline::results`] before no more is taken
    /// from the server, 1..=1073741824. One answer may be larger, and those to a transaction
    /// are held until it is committed. A query whose parameters are larger is refused.
    /// Default: 16 MiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Sets how many results may wait for [`Pipeline::flush`], or to be read from
    /// [`Pipeline::results`], 1..=100000000. Default: 1000000.
    pub fn max_results(mut self, results: usize) -> Self {
        self.settings.max_results = results;
        self
    }

    /// Declares that queries may be repeated without harm: those whose outcome is unknown
    /// are then sent again, and a transaction is not asked for its id, which saves some 40
    /// us each (`cargo bench -p seawall --bench pipeline`). Default: no.
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.settings.idempotent = idempotent;
        self
    }

    /// Sends a batch of [`Strategy::BestEffort`] or [`Strategy::Parallel`] as one
    /// transaction: one wait for the disk instead of one a query. If a query fails, the
    /// others are done again without it, so that the results are those of queries on
    /// their own. What differs: `now()` is that of the batch, sequences may skip
    /// numbers, locks are held until the batch is done. Default: no.
    pub fn group_commit(mut self, group_commit: bool) -> Self {
        self.settings.group_commit = group_commit;
        self
    }

    /// Declares that queries only read: a batch is asked for as one, in a read-only
    /// transaction, and is sent again freely. One that writes fails (25006). Default: no.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.settings.read_only = read_only;
        self
    }

    /// With [`group_commit`](Self::group_commit), sends runs of one `INSERT INTO ...
    /// VALUES ($1, ...)` as a single statement over arrays. Some ten times as fast
    /// again; statement triggers fire once a run. If it fails, the batch is sent
    /// without. Default: no.
    pub fn coalesce(mut self, coalesce: bool) -> Self {
        self.settings.coalesce = coalesce;
        self
    }

    /// Sets how often a query that was not sent, or a transaction that lost a conflict
    /// (40001, 40P01, 55P03), is sent again. Queries of their own that lost one are not:
    /// what was behind them has run. Default: 3.
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Sets how many connections [`Strategy::Parallel`] uses, 1..=1000. Default: 4. More
    /// than the pool has wait for each other.
    pub fn connections(mut self, connections: usize) -> Self {
        self.settings.connections = connections;
        self
    }

    /// Sets the longest time that a query should be under way in a batch of automatic size,
    /// as far as the round-trip time allows, 1 ms..=60 s. Default: 100 ms.
    pub fn latency_budget(mut self, budget: Duration) -> Self {
        self.settings.latency_budget = budget;
        self
    }

    /// Starts the pipeline. It takes connections only while it has queries.
    ///
    /// # Errors
    /// The first setting that is out of its range, or [`ConfigError::NoRuntime`] outside of
    /// a tokio runtime: each lane is a task.
    pub fn start(self) -> Result<Pipeline, ConfigError> {
        let s = &self.settings;
        let minute = Duration::from_secs(60);
        let within = |n: usize, range: RangeInclusive<usize>| range.contains(&n);
        let checks: [(bool, &'static str, String, &'static str); 8] = [
            (
                !matches!(s.batch_size, BatchSize::Fixed(n) if !(1..=10_000).contains(&n)),
                "batch_size",
                format!("{:?}", s.batch_size),
                "1 to 10000, or Auto",
            ),
            (
                s.linger <= minute,
                "linger",
                format!("{:?}", s.linger),
                "at most 60 s",
            ),
            (
                within(s.max_queries, 1..=1_000_000),
                "max_queries",
                s.max_queries.to_string(),
                "1 to 1000000",
            ),
            (
                within(s.max_bytes, 1..=1 << 30),
                "max_bytes",
                s.max_bytes.to_string(),
                "1 to 1073741824",
            ),
            (
                within(s.max_results, 1..=100_000_000),
                "max_results",
                s.max_results.to_string(),
                "1 to 100000000",
            ),
            (
                within(s.connections, 1..=1_000),
                "connections",
                s.connections.to_string(),
                "1 to 1000",
            ),
            (
                (Duration::from_millis(1)..=minute).contains(&s.latency_budget),
                "latency_budget",
                format!("{:?}", s.latency_budget),
                "1 ms to 60 s",
            ),
            (
                !s.coalesce || (s.group_commit && !s.read_only),
                "coalesce",
                "true".to_owned(),
                "only with group_commit, and not with read_only",
            ),
        ];
        for (holds, key, value, allowed) in checks {
            if !holds {
                return Err(ConfigError::Invalid {
                    key,
                    value,
                    allowed,
                });
            }
        }
        let runtime = Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        Ok(Pipeline::start(
            &self.pool,
            Arc::new(self.settings),
            runtime,
        ))
    }
}
