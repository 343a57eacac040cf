//! Runs a dump, statement by statement.

use std::{io::Cursor, pin::pin, time::Duration};

use futures_util::SinkExt as _;
use seawall::clock;
use tokio_postgres::{
    Client, Error,
    error::{DbError, ErrorPosition, SqlState},
};

use super::{
    super::{Endpoint, EnvironmentError, Session, chain},
    dump::{Dump, sets_encoding},
    pieces::{Piece, Pieces, Rows, lines, words},
};

/// Longest time for all of it.
const LOADING: Duration = Duration::from_secs(600);
/// Bytes of rows that are sent at once.
const CHUNK: usize = 1 << 16;
/// Most remarks that are made one by one.
const REMARKS: usize = 8;
/// Most roles that are made for one statement.
const ROLES: usize = 64;

/// Messages in the language that the names of roles are looked for in. Only a superuser may
/// ask for it on older servers.
const LANGUAGE: &str = "SET lc_messages = 'C'";
/// A load that a crash undoes is done again from the start.
const QUICK: &str = "SET synchronous_commit = off";

/// What was left out or added, told in the end.
#[derive(Debug, Default)]
struct Remarks {
    told: usize,
    all: usize,
}

impl Remarks {
    fn add(&mut self, at: &str, remark: &str) {
        self.all += 1;
        if self.told < REMARKS {
            self.told += 1;
            tracing::warn!("{at}: {remark}");
        }
    }
}

/// Loads a dump into a database. `own`: whether the server is ours, so that roles may be
/// made in it.
///
/// Cancel safe: the session is closed, and what was loaded stays.
///
/// # Errors
/// Names the file, the line and what the server said.
pub(super) async fn load(
    dump: &Dump,
    database: &Endpoint,
    application_name: &str,
    own: bool,
) -> Result<(), EnvironmentError> {
    let deadline = clock::now() + LOADING;
    let session = Session::open_by(&database.config(application_name), deadline).await?;
    match clock::timeout_at(deadline, all(dump, &session.client, own)).await {
        Ok(loaded) => loaded,
        Err(clock::Elapsed) => Err(EnvironmentError::NotFilled {
            reason: format!(
                "--schema: {}: not loaded after {} s",
                dump.path.display(),
                LOADING.as_secs()
            ),
        }),
    }
}

async fn all(dump: &Dump, client: &Client, own: bool) -> Result<(), EnvironmentError> {
    // Without it roles that are not there are an error, and nothing worse.
    let _denied = client.batch_execute(LANGUAGE).await;
    let failed = |line: usize, reason: String| EnvironmentError::NotFilled {
        reason: format!("{}: {reason}", dump.at(line)),
    };
    client
        .batch_execute(QUICK)
        .await
        .map_err(|error| failed(1, chain(&error)))?;
    let mut remarks = Remarks::default();
    for piece in Pieces::of(&dump.text) {
        // It was looked through before.
        let piece = piece.map_err(|wrong| failed(wrong.line, wrong.reason))?;
        if sets_encoding(piece.sql) {
            continue;
        }
        let mut made = 0;
        while let Err(error) = run(client, &piece).await {
            let Some(said) = error.as_db_error() else {
                return Err(failed(piece.line, chain(&error)));
            };
            let at = dump.at(piece.line);
            match remedy(&piece, said, own) {
                Remedy::Role(role) if made < ROLES => {
                    made += 1;
                    let create = format!("CREATE ROLE {} NOLOGIN", quoted(&role));
                    let created = client.batch_execute(&create).await;
                    created.map_err(|error| failed(piece.line, chain(&error)))?;
                    remarks.add(
                        &at,
                        &format!("the server has no role {role:?}; one was made"),
                    );
                }
                Remedy::Skip => {
                    let remark = format!("skipped: {}: {}", said.message(), shown(piece.sql));
                    remarks.add(&at, &remark);
                    break;
                }
                Remedy::Role(_) | Remedy::None => {
                    return Err(failed(line(&piece, said), told(said)));
                }
            }
        }
    }
    if remarks.all > remarks.told {
        let more = remarks.all - remarks.told;
        tracing::warn!("--schema: {}: {more} more remarks", dump.path.display());
    }
    Ok(())
}

async fn run(client: &Client, piece: &Piece<'_>) -> Result<(), Error> {
    let Some(Rows { text, .. }) = piece.rows else {
        return client.batch_execute(piece.sql).await;
    };
    let mut sink = pin!(client.copy_in::<_, Cursor<Vec<u8>>>(piece.sql).await?);
    for chunk in text.as_bytes().chunks(CHUNK) {
        sink.send(Cursor::new(chunk.to_vec())).await?;
    }
    sink.finish().await?;
    Ok(())
}

/// What can be done about a statement that failed.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    /// This role is to be made first.
    Role(String),
    /// The database is the same without it.
    Skip,
    /// Nothing.
    None,
}

fn remedy(piece: &Piece<'_>, said: &DbError, own: bool) -> Remedy {
    let words = words(piece.sql.get(..1_000).unwrap_or(piece.sql));
    decided(&words, said.code(), said.message(), own)
}

