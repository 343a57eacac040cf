//! The page of a sweep of batch sizes: what to ship first, then what is claimed, and
//! for each class its curves and numbers.

use maud::{DOCTYPE, Markup, html};

use crate::{
    batches::{ClassFinding, Findings, round_trip},
    record::{How, LeftOut, Record},
    verdict::Verdict,
};

use super::{
    super::{
        batches::{
            ship,
            table::{COLUMNS, MARKS, commit, lines, noise, size, speedups},
        },
        figures::{seconds, times},
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
                    (shipped(findings))
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

fn shipped(findings: &Findings) -> Markup {
    html! {
        section #ship {
            h2 { "What to ship" }
            @if findings.classes.is_empty() { p { "Nothing: no class was measured." } }
            @for class in &findings.classes {
                h3 { (class.name) span.muted { " (" (ship::guide(class)) ")" } }
                p { (class.about) }
                @match &class.recommended {
                    Some(recommended) => {
                        p.finding { (sentence(&ship::what(recommended))) }
                        pre { code { (recommended.toml) } }
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
    }
}

fn by_rtt(class: &ClassFinding) -> Markup {
    html! {
        div.scroll { table.numbers {
            thead { tr {
                th { "if your round trip is" } th { "pipeline_batch_size" } th { "speed-up" }
                th title="median latency, at most" { "p50" }
                th title="99th percentile, at most" { "p99" }
            } }
            tbody { @for at in &class.by_rtt {
                tr.first {
                    th { (round_trip(at.rtt_s)) }
                    @match &at.recommended {
                        Some(r) => {
                            td { (r.batch) }
                            td.number { (times(r.slowest)) " to " (times(r.fastest)) }
                            td.number { (r.p50_s.map_or("-".to_owned(), seconds)) }
                            td.number { (r.p99_s.map_or("-".to_owned(), seconds)) }
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
        section {
            h2 { (class.name) ": how fast, by batch size" }
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
                            (seconds(row.condition.measured_rtt_s)) ")"
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
    let left_out: Vec<(String, &LeftOut)> = findings
        .of_class(&class.name)
        .flat_map(|c| c.left_out.iter().map(|left_out| (c.place(), left_out)))
        .collect();
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
        @for (place, left_out) in left_out {
            p { b { (place) ", " (way(left_out.how)) } " was left out: " (left_out.reason) }
        }
    }
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
