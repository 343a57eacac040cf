//! The document, from top to bottom.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    Report,
    numbers::seconds,
    page::{Block, Cell, Column, Form, Row, Section, Table, sentence},
    plot::Plot,
    run::{Run, Step},
};

use super::{
    super::{
        again,
        headline::{environment, headline, run, tables},
    },
    block::{Context, block, blocks},
    card::sign,
};

const STYLE: &str = include_str!("style.css");

/// The whole page. `drawn` gives the SVG document of a picture.
#[must_use]
pub fn html(report: &Report<'_>, drawn: &dyn Fn(&Plot) -> String) -> String {
    let headline = headline(report);
    let (of, page) = (&report.record.run, &report.page);
    let context = Context {
        claims: &report.verdict.claims,
        drawn,
    };
    let sections = page.sections.iter().filter(|s| s.is_in(Form::Html));
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (of.command) ": " (headline.sentence) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (page.title) }
                    p.intro { (page.intro) }
                    p.muted {
                        (run(of)) br; (environment(of))
                        @if let Some(tables) = tables(of) { br; (sentence(&tables)) }
                    }
                    p.headline.(headline.mood.name()) {
                        span.sign { (sign(headline.mood)) } " " (headline.sentence)
                    }
                    (blocks(&page.lead, &context))
                }
                main {
                    @for of in sections { (section(of, &context)) }
                    section #measured {
                        h2 { "How it was measured" }
                        (blocks(&page.measured, &context))
                    }
                    (at_last(report, &context))
                }
            }
        }
    };
    document.into_string()
}

fn section(section: &Section, context: &Context<'_>) -> Markup {
    let plots = section.blocks.iter().filter_map(|block| match block {
        Block::Plot(plot) => Some(plot),
        _ => None,
    });
    let plots: Vec<&Plot> = plots.collect();
    html! {
        section id=[Some(&section.id).filter(|id| !id.is_empty())] {
            h2 {
                (section.title)
                @if !section.note.is_empty() { span.muted { " " (section.note) } }
            }
            // Of several pictures, a reader looks for one.
            @if plots.len() > 1 {
                nav { @for plot in plots { a href=(format!("#{}", plot.name)) { (plot.name) } " " } }
            }
            @for of in &section.blocks { (block(of, &section.id, context)) }
        }
    }
}

/// How to do it again, and what else there is of the run.
fn at_last(report: &Report<'_>, context: &Context<'_>) -> Markup {
    let (run, page) = (&report.record.run, &report.page);
    html! {
        section #again {
            h2 { "Again" }
            pre { code { (again::command(report)) } }
            @if let Some(replay) = again::replay(report, "FOLDER") {
                p { "Or, without the files that it read, from the folder of this run:" }
                pre { code { (replay) } }
            }
            p.muted { (page.repeats) }
            @if !run.schedule.is_empty() {
                details {
                    summary { "Schedule, as drawn from the seed" }
                    (block(&Block::Table(schedule(run)), "", context))
                }
            }
            @if let Some(plan) = &run.plan {
                details {
                    summary { "Plan, as it was given" }
                    pre { code { (plan) } }
                }
            }
            (blocks(&page.details, context))
            p {
                "Beside this file: "
                @for (i, file) in FILES.iter().enumerate() {
                    @if i > 0 { ", " }
                    a href=(file) { (file) }
                }
                ". Exit code " (report.verdict.exit_code) "."
            }
        }
    }
}

/// What stands beside the page.
const FILES: [&str; 6] = [
    "verdict.json",
    "measures.json",
    "record.json",
    "events.jsonl",
    "report.md",
    "junit.xml",
];

/// A row for each fault, those of an entry together.
fn schedule(run: &Run) -> Table {
    let columns = vec![
        Column::text("#").once(),
        Column::head("entry").once(),
        Column::text("arms").once(),
        Column::text("fault"),
        Column::number("steady before"),
        Column::number("lasts"),
        Column::text("set"),
    ];
    let entries = run.schedule.iter().enumerate();
    let rows = entries.flat_map(|(i, entry)| {
        let steps = entry.faults.iter().enumerate();
        steps.map(move |(n, step)| Row {
            first: n == 0,
            cells: [
                i.to_string(),
                entry.name.clone(),
                names(&entry.arms),
                step.kind.clone(),
                seconds(step.phase_us as f64 / 1e6),
                seconds(step.length_us as f64 / 1e6),
                set(step),
            ]
            .map(Cell::from)
            .to_vec(),
            ..Row::default()
        })
    });
    Table {
        columns,
        rows: rows.collect(),
        ..Table::default()
    }
}

/// `latency_ms = 750, stream = downstream`.
fn set(step: &Step) -> String {
    let parameters = step.parameters.iter().map(|(k, v)| format!("{k} = {v}"));
    let stream = step.stream.map(|of| format!("stream = {}", of.name()));
    let toxicity = step.toxicity.map(|share| format!("toxicity = {share}"));
    let all: Vec<String> = parameters.chain(stream).chain(toxicity).collect();
    all.join(", ")
}

/// Of two dozen arms, their number will do.
fn names(arms: &[String]) -> String {
    match arms.len() {
        0..=4 => arms.join(", "),
        n => format!("all {n}"),
    }
}
