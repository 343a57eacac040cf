//! `report.md`: the verdict for a pull request or a ticket.

use super::view::{self, Verdict};
use std::fmt::Write;

use crate::{Report, experiments::breaker_sweep::Findings};

use super::{
    batches,
    figures::{interval, observed, sample},
    headline::{again, environment, headline, run},
    measures,
    sweep::{ship, table as cells},
    table::{COLUMNS, lines},
};

/// `plots` holds name and title of each picture; they stand beside the file, in
/// `plots/`.
#[must_use]
pub fn markdown(report: &Report<'_>, plots: &[(&str, &str)]) -> String {
    let (record, verdict) = (&view::record(report), &view::verdict(report));
    let mut out = String::new();
    let headline = headline(record, verdict);
    let _ = writeln!(out, "# {}\n", escape(&headline.sentence));
    let _ = writeln!(
        out,
        "{}. {}.\n",
        escape(&run(record)),
        escape(&environment(record))
    );
    out.push_str("## Claims\n\n");
    out.push_str("| verdict | arm | claim | observed | 95 % interval | from | note |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for claim in &verdict.claims {
        let gate = if claim.gating { "" } else { " (does not gate)" };
        let _ = writeln!(
            out,
            "| **{}** | {} | {}{gate} | {} | {} | {} | {} |",
            claim.verdict.name(),
            escape(&claim.arm),
            escape(&claim.says),
            escape(&observed(claim)),
            escape(&interval(claim).unwrap_or_default()),
            sample(claim),
            escape(claim.reason.as_deref().unwrap_or_default()),
        );
    }
    match (&verdict.sweep, &verdict.batches) {
        (Some(findings), _) => swept(&mut out, verdict, findings),
        (None, Some(findings)) => batches::markdown::swept(&mut out, findings),
        (None, None) => faults(&mut out, verdict),
    }
    for (name, title) in plots {
        let title = escape(title);
        let _ = writeln!(out, "\n### {title}\n\n![{title}](plots/{name}.png)");
    }
    out.push_str("\n## How it was measured\n\n");
    for measure in measures::of(record) {
        let _ = writeln!(out, "- **{}**: {}", measure.name, measure.means);
    }
    out.push_str("\n## Again\n\n```\n");
    let _ = writeln!(out, "{}\n```", again(record, None));
    out
}

fn faults(out: &mut String, verdict: &Verdict) {
    out.push_str("\n## Faults\n\n| fault | arm |");
    for column in &COLUMNS {
        let _ = write!(out, " {} |", column.name);
    }
    out.push_str("\n| --- | --- |");
    out.push_str(&" ---: |".repeat(COLUMNS.len()));
    out.push('\n');
    for line in lines(verdict) {
        let _ = write!(out, "| {} | {} |", escape(&line.fault), escape(&line.arm));
        for cell in &line.cells {
            let _ = write!(out, " {} |", escape(cell));
        }
        out.push('\n');
    }
    out.push_str("\n`>`: not back when the load ended, so longer than this.\n");
    for skipped in &verdict.skipped {
        let _ = writeln!(
            out,
            "\nSkipped: {}. {}",
            escape(&skipped.fault),
            escape(&skipped.reason)
        );
    }
}

fn swept(out: &mut String, verdict: &Verdict, findings: &Findings) {
    let _ = writeln!(out, "\n## What to ship ({})\n", ship::scale(findings));
    match &findings.recommended {
        Some(recommended) => {
            let (reason, confirmed) = (escape(&recommended.reason), ship::confirmed(verdict));
            let _ = writeln!(out, "{reason}; {}.\n", escape(&confirmed));
            let _ = writeln!(out, "```toml\n{}```", recommended.toml);
        }
        None => out.push_str("Nothing: no cell had outages, and false alarms without an open.\n"),
    }
    let _ = writeln!(out, "\n## Cells ({})\n", ship::scale(findings));
    out.push_str("| cell |");
    for column in &cells::COLUMNS {
        let _ = write!(out, " {} |", column.name);
    }
    out.push_str("\n| --- |");
    out.push_str(&" ---: |".repeat(cells::COLUMNS.len()));
    out.push('\n');
    for line in cells::lines(findings) {
        let bold = if line.shipped { "**" } else { "" };
        let _ = write!(out, "| {bold}{}{bold} |", escape(&line.cell.arm));
        for cell in &line.cells {
            let _ = write!(out, " {} |", escape(cell));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "\n{}", escape(&ship::scale_in_full(findings)));
    for skipped in &verdict.skipped {
        let (fault, reason) = (escape(&skipped.fault), escape(&skipped.reason));
        let _ = writeln!(out, "\nSkipped: {fault}. {reason}");
    }
}

/// Keeps a text within its cell, and as text.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '\\' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}
