//! The page of a sweep of batch sizes: what to ship first, then what is claimed, and
//! for each class its curves and numbers.

use super::super::view::{Record, Verdict};
use maud::{DOCTYPE, Markup, html};

use crate::{
    claim::ARM_GUIDE,
    experiments::batch_sweep::{ClassFinding, Findings, THROUGHPUT, round_trip},
    experiments::batch_sweep::{How, LeftOut},
};

use super::{
    super::{
        batches::{
            ship,
            table::{COLUMNS, MARKS, commit, lines, noise, size, speedups},
        },
        figures::latency,
        headline::{again, environment, headline, run},
        plots::speedup_name,
    },
    card::sign,
    page::{Figure, claims, figure, files, head, sentence, words},
};

/// The whole page.
pub(super) fn page(
    record: &Record,
    verdict: &Verdict,
    findings: &Findings,
    figures: &[Figure<'_>],
) -> String {
    let headline = headline(record, verdict);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(record, &headline))
            body {
                header {
                    h1 { "Which batch size to ship" }
                    p.intro {
                        "Queries were run one at a time and through a pipeline, in batches of "
                        "different sizes, at different round-trip times and with commits that wait "
                        "for the disk or do not. This page says how much faster which size is, and "
                        "what it costs."
                    }
                    p.muted { (run(record)) br; (environment(record)) }
                    p.headline.(headline.mood.name()) {
                        span.sign { (sign(headline.mood)) } " " (headline.sentence)
                    }
                }
                main {
                    (came_out(verdict, findings))
                    (claims(verdict))
                    @for class in &findings.classes { (of_class(findings, class, figures)) }
                    (measured(record, findings))
                    section #again {
                        h2 { "Again" }
                        pre { code { (again(record, None)) } }
                        p.muted { "The same seed and flags take the same slices in the same order." }
                        (files(verdict))
                    }
                }
            }
        }
    };
    page.into_string()
}

fn came_out(verdict: &Verdict, findings: &Findings) -> Markup {
    let mut claims = verdict.claims.iter();
    let guide = claims.find(|c| c.arm == ARM_GUIDE && c.id == THROUGHPUT);
    html! {
        section #ship {
            h2 { "What to ship" }
            @if findings.classes.is_empty() { p { "Nothing: no class was measured." } }
            @else { (overview(findings)) }
            @if let Some(reason) = guide.and_then(|claim| claim.reason.as_ref()) {
                p.finding { "The guide's \"2-10x improvement with pipelining\" " (reason) "." }
            }
        }
    }
}

fn overview(findings: &Findings) -> Markup {
    html! {
        div.scroll { table.numbers {
            thead { tr {
                th { "class" } th { "sent" } th { "pipeline_batch_size" } th { "the guide" }
                th { "speed-up" } th title="median latency, where it is longest" { "p50" }
                th title="99th percentile, of the round where it is longest" { "p99" }
            } }
            tbody { @for class in &findings.classes {
                tr.first {
                    th { a href=(format!("#of-{}", speedup_name(&class.name))) { (class.name) } }
                    @match &class.recommended {
                        Some(r) => {
                            td { (ship::sent(r.mode)) }
                            td.number { b { (r.batch) } }
                            td.number { (class.guide_batch.map_or("-".to_owned(), |n| n.to_string())) }
                            td.number { (ship::speed(r)) }
                            td.number { (r.p50_s.map_or("-".to_owned(), latency)) }
                            td.number { (r.p99_s.map_or("-".to_owned(), latency)) }
                        }
                        None => { td { (ship::NOTHING) } td {} td {} td {} td {} td {} }
                    }
                }
            } }
        } }
    }
}

/// The block of a class, why, and what it costs.
fn shipped(class: &ClassFinding) -> Markup {
    html! {
        @match &class.recommended {
            Some(recommended) => {
                p.finding { (sentence(&ship::what(recommended))) }
                pre { code { (ship::settings(recommended)) } }
                p {
                    (sentence(&recommended.reason)) " "
                    (sentence(&ship::cost(recommended))) " "
                    (sentence(&ship::auto(recommended)))
                }
                @if class.by_rtt.len() > 1 { (by_rtt(class)) }
            }
            None => p { (sentence(ship::NOTHING)) }
        }
    }
}

