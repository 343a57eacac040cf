//! A session in the hands of a caller, whichever pool it is from.

use std::time::Duration;

use deadpool_postgres::{Object, PoolError, TimeoutType};
use seawall::{Connection, Error, clock, error::AcquireStage};
use tokio_postgres::{Row, types::ToSql};

use super::client::Client;
use crate::script::{Value, parameters};

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A session on loan. Dropped, it goes back, and what is open on it is rolled back.
pub(super) enum Borrowed {
    /// From deadpool.
    Deadpool(Pooled),
    /// From the engine.
    Engine(Connection),
}

/// A session of deadpool.
pub(super) struct Pooled {
    /// `None` once it was thrown away.
    client: Option<Object>,
    /// How long a statement may take.
    deadline: Option<Duration>,
    /// A transaction is open.
    open: bool,
}

impl Borrowed {
    /// Runs a statement and returns its rows.
    pub(super) async fn query(
        &mut self,
        of: &Client,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        of.count_statement();
        match self {
            Self::Deadpool(pooled) => pooled.query(sql, params).await,
            Self::Engine(connection) => connection.query(sql, params).await,
        }
    }

    /// Runs a statement and returns how many rows it affected.
    pub(super) async fn execute(
        &mut self,
        of: &Client,
        sql: &str,
        params: Params<'_>,
    ) -> Result<u64, Error> {
        of.count_statement();
        match self {
            Self::Deadpool(pooled) => pooled.execute(sql, params).await,
            Self::Engine(connection) => connection.execute(sql, params).await,
        }
    }

    /// Runs statements that are sent without waiting for each other's answers, where the
    /// session can do that: that of the engine sends the next one when it has an answer. Each
    /// is done, also behind one that fails; returns the first error.
    pub(super) async fn query_together(
        &mut self,
        of: &Client,
        statements: &[(&str, Vec<Value>)],
    ) -> Result<(), Error> {
        let mut done = Ok(());
        match self {
            Self::Deadpool(pooled) => {
                statements.iter().for_each(|_| of.count_statement());
                done = pooled.query_together(statements).await;
            }
            Self::Engine(connection) => {
                for (sql, values) in statements {
                    let answer = connection.query(sql, &parameters(values)).await;
                    done = done.and(answer.map(drop));
                }
            }
        }
        done
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self, of: &Client) -> Result<(), Error> {
        self.begin_as(of, "BEGIN").await
    }

    /// Begins a transaction in these words.
    pub(super) async fn begin_as(&mut self, of: &Client, sql: &str) -> Result<(), Error> {
        // From now on: a caller may go away before the answer is there.
        if let Self::Deadpool(pooled) = self {
            pooled.open = true;
        }
        self.control(of, sql).await
    }

    /// Ends it, with `COMMIT` or `ROLLBACK`.
    pub(super) async fn end(&mut self, of: &Client, sql: &str) -> Result<(), Error> {
        self.control(of, sql).await?;
        if let Self::Deadpool(pooled) = self {
            pooled.open = false;
        }
        Ok(())
    }

    /// Runs a statement that has neither parameters nor rows.
    pub(super) async fn control(&mut self, of: &Client, sql: &str) -> Result<(), Error> {
        of.count_statement();
        match self {
            // As tokio-postgres's own transactions do it: in one round trip.
            Self::Deadpool(pooled) => {
                let client = pooled.client.as_ref().ok_or(Error::Unusable)?;
                let done = within(pooled.deadline, client.batch_execute(sql)).await;
                pooled.keep_if_answered(done)
            }
            Self::Engine(connection) => connection.execute(sql, &[]).await.map(drop),
        }
    }
}

impl Pooled {
    /// A session that deadpool has lent.
    pub(super) fn new(client: Object, deadline: Option<Duration>) -> Self {
        Self {
            client: Some(client),
            deadline,
            open: false,
        }
    }

    async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let client = self.client.as_ref().ok_or(Error::Unusable)?;
        let asked = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, params).await
        };
        let done = within(self.deadline, asked).await;
        self.keep_if_answered(done)
    }

    async fn query_together(&mut self, statements: &[(&str, Vec<Value>)]) -> Result<(), Error> {
        let client = self.client.as_ref().ok_or(Error::Unusable)?;
        let asked = async {
            let mut prepared = Vec::with_capacity(statements.len());
            for (sql, values) in statements {
                prepared.push((client.prepare_cached(sql).await?, parameters(values)));
            }
            let answers = prepared
                .iter()
                .map(|(statement, params)| client.query(statement, params));
            let answers = futures_util::future::join_all(answers).await;
            answers.into_iter().try_for_each(|answer| answer.map(drop))
        };
        let done = within(self.deadline, asked).await;
        self.keep_if_answered(done)
    }

    async fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        let client = self.client.as_ref().ok_or(Error::Unusable)?;
        let done = async {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, params).await
        };
        let done = within(self.deadline, done).await;
        self.keep_if_answered(done)
    }

    /// Throws the session away if its answer is still to come: the next would wait for it.
    fn keep_if_answered<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        if matches!(done, Err(Error::StatementTimeout { .. }))
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
        done
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(client) = self.client.take_if(|_| self.open) else {
            return;
        };
        // As a transaction of tokio-postgres is rolled back when it is dropped: sent now,
        // and answered before whatever the next one sends.
        let deadline = self.deadline;
        tokio::spawn(async move {
            let done = within(deadline, client.batch_execute("ROLLBACK")).await;
            if done.is_err() {
                drop(Object::take(client));
            }
        });
    }
}

async fn within<T>(
    deadline: Option<Duration>,
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    let Some(timeout) = deadline else {
        return statement.await.map_err(Error::Statement);
    };
    let answer = clock::timeout_at(clock::now() + timeout, statement).await;
    let answer = answer.map_err(|_| Error::StatementTimeout { timeout })?;
    answer.map_err(Error::Statement)
}

/// Why deadpool lent nothing, in the engine's words.
pub(super) fn not_lent(error: PoolError, waited: Duration) -> Error {
    let in_stage = |stage| Error::AcquireTimeout { stage, waited };
    match error {
        PoolError::Backend(error) => Error::Connect(error),
        PoolError::Timeout(TimeoutType::Wait) => in_stage(AcquireStage::WaitingForSlot),
        PoolError::Timeout(_) => in_stage(AcquireStage::Connecting),
        _ => Error::Closed,
    }
}
