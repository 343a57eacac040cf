//! Reads of accounts and writes to a ledger, in a schema of the run's own.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use seawall::clock;
use tokio_postgres::types::ToSql;

use super::ledger::Checker;
use crate::environment::{Endpoint, Session, lease::Lease};

const ACCOUNTS: i32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest wait for all rows of the ledger: there may be millions.
const READING: Duration = Duration::from_secs(120);

/// The statements of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workload {
    schema: String,
    /// A folder of the server for what is written, if not among its other data.
    small_disk: Option<String>,
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
            small_disk: None,
        }
    }

    /// Keeps what is written in this folder of the server, which is small, and can
    /// be [filled](Self::fill).
    #[must_use]
    pub fn on_small_disk(self, folder: &str) -> Self {
        Self {
            small_disk: Some(folder.to_owned()),
            ..self
        }
    }

    /// The table that is read.
    #[must_use]
    pub fn accounts(&self) -> String {
        format!("{}.accounts", self.schema)
    }

    /// The table that is written to.
    #[must_use]
    pub fn ledger(&self) -> String {
        format!("{}.ledger", self.schema)
    }

    /// Makes the tables.
    ///
    /// # Errors
    /// If they cannot be made.
    pub async fn create(&self, direct: &Endpoint) -> Result<(), WorkloadError> {
        let Self { schema, .. } = self;
        let mut storage = String::new();
        if let Some(folder) = &self.small_disk {
            // The folder has to be the server's own, whoever that is there. Neither
            // of these can be part of a longer batch.
            let folder = format!("{folder}/{schema}");
            let mkdir = program(&format!("mkdir -m 700 {folder}"));
            self.batch(direct, "making room for", &mkdir).await?;
            let tablespace = format!("CREATE TABLESPACE {schema} LOCATION '{folder}'");
            self.batch(direct, "making room for", &tablespace).await?;
            // A page for few rows, so that each window needs new ones.
            storage = format!("WITH (fillfactor = 10) TABLESPACE {schema}");
        }
        // No unique constraint on the ledger: a write that is applied twice must show.
        let sql = format!(
            "CREATE SCHEMA {schema};
             COMMENT ON SCHEMA {schema} IS '{}';
             CREATE TABLE {schema}.accounts (id int PRIMARY KEY, balance bigint NOT NULL);
             INSERT INTO {schema}.accounts SELECT i, 100 FROM generate_series(0, {ACCOUNTS} - 1) i;
             CREATE TABLE {schema}.ledger (
                run bigint NOT NULL, client int NOT NULL, seq bigint NOT NULL,
                connection int NOT NULL DEFAULT pg_backend_pid(),
                transaction bigint NOT NULL DEFAULT txid_current()
             ) {storage};
             CREATE INDEX ON {schema}.ledger (run, client);
             ANALYZE {schema}.accounts;",
            // Whose it is, if it is ever left behind. Empty: no comment.
            Lease::ours().map_or_else(|_| String::new(), |lease| lease.to_string()),
        );
        self.batch(direct, "making", &sql).await
    }

    /// Where the tables are.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Makes, or changes, tables beside the others.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(crate) async fn beside(
        &self,
        direct: &Endpoint,
        what: &'static str,
        sql: &str,
    ) -> Result<(), WorkloadError> {
        self.batch(direct, what, sql).await
    }

    /// Counts rows on a fresh direct session.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(crate) async fn count(
        &self,
        direct: &Endpoint,
        what: &'static str,
        sql: &str,
    ) -> Result<u64, WorkloadError> {
        let deadline = clock::now() + PATIENCE;
        let Session { client, .. } = &direct.session(deadline).await?;
        match clock::timeout_at(deadline, client.query_one(sql, &[])).await {
            Ok(row) => {
                let count = row.and_then(|row| row.try_get::<_, i64>(0));
                let count = count.map_err(|source| WorkloadError::Statement { what, source })?;
                Ok(u64::try_from(count).unwrap_or(0))
            }
            Err(clock::Elapsed) => Err(WorkloadError::Timeout { what }),
        }
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

    /// Gives `checker` every row that the ledger has of `client`, read on a fresh
    /// direct session.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn read_ledger(
        &self,
        direct: &Endpoint,
        client: i32,
        checker: &mut Checker<'_>,
    ) -> Result<(), WorkloadError> {
        let what = "reading";
        let sql = format!(
            "SELECT connection, seq FROM {}.ledger WHERE run = $1 AND client = $2 \
             ORDER BY connection, transaction, seq",
            self.schema
        );
        let deadline = clock::now() + READING;
        let session = direct.session(deadline).await?;
        let rows = async {
            let parameters: [&(dyn ToSql + Sync); 2] = [&self.run, &client];
            let rows = session.client.query_raw(&sql, parameters).await?;
            let mut rows = std::pin::pin!(rows);
            while let Some(row) = rows.try_next().await? {
                checker.row(row.get(0), row.get(1));
            }
            Ok(())
        };
        match clock::timeout_at(deadline, rows).await {
            Ok(done) => done.map_err(|source| WorkloadError::Statement { what, source }),
            Err(clock::Elapsed) => Err(WorkloadError::Timeout { what }),
        }
    }
}

