//! Whether a statement opens or ends a transaction block. Pure.
//!
//! tokio-postgres does not pass on the server's transaction status, so the first
//! words of what was sent have to do. They are read conservatively: in doubt a
//! block is still open, and the connection is closed instead of reused.

/// What a statement does to the transaction block of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// `BEGIN`, `START TRANSACTION`.
    Opens,
    /// `COMMIT`, `END`, `ROLLBACK`, `ABORT`, `PREPARE TRANSACTION`.
    Ends,
    /// `SAVEPOINT`, `RELEASE`, `ROLLBACK TO`, and what ends a block and opens the next.
    Within,
    /// `COPY`.
    Copies,
    /// Anything else.
    None,
}

pub(crate) fn effect(sql: &str) -> Effect {
    let mut words = words(sql);
    let first = words.next().unwrap_or_default();
    let is = |word: &str, what: &str| word.eq_ignore_ascii_case(what);
    if is(first, "BEGIN") || is(first, "START") {
        Effect::Opens
    } else if is(first, "PREPARE") {
        match words.next() {
            Some(second) if is(second, "TRANSACTION") => Effect::Ends,
            _ => Effect::None,
        }
    } else if ["COMMIT", "END", "ROLLBACK", "ABORT"]
        .iter()
        .any(|w| is(first, w))
    {
        // ROLLBACK TO and AND CHAIN leave a block open.
        let open = words.any(|word| is(word, "TO") || is(word, "CHAIN"));
        if open { Effect::Within } else { Effect::Ends }
    } else if is(first, "SAVEPOINT") || is(first, "RELEASE") {
        Effect::Within
    } else if is(first, "COPY") {
        Effect::Copies
    } else {
        Effect::None
    }
}

/// The words of the statement, without comments before the first.
fn words(mut sql: &str) -> impl Iterator<Item = &str> {
    loop {
        sql = sql.trim_start();
        if let Some(rest) = sql.strip_prefix("--") {
            sql = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(rest) = sql.strip_prefix("/*") {
            sql = after_comment(rest);
        } else {
            break;
        }
    }
    sql.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// What follows a block comment, whose opening has been read. They nest.
fn after_comment(mut sql: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        match (sql.find("*/"), sql.find("/*")) {
            (Some(close), Some(open)) if open < close => {
                depth += 1;
                sql = &sql[open + 2..];
            }
            (Some(close), _) => {
                depth -= 1;
                sql = &sql[close + 2..];
            }
            (None, _) => return "",
        }
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_seen_through_case_and_comments() {
        for (sql, what) in [
            ("BEGIN", Effect::Opens),
            ("  begin isolation level serializable", Effect::Opens),
            (
                "-- why\n/* a /* nested */ b */ Start Transaction",
                Effect::Opens,
            ),
            ("commit;", Effect::Ends),
            ("END", Effect::Ends),
            ("rollback", Effect::Ends),
            ("ABORT;", Effect::Ends),
            ("PREPARE TRANSACTION 'x'", Effect::Ends),
            ("ROLLBACK TO SAVEPOINT a", Effect::Within),
            ("COMMIT AND CHAIN", Effect::Within),
            ("PREPARE q AS SELECT 1", Effect::None),
            ("SELECT 'BEGIN'", Effect::None),
            ("SAVEPOINT a", Effect::Within),
            ("COPY t FROM STDIN", Effect::Copies),
            ("/* never closed BEGIN", Effect::None),
            ("", Effect::None),
        ] {
            assert_eq!(effect(sql), what, "{sql}");
        }
    }
}
