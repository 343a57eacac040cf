//! What a build server shows beside its log: GitHub's step summary and annotations.

use std::{fs::OpenOptions, io::Write as _};

use reports::{Verdict, claim::Decision, page::Document, render};

use super::{print, say};

/// Set to `true` by GitHub Actions.
/// Source: docs.github.com, "Variables reference", default environment variables.
const ACTIONS: &str = "GITHUB_ACTIONS";
/// A file for Markdown that is shown with the step, at most 1 MiB of it.
/// Source: docs.github.com, "Workflow commands", adding a job summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";
/// Annotations of a kind that GitHub shows of one step.
/// Source: docs.github.com, "Workflow commands": ten warnings and ten errors.
const SHOWN: usize = 10;

/// Tells the build server, if there is one that listens.
pub(super) fn tell(verdict: &Verdict, document: &Document<'_>) {
    if std::env::var(ACTIONS).is_ok_and(|set| set == "true") {
        print(&annotations(verdict));
    }
    let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()) else {
        return;
    };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(render::summary(document).as_bytes()));
    if let Err(error) = written {
        say(&format!(
            "warning: {SUMMARY}: {}: {error}",
            path.to_string_lossy()
        ));
    }
}

/// An error for each refuted claim that gates, a warning for each that is not known.
fn annotations(verdict: &Verdict) -> String {
    let of = |decision, level: &str| {
        let claims = verdict
            .claims
            .iter()
            .filter(move |c| c.gating && c.is(decision));
        let lines = claims.take(SHOWN).map(|claim| {
            let title = property(&format!("{}: {} {}", verdict.command, claim.arm, claim.id));
            let reason = claim.reason.as_deref().unwrap_or("the data contradict it");
            let message = message(&format!("{}: {reason}", claim.says));
            format!("::{level} title={title}::{message}\n")
        });
        lines.collect::<String>()
    };
    of(Decision::Refuted, "error") + &of(Decision::Inconclusive, "warning")
}

/// Text behind the second `::`.
/// Source: actions/toolkit, `packages/core/src/command.ts`, `escapeData`.
fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A value between `=` and `::`.
/// Source: the same file, `escapeProperty`.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_or_begin_another_is_escaped() {
        assert_eq!(message("10 %\r\n::error::x"), "10 %25%0D%0A::error::x");
        assert_eq!(property("a: b, c"), "a%3A b%2C c");
    }
}