fn decided(words: &[String], code: &SqlState, message: &str, own: bool) -> Remedy {
    let begins =
        |with: &[&str]| words.iter().zip(with).filter(|(a, b)| a == b).count() == with.len();
    // Who owns or may use something: it decides nothing for a run, which is one role's.
    let of_roles = begins(&["GRANT"])
        || begins(&["REVOKE"])
        || begins(&["ALTER", "DEFAULT", "PRIVILEGES"])
        || begins(&["SET", "SESSION", "AUTHORIZATION"])
        || words.windows(2).any(|pair| pair == ["OWNER", "TO"]);
    let denied = *code == SqlState::INSUFFICIENT_PRIVILEGE;
    if let Some(role) = missing_role(message) {
        return match own {
            true => Remedy::Role(role.to_owned()),
            false if of_roles => Remedy::Skip,
            false => Remedy::None,
        };
    }
    let skip = if begins(&["SET"]) {
        // Of a newer pg_dump than the server.
        *code == SqlState::UNDEFINED_OBJECT || (of_roles && denied && !own)
    } else if begins(&["CREATE", "SCHEMA"]) {
        // `public`, which a new database has.
        *code == SqlState::DUPLICATE_SCHEMA
    } else if begins(&["COMMENT", "ON"]) {
        denied && !own
    } else {
        of_roles && denied && !own
    };
    if skip { Remedy::Skip } else { Remedy::None }
}

/// The name in `role "name" does not exist`.
fn missing_role(message: &str) -> Option<&str> {
    message
        .strip_prefix("role \"")?
        .strip_suffix("\" does not exist")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The beginning of a statement, on one line.
fn shown(sql: &str) -> String {
    let line: Vec<&str> = sql.split_whitespace().take(12).collect();
    let text = line.join(" ");
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// The line that an error is about: that of the place in the statement that the server
/// names, or of the row of a COPY.
fn line(piece: &Piece<'_>, said: &DbError) -> usize {
    if let (Some(rows), Some(context)) = (piece.rows, said.where_()) {
        return row(context).map_or(piece.line, |row| rows.line + row - 1);
    }
    match said.position() {
        Some(ErrorPosition::Original(at)) => {
            let before = usize::try_from(*at).unwrap_or(1).saturating_sub(1);
            let before: String = piece.sql.chars().take(before).collect();
            piece.line + lines(&before)
        }
        _ => piece.line,
    }
}

/// The number in `COPY users, line 3, column id: ...`.
fn row(context: &str) -> Option<usize> {
    let (_, after) = context.split_once(", line ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|row| *row > 0)
}

/// What the server said.
fn told(said: &DbError) -> String {
    let mut text = format!("{}: {}", said.severity(), said.message());
    for (name, part) in [
        ("DETAIL", said.detail()),
        ("HINT", said.hint()),
        ("CONTEXT", said.where_()),
    ] {
        if let Some(part) = part {
            text += &format!("; {name}: {part}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_nothing_of_the_data_is_left_out() {
        let unknown = &SqlState::UNDEFINED_OBJECT;
        let denied = &SqlState::INSUFFICIENT_PRIVILEGE;
        let role = "role \"shop \"\" keeper\" does not exist";
        let make = || Remedy::Role("shop \"\" keeper".to_owned());
        for (sql, code, message, own, external) in [
            (
                "SET transaction_timeout = 0",
                unknown,
                "unrecognized",
                Remedy::Skip,
                Remedy::Skip,
            ),
            (
                "ALTER TABLE t OWNER TO x",
                unknown,
                role,
                make(),
                Remedy::Skip,
            ),
            (
                "GRANT SELECT ON t TO x",
                unknown,
                role,
                make(),
                Remedy::Skip,
            ),
            (
                "CREATE POLICY p ON t TO x",
                unknown,
                role,
                make(),
                Remedy::None,
            ),
            (
                "ALTER TABLE t OWNER TO x",
                denied,
                "must be",
                Remedy::None,
                Remedy::Skip,
            ),
            (
                "COMMENT ON EXTENSION e IS ''",
                denied,
                "must be",
                Remedy::None,
                Remedy::Skip,
            ),
            (
                "CREATE TABLE t (i nothing)",
                unknown,
                "type",
                Remedy::None,
                Remedy::None,
            ),
            (
                "CREATE TABLE t ()",
                denied,
                "denied",
                Remedy::None,
                Remedy::None,
            ),
            (
                "CREATE SCHEMA public",
                &SqlState::DUPLICATE_SCHEMA,
                "",
                Remedy::Skip,
                Remedy::Skip,
            ),
            (
                "SET x",
                &SqlState::SYNTAX_ERROR,
                "",
                Remedy::None,
                Remedy::None,
            ),
        ] {
            let words = words(sql);
            assert_eq!(decided(&words, code, message, true), own, "{sql}");
            assert_eq!(decided(&words, code, message, false), external, "{sql}");
        }
    }

    #[test]
    fn a_statement_is_shown_in_short_and_a_row_is_found() {
        assert_eq!(shown("SELECT\n  1"), "SELECT 1");
        assert_eq!(shown(&"ä".repeat(100)).chars().count(), 83);
        assert_eq!(row("COPY users, line 3, column id: \"x\""), Some(3));
        assert_eq!(row("SQL function \"f\""), None);
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
