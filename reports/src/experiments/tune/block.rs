//! The file of configuration, with what speaks for each line of it.

use super::{Choice, Data, Missing};
use crate::run::Run;

/// The name of the file.
pub(super) const FILE: &str = "pool.toml";
/// Columns of a comment: a terminal shows it indented.
const WIDTH: usize = 92;

/// The text of the file.
pub(super) fn toml(
    run: &Run,
    data: &Data,
    choices: &[Choice],
    missing: &[Missing],
    by_class: &[String],
) -> String {
    let server = &run.environment;
    let head = format!(
        "measured within {} s on PostgreSQL {} ({}, {} CPUs), seed {}, {}",
        data.budget_us / 1_000_000,
        server.server_version,
        server.kind,
        server.cpus,
        run.seed,
        run.started_utc
    );
    let mut text = comment("", &head);
    for choice in choices {
        text.push('\n');
        text += &comment("evidence: ", &choice.evidence);
        text += &comment("if it is wrong: ", &choice.if_wrong);
        if let Some(close) = choice.too_close() {
            text += &comment("close: ", &close);
        }
        text += &format!("{} = {}\n", choice.key, choice.value);
        if choice.key.starts_with("circuit_breaker_recovery") && data.breaker.scale > 1 {
            let scale = data.breaker.scale;
            text += &comment(
                "",
                &format!("(measured with all recovery timeouts divided by {scale})"),
            );
        }
    }
    if !missing.is_empty() || !by_class.is_empty() {
        text.push('\n');
    }
    for missing in missing {
        text += &comment(
            "not found: ",
            &format!("{}: {}", missing.key, missing.reason),
        );
    }
    for line in by_class {
        let inside = if line.starts_with(' ') { "    " } else { "" };
        text += &comment(inside, line.trim_start());
    }
    text
}

/// As comments, wrapped. No text of the user's ends a comment.
fn comment(prefix: &str, text: &str) -> String {
    let mut out = String::new();
    let mut line = format!("# {prefix}");
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += &line;
            out.push('\n');
            "#   ".clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line += word;
        empty = false;
    }
    out + line.trim_end() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_stays_in_comments_of_a_terminal_s_width() {
        let long = comment("evidence: ", &"word ".repeat(60));
        assert!(long.lines().count() > 2);
        for line in long.lines() {
            assert!(line.starts_with('#') && line.len() <= WIDTH, "{line}");
        }
        assert_eq!(
            comment("", "a\nmax_connections = 1\u{b}b"),
            "# a max_connections = 1 b\n"
        );
    }
}
