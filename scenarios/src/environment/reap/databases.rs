//! The databases of a run in somebody else's server, with the lease as their comment.
//!
//! The comment is sent together with what makes the database; one without a comment cannot
//! be judged, and is left alone and named.

use std::time::Duration;

use seawall::clock;
use tokio_postgres::{Client, Error, error::SqlState};

use super::{
    super::{EnvironmentError, chain, lease::Holder},
    Outcome, Thing,
    found::why,
    schemas::holder,
};

const KIND: &str = "database";
/// Longest wait for the list.
const ANSWER: Duration = Duration::from_secs(15);
/// Longest wait for one of them to go: its files are removed.
const REMOVAL: Duration = Duration::from_secs(60);
/// Most databases that are looked at in one go.
const AT_ONCE: i64 = 1_000;
/// The first version that drops a database in which there are sessions.
const FORCES: i32 = 130_000;

const DATABASES: &str = "SELECT datname::text, coalesce(shobj_description(oid, 'pg_database'), ''),
            current_setting('server_version_num')::int
     FROM pg_database
     WHERE datname ~ '^seawall_[0-9a-f]{8}(_before|_[0-9]+)?$' AND datname <> current_database()
     ORDER BY 1 LIMIT $1";

/// Looks through the databases of a server and drops, unless `dry_run`, those that belong to
/// nobody. `at` is where the server is.
///
/// Cancel safe: the rest is found the next time.
///
/// # Errors
/// If the server does not answer.
pub(super) async fn reap(
    client: &Client,
    at: &str,
    dry_run: bool,
) -> Result<Vec<Thing>, EnvironmentError> {
    let what = "looking for databases";
    let failed = |error: Error| EnvironmentError::failed(what, chain(&error));
    let listed = client.query(DATABASES, &[&AT_ONCE]);
    let rows = clock::timeout_at(clock::now() + ANSWER, listed)
        .await
        .map_err(|_| EnvironmentError::failed(what, "no answer in time"))?
        .map_err(failed)?;
    let mut things = Vec::new();
    for row in rows {
        let database: String = row.try_get(0).map_err(failed)?;
        let comment: String = row.try_get(1).map_err(failed)?;
        let version: i32 = row.try_get(2).map_err(failed)?;
        let force = if version < FORCES {
            ""
        } else {
            " WITH (FORCE)"
        };
        let drop = format!("DROP DATABASE {database}{force}");
        let (runner, holder) = holder(&comment);
        let why = why(runner, holder, &drop);
        let mut thing = Thing::left_alone(KIND, format!("{database} in {at}"), why);
        if holder == Holder::Gone {
            thing.outcome = match dry_run {
                true => Outcome::WouldRemove,
                false => dropped(client, &drop).await,
            };
        }
        things.push(thing);
    }
    Ok(things)
}

async fn dropped(client: &Client, drop: &str) -> Outcome {
    let limit = format!("SET statement_timeout = {}", REMOVAL.as_millis());
    let dropped = async {
        client.batch_execute(&limit).await?;
        client.batch_execute(drop).await
    };
    match clock::timeout_at(clock::now() + REMOVAL, dropped).await {
        Ok(Ok(())) => Outcome::Removed,
        // Another was quicker.
        Ok(Err(error)) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => Outcome::Removed,
        Ok(Err(error)) => Outcome::Failed(chain(&error)),
        Err(clock::Elapsed) => Outcome::Failed("no answer in time".to_owned()),
    }
}
