//! `report.md`: the verdict for a pull request or a ticket.
//!
//! The claims come first and the pictures last; details, which nobody can open here,
//! are left out.

use std::fmt::Write;

use crate::{
    claim::Claim,
    page::{Block, Document, Form, Table, Text},
};

use super::{
    group::{Shown, kinds, says, shown, worst},
    quantity::{interval, observed, sample},
};

/// What a build server shows beside its log: the verdict, the claims, and the command that does
/// it again, without pictures.
#[must_use]
pub fn summary(document: &Document<'_>) -> String {
    let mut out = String::new();
    head(&mut out, document);
    claims(&mut out, &document.claims);
    again(&mut out, document);
    out
}

/// Pictures stand beside the file, in `plots/`.
#[must_use]
pub fn markdown(document: &Document<'_>) -> String {
    let mut out = String::new();
    let page = &document.page;
    head(&mut out, document);
    claims(&mut out, &document.claims);
    for section in page.sections.iter().filter(|s| s.is_in(Form::Markdown)) {
        let shown =
            |block: &Block| !matches!(block, Block::Plot(_) | Block::Claims | Block::Details(..));
        if section.blocks.iter().any(shown) {
            let title = format!("{} {}", section.title, section.note);
            let _ = writeln!(out, "\n## {}", escape(title.trim_end()));
            blocks(&mut out, &section.blocks);
        }
    }
    for plot in page.plots() {
        let (title, name) = (escape(&plot.title), &plot.name);
        let _ = writeln!(out, "\n### {title}\n\n![{title}](plots/{name}.png)");
    }
    out.push_str("\n## How it was measured\n");
    blocks(&mut out, &page.measured);
    again(&mut out, document);
    out
}

/// What came out, where, and what stands right below.
fn head(out: &mut String, document: &Document<'_>) {
    let page = &document.page;
    let verdict = escape(&document.headline.sentence);
    if page.finding.is_empty() {
        let _ = writeln!(out, "# {verdict}\n");
    } else {
        let mood = document.headline.mood.name();
        let _ = writeln!(
            out,
            "# {}\n\n**{mood}**: {verdict}\n",
            escape(&page.finding)
        );
    }
    for fact in &document.facts {
        let _ = writeln!(out, "- {}: {}", fact.name, escape(&fact.says));
    }
    blocks(out, &page.lead);
}

/// The commands that do it again.
fn again(out: &mut String, document: &Document<'_>) {
    out.push_str("\n## Again\n");
    for again in &document.again {
        if !again.purpose.is_empty() {
            let _ = writeln!(out, "\n{}", escape(&again.purpose));
        }
        code(out, "", &again.in_folder("FOLDER"));
    }
}

/// Letters of a line of small pictures.
const SPARKS: usize = 80;

fn claims(out: &mut String, claims: &[Claim]) {
    out.push_str("\n## Claims\n\n");
    out.push_str("| verdict | arm | claim | observed | interval or range | from | note |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for of in shown(claims) {
        let (claim, says) = match of {
            Shown::One(claim) => (claim, says(claim)),
            Shown::Kinds(all) => {
                let says = format!(
                    "{}: {} (the nearest to it is shown)",
                    kinds(all),
                    all[0].says
                );
                (worst(all).unwrap_or(&all[0]), says)
            }
        };
        let gate = if claim.gating { "" } else { " (does not gate)" };
        let _ = writeln!(
            out,
            "| **{}** | {} | {}{gate} | {} | {} | {} | {} |",
            claim.verdict.name(),
            escape(&claim.arm),
            escape(&says),
            escape(&observed(claim)),
            escape(&interval(claim).unwrap_or_default()),
            sample(claim),
            escape(claim.reason.as_deref().unwrap_or_default()),
        );
    }
}

/// Each after an empty line.
fn blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Text(of) => text(out, of),
            Block::List(clauses) => {
                out.push('\n');
                for clause in clauses {
                    let _ = writeln!(out, "- {}", escape(clause));
                }
            }
            Block::Table(of) => table(out, of),
            Block::Sparks(of) => {
                let _ = writeln!(out, "\n{}: {}", of.name, escape(&of.says));
                code(out, "", &of.lines(SPARKS).join("\n"));
            }
            Block::Code(language, text) => code(out, language, text),
            Block::Arms(arms) => {
                out.push('\n');
                for arm in arms {
                    let _ = writeln!(out, "- **{}**: {}", escape(&arm.name), escape(&arm.about));
                }
            }
            Block::Definitions(all) => {
                out.push('\n');
                for definition in *all {
                    let _ = writeln!(out, "- **{}**: {}", definition.word, definition.means);
                }
            }
            Block::Plot(_) | Block::Claims | Block::Details(..) => {}
        }
    }
}

fn text(out: &mut String, text: &Text) {
    out.push('\n');
    let parts = text.parts.iter().map(|(part, strong)| match strong {
        true => format!("**{}**", escape(part)),
        false => escape(part),
    });
    let _ = writeln!(out, "{}", parts.collect::<String>().trim_end());
}

fn code(out: &mut String, language: &str, text: &str) {
    let _ = writeln!(out, "\n```{language}\n{}\n```", text.trim_end());
}

fn table(out: &mut String, table: &Table) {
    if !table.heading.is_empty() {
        let _ = writeln!(out, "\n### {}", escape(&table.heading));
    }
    if table.rows.is_empty() {
        let _ = writeln!(out, "\n{}", escape(table.empty));
        return;
    }
    out.push_str("\n|");
    for column in &table.columns {
        let _ = write!(out, " {} |", escape(&column.name));
    }
    out.push_str("\n|");
    for column in &table.columns {
        let dashes = if column.is_number() { "---:" } else { "---" };
        let _ = write!(out, " {dashes} |");
    }
    out.push('\n');
    for row in &table.rows {
        out.push('|');
        for (i, cell) in row.cells.iter().enumerate() {
            let said = escape(&cell.all());
            let strong = cell.strong || (i == 0 && !row.chosen.is_empty());
            let said = if strong { format!("**{said}**") } else { said };
            let _ = write!(out, " {said} |");
        }
        out.push('\n');
    }
}

/// What Markdown would read as something else.
fn escape(text: &str) -> String {
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
