//! [`Connection`]: a link in the hands of a caller.

use tokio_postgres::{Row, types::ToSql};

use super::Link;
use crate::error::Error;

/// A connection on loan from a [`Pool`](super::Pool). Dropping it gives it back.
///
/// It goes back to the pool if it is fit for the next borrower: not broken, not from before
/// its host was found dead. What is under way on it is stopped first, and what is open rolled
/// back; until the server has done so, or the connection is closed because it does not, it
/// counts as one of the pool's.
#[derive(Debug)]
pub struct Connection(Link);

impl Connection {
    pub(super) fn new(link: Link) -> Self {
        Self(link)
    }

    /// Runs a statement, prepared once for each connection, and returns its rows.
    ///
    /// Cancel safe: a dropped future leaves a statement that may have run, is stopped on the
    /// server if it still does, and takes its transaction with it. This connection is then
    /// [unusable](Error::Unusable).
    ///
    /// # Errors
    /// [`Error::StatementTimeout`] or [`Error::Statement`]; for a write,
    /// [`Error::may_have_run`] says whether it is known not to have happened.
    pub async fn query(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        GivenUp(&mut self.0).0.query(sql, params).await
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
        GivenUp(&mut self.0).0.execute(sql, params).await
    }
}

/// Gives the session up if the statement has not ended when this is dropped: the caller may
/// keep the connection for long.
struct GivenUp<'a>(&'a mut Link);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.give_up_if_busy();
    }
}
