//! What is in the user's own tables, so that it can be told that a run left them as they
//! were.

use std::{collections::BTreeMap, time::Duration};

use reports::run::{Content, UserTable};
use seawall::clock::{self, Instant};
use tokio_postgres::{Client, Error, Row, error::SqlState};

use super::{Endpoint, EnvironmentError, Session, chain};

/// Longest time for all of it, once before a run and once after it.
pub(super) const READING: Duration = Duration::from_secs(30);
/// The same after a run that the user stopped: somebody waits for its end.
pub(super) const HURRIED: Duration = Duration::from_secs(5);

/// A partitioned table is read by its partitions. Schemas of runs are ours, of whichever run.
const TABLES: &str = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't'
       AND n.nspname !~ '^(pg_|information_schema$|seawall_[0-9a-f]{8}$)'
     ORDER BY 1";

/// What each table of the user's holds; `None` of one that could not be read in time.
type Tables = BTreeMap<String, Option<Content>>;

/// Reads the tables of a database before a run.
///
/// Cancel safe: the session is closed.
///
/// # Errors
/// If they cannot be listed.
pub(super) async fn before(database: &Endpoint) -> Result<Vec<UserTable>, EnvironmentError> {
    let tables = read(database, READING, |_| true).await?;
    let tables = tables.into_iter().map(|(name, before)| UserTable {
        name,
        before,
        after: None,
    });
    Ok(tables.collect())
}

/// Reads them again after it, and returns what differs.
///
/// Cancel safe: the session is closed.
///
/// # Errors
/// If they cannot be listed.
pub(super) async fn after(
    database: &Endpoint,
    tables: &mut Vec<UserTable>,
    within: Duration,
) -> Result<Vec<String>, EnvironmentError> {
    let compared = |name: &str| {
        let before = tables.iter().find(|table| table.name == name);
        before.is_none_or(|table| table.before.is_some())
    };
    let now = read(database, within, compared).await?;
    Ok(differences(tables, now))
}

/// Enters what is there now, and says what differs.
fn differences(tables: &mut Vec<UserTable>, mut now: Tables) -> Vec<String> {
    let mut differences = Vec::new();
    for table in tables.iter_mut() {
        let name = &table.name;
        let Some(after) = now.remove(name) else {
            differences.push(format!("table {name} of the user's is not there any more"));
            continue;
        };
        table.after = after;
        if let (Some(before), Some(after)) = (&table.before, &table.after)
            && before != after
        {
            differences.push(format!(
                "table {name} of the user's changed: {} rows before, {} after{}",
                before.rows,
                after.rows,
                match before.rows == after.rows {
                    true => ", and other content",
                    false => "",
                }
            ));
        }
    }
    for (name, after) in now {
        let rows = after.as_ref().map_or(0, |after| after.rows);
        differences.push(format!(
            "table {name} was not there before, and has {rows} rows"
        ));
        tables.push(UserTable {
            name,
            before: None,
            after,
        });
    }
    differences
}

/// Lists the tables, and reads those that are `wanted`.
async fn read(
    database: &Endpoint,
    within: Duration,
    wanted: impl Fn(&str) -> bool,
) -> Result<Tables, EnvironmentError> {
    let deadline = clock::now() + within;
    let session = Session::open_by(&database.config("seawall"), deadline).await?;
    let client = &session.client;
    let what = "reading the user's tables";
    let failed = |error: Error| EnvironmentError::failed(what, chain(&error));
    let late = |_| EnvironmentError::failed(what, "no answer in time");
    let listed = clock::timeout_at(deadline, client.query(TABLES, &[])).await;
    let mut tables = Tables::new();
    for row in listed.map_err(late)?.map_err(failed)? {
        tables.insert(row.try_get(0).map_err(failed)?, None);
    }
    let mut open = true;
    for (name, content) in tables.iter_mut().filter(|(name, _)| wanted(name)) {
        if !open {
            break;
        }
        match self::content(client, name, deadline).await {
            Ok(read) => *content = read,
            Err(error) => {
                tracing::warn!(table = name, error = chain(&error), "not compared");
                // The server's no is about this table, all else about the session.
                open = error
                    .as_db_error()
                    .is_some_and(|said| *said.code() != SqlState::QUERY_CANCELED);
            }
        }
    }
    Ok(tables)
}

/// What a table holds; `None` if there is no time for it.
async fn content(
    client: &Client,
    table: &str,
    deadline: Instant,
) -> Result<Option<Content>, Error> {
    let left = deadline.saturating_duration_since(clock::now()).as_millis();
    if left == 0 {
        return Ok(None);
    }
    // The sum does not depend on the order of the rows, and two equal rows do not cancel
    // each other out. A column may have any name but this one.
    let select = format!(
        "SELECT count(*), coalesce(sum(hashtextextended(seawall_row::text, 0)::numeric), 0)::text
         FROM ONLY {table} AS seawall_row"
    );
    // Of the server's own, for the case that nobody here waits any more.
    let limit = format!("SET statement_timeout = {left}");
    let asked = async {
        client.batch_execute(&limit).await?;
        client.query_one(&select, &[]).await
    };
    match clock::timeout_at(deadline, asked).await {
        Ok(row) => read_row(&row?).map(Some),
        Err(clock::Elapsed) => Ok(None),
    }
}

fn read_row(row: &Row) -> Result<Content, Error> {
    let rows: i64 = row.try_get(0)?;
    Ok(Content {
        rows: rows.unsigned_abs(),
        fingerprint: row.try_get(1)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: u64, fingerprint: &str) -> Option<Content> {
        Some(Content {
            rows,
            fingerprint: fingerprint.to_owned(),
        })
    }

    #[test]
    fn what_differs_is_named_with_both_counts() {
        let table = |name: &str, before| UserTable {
            name: name.to_owned(),
            before,
            after: None,
        };
        let mut tables = vec![
            table("public.same", content(3, "7")),
            table("public.less", content(3, "7")),
            table("public.other", content(3, "7")),
            table("public.large", None),
            table("public.gone", content(3, "7")),
            table("public.late", content(3, "7")),
        ];
        let now = [
            ("public.same", content(3, "7")),
            ("public.less", content(2, "4")),
            ("public.other", content(3, "8")),
            ("public.large", None),
            ("public.late", None),
            ("public.new", content(5, "1")),
        ];
        let now = now.map(|(name, content)| (name.to_owned(), content));
        let differences = differences(&mut tables, now.into_iter().collect());
        assert_eq!(
            differences,
            [
                "table public.less of the user's changed: 3 rows before, 2 after",
                "table public.other of the user's changed: 3 rows before, 3 after, and other content",
                "table public.gone of the user's is not there any more",
                "table public.new was not there before, and has 5 rows",
            ]
        );
        assert_eq!(tables[1].after, content(2, "4"));
        assert_eq!(
            tables[6],
            UserTable {
                after: content(5, "1"),
                ..table("public.new", None)
            }
        );
    }
}
