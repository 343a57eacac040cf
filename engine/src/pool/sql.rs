//! What a statement does to its session, read from its first words. Pure.
//!
//! tokio-postgres does not pass on the server's transaction status, so the first
//! words of what was sent have to do. They are read conservatively: in doubt a
//! block is still open, and the connection is closed instead of reused.

use crate::metrics::QueryKind;

/// What a statement does to its session: to its transaction block, or to the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEffect {
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

pub(crate) fn session_effect(sql: &str) -> SessionEffect {
    let mut words = words(sql);
    let first = words.next().unwrap_or_default();
    let is = |word: &str, what: &str| word.eq_ignore_ascii_case(what);
    if is(first, "BEGIN") || is(first, "START") {
        SessionEffect::Opens
    } else if is(first, "PREPARE") {
        match words.next() {
            Some(second) if is(second, "TRANSACTION") => SessionEffect::Ends,
            _ => SessionEffect::None,
        }
    } else if ["COMMIT", "END", "ROLLBACK", "ABORT"]
        .iter()
        .any(|w| is(first, w))
    {
        // ROLLBACK TO and AND CHAIN leave a block open.
        let open = words.any(|word| is(word, "TO") || is(word, "CHAIN"));
        if open {
            SessionEffect::Within
        } else {
            SessionEffect::Ends
        }
    } else if is(first, "SAVEPOINT") || is(first, "RELEASE") {
        SessionEffect::Within
    } else if is(first, "COPY") {
        SessionEffect::Copies
    } else {
        SessionEffect::None
    }
}

/// What kind of statement it is.
pub(crate) fn query_kind(sql: &str) -> QueryKind {
    let first = words(sql).next().unwrap_or_default();
    for (word, kind) in [
        ("SELECT", QueryKind::Select),
        ("INSERT", QueryKind::Insert),
        ("UPDATE", QueryKind::Update),
        ("DELETE", QueryKind::Delete),
    ] {
        if first.eq_ignore_ascii_case(word) {
            return kind;
        }
    }
    QueryKind::Other
}

/// Whether a statement asks for the transaction to be rolled back.
pub(crate) fn rolls_back(sql: &str) -> bool {
    let first = words(sql).next().unwrap_or_default();
    ["ROLLBACK", "ABORT"]
        .iter()
        .any(|w| first.eq_ignore_ascii_case(w))
}

/// Whether a statement that opens a block wants it to be read only.
pub(crate) fn opens_read_only(sql: &str) -> bool {
    let is_only = |word: &str| word.eq_ignore_ascii_case("ONLY");
    words(sql).any(is_only)
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
            ("BEGIN", SessionEffect::Opens),
            ("  begin isolation level serializable", SessionEffect::Opens),
            (
                "-- why\n/* a /* nested */ b */ Start Transaction",
                SessionEffect::Opens,
            ),
            ("commit;", SessionEffect::Ends),
            ("END", SessionEffect::Ends),
            ("rollback", SessionEffect::Ends),
            ("ABORT;", SessionEffect::Ends),
            ("PREPARE TRANSACTION 'x'", SessionEffect::Ends),
            ("ROLLBACK TO SAVEPOINT a", SessionEffect::Within),
            ("COMMIT AND CHAIN", SessionEffect::Within),
            ("PREPARE q AS SELECT 1", SessionEffect::None),
            ("SELECT 'BEGIN'", SessionEffect::None),
            ("SAVEPOINT a", SessionEffect::Within),
            ("COPY t FROM STDIN", SessionEffect::Copies),
            ("/* never closed BEGIN", SessionEffect::None),
            ("", SessionEffect::None),
        ] {
            assert_eq!(session_effect(sql), what, "{sql}");
        }
    }
}
