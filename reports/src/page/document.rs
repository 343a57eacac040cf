//! A page with all that stands around it.
//!
//! A page of one run and a page of several are given their form by the same code: neither
//! form knows where the verdict came from.

use std::borrow::Cow;

use crate::claim::{Claim, Decision};

use super::{Block, Page};

/// A page with all that stands around it, ready for any form.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// What it is called where several are open at once: a run, by its command.
    pub name: String,
    /// What it says.
    pub page: Cow<'a, Page>,
    /// The verdict.
    pub headline: Headline,
    /// What was run, where, and what else identifies it.
    pub facts: Vec<Fact>,
    /// What is claimed, and whether it is so.
    pub claims: Cow<'a, [Claim]>,
    /// What was left out, and why, each as a clause.
    pub skipped: Vec<String>,
    /// How to do it again.
    pub again: Vec<Again>,
    /// What is shown, near the end, to who asks for it.
    pub details: Vec<Block>,
    /// The files that are written beside the page.
    pub files: Vec<String>,
    /// What the command that wrote it ends with.
    pub exit_code: u8,
}

/// A verdict in a sentence, and in one word how well it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// How well.
    pub mood: Decision,
    /// The sentence, without its full stop.
    pub sentence: String,
}

/// Something that identifies a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is, in a word of at most eight letters: `run`, `on`.
    pub name: String,
    /// The rest, as a clause.
    pub says: String,
}

/// A command that does the same again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// What it is for, as a sentence that ends in a colon. Empty for the usual one.
    pub purpose: String,
    /// The command, for a POSIX shell.
    pub command: String,
    /// Whether the command is to be completed by the folder of the page.
    pub of_folder: bool,
}

impl Fact {
    /// Something that identifies a page.
    #[must_use]
    pub fn new(name: &str, says: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            says: says.into(),
        }
    }
}

impl Again {
    /// The whole command, where the page is in a folder.
    #[must_use]
    pub fn in_folder(&self, folder: &str) -> String {
        if self.of_folder {
            format!("{} {}", self.command, quoted(folder))
        } else {
            self.command.clone()
        }
    }
}

/// A word as a POSIX shell takes it for itself.
#[must_use]
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        // Within single quotes nothing is special but their end.
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gets_each_word_as_it_was_typed() {
        for word in [
            "--rate=40",
            "/tmp/a b.toml",
            "it's",
            "$HOME",
            "a;rm -rf *",
            "",
            "\"quoted\"",
            "back\\slash",
            "~/x",
            "new\nline",
            "größe",
        ] {
            let script = format!("printf %s {}", quoted(word));
            let shell = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&shell.stdout), word, "{script}");
        }
        assert_eq!(quoted("--seed"), "--seed");
        assert_eq!(quoted("query.sql@2"), "query.sql@2");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
