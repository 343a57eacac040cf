//! Statements on accounts, on rows that many count up, and on a ledger, in a schema of the
//! run's own.

mod disturbed;

use std::time::Duration;

use futures_util::TryStreamExt as _;
use seawall::clock;
use tokio_postgres::types::ToSql;

use super::{
    ledger::Checker,
    proof::{Found, Proofs},
    scripts::Scripts,
};
use crate::environment::{Endpoint, Session, lease::Lease};

/// How long a query of a burst holds its session.
const SLOW_S: f64 = 0.005;
/// How long a slow write takes.
const SLOW_WRITE_S: f64 = 0.03;
/// How long a query of a flood does.
const SLOWER_S: f64 = 0.1;
/// How long an operation holds its session that does nothing else. Long beside what
/// a session costs otherwise, so that a busy machine changes little of it.
pub const HOLD: Duration = Duration::from_millis(50);
/// How long a query runs that nobody waits for to the end.
const OUTLASTING_S: f64 = 0.2;
/// The key of a row that is no client's, for probes.
const PROBED: i64 = -1;
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest wait for all rows of the ledger: there may be millions.
const READING: Duration = Duration::from_secs(120);

/// The statements of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workload {
    schema: String,
    /// A folder of the server for what is written, if not among its other data.
    small_disk: Option<String>,
    /// Whether its statements can be made slow.
    slowable: bool,
    /// The user's own scripts, if operations are runs of them.
    scripts: Option<Scripts>,
    /// The run's number in the ledger.
    pub run: i64,
    /// `$1` first key, `$2` last key.
    pub read: String,
    /// The same, with the columns from last to first.
    pub read_reversed: String,
    /// `$1` run, `$2` client, `$3` sequence number.
    pub write: String,
    /// The same, after some hundredths of a second.
    pub slow_write: String,
    /// `$1` key, `$2` version, `$3` proof.
    pub update: String,
    /// `$1` client.
    pub count_up: String,
    /// `$1` client: a key that is there already, of a row that no operation changes.
    pub again: String,
    /// Takes some milliseconds, and returns `$1`.
    pub slow_query: String,
    /// Takes a tenth of a second, and returns `$1`.
    pub slower_query: String,
    /// Takes as long as [`HOLD`] says, and returns `$1`.
    pub holding_query: String,
    /// Takes longer than its caller waits.
    pub outlasting_query: String,
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
    #[error("{what} the tables of the load took more than {} s", within.as_secs())]
    Timeout {
        /// What was being done.
        what: &'static str,
        /// How long that was waited for.
        within: Duration,
    },
}

impl Workload {
    /// A workload with tables of its own, told apart from those of other runs by
    /// `run`.
    #[must_use]
    pub fn new(run: u32) -> Self {
        let schema = format!("seawall_{run:08x}");
        Self {
            read: format!(
                "SELECT id, version, proof FROM {schema}.accounts \
                 WHERE id BETWEEN $1 AND $2 ORDER BY id"
            ),
            read_reversed: format!(
                "SELECT proof, version, id FROM {schema}.accounts \
                 WHERE id BETWEEN $1 AND $2 ORDER BY id"
            ),
            write: format!("INSERT INTO {schema}.ledger (run, client, seq) VALUES ($1, $2, $3)"),
            slow_write: format!(
                "INSERT INTO {schema}.ledger (run, client, seq) \
                 SELECT $1, $2, $3 FROM pg_sleep({SLOW_WRITE_S})"
            ),
            update: format!(
                "UPDATE {schema}.accounts SET version = $2, proof = $3 \
                 WHERE id = $1 AND version < $2"
            ),
            count_up: format!("UPDATE {schema}.counts SET n = n + 1 WHERE client = $1"),
            again: format!("INSERT INTO {schema}.counts VALUES ($1 + 1, 0)"),
            slow_query: format!("SELECT $1::bigint FROM pg_sleep({SLOW_S})"),
            slower_query: format!("SELECT $1::bigint FROM pg_sleep({SLOWER_S})"),
            holding_query: format!("SELECT $1::bigint FROM pg_sleep({})", HOLD.as_secs_f64()),
            outlasting_query: format!("SELECT pg_sleep({OUTLASTING_S})"),
            run: i64::from(run),
            schema,
            small_disk: None,
            slowable: false,
            scripts: None,
        }
    }

    /// Makes operations runs of the user's own scripts.
    #[must_use]
    pub fn of_scripts(self, scripts: Option<Scripts>) -> Self {
        Self { scripts, ..self }
    }

