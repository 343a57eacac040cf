//! The command that does the same run again, to be pasted into a shell.

use std::borrow::Cow;

use crate::Report;

/// The same command, with its arguments.
pub(super) fn command(report: &Report<'_>) -> String {
    let run = &report.record.run;
    let typed = [&run.command].into_iter().chain(&run.arguments);
    let words: Vec<Cow<'_, str>> = typed.map(|word| quoted(word)).collect();
    format!("cargo run -p scenarios -- {}", words.join(" "))
}

/// Flags that say what fills a database. What that is does not stand in the record.
const FILLS: [&str; 2] = ["--schema", "--setup"];

/// The same run without the files that were read: their text is in the record, but for what
/// fills a database. `None` if none was. `folder` is where the record is.
pub(super) fn replay(report: &Report<'_>, folder: &str) -> Option<String> {
    let run = &report.record.run;
    let configured = run.arguments.iter().any(|argument| {
        let name = argument.split('=').next();
        name == Some("--config")
    });
    let read = run.plan.is_some() || report.page.read_files || configured;
    read.then(|| {
        let mut command = format!("cargo run -p scenarios -- replay {}", quoted(folder));
        let pairs = run.arguments.iter().zip(run.arguments.iter().skip(1));
        for (flag, value) in pairs.filter(|(flag, _)| FILLS.contains(&flag.as_str())) {
            command += &format!(" {flag} {}", quoted(value));
        }
        command
    })
}

/// A word as a POSIX shell takes it for itself.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
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
