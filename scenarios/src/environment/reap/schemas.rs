//! The tables of a run in somebody else's server: a schema of the run's own, with the
//! lease as its comment.
//!
//! The schema and its comment are made by one transaction, so there is none without
//! the other. It is dropped only where a run would have been allowed to make it.

use std::time::Duration;

use seawall::clock;
use tokio_postgres::{Client, Error};

use super::{
    super::{
        EnvironmentError, Wanted, chain, external,
        lease::{Holder, Lease},
    },
    Outcome, Thing, databases,
    found::why,
};

const KIND: &str = "schema";
const ANSWER: Duration = Duration::from_secs(15);
/// Most schemas that are looked at in one go.
const AT_ONCE: i64 = 1_000;

/// Of the server's own, for the case that nobody here waits any more. Whoever still
/// uses a table keeps it.
const DEADLINES: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'";

const SCHEMAS: &str = "SELECT nspname::text, coalesce(obj_description(oid, 'pg_namespace'), '')
     FROM pg_namespace WHERE nspname ~ '^seawall_[0-9a-f]{8}$' ORDER BY 1 LIMIT $1";

/// Looks through the database of `--database-url` and drops, unless `dry_run`, the
/// schemas that belong to nobody, and the databases beside it that do.
///
/// Cancel safe: the rest is found the next time.
///
/// # Errors
/// If the database may not be touched, or does not answer.
pub(super) async fn reap(wanted: &Wanted, dry_run: bool) -> Result<Vec<Thing>, EnvironmentError> {
    let what = "looking for schemas";
    let endpoint = external::permitted(wanted).await?;
    let session = endpoint.session(clock::now() + ANSWER).await?;
    let client = &session.client;
    let failed = |error: Error| EnvironmentError::failed(what, chain(&error));
    let listed = async {
        client.batch_execute(DEADLINES).await?;
        client.query(SCHEMAS, &[&AT_ONCE]).await
    };
    let rows = clock::timeout_at(clock::now() + ANSWER, listed)
        .await
        .map_err(|_| EnvironmentError::failed(what, "no answer in time"))?
        .map_err(failed)?;
    let mut things = Vec::new();
    for row in rows {
        let schema: String = row.try_get(0).map_err(failed)?;
        let comment: String = row.try_get(1).map_err(failed)?;
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        let (runner, holder) = holder(&comment);
        let name = format!("{schema} in {}/{}", endpoint.address(), endpoint.database);
        let mut thing = Thing::left_alone(KIND, name, why(runner, holder, &drop));
        if holder == Holder::Gone {
            thing.outcome = match dry_run {
                true => Outcome::WouldRemove,
                false => dropped(client, &drop).await,
            };
        }
        things.push(thing);
    }
    things.extend(databases::reap(client, &endpoint.address(), dry_run).await?);
    Ok(things)
}

/// The runner that a comment names, and what has become of it.
pub(super) fn holder(comment: &str) -> (Option<u32>, Holder) {
    match comment.parse::<Lease>() {
        Ok(lease) => (Some(lease.pid()), lease.holder()),
        Err(_) => (None, Holder::Unknown("it has no lease of this version")),
    }
}

async fn dropped(client: &Client, drop: &str) -> Outcome {
    match clock::timeout_at(clock::now() + ANSWER, client.batch_execute(drop)).await {
        Ok(Ok(())) => Outcome::Removed,
        // Another was quicker.
        Ok(Err(error))
            if error.code() == Some(&tokio_postgres::error::SqlState::INVALID_SCHEMA_NAME) =>
        {
            Outcome::Removed
        }
        Ok(Err(error)) => Outcome::Failed(chain(&error)),
        Err(clock::Elapsed) => Outcome::Failed("no answer in time".to_owned()),
    }
}