fn by_rtt(class: &ClassFinding) -> Markup {
    html! {
        div.scroll { table.numbers {
            thead { tr {
                th { "if your round trip is" } th { "pipeline_batch_size" } th { "speed-up" }
                th title="median latency, where it is longest" { "p50" }
                th title="99th percentile, of the round where it is longest" { "p99" }
            } }
            tbody { @for at in &class.by_rtt {
                tr.first {
                    th { (ship::round_trip(at)) }
                    @match &at.recommended {
                        Some(r) => {
                            td { (r.batch) }
                            td.number { (ship::speed(r)) }
                            td.number { (r.p50_s.map_or("-".to_owned(), latency)) }
                            td.number { (r.p99_s.map_or("-".to_owned(), latency)) }
                        }
                        None => { td { "-" } td {} td {} td {} }
                    }
                }
            } }
        } }
    }
}

fn of_class(findings: &Findings, class: &ClassFinding, figures: &[Figure<'_>]) -> Markup {
    let name = speedup_name(&class.name);
    html! {
        section id=(format!("of-{name}")) {
            h2 { (class.name) span.muted { " (" (ship::guide(class)) ")" } }
            p { (class.about) }
            (shipped(class))
            @for f in figures.iter().filter(|f| f.name == name) { (figure(f)) }
            (grid(findings, class))
            details {
                summary { "All numbers of " (class.name) }
                (numbers(findings, class))
            }
        }
    }
}

fn grid(findings: &Findings, class: &ClassFinding) -> Markup {
    let speedups = speedups(findings, class);
    html! {
        @if speedups.rows.is_empty() {
            p { "It was not measured." }
        } @else {
            div.scroll { table.numbers {
                thead { tr {
                    th { "mode" } th { "commit" } th { "round trip" }
                    @for of in &speedups.sizes { th { (size(*of)) } }
                    th title="one at a time over itself: 95 % interval" { "A/A" }
                    th title="what one more statement costs, by the model" { "s" }
                } }
                tbody { @for (i, row) in speedups.rows.iter().enumerate() {
                    tr.first[i == 0 || speedups.rows[i - 1].condition.rtt_s != row.condition.rtt_s] {
                        th { (row.curve.mode.name()) }
                        td { (commit(row.condition)) }
                        td.number title="as measured" {
                            (round_trip(row.condition.rtt_s)) " ("
                            (latency(row.condition.measured_rtt_s)) ")"
                        }
                        @for cell in &row.cells { td.number { (cell) } }
                        td.number { (noise(row.condition)) }
                        td.number {
                            (row.curve.statement_us.map_or("-".to_owned(), |us| format!("{us:.0} µs")))
                        }
                    }
                } }
            } }
            p.muted { "Times as fast as one at a time. " (MARKS) "." }
        }
    }
}

fn numbers(findings: &Findings, class: &ClassFinding) -> Markup {
    html! {
        div.scroll { table.numbers {
            thead { tr {
                th { "condition" } th { "mode" } th { "size" }
                @for column in &COLUMNS { th title=(column.about) { (column.name) } }
            } }
            tbody { @for line in lines(findings, class) {
                tr.first[line.first] {
                    th { @if line.first { (line.place) } } td { (line.mode) } td.number { (line.size) }
                    @for cell in &line.cells { td.number { (cell) } }
                }
            } }
        } }
        @for (left_out, places) in left_out(findings, class) {
            p.muted {
                b { (way(left_out.how)) } " was left out: " (left_out.reason) " ("
                (places.join("; ")) ")."
            }
        }
    }
}

/// What was not tried and why, with the conditions that this is said of.
fn left_out<'a>(
    findings: &'a Findings,
    class: &'a ClassFinding,
) -> Vec<(&'a LeftOut, Vec<String>)> {
    let mut all: Vec<(&LeftOut, Vec<String>)> = Vec::new();
    for condition in findings.of_class(&class.name) {
        for left_out in &condition.left_out {
            match all.iter_mut().find(|(other, _)| *other == left_out) {
                Some((_, places)) => places.push(condition.place()),
                None => all.push((left_out, vec![condition.place()])),
            }
        }
    }
    all
}

fn way(how: How) -> String {
    match how {
        How::Sequential => "one at a time".to_owned(),
        How::Pipelined { mode, size: of } => format!("{}, {}", mode.name(), size(of)),
    }
}

fn measured(record: &Record, findings: &Findings) -> Markup {
    let rounds = findings.conditions.iter().map(|c| c.rounds);
    let statements = record.batches.iter().flat_map(|b| &b.classes);
    html! {
        section #measured {
            h2 { "How it was measured" }
            p {
                (findings.conditions.len()) " conditions, with at least "
                (rounds.min().unwrap_or(0)) " rounds each."
            }
            @for class in statements {
                details {
                    summary { "Statements of " (class.name) }
                    @for statement in &class.statements { pre { code { (statement) } } }
                }
            }
            (words(record))
        }
    }
}
