//! Reads the facts that decide: one short transaction that cannot write.

use seawall::clock::{self, Instant};
use tokio_postgres::{Client, Error, Row};

use super::{
    super::{Endpoint, EnvironmentError, chain},
    refusal::{Facts, Listed, MARKER, Peer, SHOWN},
};

/// Deadlines of the server's own, for the case that nobody here waits any more.
const BEGIN: &str = "BEGIN TRANSACTION READ ONLY;
     SET LOCAL statement_timeout = '5s';
     SET LOCAL lock_timeout = '2s'";

/// Who else is there. To a role that may not see it, the kind of a process is NULL;
/// then whatever has a user and a database may be a client and counts as one.
const SESSIONS: &str =
    "SELECT usename::text, datname::text, application_name, host(client_addr), count(*) OVER ()
     FROM pg_stat_activity
     WHERE pid <> pg_backend_pid()
       AND (backend_type = 'client backend'
            OR backend_type IS NULL AND datid IS NOT NULL AND usesysid IS NOT NULL)
     ORDER BY backend_start LIMIT $1";

const REPLICAS: &str =
    "SELECT usename::text, NULL::text, application_name, host(client_addr), count(*) OVER ()
     FROM pg_stat_replication ORDER BY pid LIMIT $1";

const SLOTS: &str = "SELECT slot_name::text, count(*) OVER ()
     FROM pg_replication_slots ORDER BY 1 LIMIT $1";

const SERVER: &str = "SELECT current_database()::text, current_setting('server_version'),
            pg_is_in_recovery(), pg_database_size(current_database()),
            pg_has_role('pg_read_all_stats', 'USAGE'),
            EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relname = $1 AND c.relkind IN ('r', 'p')
                      AND n.nspname = ANY (current_schemas(false)))";

/// Looks at a server without changing anything.
///
/// Cancel safe: the session is closed, and the server ends the transaction.
///
/// # Errors
/// If it does not answer before `deadline`; a refusal if it does not let us see.
pub(super) async fn read(
    endpoint: &Endpoint,
    deadline: Instant,
) -> Result<Facts, EnvironmentError> {
    let session = endpoint.session(deadline).await?;
    let unreachable = |reason: String| EnvironmentError::Unreachable {
        address: endpoint.address(),
        reason,
    };
    match clock::timeout_at(deadline, facts(&session.client)).await {
        Ok(Ok(facts)) => Ok(facts),
        // It answers, and what it says is no: then nothing is known of it.
        Ok(Err(error)) if error.as_db_error().is_some() => Err(EnvironmentError::Refused {
            target: endpoint.address(),
            reasons: vec![format!("what is in it cannot be seen: {}", chain(&error))],
        }),
        Ok(Err(error)) => Err(unreachable(chain(&error))),
        Err(clock::Elapsed) => Err(unreachable("no answer in time".to_owned())),
    }
}

async fn facts(client: &Client) -> Result<Facts, Error> {
    client.batch_execute(BEGIN).await?;
    let server = client.query_one(SERVER, &[&MARKER]).await?;
    let sessions = client.query(SESSIONS, &[&SHOWN]).await?;
    let replicas = client.query(REPLICAS, &[&SHOWN]).await?;
    let slots = client.query(SLOTS, &[&SHOWN]).await?;
    client.batch_execute("ROLLBACK").await?;
    Ok(Facts {
        database: server.try_get(0)?,
        server_version: server.try_get(1)?,
        in_recovery: server.try_get(2)?,
        bytes: server.try_get(3)?,
        sees_all: server.try_get(4)?,
        has_marker: server.try_get(5)?,
        sessions: listed(&sessions, 4, peer)?,
        replicas: listed(&replicas, 4, peer)?,
        slots: listed(&slots, 1, |row| row.try_get(0))?,
    })
}

fn listed<T>(
    rows: &[Row],
    total: usize,
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Listed<T>, Error> {
    Ok(Listed {
        total: rows.first().map_or(Ok(0), |row| row.try_get(total))?,
        first: rows.iter().map(read).collect::<Result<_, _>>()?,
    })
}

fn peer(row: &Row) -> Result<Peer, Error> {
    Ok(Peer {
        user: row.try_get(0)?,
        database: row.try_get(1)?,
        application: row.try_get(2)?,
        address: row.try_get(3)?,
    })
}
