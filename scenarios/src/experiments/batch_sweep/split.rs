//! Cuts SQL into its statements. Pure.
//!
//! It knows where a `;`, a `$1` or a word is text and not SQL: in strings, quoted names,
//! dollar quotes and comments. What a statement means is the server's business.

/// A statement, and what can be seen of it without a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its text, as it was written, without the `;`.
    pub(super) text: String,
    /// Its words outside of strings, quoted names and comments, in capitals.
    pub(super) words: Vec<String>,
    /// Its first parameter (`$1`), if it has one.
    pub(super) parameter: Option<String>,
}

/// The statements of a text, in order. Empty ones are left out.
pub(super) fn statements(sql: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut current = Statement {
        text: String::new(),
        words: Vec::new(),
        parameter: None,
    };
    let mut rest = sql;
    while !rest.is_empty() {
        let (token, len) = token(rest);
        let (text, after) = rest.split_at(len);
        rest = after;
        match token {
            Token::End => {
                found.push(std::mem::replace(
                    &mut current,
                    Statement {
                        text: String::new(),
                        words: Vec::new(),
                        parameter: None,
                    },
                ));
                continue;
            }
            Token::Word => current.words.push(text.to_uppercase()),
            Token::Parameter => {
                current.parameter.get_or_insert_with(|| text.to_owned());
            }
            Token::Comment if current.text.is_empty() => continue,
            Token::Comment | Token::Other => {}
        }
        if !(current.text.is_empty() && text.trim().is_empty()) {
            current.text.push_str(text);
        }
    }
    found.push(current);
    for statement in &mut found {
        statement.text.truncate(statement.text.trim_end().len());
    }
    found.retain(|statement| !statement.text.is_empty());
    found
}

#[derive(Debug, Clone, Copy)]
enum Token {
    End,
    Word,
    Parameter,
    Comment,
    Other,
}

/// What a text begins with, and how many bytes of it that is: at least one character.
fn token(sql: &str) -> (Token, usize) {
    let first = sql.chars().next().unwrap_or(' ');
    let length = |inside: fn(char) -> bool| sql.find(|c| !inside(c)).unwrap_or(sql.len());
    let until = |from: usize, end: &str| {
        let found = sql.get(from..).and_then(|rest| rest.find(end));
        found.map_or(sql.len(), |at| from + at + end.len())
    };
    match first {
        ';' => (Token::End, 1),
        '-' if sql.starts_with("--") => (Token::Comment, until(2, "\n")),
        '/' if sql.starts_with("/*") => (Token::Comment, comment(sql)),
        '\'' => (Token::Other, quoted(sql, '\'', false)),
        '"' => (Token::Other, quoted(sql, '"', false)),
        'e' | 'E' if sql[1..].starts_with('\'') => {
            (Token::Other, 1 + quoted(&sql[1..], '\'', true))
        }
        '$' => {
            let digits = sql[1..].find(|c: char| !c.is_ascii_digit());
            let digits = digits.unwrap_or(sql.len() - 1);
            if digits > 0 {
                return (Token::Parameter, 1 + digits);
            }
            match tag(sql) {
                Some(tag) => (Token::Other, until(tag.len(), tag)),
                None => (Token::Other, 1),
            }
        }
        c if is_of_word(c) => (Token::Word, length(|c| is_of_word(c) || c == '$')),
        c => (Token::Other, c.len_utf8()),
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `$tag$` at the start of a text.
fn tag(sql: &str) -> Option<&str> {
    let end = sql.get(1..)?.find('$')? + 1;
    sql[1..end].chars().all(is_of_word).then(|| &sql[..=end])
}

/// The length of a quoted text. A doubled quote does not end it; after a `\` nothing
/// does, if `escapes`. One without an end goes to the end.
fn quoted(sql: &str, quote: char, escapes: bool) -> usize {
    let mut chars = sql.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    sql.len()
}

/// The length of a comment, with those inside of it.
fn comment(sql: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    sql.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        statements(sql).into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn statements_end_at_semicolons_that_are_no_text() {
        for (sql, expected) in [
            ("SELECT 1", vec!["SELECT 1"]),
            (" SELECT 1 ;\n SELECT 2;; ", vec!["SELECT 1", "SELECT 2"]),
            (
                "SELECT ';' ; SELECT 'it''s;'",
                vec!["SELECT ';'", "SELECT 'it''s;'"],
            ),
            (
                r"SELECT E'\';' ; SELECT 2",
                vec![r"SELECT E'\';'", "SELECT 2"],
            ),
            (r"SELECT '\'; SELECT 2", vec![r"SELECT '\'", "SELECT 2"]),
            (
                r#"SELECT "a;b""c;"; VALUES (1)"#,
                vec![r#"SELECT "a;b""c;""#, "VALUES (1)"],
            ),
            (
                "SELECT $$;$$; SELECT $a$;$$;$a$",
                vec!["SELECT $$;$$", "SELECT $a$;$$;$a$"],
            ),
            ("-- one; two\nSELECT 1 -- ;\n", vec!["SELECT 1 -- ;"]),
            (
                "/* ; /* ; */ ; */ SELECT /* ; */ 1",
                vec!["SELECT /* ; */ 1"],
            ),
            ("SELECT 'no end; ", vec!["SELECT 'no end;"]),
            (" ; -- nothing\n /* at all */ ;", vec![]),
            (
                "SELECT 'ä;€' ; SELECT 'ö'",
                vec!["SELECT 'ä;€'", "SELECT 'ö'"],
            ),
        ] {
            assert_eq!(texts(sql), expected, "{sql}");
        }
    }

    #[test]
    fn parameters_are_seen_where_they_are_some() {
        for (sql, expected) in [
            ("SELECT $1", Some("$1")),
            ("SELECT a=$12", Some("$12")),
            ("SELECT '$1', $$ $1 $$, \"$1\" -- $1", None),
            ("SELECT a$1 FROM t", None),
        ] {
            assert_eq!(statements(sql)[0].parameter.as_deref(), expected, "{sql}");
        }
    }

    #[test]
    fn words_are_those_outside_of_text() {
        let found =
            statements("with x as (Insert into t values ('delete')) select * from \"update\"");
        let words: Vec<_> = found[0].words.iter().map(String::as_str).collect();
        let expected = [
            "WITH", "X", "AS", "INSERT", "INTO", "T", "VALUES", "SELECT", "FROM",
        ];
        assert_eq!(words, expected);
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(sql in "[a-zé$'\";*/ \\\\0-9-]{0,40}") {
            let found = statements(&sql);
            prop_assert!(found.iter().map(|s| s.text.len()).sum::<usize>() <= sql.len());
        }
    }
}
