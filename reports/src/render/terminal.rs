//! The summary on a terminal, as wide as that is: ASCII, so that it survives any log, but for
//! the small pictures of shares over time.

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
    if !document.page.finding.is_empty() {
        for part in wrapped(&document.page.finding, width) {
            line(&mut out, &ink.bold(&part));
        }
        for part in wrapped(&document.headline.sentence, width) {
            line(&mut out, &ink.decision(document.headline.mood, &part));
        }
        line(&mut out, "");
    }
    claims(&mut out, &document.claims, ink);
    if !document.claims.is_empty() && !document.page.summary.blocks.is_empty() {
        line(&mut out, "");
    }
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
            command(
                &mut out,
                "try it",
                &format!("{} {path}", file.tried_by),
                ink,
            );
        }
    }
    for skipped in &document.skipped {
        field(&mut out, "skipped", skipped, ink);
    }
    line(&mut out, "");
    let verdict = wrapped(&document.headline.sentence, width - NAME);
    for (i, part) in verdict.iter().enumerate() {
        let name = if i == 0 { "verdict" } else { "" };
        let part = ink.decision(document.headline.mood, part);
        line(&mut out, &format!("{name:<NAME$}{part}"));
    }
    for fact in &document.facts {
        field(&mut out, &fact.name, &fact.says, ink);
    }
    let page = dir.join("report.html");
    line(&mut out, &format!("report   {}", page.display()));
    for (i, again) in document.again.iter().enumerate() {
        let name = if i == 0 { "again" } else { "or" };
        command(
            &mut out,
            name,
            &again.in_folder(&dir.to_string_lossy()),
            ink,
        );
    }
    out
}

/// What the names of what stands at the end take.
const NAME: usize = 9;

/// A name, and words behind it.
fn field(out: &mut String, name: &str, text: &str, ink: Ink) {
    for (i, part) in wrapped(text, ink.width - NAME).iter().enumerate() {
        let name = if i == 0 { name } else { "" };
        line(out, &format!("{name:<NAME$}{part}"));
    }
}

/// A name, and a command behind it, which a shell takes as one even where it needs several
/// lines.
fn command(out: &mut String, name: &str, command: &str, ink: Ink) {
    let lines = folded(&words(command), ink.width - NAME - 2);
    for (i, part) in lines.iter().enumerate() {
        let name = if i == 0 { name } else { "" };
        let more = if i + 1 < lines.len() { " \\" } else { "" };
        line(out, &format!("{name:<NAME$}{part}{more}"));
    }
}

/// The words of a command: a space within quotes is part of one.
fn words(command: &str) -> Vec<&str> {
    let (mut within, mut literal) = (false, false);
    let apart = |c: char| {
        let ends = c == ' ' && !within && !literal;
        within ^= c == '\'' && !literal;
        literal = c == '\\' && !within && !literal;
        ends
    };
    command
        .split(apart)
        .filter(|word| !word.is_empty())
        .collect()
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
    if INDENT + says.chars().count().max(41) + 1 + numbers.chars().count() <= ink.width {
        line(out, &format!("    {verdict}  {says:<41} {numbers}"));
    } else {
        let mut parts = wrapped(says, ink.width - INDENT).into_iter();
        let first = parts.next().unwrap_or_default();
        line(out, &format!("    {verdict}  {first}"));
        for part in parts {
            line(out, &format!("{:INDENT$}{part}", ""));
        }
        for part in wrapped(numbers, ink.width - INDENT) {
            line(out, &format!("{:INDENT$}{part}", ""));
        }
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

/// In lines of some width. A word that is longer has one of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    folded(&words, width)
}

fn folded(words: &[&str], width: usize) -> Vec<String> {
    let letters = |text: &str| text.chars().count();
    let mut lines = vec![String::new()];
    for word in words {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if letters(line) + 1 + letters(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push((*word).to_owned()),
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
            Block::Sparks(of) => {
                let head = format!("{:<12}{}", of.name, of.says);
                for (i, part) in wrapped(&head, ink.width).iter().enumerate() {
                    let part = if i == 0 {
                        ink.bold(part)
                    } else {
                        ink.dim(part)
                    };
                    line(out, &part);
                }
                for part in of.lines(ink.width - 2) {
                    line(out, &format!("  {part}"));
                }
            }
            // There is no room for more.
            _ => {}
        }
    }
}

fn ship(out: &mut String, ship: &Ship, ink: Ink) {
    let name = if ship.settings.is_empty() {
        return field(out, "ship", &ship.name, ink);
    } else {
        ink.bold(&ship.name)
    };
    line(out, &format!("ship     {name}"));
    let room = ink.width - NAME;
    for text in &ship.says {
        for part in wrapped(text, room) {
            line(out, &ink.dim(&format!("{:NAME$}{part}", "")));
        }
    }
    for setting in settings(&ship.settings, room) {
        line(out, &format!("{:NAME$}{setting}", ""));
    }
}

/// Lines of configuration in some room: a comment may go on in the next line, a setting may
/// not. Where one line has to be broken, the whole comment is set anew.
fn settings(text: &str, room: usize) -> Vec<String> {
    const MORE: &str = "#   ";
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    let goes_on = |next: &str| {
        next.strip_prefix(MORE)
            .is_some_and(|rest| !rest.starts_with(' '))
    };
    for comment in lines.chunk_by(|_, next| goes_on(next)) {
        let fits = comment.iter().all(|line| line.chars().count() <= room);
        if fits || !comment[0].starts_with('#') {
            out.extend(comment.iter().map(|line| (*line).to_owned()));
            continue;
        }
        let words = comment.iter().flat_map(|line| line[1..].split_whitespace());
        let words: Vec<&str> = words.collect();
        let parts = folded(&words, room - MORE.len());
        let parts = parts.iter().enumerate();
        out.extend(parts.map(|(i, part)| {
            let sign = if i == 0 { "# " } else { MORE };
            format!("{sign}{part}")
        }));
    }
    out
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

#[cfg(test)]
mod tests;
