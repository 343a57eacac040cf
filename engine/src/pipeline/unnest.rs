//! Rewrites inserts of one row as an insert of many. Pure.
//!
//! `INSERT INTO t (a, b) VALUES ($1, $2)`, a hundred times, becomes `INSERT INTO t
//! (a, b) SELECT * FROM unnest($1::x[], $2::y[])` once, with the parameters as they
//! were encoded, in arrays.
//!
//! Only what is exactly of that form is rewritten: a list of all parameters in their
//! order, and nothing behind it. With `ON CONFLICT` or `RETURNING` the server would not
//! say what became of each row.

use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{Kind, Type};

use super::batch::{Chunk, Param};

/// Rewrites the insert of a row as one of many rows, whose parameters are arrays; `None` if
/// that cannot be done.
pub(super) fn rewrite(sql: &str, params: &[Type]) -> Option<String> {
    let head = head(sql, params.len())?;
    let mut rewritten = format!("{head} SELECT * FROM unnest(");
    for (i, ty) in params.iter().enumerate() {
        // An array of arrays would come out flat, one of composites in columns.
        if !matches!(ty.kind(), Kind::Simple | Kind::Enum(_)) {
            return None;
        }
        let comma = if i > 0 { ", " } else { "" };
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let (schema, name) = (quoted(ty.schema()), quoted(ty.name()));
        write!(rewritten, "{comma}${}::{schema}.{name}[]", i + 1).ok()?;
    }
    rewritten.push(')');
    Some(rewritten)
}

/// Returns what stands before `VALUES ($1, ..., $n)`, if nothing stands behind.
fn head(sql: &str, params: usize) -> Option<&str> {
    let begins = |text: &str, word: &str| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let sql = sql.trim();
    let after = sql.get(6..)?.trim_start();
    if params == 0 || !begins(sql, "INSERT") || !begins(after, "INTO") {
        return None;
    }
    let list = sql.rfind('(')?;
    let before = sql[..list].trim_end();
    let head = &before[..before.len().checked_sub("VALUES".len())?];
    if !begins(before.get(head.len()..)?, "VALUES") || !head.ends_with([' ', ')', '\n', '\t']) {
        return None;
    }
    // A query in front of it would be run once, not for each row.
    let set = ["SELECT", "UNION", "EXCEPT", "INTERSECT", "TABLE"];
    let mut words = head.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words.any(|word| set.iter().any(|set| word.eq_ignore_ascii_case(set))) {
        return None;
    }
    let list = sql[list + 1..].trim_end_matches([';', ' ', '\n']);
    let mut given = list.strip_suffix(')')?.split(',');
    let in_order = (1..=params).all(|i| given.next().is_some_and(|p| p.trim() == format!("${i}")));
    (in_order && given.next().is_none()).then(|| head.trim_end())
}

/// Makes the arrays for the queries of a run, which all have this many parameters: in the
/// binary format of the protocol, one dimension from 1 on (`array_recv`).
pub(super) fn arrays(chunk: &Chunk, run: std::ops::Range<usize>, types: &[Type]) -> Vec<BytesMut> {
    let rows = i32::try_from(run.len()).unwrap_or(i32::MAX);
    let mut arrays: Vec<BytesMut> = types
        .iter()
        .map(|ty| {
            let mut array = BytesMut::with_capacity(20 + 16 * run.len());
            array.put_i32(1);
            // Whether there are NULLs: only a hint, and checked by the server.
            array.put_i32(1);
            array.put_u32(ty.oid());
            array.put_i32(rows);
            array.put_i32(1);
            array
        })
        .collect();
    for i in run {
        for (array, Param(value)) in arrays.iter_mut().zip(chunk.params(i)) {
            match value {
                Some(bytes) => {
                    // It was one before it was encoded.
                    array.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
                    array.put_slice(bytes);
                }
                None => array.put_i32(-1),
            }
        }
    }
    arrays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_inserts_are_rewritten() {
        let two = [Type::INT8, Type::TEXT];
        let unnest =
            "SELECT * FROM unnest($1::\"pg_catalog\".\"int8\"[], $2::\"pg_catalog\".\"text\"[])";
        for (sql, head) in [
            (
                "INSERT INTO t (a, b) VALUES ($1, $2)",
                "INSERT INTO t (a, b)",
            ),
            ("insert  into t values($1,$2);", "insert  into t"),
            (
                "\n INSERT INTO s.\"T\"(a,b)values( $1 , $2 ) ; ",
                "INSERT INTO s.\"T\"(a,b)",
            ),
            (
                "INSERT INTO t (values, b) VALUES ($1, $2)",
                "INSERT INTO t (values, b)",
            ),
        ] {
            assert_eq!(
                rewrite(sql, &two),
                Some(format!("{head} {unnest}")),
                "{sql}"
            );
        }
    }

    #[test]
    fn anything_else_is_not() {
        let two = [Type::INT8, Type::TEXT];
        for sql in [
            "INSERT INTO t (a, b) VALUES ($2, $1)",
            "INSERT INTO t (a, b) VALUES ($1, $2), ($1, $2)",
            "INSERT INTO t (a, b) VALUES ($1, lower($2))",
            "INSERT INTO t (a, b) VALUES ($1, $2) RETURNING a",
            "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            "INSERT INTO t (a, b) VALUES ($1, $2, $3)",
            "INSERT INTO t (a, b) VALUES ($1::int, $2)",
            "INSERT INTO t (a, b) SELECT ($1, $2)",
            "INSERT INTO t SELECT * FROM myvalues($1, $2)",
            "INSERT INTO t (a, b) SELECT a, b FROM s EXCEPT VALUES ($1, $2)",
            "INSERT INTO t TABLE s UNION ALL VALUES ($1, $2)",
            "WITH x AS (SELECT 1) INSERT INTO t VALUES ($1, $2)",
            "UPDATE t SET a = $1 WHERE b IN ($1, $2)",
            "SELECT 1",
            "",
        ] {
            assert_eq!(rewrite(sql, &two), None, "{sql}");
        }
        assert_eq!(rewrite("INSERT INTO t VALUES ()", &[]), None);
        assert_eq!(
            rewrite("INSERT INTO t VALUES ($1)", &[Type::INT4_ARRAY]),
            None
        );
    }
}
