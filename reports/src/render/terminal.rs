//! The summary on a terminal: about a hundred columns of ASCII, so that it
//! survives any log.

use std::path::Path;

use crate::{
    claim::{Claim, Decision},
    page::{Block, Document, Page, Ship, quoted},
};

use super::{
    group::{Shown, says, shown, worst},
    quantity::{greatest, interval, observed},
};

mod table;

use table::table;

/// Claims first, then the numbers, then what to ship. `dir` is where the report is;
/// `color` asks for ANSI colours; `width` is how many columns there are, of which at least
/// [`LEAST`] are used.
#[must_use]
pub fn terminal(document: &Document<'_>, dir: &Path, color: bool, width: usize) -> String {
    let width = width.max(LEAST);
    let ink = Ink { color, width };
    let mut out = String::new();
    let verdict = ink.decision(document.headline.mood, &document.headline.sentence);
    if !document.page.finding.is_empty() {
        for part in wrapped(&document.page.finding, width) {
            line(&mut out, &ink.bold(&part));
        }
        line(&mut out, &verdict);
        line(&mut out, "");
    }
    claims(&mut out, &document.claims, ink);
    summary(&mut out, &document.page, ink);
    for shipped in &document.page.ship {
        line(&mut out, "");
        ship(&mut out, shipped, ink);
    }
    for file in &document.page.files {
        let path = dir.join(&file.name);
        line(&mut out, "");
        line(&mut out, &format!("file     {}", path.display()));
        if !file.tried_by.is_empty() {
            let path = quoted(&path.to_string_lossy()).into_owned();
            line(&mut out, &format!("try it   {} {path}", file.tried_by));
        }
    }
    for skipped in &document.skipped {
        line(&mut out, &format!("skipped  {skipped}"));
    }
    line(&mut out, "");
    line(&mut out, &format!("verdict  {verdict}"));
    for fact in &document.facts {
        for (i, part) in wrapped(&fact.says, ink.width - 9).iter().enumerate() {
            let name = if i == 0 { &*fact.name } else { "" };
            line(&mut out, &format!("{name:<9}{part}"));
        }
    }
    let page = dir.join("report.html");
    line(&mut out, &format!("report   {}", page.display()));
    for (i, again) in document.again.iter().enumerate() {
        let name = if i == 0 { "again" } else { "or" };
        let command = again.in_folder(&dir.to_string_lossy());
        line(&mut out, &format!("{name:<9}{command}"));
    }
    out
}

fn claims(out: &mut String, claims: &[Claim], ink: Ink) {
    if claims.is_empty() {
        return;
    }
    line(out, &ink.bold("CLAIMS"));
    for of_arm in claims.chunk_by(|a, b| a.arm == b.arm) {
        let gates = of_arm.iter().any(|claim| claim.gating);
        let note = if gates { "" } else { " (for comparison)" };
        line(out, &format!("  {}{note}", of_arm[0].arm));
        for of in shown(of_arm) {
            match of {
                Shown::One(one) => claim(out, one, &says(one), &numbers(one), ink),
                Shown::Kinds(all) => {
                    let worst = worst(all).unwrap_or(&all[0]);
                    let kind = worst.kind.as_deref().unwrap_or_default();
                    let numbers = format!("at worst {} ({kind})", greatest(worst));
                    let says = format!("{}, in each of {} cases", worst.says, all.len());
                    claim(out, worst, &says, &numbers, ink);
                }
            }
        }
    }
}

fn numbers(claim: &Claim) -> String {
    let interval = interval(claim).map_or_else(String::new, |i| format!(" {i}"));
    let censored = match claim.censored {
        0 => String::new(),
        n => format!(", {n} censored"),
    };
    format!("{}{interval}  n={}{censored}", observed(claim), claim.n)
}

fn claim(out: &mut String, claim: &Claim, says: &str, numbers: &str, ink: Ink) {
    let verdict = ink.decision(claim.verdict, &format!("{:<12}", claim.verdict.name()));
    if INDENT + says.len().max(41) + 1 + numbers.len() <= ink.width {
        line(out, &format!("    {verdict}  {says:<41} {numbers}"));
    } else {
        let mut parts = wrapped(says, ink.width - INDENT).into_iter();
        let first = parts.next().unwrap_or_default();
        line(out, &format!("    {verdict}  {first}"));
        for part in parts {
            line(out, &format!("{:INDENT$}{part}", ""));
        }
        line(out, &format!("{:INDENT$}{numbers}", ""));
    }
    if let Some(reason) = &claim.reason {
        let gate = if claim.gating { "" } else { "; does not gate" };
        for part in wrapped(&format!("{reason}{gate}"), ink.width - INDENT) {
            line(out, &ink.dim(&format!("{:INDENT$}{part}", "")));
        }
    }
}

/// How many columns there are where nobody says so.
pub const USUAL: usize = 100;
/// The fewest columns that a summary needs.
pub const LEAST: usize = 60;
const INDENT: usize = 18;

fn wrapped(text: &str, width: usize) -> Vec<String> {
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

fn summary(out: &mut String, page: &Page, ink: Ink) {
    let summary = &page.summary;
    let mut name = summary.name.as_str();
    if !summary.says.is_empty() {
        let head = format!("{name:<12}{}", summary.says);
        for (i, part) in wrapped(&head, ink.width).iter().enumerate() {
            match i {
                0 => line(out, &ink.bold(part)),
                _ => line(out, &ink.dim(&format!("  {part}"))),
            }
        }
        name = "";
    }
    for block in &summary.blocks {
        if let Block::Table(of) = block
            && of.heading.is_empty()
        {
            // It takes the name into its own first line.
            table(out, of, std::mem::take(&mut name), "  ", ink);
            continue;
        }
        if !name.is_empty() {
            line(out, &ink.bold(std::mem::take(&mut name)));
        }
        match block {
            Block::Table(of) => table(out, of, &of.heading, "    ", ink),
            Block::Text(text) => {
                for part in wrapped(&text.plain(), ink.width - 2) {
                    line(out, &ink.dim(&format!("  {part}")));
                }
            }
            // There is no room for more.
            _ => {}
        }
    }
}

fn ship(out: &mut String, ship: &Ship, ink: Ink) {
    if ship.settings.is_empty() {
        line(out, &format!("ship     {}", ship.name));
        return;
    }
    line(out, &format!("ship     {}", ink.bold(&ship.name)));
    for text in &ship.says {
        for part in wrapped(text, ink.width - 9) {
            line(out, &ink.dim(&format!("         {part}")));
        }
    }
    for setting in ship.settings.lines() {
        line(out, &format!("         {setting}"));
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// ANSI colours, or none.
#[derive(Clone, Copy)]
struct Ink {
    color: bool,
    /// How many columns there are.
    width: usize,
}

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
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
