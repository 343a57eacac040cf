//! Cuts a dump into statements and the rows of their COPYs. Pure.
//!
//! It reads as psql does: where a `;` is text and not the end of a statement (in strings,
//! quoted names, dollar quotes, comments, parentheses and the bodies of SQL functions), and
//! what begins with a backslash.

use crate::script::sql::{Token, token};

/// A part of a dump that is sent as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The line of the file that it begins on, from 1.
    pub(super) line: usize,
    /// The statement, without its `;`.
    pub(super) sql: &'a str,
    /// The rows behind a `COPY ... FROM stdin`.
    pub(super) rows: Option<Rows<'a>>,
}

/// What follows a COPY, up to its `\.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows<'a> {
    pub(super) line: usize,
    pub(super) text: &'a str,
}

/// What cannot be read, and on which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// The pieces of a dump, in order.
#[derive(Debug, Clone)]
pub(super) struct Pieces<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(dump: &'a str) -> Self {
        // Some editors begin a file with a mark of its byte order.
        let rest = dump.strip_prefix('\u{feff}').unwrap_or(dump);
        Self { rest, line: 1 }
    }

    /// Goes on, and returns what was passed.
    fn pass(&mut self, len: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at(len);
        self.line += lines(passed);
        self.rest = rest;
        passed
    }

    fn rows(&mut self) -> Result<Rows<'a>, Malformed> {
        self.pass(self.rest.find('\n').map_or(self.rest.len(), |at| at + 1));
        let line = self.line;
        let (len, end) = end_of_rows(self.rest).ok_or_else(|| Malformed {
            line,
            reason: "the rows of this COPY have no end, which is a line of `\\.`".to_owned(),
        })?;
        let text = self.pass(len);
        self.pass(end);
        Ok(Rows { line, text })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.pass(blank(self.rest));
            let line = self.line;
            if self.rest.starts_with(';') {
                self.pass(1);
                continue;
            }
            if self.rest.starts_with('\\') {
                let len = self.rest.find('\n').unwrap_or(self.rest.len());
                let command = self.pass(len).split_whitespace().next().unwrap_or("\\");
                // pg_dump closes psql's own commands with these. They mean nothing else.
                if matches!(command, "\\restrict" | "\\unrestrict") {
                    continue;
                }
                self.rest = "";
                let reason =
                    format!("{command} is a command of psql, which a dump must not have here");
                return Some(Err(Malformed { line, reason }));
            }
            if self.rest.is_empty() {
                return None;
            }
            let len = end_of_statement(self.rest).unwrap_or(self.rest.len());
            let sql = self.pass(len);
            let sql = sql.strip_suffix(';').unwrap_or(sql).trim_end();
            let rows = if copies_from_stdin(sql) {
                match self.rows() {
                    Ok(rows) => Some(rows),
                    Err(malformed) => {
                        self.rest = "";
                        return Some(Err(malformed));
                    }
                }
            } else {
                None
            };
            return Some(Ok(Piece { line, sql, rows }));
        }
    }
}

/// How many lines end in a text.
pub(super) fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The tokens of a text, each with its place.
fn tokens(sql: &str) -> impl Iterator<Item = (Token, usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = sql.get(at..).filter(|rest| !rest.is_empty())?;
        let (token, len) = token(rest);
        let found = (token, at, &rest[..len]);
        at += len;
        Some(found)
    })
}

/// The words of a statement outside of strings, quoted names and comments, in capitals.
pub(super) fn words(sql: &str) -> Vec<String> {
    let words = tokens(sql).filter(|(token, ..)| *token == Token::Word);
    words.map(|(.., text)| text.to_uppercase()).collect()
}

fn copies_from_stdin(sql: &str) -> bool {
    // Most of a dump is no COPY, and is not to be looked through twice.
    let copies = sql.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("copy"));
    copies && {
        let words = words(sql);
        words[0] == "COPY" && words.windows(2).any(|pair| pair == ["FROM", "STDIN"])
    }
}

/// The length of the rows at the start of a text, and of the line that ends them.
fn end_of_rows(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = if from == 0 && text.starts_with("\\.") {
            0
        } else {
            from + text[from..].find("\n\\.")? + 1
        };
        let after = &text[at + 2..];
        let ends = ["\n", "\r\n"]
            .iter()
            .find(|end| after.starts_with(**end))
            .map(|end| end.len())
            .or(after.is_empty().then_some(0));
        if let Some(end) = ends {
            return Some((at, 2 + end));
        }
        from = at + 2;
    }
}

/// The length of the white space and the comments at the start of a text.
fn blank(sql: &str) -> usize {
    let is_blank = |token| {
        matches!(
            token,
            Token::Space | Token::LineComment | Token::BlockComment
        )
    };
    let first = tokens(sql).find(|(token, ..)| !is_blank(*token));
    first.map_or(sql.len(), |(_, at, _)| at)
}

/// Where the statement at the start of a text ends: behind its `;`. `None` if it has none.
fn end_of_statement(sql: &str) -> Option<usize> {
    let (mut parentheses, mut blocks) = (0, 0_u32);
    // The first words, which say whether it makes a function.
    let mut first: Vec<String> = Vec::new();
    for (token, at, text) in tokens(sql) {
        match token {
            Token::Opening => parentheses += 1,
            Token::Closing => parentheses = 0.max(parentheses - 1),
            Token::End if parentheses == 0 && blocks == 0 => return Some(at + text.len()),
            Token::Word => {
                if first.len() < 4 {
                    first.push(text.to_uppercase());
                }
                if parentheses == 0 && makes_function(&first) {
                    // `BEGIN ATOMIC ...; END`, as psql counts it.
                    let is = |other: &str| text.eq_ignore_ascii_case(other);
                    if is("begin") || (is("case") && blocks > 0) {
                        blocks += 1;
                    } else if is("end") {
                        blocks = blocks.saturating_sub(1);
                    }
                }
            }
            _ => {}
        }
    }
    None
}