/// What faults do to the tables, and what shows it.
impl Workload {
    /// Reads as the load does.
    #[must_use]
    pub fn read_one(&self) -> String {
        format!("SELECT balance FROM {} WHERE id = 0", self.accounts())
    }

    /// Writes to the ledger, and changes nothing.
    #[must_use]
    pub fn touch_ledger(&self) -> String {
        format!("DELETE FROM {} WHERE false", self.ledger())
    }

    /// Reads and writes, and changes nothing.
    #[must_use]
    pub fn touch_both(&self) -> String {
        format!("{}; {}", self.read_one(), self.touch_ledger())
    }

    /// Takes space where the ledger lies, and gives it back.
    #[must_use]
    pub fn grow(&self) -> String {
        let Self { schema, .. } = self;
        format!(
            "BEGIN; CREATE TABLE {schema}.growth TABLESPACE {schema} \
             AS SELECT i FROM generate_series(1, 1000) i; ROLLBACK"
        )
    }

    /// Leaves no space where the ledger lies.
    #[must_use]
    pub fn fill(&self) -> String {
        let filler = self.filler();
        // Its input is read first, or writing that would be the error.
        program(&format!(
            "cat >/dev/null; cat /dev/zero >{filler} 2>/dev/null; true"
        ))
    }

    /// Takes [`fill`](Self::fill) back.
    #[must_use]
    pub fn free(&self) -> String {
        program(&format!("cat >/dev/null; rm -f {}", self.filler()))
    }

    fn filler(&self) -> String {
        let folder = self.small_disk.as_deref().unwrap_or("/nowhere");
        format!("{folder}/{}.filler", self.schema)
    }

    /// Makes every read and every write of the load take longer, on the server: the
    /// table that it reads becomes a view that waits, and the one that it writes to
    /// gets a trigger that does.
    #[must_use]
    pub fn slow(&self, delay_ms: u32) -> String {
        let Self { schema, .. } = self;
        let delay_s = f64::from(delay_ms) / 1e3;
        format!(
            "BEGIN;
             LOCK TABLE {schema}.accounts, {schema}.ledger IN ACCESS EXCLUSIVE MODE;
             ALTER TABLE {schema}.accounts RENAME TO quick_accounts;
             CREATE VIEW {schema}.accounts AS SELECT id, balance FROM {schema}.quick_accounts
                 WHERE pg_sleep({delay_s}) IS NOT NULL;
             CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql
                 AS $$ BEGIN PERFORM pg_sleep({delay_s}); RETURN NEW; END $$;
             CREATE TRIGGER wait BEFORE INSERT ON {schema}.ledger
                 FOR EACH ROW EXECUTE FUNCTION {schema}.wait();
             COMMIT"
        )
    }

    /// Takes [`slow`](Self::slow) back, if it was done.
    #[must_use]
    pub fn not_slow(&self) -> String {
        let Self { schema, .. } = self;
        format!(
            "BEGIN;
             DO $$ BEGIN
                 IF to_regclass('{schema}.quick_accounts') IS NOT NULL THEN
                     DROP FUNCTION {schema}.wait() CASCADE;
                     DROP VIEW {schema}.accounts;
                     ALTER TABLE {schema}.quick_accounts RENAME TO accounts;
                 END IF;
             END $$;
             COMMIT"
        )
    }
}

/// A statement that runs a program on the server, as its user.
fn program(command: &str) -> String {
    format!("COPY (SELECT 1) TO PROGRAM '{command}'")
}
