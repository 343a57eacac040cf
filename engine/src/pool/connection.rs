//! [`Connection`]: a link in the hands of a caller.

use tokio_postgres::{Row, types::ToSql};

use super::Link;
use crate::error::Error;

/// A connection on loan from a [`Pool`](super::Pool). Dropping it gives it back.
///
/// It goes back to the pool if it is fit for the next borrower: not with a statement under
/// way (its answer would be read by somebody else), not inside a transaction block, not
/// broken, not from before its host was found dead. Otherwise it is closed; the server then
/// rolls back what was open.
#[derive(Debug)]
pub struct Connection(Link);

impl Connection {
    pub(super) fn new(link: Link) -> Self {
        Self(link)
    }

    /// Runs a statement, prepared once for each connection, and returns its rows.
    ///
    /// Cancel safe: a dropped future leaves a statement that may have run, and
    /// this connection closes instead of going back to the pool.
    ///
    /// # Errors
    /// [`Error::StatementTimeout`] or [`Error::Statement`]; for a write,
    /// [`Error::may_have_run`] says whether it is known not to have happened.
    pub async fn query(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.0.query(sql, params).await
    }

    /// Runs a statement and returns how many rows it affected. As
    /// [`query`](Self::query) in all else.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        self.0.execute(sql, params).await
    }
}
