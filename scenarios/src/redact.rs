//! What a user typed in the wrong place must not be repeated with its password.
//!
//! Errors name the value that was given. Where a URL belongs it is kept as a secret
//! from the start; but a flag may be misspelled or forgotten, and then the URL is just
//! some word of the command line.

/// `text` without those of `words`, the arguments of a command line, that may hold a
/// password.
pub fn redacted(text: &str, words: impl IntoIterator<Item = String>) -> String {
    let mut hidden: Vec<String> = words
        .into_iter()
        // Of `--flag=value` only the value is repeated.
        .flat_map(|word| {
            let value = word
                .split_once('=')
                .filter(|_| word.starts_with('-'))
                .map(|(_, value)| value.to_owned());
            [Some(word), value]
        })
        .flatten()
        .filter(|word| may_hold_password(word))
        .collect();
    // The longest first, since one may hold another.
    hidden.sort_by_key(|word| std::cmp::Reverse(word.len()));
    hidden.iter().fold(text.to_owned(), |text, word| {
        text.replace(word.as_str(), "(hidden)")
    })
}

/// A URL with somebody's name in it or of a database, or `key=value` pairs.
fn may_hold_password(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let url = lower.split_once("://");
    url.is_some_and(|(scheme, rest)| scheme.contains("postgres") || rest.contains('@'))
        || lower.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_may_hold_a_password_is_hidden_and_no_other() {
        for (word, hides) in [
            ("postgresql://u:hunter2@h/d", true),
            ("postgres://h/d?password=hunter2", true),
            ("POSTGRESQL://hunter2", true),
            ("http://u:hunter2@127.0.0.1:8474", true),
            ("host=h user=u password=hunter2 dbname=d", true),
            ("host=h Password='hunter2\n\u{e9}'", true),
            ("--database-ulr=postgresql://u:hunter2@h/d", true),
            ("http://127.0.0.1:8474", false),
            ("/etc/password.toml", false),
            ("failure-simm", false),
            ("--rate=hunter2", false),
        ] {
            let value = word.strip_prefix("--database-ulr=").unwrap_or(word);
            let text = format!("unexpected argument '{value}' found");
            let redacted = redacted(&text, [word.to_owned()]);
            let expected = if hides {
                "unexpected argument '(hidden)' found"
            } else {
                &text
            };
            assert_eq!(redacted, expected, "{word}");
        }
    }

    #[test]
    fn of_two_words_the_longer_is_hidden_first() {
        let words = ["a@://@", "xa@://@y"].map(str::to_owned);
        assert_eq!(redacted("a@://@ xa@://@y", words), "(hidden) (hidden)");
    }
}
