//! The lexer of SQL: it cuts a text into tokens.
//!
//! It follows the lexer of psql, which pgbench uses, with `standard_conforming_strings`
//! on. It knows where a `;`, a `$1`, a `:name` or a word is text and not SQL: in strings,
//! quoted names, dollar quotes and comments.

/// What a piece of SQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// `;`
    End,
    /// A keyword or a name without quotes.
    Word,
    /// A number, or what begins with a digit.
    Number,
    /// `$1`
    Parameter,
    /// `:name`
    Variable,
    /// From `--` to the end of the line, with its newline.
    LineComment,
    /// `/* .. */`
    BlockComment,
    /// A string, a quoted name, or text between dollar quotes.
    Quoted,
    /// Blanks and newlines.
    Space,
    /// `(`
    Opening,
    /// `)`
    Closing,
    /// `\;`, which separates statements that are sent as one.
    Separator,
    /// `\:`, which is a colon that begins no variable.
    Colon,
    /// A backslash, which begins a command in a script.
    Backslash,
    /// One or more characters that mean nothing here.
    Other,
}

/// What a text begins with, and how many bytes of it that is: at least one character.
pub(crate) fn token(sql: &str) -> (Token, usize) {
    let first = sql.chars().next().unwrap_or(' ');
    let length = |inside: fn(char) -> bool| sql.find(|c| !inside(c)).unwrap_or(sql.len());
    let after = |at: usize| sql.get(at..).unwrap_or("");
    let until = |from: usize, end: &str| {
        let found = after(from).find(end);
        found.map_or(sql.len(), |at| from + at + end.len())
    };
    match first {
        ';' => (Token::End, 1),
        '(' => (Token::Opening, 1),
        ')' => (Token::Closing, 1),
        '\\' if after(1).starts_with(';') => (Token::Separator, 2),
        '\\' if after(1).starts_with(':') => (Token::Colon, 2),
        '\\' => (Token::Backslash, 1),
        '-' if sql.starts_with("--") => (Token::LineComment, until(2, "\n")),
        '/' if sql.starts_with("/*") => (Token::BlockComment, comment(sql)),
        '\'' => (Token::Quoted, quoted(sql, '\'', false)),
        '"' => (Token::Quoted, quoted(sql, '"', false)),
        'e' | 'E' if after(1).starts_with('\'') => {
            (Token::Quoted, 1 + quoted(after(1), '\'', true))
        }
        'u' | 'U' if after(1).starts_with("&'") => {
            (Token::Quoted, 2 + quoted(after(2), '\'', false))
        }
        'u' | 'U' if after(1).starts_with("&\"") => {
            (Token::Quoted, 2 + quoted(after(2), '"', false))
        }
        '$' => dollar(sql),
        ':' => match after(1).chars().next() {
            Some(c) if is_of_word(c) && !c.is_ascii_digit() => {
                let name = after(1).find(|c| !is_of_word(c));
                (Token::Variable, name.map_or(sql.len(), |end| 1 + end))
            }
            _ => (Token::Other, length(|c| c == ':')),
        },
        c if c.is_ascii_whitespace() || c == '\u{b}' => (
            Token::Space,
            length(|c| c.is_ascii_whitespace() || c == '\u{b}'),
        ),
        c if c.is_ascii_digit() => (Token::Number, length(is_of_word)),
        c if is_of_word(c) => (Token::Word, length(|c| is_of_word(c) || c == '$')),
        c => (Token::Other, c.len_utf8()),
    }
}

/// What a text that begins with `$` begins with: a parameter, a dollar quote, or a sign.
fn dollar(sql: &str) -> (Token, usize) {
    let rest = sql.get(1..).unwrap_or("");
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let digits = digits.unwrap_or(rest.len());
    if digits > 0 {
        return (Token::Parameter, 1 + digits);
    }
    let Some(tag) = tag(sql) else {
        return (Token::Other, 1);
    };
    let body = sql.get(tag.len()..).unwrap_or("");
    let end = body.find(tag).map(|at| 2 * tag.len() + at);
    (Token::Quoted, end.unwrap_or(sql.len()))
}

/// Whether a character is one of a name: PostgreSQL takes each that is not ASCII for one.
pub(crate) fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
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

    /// A statement, and what can be seen of it without a server.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    struct Statement {
        /// Its text, as it was written, without the `;`.
        text: String,
        /// Its words outside of strings, quoted names and comments, in capitals.
        words: Vec<String>,
        /// Its first parameter (`$1`), if it has one.
        parameter: Option<String>,
    }

    /// The statements of a text, in order. Empty ones are left out.
    fn statements(sql: &str) -> Vec<Statement> {
        let mut found = Vec::new();
        let mut current = Statement::default();
        let mut rest = sql;
        while !rest.is_empty() {
            let (token, len) = token(rest);
            let (text, after) = rest.split_at(len);
            rest = after;
            match token {
                Token::End => {
                    found.push(std::mem::take(&mut current));
                    continue;
                }
                Token::Word => current.words.push(text.to_uppercase()),
                Token::Parameter => {
                    current.parameter.get_or_insert_with(|| text.to_owned());
                }
                Token::LineComment | Token::BlockComment if current.text.is_empty() => continue,
                _ => {}
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
    fn tokens_are_those_of_psql() {
        use Token::{Colon, Number, Other, Parameter, Quoted, Separator, Variable, Word};
        for (sql, expected) in [
            (r"E'\'' x", (Quoted, 5)),
            (r"e'\'' x", (Quoted, 5)),
            (r"U&'\' x", (Quoted, 5)),
            ("U&\"a;\" x", (Quoted, 6)),
            (r"nE'\' x", (Word, 2)),
            (r"1E'\' x", (Number, 2)),
            ("a$b$c;", (Word, 5)),
            ("$a$;$a$;", (Quoted, 7)),
            ("$1a", (Parameter, 2)),
            (":name::int", (Variable, 5)),
            (":größe,", (Variable, 8)),
            ("::int", (Other, 2)),
            (":= 1", (Other, 1)),
            (":1]", (Other, 1)),
            (r"\; x", (Separator, 2)),
            (r"\:x", (Colon, 2)),
            ("😀;", (Word, 4)),
        ] {
            assert_eq!(token(sql), expected, "{sql}");
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

        #[test]
        fn the_tokens_of_a_text_are_the_text(sql in "([a-zEU&é$'\";:*/() \\\\0-9-]|\\PC){0,60}") {
            let (mut rest, mut whole) = (sql.as_str(), String::new());
            while !rest.is_empty() {
                let (_, length) = token(rest);
                prop_assert!(length > 0);
                let (text, after) = rest.split_at(length);
                whole.push_str(text);
                rest = after;
            }
            prop_assert_eq!(whole, sql);
        }
    }
}
