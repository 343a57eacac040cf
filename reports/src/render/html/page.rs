//! The page, section by section.

use super::super::view::{self, Record, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{Report, claim::Claim, run::Step};

use super::{
    super::{
        figures::seconds,
        headline::{Headline, again, environment, headline, run},
        measures,
        table::{COLUMNS, lines},
    },
    batches,
    card::{card, sign},
    sweep,
};

const STYLE: &str = include_str!("style.css");

/// A picture of the page: its name, its title, and its SVG document.
pub struct Figure<'a> {
    /// As in the file's name.
    pub name: &'a str,
    /// What is to be seen.
    pub title: &'a str,
    /// The SVG document.
    pub svg: &'a str,
}

/// The whole page. The first figure named `recovery` is the summary, the others
/// are shown in their order.
#[must_use]
pub fn html(report: &Report<'_>, figures: &[Figure<'_>]) -> String {
    let (record, verdict) = (&view::record(report), &view::verdict(report));
    if let Some(findings) = &verdict.sweep {
        return sweep::page(record, verdict, findings, figures);
    }
    if let Some(findings) = &verdict.batches {
        return batches::page(record, verdict, findings, figures);
    }
    let headline = headline(record, verdict);
    let (summary, faults): (Vec<_>, Vec<_>) = figures.iter().partition(|f| f.name == "recovery");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(record, &headline))
            body {
                header {
                    h1 { "What database failures do to a service, by client" }
                    p.intro {
                        "A service under a steady load was given database failures, one after "
                        "another, once with each of the clients below. This page says what its "
                        "callers saw, and which claims about it hold."
                    }
                    p.muted { (run(record)) br; (environment(record)) }
                    p.headline.(headline.mood.name()) {
                        span.sign { (sign(headline.mood)) } " " (headline.sentence)
                    }
                    @for figure in &summary { p.finding { (sentence(figure.title)) } }
                    (arms(record))
                }
                main {
                    (claims(verdict))
                    @if !summary.is_empty() {
                        section #recovery {
                            h2 { "How long recovery took" }
                            @for figure in summary { (self::figure(figure)) }
                        }
                    }
                    (table(verdict))
                    @if !faults.is_empty() {
                        section #faults {
                            h2 { "What happened under each fault" }
                            nav { @for f in &faults { a href=(format!("#{}", f.name)) { (f.name) } " " } }
                            @for figure in faults { (self::figure(figure)) }
                        }
                    }
                    (measured(record))
                    (rest(record, verdict))
                }
            }
        }
    };
    page.into_string()
}

