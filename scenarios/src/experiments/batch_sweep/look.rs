//! Reads every row that was written, on a fresh session and past the proxy.

use std::{pin::pin, time::Duration};

use futures_util::TryStreamExt as _;
use seawall::clock;

use super::Queries;
use crate::{
    environment::Endpoint,
    load::workload::{WorkloadError, within},
};

/// Longest wait for all of them: some millions, where a run is long.
const PATIENCE: Duration = Duration::from_secs(120);
const WHAT: &str = "reading";

/// Tells the queries of each row that is in the table they write to, if they write to one.
///
/// # Errors
/// If there is no session, or no answer in time.
pub(super) async fn look(
    direct: &Endpoint,
    schema: &str,
    queries: &mut Queries<'_>,
) -> Result<(), WorkloadError> {
    let Some(sql) = queries.written(schema) else {
        return Ok(());
    };
    let deadline = clock::now() + PATIENCE;
    let session = direct.session(deadline).await?;
    let none: [i64; 0] = [];
    let all = async {
        let mut rows = pin!(session.client.query_raw(&sql, none).await?);
        while let Some(row) = rows.try_next().await? {
            queries.found(&row)?;
        }
        Ok(())
    };
    within(WHAT, PATIENCE, all).await
}
