//! Reads of accounts and writes to a ledger, in a schema of the run's own.

use std::time::Duration;

use engine::clock;

use super::ledger::Found;
use crate::environment::{Endpoint, Session};

const ACCOUNTS: i32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(15);

/// The statements of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workload {
    schema: String,
    /// The run's number in the ledger.
    pub run: i64,
    /// `$1` account.
    pub read: String,
    /// `$1` run, `$2` client, `$3` sequence number.
    pub write: String,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Index in its load, and its sequence number in the ledger.
    pub seq: i64,
    /// Whether it writes.
    pub writes: bool,
}

impl Operation {
    /// The account that it reads.
    #[must_use]
    pub fn account(&self) -> i32 {
        i32::try_from(self.seq % i64::from(ACCOUNTS)).unwrap_or(0)
    }
}

/// The tables could not be made, read or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// No direct session.
    #[error("no direct session for the tables of the load")]
    Session(#[from] crate::environment::EnvironmentError),
    /// A statement failed.
    #[error("{what} the tables of the load")]
    Statement {
        /// What was being done.
        what: &'static str,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A statement took too long.
    #[error("{what} the tables of the load took more than 15 s")]
    Timeout {
        /// What was being done.
        what: &'static str,
    },
}

impl Workload {
    /// A workload with tables of its own, told apart from those of other runs by
    /// `run`.
    #[must_use]
    pub fn new(run: u32) -> Self {
        let schema = format!("seawall_{run:08x}");
        Self {
            read: format!("SELECT balance FROM {schema}.accounts WHERE id = $1"),
            write: format!("INSERT INTO {schema}.ledger (run, client, seq) VALUES ($1, $2, $3)"),
            run: i64::from(run),
            schema,
        }
    }

    /// Makes the tables.
    ///
    /// # Errors
    /// If they cannot be made.
    pub async fn create(&self, direct: &Endpoint) -> Result<(), WorkloadError> {
        let Self { schema, .. } = self;
        // No unique constraint on the ledger: a write that is applied twice must show.
        let sql = format!(
            "CREATE SCHEMA {schema};
             CREATE TABLE {schema}.accounts (id int PRIMARY KEY, balance bigint NOT NULL);
             INSERT INTO {schema}.accounts SELECT i, 100 FROM generate_series(0, {ACCOUNTS} - 1) i;
             CREATE TABLE {schema}.ledger (run bigint NOT NULL, client int NOT NULL, seq bigint NOT NULL);
             CREATE INDEX ON {schema}.ledger (run, client);
             ANALYZE {schema}.accounts;"
        );
        self.batch(direct, "making", &sql).await
    }

    /// Removes the tables.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub async fn drop(&self, direct: &Endpoint) -> Result<(), WorkloadError> {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema);
        self.batch(direct, "removing", &sql).await
    }

    async fn batch(
        &self,
        direct: &Endpoint,
        what: &'static str,
        sql: &str,
    ) -> Result<(), WorkloadError> {
        let deadline = clock::now() + PATIENCE;
        let Session { client, .. } = &direct.session(deadline).await?;
        match clock::timeout_at(deadline, client.batch_execute(sql)).await {
            Ok(done) => done.map_err(|source| WorkloadError::Statement { what, source }),
            Err(clock::Elapsed) => Err(WorkloadError::Timeout { what }),
        }
    }

    /// Reads what the ledger has of `client`, on a fresh direct session.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn found(&self, direct: &Endpoint, client: i32) -> Result<Found, WorkloadError> {
        let what = "reading";
        let sql = format!(
            "SELECT seq, count(*) FROM {}.ledger WHERE run = $1 AND client = $2 GROUP BY seq",
            self.schema
        );
        let deadline = clock::now() + PATIENCE;
        let session = direct.session(deadline).await?;
        let rows = async { session.client.query(&sql, &[&self.run, &client]).await };
        match clock::timeout_at(deadline, rows).await {
            Ok(Ok(rows)) => Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect()),
            Ok(Err(source)) => Err(WorkloadError::Statement { what, source }),
            Err(clock::Elapsed) => Err(WorkloadError::Timeout { what }),
        }
    }
}