/// As a sentence: a capital first, a full stop last.
pub(super) fn sentence(title: &str) -> String {
    let mut chars = title.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

fn arms(record: &Record) -> Markup {
    html! {
        dl.arms {
            @for arm in &record.arms {
                dt { (arm.name) }
                dd {
                    (arm.about)
                    @if !arm.config.is_empty() {
                        details {
                            summary { "settings" }
                            table.plain { @for (key, value) in &arm.config {
                                tr { th { code { (key) } } td { code { (value) } } }
                            } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn claims(verdict: &Verdict) -> Markup {
    let (gating, others): (Vec<&Claim>, Vec<&Claim>) =
        verdict.claims.iter().partition(|claim| claim.gating);
    html! {
        section #claims {
            h2 { "What is claimed, and whether it is so" }
            p.muted {
                "Shaded: what is claimed. Bar: the 95 % interval of what was measured; "
                "an arrow: the data do not bound it. Dot: what was observed."
            }
            div.cards { @for claim in gating { (card(claim)) } }
            @if !others.is_empty() {
                details {
                    summary { "For comparison: what does not decide the verdict (" (others.len()) ")" }
                    div.cards { @for claim in others { (card(claim)) } }
                }
            }
        }
    }
}

pub(super) fn figure(figure: &Figure<'_>) -> Markup {
    // The size comes from the page; the document's own would be in its way.
    let inner = figure
        .svg
        .split_once("viewBox")
        .map_or_else(String::new, |(_, rest)| {
            format!(r#"<svg role="img" shape-rendering="crispEdges" viewBox{rest}"#)
        });
    html! {
        figure id=[(figure.name != "recovery").then_some(figure.name)] aria-label=(figure.title) {
            (PreEscaped(inner))
            figcaption {
                a href=(format!("plots/{}.svg", figure.name)) { "SVG" } " "
                a href=(format!("plots/{}.png", figure.name)) { "PNG" }
            }
        }
    }
}

fn table(verdict: &Verdict) -> Markup {
    let lines = lines(verdict);
    html! {
        section #table {
            h2 { "All faults in numbers" }
            @if lines.is_empty() {
                p { "No fault was injected." }
            } @else {
                div.scroll { table.numbers {
                    thead { tr {
                        th { "fault" } th { "arm" }
                        @for column in &COLUMNS { th title=(column.about) { (column.name) } }
                    } }
                    tbody { @for (i, line) in lines.iter().enumerate() {
                        tr.first[i == 0 || lines[i - 1].fault != line.fault] {
                            th { @if i == 0 || lines[i - 1].fault != line.fault { (line.fault) } }
                            td { (line.arm) }
                            @for cell in &line.cells { td.number.more[cell.starts_with('>')] { (cell) } }
                        }
                    } }
                } }
                p.muted {
                    @if lines.iter().any(|l| l.cells.iter().any(|c| c.starts_with('>'))) {
                        "> not back when the load ended, so longer than this. "
                    }
                    @if lines.iter().any(|l| l.metastable) {
                        "Some outages outlived their fault: "
                        @for line in lines.iter().filter(|l| l.metastable) {
                            b { (line.arm) } " under " (line.fault) ", "
                        }
                        "goodput stayed down to the end. "
                    }
                    @if verdict.injections.iter().any(|e| !e.steady_after) {
                        "At the end of the load these were not served as they had to be before the fault: "
                        @for effect in verdict.injections.iter().filter(|e| !e.steady_after) {
                            b { (effect.arm) } " after " (effect.fault) "; "
                        }
                    }
                }
            }
            @for skipped in &verdict.skipped {
                p { b { (skipped.fault) } " was skipped: " (skipped.reason) }
            }
        }
    }
}

fn measured(record: &Record) -> Markup {
    let settings = &record.settings;
    html! {
        section #measured {
            h2 { "How it was measured" }
            p {
                (settings.rate_per_s) " operations per second, " (share(settings.write_share))
                " of them writes, each to be answered within " (settings.deadline_us / 1000) " ms; at most "
                (settings.max_in_flight) " under way at once. Availability and outage run from the fault to "
                (seconds(settings.horizon_us as f64 / 1e6)) " after it; a recovery was waited for "
                (seconds(settings.patience_us as f64 / 1e6)) " at most."
            }
            (words(record))
        }
    }
}

/// What the words of the page mean.
pub(super) fn words(record: &Record) -> Markup {
    html! {
        dl { @for measure in measures::of(record) { dt { (measure.name) } dd { (measure.means) } } }
    }
}

/// What a browser has to know of a page; the same for every experiment.
pub(super) fn head(record: &Record, headline: &Headline) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (record.command) ": " (headline.sentence) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

/// `latency_ms = 750, stream = downstream`.
fn settings_of(step: &Step) -> String {
    let mut set: Vec<String> = step
        .parameters
        .iter()
        .map(|(k, v)| format!("{k} = {v}"))
        .collect();
    set.extend(
        step.stream
            .map(|stream| format!("stream = {}", stream.name())),
    );
    set.extend(
        step.toxicity
            .map(|toxicity| format!("toxicity = {toxicity}")),
    );
    set.join(", ")
}

/// A sweep has two dozen cells: their number will do.
fn names(arms: &[String]) -> String {
    match arms.len() {
        0..=4 => arms.join(", "),
        n => format!("all {n}"),
    }
}

fn share(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

fn rest(record: &Record, verdict: &Verdict) -> Markup {
    let ledger = &verdict.ledger;
    html! {
        section #again {
            h2 { "Again" }
            (again_and_schedule(record))
            @if let Some(plan) = &record.plan {
                details {
                    summary { "Plan, as it was given" }
                    pre { code { (plan) } }
                }
            }
            details {
                summary { "Writes of all injections" }
                p {
                    (ledger.sent) " sent, " (ledger.acked) " acknowledged, " (ledger.committed) " found; "
                    (ledger.unknown) " without an answer, of which " (ledger.unknown_committed) " found and "
                    (ledger.unknown_absent) " not; " (ledger.lost) " lost, " (ledger.duplicate) " duplicate, "
                    (ledger.unexpected) " unexpected, " (ledger.out_of_order) " out of order."
                }
            }
            (files(verdict))
        }
    }
}

/// The command that does it again, and the plan.
pub(super) fn again_and_schedule(record: &Record) -> Markup {
    html! {
        pre { code { (again(record, None)) } }
        p.muted { "The same seed and flags draw the same faults, phases and lengths." }
        details {
            summary { "Schedule, as drawn from the seed" }
            div.scroll { table.numbers {
                thead { tr {
                    th { "#" } th { "entry" } th { "arms" } th { "fault" } th { "steady before" } th { "lasts" } th { "set" }
                } }
                tbody { @for (i, planned) in record.schedule.iter().enumerate() {
                    @for (n, step) in planned.faults.iter().enumerate() {
                        tr.first[n == 0] {
                            @if n == 0 {
                                td { (i) } th { (planned.name) } td { (names(&planned.arms)) }
                            } @else { td {} th {} td {} }
                            td { (step.kind) }
                            td.number { (seconds(step.phase_us as f64 / 1e6)) }
                            td.number { (seconds(step.length_us as f64 / 1e6)) }
                            td { (settings_of(step)) }
                        }
                    }
                } }
            } }
        }
    }
}

/// What else there is of the run.
pub(super) fn files(verdict: &Verdict) -> Markup {
    html! {
        p {
            "Beside this file: "
            @for (i, file) in ["verdict.json", "record.json", "events.jsonl", "report.md", "junit.xml"].iter().enumerate() {
                @if i > 0 { ", " }
                a href=(file) { (file) }
            }
            ". Exit code " (verdict.exit_code) "."
        }
    }
}
