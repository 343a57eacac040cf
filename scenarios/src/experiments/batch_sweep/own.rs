//! Tries the user's statements before anything is measured, so that what the server
//! refuses is an error of usage with its name, and not a run that fails halfway.

use std::time::Duration;

use reports::experiments::batch_sweep::Class;
use seawall::clock;

use crate::{
    environment::{Endpoint, Session, chain},
    load::workload::WorkloadError,
    stage::NotPrepared,
};

/// Longest wait for a statement, the first time.
const PATIENCE: Duration = Duration::from_secs(15);
/// A write in a transaction that only reads.
const READ_ONLY: &str = "25006";

/// What the statements of a class did in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// The server took them.
    Taken,
    /// One writes, and the transaction was to read only.
    Writes,
}

/// Runs each statement of the user's classes as it will be run again and again, in a
/// transaction that is rolled back: what writes twice, and what only reads once. What
/// looks like a read and writes is tried as a write.
///
/// # Errors
/// The first that has no place here, or that the server refuses.
pub(super) async fn try_all(classes: &[Class], direct: &Endpoint) -> Result<(), NotPrepared> {
    let own = || classes.iter().filter(|class| class.guide_batch.is_none());
    own().try_for_each(check)?;
    for class in own() {
        if class.writes || try_reading(class, direct).await? == Tried::Writes {
            try_class(class, direct, "BEGIN", 2).await?;
        }
    }
    Ok(())
}

/// Which of the user's classes look like reads and write all the same
/// (`SELECT nextval(...)`, `SELECT ... FOR UPDATE`), by index. What fails otherwise is
/// not found here: [`try_all`] took it before.
pub(super) async fn that_write(classes: &[Class], direct: &Endpoint) -> Vec<usize> {
    let mut writing = Vec::new();
    for (index, class) in classes.iter().enumerate() {
        if class.guide_batch.is_none()
            && !class.writes
            && let Ok(Tried::Writes) = try_reading(class, direct).await
        {
            writing.push(index);
        }
    }
    writing
}

async fn try_reading(class: &Class, direct: &Endpoint) -> Result<Tried, NotPrepared> {
    try_class(class, direct, "BEGIN READ ONLY", 1).await
}

async fn try_class(
    class: &Class,
    direct: &Endpoint,
    begin: &str,
    times: usize,
) -> Result<Tried, NotPrepared> {
    let session = direct.session(clock::now() + PATIENCE).await;
    let session = session.map_err(WorkloadError::from)?;
    let what = "trying the statements beside";
    run(&session, begin)
        .await
        .map_err(|_| WorkloadError::Timeout {
            what,
            within: PATIENCE,
        })?
        .map_err(|source| WorkloadError::Statement { what, source })?;
    let reading = begin.ends_with("READ ONLY");
    for _ in 0..times {
        for (statement, number) in class.statements.iter().zip(1..) {
            match run(&session, statement).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if reading && is_read_only(&error) => return Ok(Tried::Writes),
                Ok(Err(error)) => return Err(refused(class, number, chain(&error))),
                Err(clock::Elapsed) => {
                    let reason = format!("no answer within {} s", PATIENCE.as_secs());
                    return Err(refused(class, number, reason));
                }
            }
        }
    }
    // Dropping the session rolls back.
    Ok(Tried::Taken)
}

/// As the load does it: prepared, one statement at a time.
async fn run(
    session: &Session,
    statement: &str,
) -> Result<Result<(), tokio_postgres::Error>, clock::Elapsed> {
    let done = session.client.query(statement, &[]);
    let done = clock::timeout_at(clock::now() + PATIENCE, done).await?;
    Ok(done.map(drop))
}

fn is_read_only(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == READ_ONLY)
}

fn refused(class: &Class, number: usize, reason: String) -> NotPrepared {
    NotPrepared::Refused(format!(
        "-f: {}: statement {number}: {reason}, \
         allowed: statements that the server takes, twice in a row",
        class.name
    ))
}

fn check(class: &Class) -> Result<(), NotPrepared> {
    for (statement, number) in class.statements.iter().zip(1..) {
        if let Some(reason) = no_place(statement) {
            return Err(refused(class, number, reason));
        }
    }
    Ok(())
}

/// Why a statement cannot be compared, if it cannot: all queries share a session, and are
/// sent on their own as well as many in a transaction.
fn no_place(statement: &str) -> Option<String> {
    let letters = statement.trim_start().chars();
    let first: String = letters.take_while(char::is_ascii_alphabetic).collect();
    let first = first.to_ascii_uppercase();
    let why = match &*first {
        "SET" | "RESET" | "DISCARD" => {
            "changes the session that all queries share, and with it what is compared \
             (synchronous_commit)"
        }
        "DEALLOCATE" | "LISTEN" | "LOAD" | "UNLISTEN" => {
            "changes the session that all queries share"
        }
        "CLOSE" | "DECLARE" | "FETCH" | "MOVE" => {
            "is about a cursor, which belongs to one transaction"
        }
        "LOCK" => "needs a transaction around it, which a query on its own has not",
        "NOTIFY" => "is sent once by a whole transaction, so batches would do less",
        _ => return None,
    };
    Some(format!("{first} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_session_has_no_place() {
        for statement in [
            "SET synchronous_commit = off",
            "set local work_mem = '1MB'",
            "  Reset ALL",
            "DISCARD ALL",
            "DEALLOCATE p",
            "LOCK TABLE t",
            "LISTEN c",
            "NOTIFY c, 'x'",
            "UNLISTEN *",
            "LOAD 'auto_explain'",
            "DECLARE c CURSOR FOR SELECT 1",
            "FETCH c",
            "MOVE c",
            "CLOSE c",
        ] {
            let reason = no_place(statement).expect(statement);
            let first = statement.split_whitespace().next().expect("a word");
            assert!(reason.starts_with(&first.to_uppercase()), "{reason}");
        }
        for statement in [
            "SELECT 1",
            "(SELECT 1)",
            "UPDATE t SET a = 1",
            "WITH set AS (SELECT 1) TABLE set",
            "SETTLE",
            "settings",
            "",
        ] {
            assert_eq!(no_place(statement), None, "{statement}");
        }
    }

    #[test]
    fn a_refusal_names_the_class_and_the_statement() {
        let class = Class {
            name: "q".to_owned(),
            about: String::new(),
            statements: ["SELECT 1", "SET synchronous_commit = off"]
                .map(str::to_owned)
                .into(),
            writes: true,
            guide_batch: None,
        };
        let error = check(&class).expect_err("refused").to_string();
        assert!(error.starts_with("-f: q: statement 2: SET "), "{error}");
        assert!(error.contains(", allowed: "), "{error}");
    }
}
