//! [`Within`]: a pool in the hands of a caller with a deadline.

use tokio_postgres::{Row, types::ToSql};

use super::{Connection, Pool};
use crate::{clock::Instant, error::Error};

/// A [`Pool`] in the hands of a caller that has a deadline of its own: what it waits for, it
/// waits for until then at most, and the pool's own time-outs bound it as well.
///
/// What is cut short by the caller's deadline is no failure of the server, unless the server
/// says nothing afterwards either.
#[derive(Debug)]
pub struct Within<'a> {
    pool: &'a Pool,
    by: Instant,
}

impl<'a> Within<'a> {
    pub(super) fn new(pool: &'a Pool, by: Instant) -> Self {
        Self { pool, by }
    }

    /// As [`Pool::query`].
    ///
    /// # Errors
    /// As there.
    pub async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.pool.query_by(Some(self.by), sql, params).await
    }

    /// As [`Pool::execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.pool.execute_by(Some(self.by), sql, params).await
    }

    /// As [`Pool::acquire`]. The deadline is that of the connection's statements as well.
    ///
    /// # Errors
    /// As there.
    pub async fn acquire(&self) -> Result<Connection, Error> {
        self.pool.acquire_by(Some(self.by)).await
    }
}
