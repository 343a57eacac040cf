//! What was typed, as the record keeps it, and in the order that is read.

use std::ffi::OsString;

use clap::{ArgMatches, Command, parser::ValueSource};

use crate::{redact::redacted, stage::RESOLVED};

/// Flags that say where results go, not what is done.
const ABOUT_OUTPUT: [&str; 4] = ["out", "format", "quiet", "verbose"];
/// May hold a password, so that only its place is recorded.
const SECRET: &str = "database_url";

/// The arguments of a command as its user would type them to get the same run: what was
/// typed, without where results went and without secrets. `command` is the definition of
/// what `matches` is of.
#[must_use]
pub fn recorded(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut arguments = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let typed = matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine);
        let Some(long) = arg.get_long().filter(|_| typed) else {
            continue;
        };
        if ABOUT_OUTPUT.contains(&id) || RESOLVED.contains(&id) {
            continue;
        }
        let flag = format!("--{long}");
        if id == SECRET {
            arguments.extend([flag, "URL".to_owned()]);
        } else if arg.get_action().takes_values() {
            for value in matches.get_raw(id).into_iter().flatten() {
                let value = value.to_string_lossy().into_owned();
                // A command may hold a password as well.
                let safe = redacted(&value, [value.clone()]);
                arguments.extend([flag.clone(), safe]);
            }
        } else {
            arguments.push(flag);
        }
    }
    arguments
}

/// The same of the innermost command: in `gate --baseline FILE steady --quick`, of `steady`.
#[must_use]
pub fn recorded_innermost(command: &Command, matches: &ArgMatches) -> Vec<String> {
    match matches.subcommand() {
        Some((name, of)) => match command.find_subcommand(name) {
            Some(inner) => recorded_innermost(inner, of),
            None => Vec::new(),
        },
        None => recorded(command, matches),
    }
}

/// Moves flags that stand before the command behind it, where they are read:
/// `scenarios --seed 7 reap` is `scenarios reap --seed 7`.
///
/// Which of them take a value is looked up among the flags of all commands.
#[must_use]
pub fn command_first(command: &Command, typed: Vec<OsString>) -> Vec<OsString> {
    let takes_value = |word: &str| {
        let subcommands = command.get_subcommands();
        let mut flags = subcommands.flat_map(Command::get_arguments);
        flags.any(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            let called = long.as_deref() == Some(word) || short.as_deref() == Some(word);
            called && arg.get_action().takes_values()
        })
    };
    let mut at = 1;
    while let Some(word) = typed.get(at).map(|word| word.to_string_lossy()) {
        if !word.starts_with('-') {
            break;
        }
        at += if takes_value(&word) { 2 } else { 1 };
    }
    if at <= 1 || at >= typed.len() {
        return typed;
    }
    let mut moved = typed;
    moved[1..=at].rotate_right(1);
    moved
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn moved(typed: &[&str]) -> Vec<String> {
        let typed = typed.iter().map(OsString::from).collect();
        let moved = command_first(&Cli::command(), typed);
        let text = moved.into_iter().map(|word| word.into_string());
        text.map(|word| word.expect("UTF-8")).collect()
    }

    #[test]
    fn flags_before_the_command_are_read_as_if_they_stood_behind_it() {
        for (typed, expected) in [
            (
                &["s", "--seed", "7", "failure-sim"][..],
                &["s", "failure-sim", "--seed", "7"][..],
            ),
            (
                &["s", "-q", "--seed=7", "reap"],
                &["s", "reap", "-q", "--seed=7"],
            ),
            (
                &["s", "--out", "reap", "list"],
                &["s", "list", "--out", "reap"],
            ),
            (&["s", "list", "--quick"], &["s", "list", "--quick"]),
            (&["s", "--help"], &["s", "--help"]),
            (&["s", "--seed"], &["s", "--seed"]),
            (&["s"], &["s"]),
        ] {
            assert_eq!(moved(typed), expected, "{typed:?}");
        }
    }

    fn recorded_of(typed: &[&str]) -> Vec<String> {
        let command = Cli::command();
        let matches = command.clone().try_get_matches_from(typed).expect("parsed");
        let (name, of) = matches.subcommand().expect("a command");
        let command = command.find_subcommand(name).expect("known");
        recorded(command, of)
    }

    #[test]
    fn what_was_typed_is_recorded_but_for_secrets_and_places() {
        let url = "postgresql://u:hunter2@127.0.0.1/d";
        let typed = [
            "s",
            "failure-sim",
            "--quick",
            "--rate=80",
            "--fault",
            "crash",
            "--fault",
            "pause,length_ms=5..9",
            "--config",
            "my pool.toml",
            "--out",
            "/tmp/x",
            "-q",
            "--database-url",
            url,
            "--env",
            "external",
        ];
        let expected = [
            "--config",
            "my pool.toml",
            "--fault",
            "crash",
            "--fault",
            "pause,length_ms=5..9",
            "--rate",
            "80",
            "--quick",
            "--database-url",
            "URL",
        ];
        let mut found = recorded_of(&typed);
        assert!(found.iter().all(|word| !word.contains("hunter2")));
        let mut expected = expected.map(str::to_owned).to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert!(recorded_of(&["s", "batch-sweep", "--seed", "9"]).is_empty());
        let files = recorded_of(&["s", "batch-sweep", "-f", "a.sql", "-fb.sql"]);
        assert_eq!(files, ["--file", "a.sql", "--file", "b.sql"]);
    }
}