fn makes_function(first: &[String]) -> bool {
    let words: Vec<&str> = first.iter().map(String::as_str).collect();
    let of = match words.as_slice() {
        ["CREATE", "OR", "REPLACE", of] => of,
        ["CREATE", of, ..] => of,
        _ => return false,
    };
    matches!(*of, "FUNCTION" | "PROCEDURE")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line and what stands there, and the same of the rows behind it.
    type Read<'a> = (usize, &'a str, Option<(usize, &'a str)>);

    fn read(dump: &str) -> Vec<Read<'_>> {
        let pieces = Pieces::of(dump).map(|piece| piece.expect("well-formed"));
        pieces
            .map(|p| (p.line, p.sql, p.rows.map(|rows| (rows.line, rows.text))))
            .collect()
    }

    #[test]
    fn a_semicolon_ends_a_statement_only_where_it_is_sql() {
        for statement in [
            "SELECT 1",
            "SELECT 'a;b', 'it''s;', \"odd;\"\"name;\"",
            r"SELECT E'a\';b', E'\\', 'a\'",
            r"SELECT type'a\'",
            "SELECT $$a;'b$$, $x$;$$;$y$;$x$",
            "SELECT $1, a$b$c",
            "SELECT 1 /* a; /* b; */ c; */ + 2 -- ;\n + 3",
            "CREATE RULE r AS ON DELETE TO t DO INSTEAD (SELECT 1; SELECT 2)",
            "CREATE OR REPLACE FUNCTION f(i int) RETURNS int LANGUAGE sql\n BEGIN ATOMIC\n \
             SELECT CASE WHEN i > 0 THEN 1 ELSE 2 END; SELECT 3;\nEND",
            "CREATE FUNCTION größe() RETURNS trigger AS $ö$ BEGIN; END; $ö$ LANGUAGE plpgsql",
            "COPY (SELECT 1) TO stdout",
            "COPY t FROM '/stdin'",
            "INSERT INTO t VALUES (E'tab\\t;\\n', '\\\\.')",
        ] {
            let dump = format!("{statement};\nSELECT 2;");
            let found = read(&dump);
            assert_eq!(found.len(), 2, "{statement}: {found:?}");
            assert_eq!(found[0].1, statement);
            assert_eq!(found[1].1, "SELECT 2", "{statement}");
        }
        assert_eq!(read("BEGIN; CASE; END").len(), 3, "of no function");
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let dump = "\u{feff}--\n-- a dump\n\n\\restrict x9\nSET a = 1;\nCREATE TABLE t\n(i int);\n\
                    COPY public.t (i) FROM stdin;\n1;\n\\\\.\n2\\n\n\\.\n\n\nCOPY t FROM STDIN WITH (FORMAT csv);\n\\.\n\
                    ;;\n\\unrestrict x9\nSELECT 1";
        assert_eq!(
            read(dump),
            [
                (5, "SET a = 1", None),
                (6, "CREATE TABLE t\n(i int)", None),
                (
                    8,
                    "COPY public.t (i) FROM stdin",
                    Some((9, "1;\n\\\\.\n2\\n\n"))
                ),
                (15, "COPY t FROM STDIN WITH (FORMAT csv)", Some((16, ""))),
                (19, "SELECT 1", None),
            ]
        );
    }

    #[test]
    fn rows_end_at_a_line_of_their_own() {
        for (rows, ends) in [
            ("\\.\nx", Some((0, 3))),
            ("\\.", Some((0, 2))),
            ("1\r\n\\.\r\nx", Some((3, 4))),
            ("\\.x\n1\n\\.\n", Some((6, 3))),
            ("1\n\\.x\n\\.", Some((6, 2))),
            ("1\n", None),
            ("", None),
        ] {
            assert_eq!(end_of_rows(rows), ends, "{rows:?}");
        }
    }

    #[test]
    fn what_only_psql_understands_is_named_with_its_line() {
        for (dump, line, part) in [
            ("SELECT 1;\n\n\\connect shop\nSELECT 2;", 3, "\\connect"),
            ("\\i other.sql", 1, "\\i"),
            ("SELECT 1;\nCOPY t FROM stdin;\n1\n2\n", 3, "have no end"),
        ] {
            let malformed = Pieces::of(dump).find_map(Result::err).expect(dump);
            assert_eq!(malformed.line, line, "{dump}");
            assert!(malformed.reason.contains(part), "{malformed:?}");
        }
    }

    #[test]
    fn anything_comes_to_an_end() {
        for dump in [
            "'",
            "\"",
            "$$",
            "$x$ $",
            "/*",
            "/*/",
            "--",
            "E'\\",
            "$",
            "\\",
            "(;",
            "ä",
            "COPY",
            "copy x from stdin",
            "BEGIN ATOMIC",
            "\u{feff}",
            ";",
            "e'",
        ] {
            let _read: Vec<_> = Pieces::of(dump).collect();
        }
        assert_eq!(read("-- nothing\n/* here */ ;"), []);
    }
}