    /// The user's own scripts, if operations are runs of them.
    #[must_use]
    pub fn scripts(&self) -> Option<&Scripts> {
        self.scripts.as_ref()
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

    /// Makes tables whose statements can be made [slow](Self::slow).
    #[must_use]
    pub fn slowable(self) -> Self {
        Self {
            slowable: true,
            ..self
        }
    }

    /// The table that is read.
    #[must_use]
    pub fn accounts(&self) -> String {
        format!("{}.accounts", self.schema)
    }

    /// The table of rows that are counted up.
    #[must_use]
    pub fn counts(&self) -> String {
        format!("{}.counts", self.schema)
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
        let slowable = if self.slowable {
            self.make_slowable()
        } else {
            String::new()
        };
        // No unique constraint on the ledger: a write that is applied twice must show.
        let sql = format!(
            "CREATE SCHEMA {schema};
             COMMENT ON SCHEMA {schema} IS '{}';
             CREATE TABLE {schema}.accounts (
                id bigint PRIMARY KEY, version bigint NOT NULL, proof bigint NOT NULL
             );
             INSERT INTO {schema}.accounts VALUES ({PROBED}, 0, 0);
             CREATE TABLE {schema}.counts (client int PRIMARY KEY, n bigint NOT NULL);
             CREATE TABLE {schema}.ledger (
                run bigint NOT NULL, client int NOT NULL, seq bigint NOT NULL,
                connection int NOT NULL DEFAULT pg_backend_pid(),
                transaction bigint NOT NULL DEFAULT txid_current()
             ) {storage};
             CREATE INDEX ON {schema}.ledger (run, client);
             {slowable}",
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
        let deadline = clock::now() + READING;
        let Session { client, .. } = &direct.session(deadline).await?;
        within(what, READING, count(client, sql, &[])).await
    }

    /// Makes the rows of a client: those that it reads, the one that it
    /// counts up, and one more that nobody counts up.
    ///
    /// # Errors
    /// If they cannot be made.
    pub async fn add_client(
        &self,
        direct: &Endpoint,
        client: i32,
        rows: impl Iterator<Item = Found>,
    ) -> Result<(), WorkloadError> {
        let what = "filling";
        let rows: Vec<Found> = rows.collect();
        let column = |of: fn(&Found) -> i64| rows.iter().map(of).collect::<Vec<i64>>();
        let (ids, versions) = (column(|row| row.id), column(|row| row.version));
        let proofs = column(|row| row.proof);
        let fill = format!(
            "WITH counted AS (INSERT INTO {} VALUES ($4, 0), ($4 + 1, 0)) \
             INSERT INTO {} SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])",
            self.counts(),
            self.accounts()
        );
        let deadline = clock::now() + PATIENCE;
        let Session { client: direct, .. } = &direct.session(deadline).await?;
        let params: [&(dyn ToSql + Sync); 4] = [&ids, &versions, &proofs, &client];
        within(what, PATIENCE, direct.execute(&fill, &params)).await?;
        Ok(())
    }

    /// Removes the tables. Ends sessions that still hold a lock on them: of a client that was
    /// cut off in a transaction, the server may not know for hours.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub async fn drop(&self, direct: &Endpoint) -> Result<(), WorkloadError> {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM (
                SELECT DISTINCT held.pid FROM pg_locks held
                JOIN pg_class locked ON locked.oid = held.relation
                JOIN pg_namespace ours ON ours.oid = locked.relnamespace
                WHERE ours.nspname = '{schema}' AND held.pid <> pg_backend_pid()
                    AND held.database = (
                        SELECT oid FROM pg_database WHERE datname = current_database()
                    )
             ) AS others;
             DROP SCHEMA IF EXISTS {schema} CASCADE",
            schema = self.schema
        );
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
        within(what, PATIENCE, client.batch_execute(sql)).await
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
        let deadline = clock::now() + READING;
        let session = direct.session(deadline).await?;
        let reading = self.rows(&session.client, client, checker);
        within("reading", READING, reading).await
    }

    /// Gives `checker` all that there is of `client`, as it was at one moment, read on a fresh
    /// direct session: the rows of its ledger, how far its row was counted up, and the rows
    /// that it reads, of which `proofs` says what may be in them.
    ///
    /// # Errors
    /// If it cannot be read. What was read until then, `checker` has.
    pub async fn read_all(
        &self,
        direct: &Endpoint,
        client: i32,
        proofs: &Proofs,
        checker: &mut Checker<'_>,
    ) -> Result<(), WorkloadError> {
        let deadline = clock::now() + READING;
        let session = direct.session(deadline).await?;
        let direct = &session.client;
        let reading = async {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            direct.batch_execute(begin).await?;
            self.rows(direct, client, checker).await?;
            let counted = format!("SELECT n FROM {} WHERE client = $1", self.counts());
            checker.counted_up(count(direct, &counted, &[&client]).await?);
            let keys = proofs.keys();
            let rows = direct
                .query(&self.read, &[keys.start(), keys.end()])
                .await?;
            let found: Vec<Found> = rows.iter().map(Found::of).collect();
            checker.accounts(proofs, &found);
            direct.batch_execute("COMMIT").await
        };
        within("reading", READING, reading).await
    }

    async fn rows(
        &self,
        direct: &tokio_postgres::Client,
        client: i32,
        checker: &mut Checker<'_>,
    ) -> Result<(), tokio_postgres::Error> {
        let sql = format!(
            "SELECT connection, seq FROM {}.ledger WHERE run = $1 AND client = $2 \
             ORDER BY connection, transaction, seq",
            self.schema
        );
        let parameters: [&(dyn ToSql + Sync); 2] = [&self.run, &client];
        let rows = direct.query_raw(&sql, parameters).await?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await? {
            checker.row(row.get(0), row.get(1));
        }
        Ok(())
    }
}

/// Asks for a number.
async fn count(
    client: &tokio_postgres::Client,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<u64, tokio_postgres::Error> {
    let row = client.query_one(sql, params).await?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
}

/// Runs a statement within a time; `what` says in an error what was being done.
pub(crate) async fn within<T>(
    what: &'static str,
    within: Duration,
    done: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, WorkloadError> {
    match clock::timeout_at(clock::now() + within, done).await {
        Ok(done) => done.map_err(|source| WorkloadError::Statement { what, source }),
        Err(clock::Elapsed) => Err(WorkloadError::Timeout { what, within }),
    }
}

/// A statement that runs a program on the server, as its user.
fn program(command: &str) -> String {
    format!("COPY (SELECT 1) TO PROGRAM '{command}'")
}
