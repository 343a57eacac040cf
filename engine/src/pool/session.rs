//! [`PooledSession`]: a session that the pool keeps, and how a statement runs on it.
//!
//! A statement is prepared once for each session, and what the server said of it then may
//! have changed since: a table was made anew with other types, or the server has forgotten
//! the statement. Where nothing can have run of it, it is prepared again and run once more:
//! where a parameter was not even sent, because it does not fit the types that were known; and
//! where the server refused, outside of a transaction block, before the parameters were
//! bound.

use std::sync::Arc;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{
    Row, Statement,
    error::SqlState,
    types::{ToSql, WrongType},
};

use super::{holders::Open, incarnation::Incarnation};
use crate::{clock::Instant, connect::Canceller, wire::Wire};

/// A session that the pool keeps.
pub(super) struct PooledSession {
    /// Counts it among those that are open, until it is dropped, and says who has it.
    pub(super) open: Open,
    /// Shared with the statements of a pipeline that are under way.
    pub(super) client: Arc<ClientWrapper>,
    pub(super) wire: Option<Wire>,
    /// Stops what runs on it.
    pub(super) cancel: Option<Canceller>,
    pub(super) epoch: u64,
    /// When the server was last heard on it.
    pub(super) heard: Instant,
    /// Most statements that are kept.
    pub(super) most: usize,
    /// Who the server is, if it was asked.
    pub(super) incarnation: Option<Incarnation>,
}

/// What a caller wants to know of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Rows,
    Affected,
}

/// The answer to a statement: its rows, or how many it affected.
pub(super) type Answer = (Vec<Row>, u64);

/// A statement that failed.
pub(super) struct Failed {
    pub(super) error: tokio_postgres::Error,
    /// Its parameters were bound: from then on it may have run.
    pub(super) bound: bool,
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self {
            error,
            bound: false,
        }
    }
}

impl PooledSession {
    /// Runs a statement, a second time where the first cannot have done anything and what
    /// was known of the statement is old.
    pub(super) async fn run(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        wanted: Wanted,
        in_block: bool,
    ) -> Result<Answer, Failed> {
        let statement = self.prepare(sql).await?;
        let failed = match self.send(&statement, params, wanted).await {
            Ok(answer) => {
                planted!(StaleRows => if crate::planted::wants_rows(sql) {
                    let (rows, _) = self.send(&statement, params, wanted).await?;
                    crate::planted::keep_rows(sql, rows);
                });
                return Ok(planted!(StaleRows, one in 20, answer =>
                    crate::planted::stale(sql, answer)));
            }
            Err(failed) => failed,
        };
        let age = Age::of(&failed.error);
        let unsent = failed.error.code().is_none();
        // Without a transport of ours nobody knows whether parameters were bound.
        let nothing_ran = unsent || (!failed.bound && !in_block && self.wire.is_some());
        if age == Age::Unknown || !nothing_ran {
            return Err(failed);
        }
        // In a box: what is rare is not to make every other statement's future larger.
        let again = async {
            let again = self.prepare_anew(sql).await?;
            if age == Age::Doubtful && again.params() == statement.params() {
                return Err(failed);
            }
            self.send(&again, params, wanted).await
        };
        Box::pin(again).await
    }

    async fn send(
        &self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
        wanted: Wanted,
    ) -> Result<Answer, Failed> {
        let before = self.bound();
        let answer = match wanted {
            Wanted::Rows => self
                .client
                .query(statement, params)
                .await
                .map(|rows| (rows, 0)),
            Wanted::Affected => self
                .client
                .execute(statement, params)
                .await
                .map(|n| (Vec::new(), n)),
        };
        answer.map_err(|error| Failed {
            error,
            bound: self.bound() > before,
        })
    }

    fn bound(&self) -> u64 {
        self.wire.as_ref().map_or(0, |wire| wire.said().bound)
    }

    /// Prepares a statement, or takes it from the session's cache, which is emptied when it
    /// holds too many: a service has far fewer statements, and one that makes them up on the
    /// fly gains nothing from a cleverer order.
    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let client: &ClientWrapper = &self.client;
        if planted!(PreparesEveryTime) {
            self.forget(sql);
        }
        let asked = planted!(StatementsMixedUp, one in 50, sql => crate::planted::another(sql));
        let statement = client.prepare_cached(asked).await?;
        if client.statement_cache.size() > self.most {
            client.statement_cache.clear();
        }
        Ok(statement)
    }

    /// Prepares a statement whatever is known of it, and of the types of this database.
    pub(super) async fn prepare_anew(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        self.forget(sql);
        self.prepare(sql).await
    }

    /// Forgets a statement, and the types of this database.
    pub(super) fn forget(&self, sql: &str) {
        drop(self.client.statement_cache.remove(sql, &[]));
        self.client.clear_type_cache();
    }
}

/// What an error says of the age of what was known of its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Nothing.
    Unknown,
    /// It may be old: it is, if the server now says something else.
    Doubtful,
    /// It is old.
    Old,
}

impl Age {
    fn of(error: &tokio_postgres::Error) -> Self {
        let cause = std::error::Error::source(error);
        match error.code().map(SqlState::code) {
            Some("26000" | "0A000") => Self::Old,
            // A type that is gone: XX000 says that of one by its number.
            Some(code) if code.starts_with("42") || code == "XX000" => Self::Doubtful,
            None if cause.is_some_and(|cause| cause.is::<WrongType>()) => Self::Doubtful,
            _ => Self::Unknown,
        }
    }
}
