//! The summary on a terminal: about a hundred columns of ASCII, so that it
//! survives any log.

use super::view::{self, Verdict};
use std::{fmt::Write, path::Path};

use crate::{
    Report,
    claim::{Claim, Decision},
    experiments::breaker_sweep::Findings,
};

use super::{
    batches,
    figures::{interval, observed},
    headline::{again, environment, headline, run},
    sweep::{ship, table as cells},
    table::{COLUMNS, lines},
};

/// Claims first, then what each fault did. `dir` is where the report is;
/// `color` asks for ANSI colours.
#[must_use]
pub fn terminal(report: &Report<'_>, dir: &Path, color: bool) -> String {
    let (record, verdict) = (&view::record(report), &view::verdict(report));
    let ink = Ink { color };
    let mut out = String::new();
    claims(&mut out, verdict, ink);
    match (&verdict.sweep, &verdict.batches) {
        (Some(findings), _) => swept(&mut out, verdict, findings, ink),
        (None, Some(findings)) => batches::terminal::swept(&mut out, findings, ink),
        (None, None) => faults(&mut out, verdict, ink),
    }
    for skipped in &verdict.skipped {
        line(
            &mut out,
            &format!("skipped  {}: {}", skipped.fault, skipped.reason),
        );
    }
    let headline = headline(record, verdict);
    line(&mut out, "");
    line(
        &mut out,
        &format!(
            "verdict  {}",
            ink.decision(headline.mood, &headline.sentence)
        ),
    );
    line(&mut out, &format!("run      {}", run(record)));
    line(&mut out, &format!("on       {}", environment(record)));
    let report = dir.join("report.html");
    line(&mut out, &format!("report   {}", report.display()));
    line(&mut out, &format!("again    {}", again(record, Some(dir))));
    out
}

fn claims(out: &mut String, verdict: &Verdict, ink: Ink) {
    line(out, &ink.bold("CLAIMS"));
    for of_arm in verdict.claims.chunk_by(|a, b| a.arm == b.arm) {
        let gates = of_arm.iter().any(|claim| claim.gating);
        let note = if gates { "" } else { " (for comparison)" };
        line(out, &format!("  {}{note}", of_arm[0].arm));
        for claim in of_arm {
            self::claim(out, claim, ink);
        }
    }
}

fn claim(out: &mut String, claim: &Claim, ink: Ink) {
    let verdict = ink.decision(claim.verdict, &format!("{:<12}", claim.verdict.name()));
    let interval = interval(claim).map_or_else(String::new, |i| format!(" {i}"));
    let censored = match claim.censored {
        0 => String::new(),
        n => format!(", {n} censored"),
    };
    let numbers = format!("{}{interval}  n={}{censored}", observed(claim), claim.n);
    let says = &claim.says;
    if INDENT + says.len().max(41) + 1 + numbers.len() <= MOST {
        line(out, &format!("    {verdict}  {says:<41} {numbers}"));
    } else {
        line(out, &format!("    {verdict}  {says}"));
        line(out, &format!("{:INDENT$}{numbers}", ""));
    }
    if let Some(reason) = &claim.reason {
        let gate = if claim.gating { "" } else { "; does not gate" };
        for part in wrapped(&format!("{reason}{gate}"), WIDTH - INDENT) {
            line(out, &ink.dim(&format!("{:INDENT$}{part}", "")));
        }
    }
}

pub(super) const WIDTH: usize = 100;
/// A claim and its numbers may stand on one line up to here.
const MOST: usize = 108;
const INDENT: usize = 18;

pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines
            .last()
            .is_some_and(|l| l.len() + 1 + word.len() > width);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if !full => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn faults(out: &mut String, verdict: &Verdict, ink: Ink) {
    let lines = lines(verdict);
    if lines.is_empty() {
        line(out, &ink.bold("FAULTS"));
        line(out, "  none was injected");
        return;
    }
    let widths: Vec<usize> = COLUMNS
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let cells = lines.iter().map(|l| l.cells[i].len());
            cells.fold(column.name.len(), usize::max)
        })
        .collect();
    let arm = lines.iter().map(|l| l.arm.len()).fold(3, usize::max);
    let fault = lines.iter().map(|l| l.fault.len()).fold(9, usize::max) + 1;
    let mut head = format!("{:<1$}{2:<arm$}", "FAULTS", fault + 2, "arm");
    for (column, width) in COLUMNS.iter().zip(&widths) {
        let _ = write!(head, "  {:>width$}", column.name);
    }
    line(out, &ink.bold(&head));
    let mut last = "";
    for row in &lines {
        let name = if row.fault == last { "" } else { &*row.fault };
        let mut text = format!("  {name:<fault$}{:<arm$}", row.arm);
        for (cell, width) in row.cells.iter().zip(&widths) {
            let _ = write!(text, "  {cell:>width$}");
        }
        line(out, &text);
        last = &row.fault;
    }
    if lines
        .iter()
        .any(|l| l.cells.iter().any(|c| c.starts_with('>')))
    {
        let text = "  > not back when the load ended, so longer than this";
        line(out, &ink.dim(text));
    }
}

/// The grid, and what to ship.
fn swept(out: &mut String, verdict: &Verdict, findings: &Findings, ink: Ink) {
    let lines = cells::lines(findings);
    let widths: Vec<usize> = (0..cells::COLUMNS.len())
        .map(|i| {
            let all = lines.iter().map(|line| line.cells[i].len());
            all.fold(cells::COLUMNS[i].name.len(), usize::max)
        })
        .collect();
    let name = lines.iter().map(|l| l.cell.arm.len()).fold(4, usize::max);
    let mut head = format!("{:<1$}", "CELLS", name + 4);
    for (column, width) in cells::COLUMNS.iter().zip(&widths) {
        let _ = write!(head, "  {:>width$}", column.name);
    }
    line(out, &ink.bold(&head));
    for row in &lines {
        let mut text = format!(
            "  {} {:<name$}",
            if row.shipped { ">" } else { " " },
            row.cell.arm
        );
        for (cell, width) in row.cells.iter().zip(&widths) {
            let _ = write!(text, "  {cell:>width$}");
        }
        line(out, &text);
    }
    for part in wrapped(&ship::scale_in_full(findings), WIDTH - 2) {
        line(out, &ink.dim(&format!("  {part}")));
    }
    line(out, "");
    let Some(recommended) = &findings.recommended else {
        line(
            out,
            "ship     nothing: no cell had outages, and false alarms without an open",
        );
        return;
    };
    line(out, &format!("ship     {}", ink.bold(&recommended.arm)));
    for text in [&recommended.reason, &ship::confirmed(verdict)] {
        for part in wrapped(text, WIDTH - 9) {
            line(out, &ink.dim(&format!("         {part}")));
        }
    }
    for setting in recommended.toml.lines() {
        line(out, &format!("         {setting}"));
    }
}

pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// ANSI colours, or none.
#[derive(Clone, Copy)]
pub(super) struct Ink {
    color: bool,
}

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn decision(self, decision: Decision, text: &str) -> String {
        let code = match decision {
            Decision::Holds => "32",
            Decision::Refuted => "31",
            Decision::Inconclusive => "33",
        };
        self.paint(code, text)
    }
}
