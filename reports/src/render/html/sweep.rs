//! The page of a sweep: what to ship first, then the guide's weeks, the grid, and
//! how it was found.

use super::super::view::{Record, Verdict};
use maud::{DOCTYPE, Markup, html};

use crate::experiments::breaker_sweep::Findings;

use super::{
    super::{
        headline::{environment, headline, run},
        sweep::{
            ship,
            table::{COLUMNS, lines},
        },
    },
    card::sign,
    page::{Figure, again_and_schedule, claims, figure, files, head, sentence, words},
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
                    h1 { "Which circuit breaker settings to ship (" (ship::scale(findings)) ")" }
                    p.intro {
                        "Pools with different breaker settings were under the same load, on one "
                        "server, through the same outages and false alarms. This page says which "
                        "of them cost least, and how long the guide's own settings take to recover."
                    }
                    p.muted { (run(record)) br; (environment(record)) }
                    p.headline.(headline.mood.name()) {
                        span.sign { (sign(headline.mood)) } " " (headline.sentence)
                    }
                    p { (ship::scale_in_full(findings)) }
                }
                main {
                    (shipped(verdict, findings))
                    (claims(verdict))
                    (weeks(findings))
                    @for f in figures {
                        section { h2 { (heading(f.name)) } (figure(f)) }
                    }
                    (cells(verdict, findings))
                    (measured(record, findings))
                    section #again {
                        h2 { "Again" }
                        (again_and_schedule(record))
                        (files(verdict))
                    }
                }
            }
        }
    };
    page.into_string()
}

fn heading(name: &str) -> &'static str {
    match name {
        "recovery" => "How long the guide's weeks are out after the server is back",
        "heatmap" => "The grid",
        _ => "Outage against false opens",
    }
}

fn shipped(verdict: &Verdict, findings: &Findings) -> Markup {
    html! {
        section #ship {
            h2 { "What to ship" }
            @match &findings.recommended {
                Some(recommended) => {
                    p.finding { b { (recommended.arm) } ": " (recommended.reason) "." }
                    pre { code { (recommended.toml) } }
                    p { (sentence(&ship::confirmed(verdict))) }
                }
                None => p { "Nothing: no cell had outages, and false alarms without an open." }
            }
        }
    }
}

fn weeks(findings: &Findings) -> Markup {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    html! {
        section #weeks {
            h2 { "The guide's \"10-30 second recovery\", week by week (" (ship::scale(findings)) ")" }
            div.scroll { table.numbers {
                thead { tr {
                    th { "week" } th { "cell" } th { "within 30 s" } th { "of" } th { "share" }
                    th { "95 % interval" } th title="if the wait is uniform on (0, timeout)" { "to expect" }
                } }
                tbody { @for week in &findings.weeks {
                    tr.first {
                        th { (week.week) } td { (week.arm) }
                        td.number { (week.within) } td.number { (week.n) }
                        td.number {
                            @if week.n > 0 { (percent(week.within as f64 / week.n as f64)) }
                            @else { "-" }
                        }
                        td.number {
                            @if let (Some(low), Some(high)) = (week.low, week.high) {
                                (percent(low)) " to " (percent(high))
                            } @else { "-" }
                        }
                        td.number { (percent(week.expected)) }
                    }
                } }
            } }
            p.muted {
                "A passive breaker tries again a recovery timeout after it opened, whenever the "
                "server is back. At a random moment the wait is uniform on (0, timeout), so 30 s "
                "are enough in 30 s / timeout of the outages."
            }
        }
    }
}

fn cells(verdict: &Verdict, findings: &Findings) -> Markup {
    html! {
        section #table {
            h2 { "All cells in numbers (" (ship::scale(findings)) ")" }
            div.scroll { table.numbers {
                thead { tr {
                    th { "cell" }
                    @for column in &COLUMNS { th title=(column.about) { (column.name) } }
                } }
                tbody { @for line in lines(findings) {
                    tr.first {
                        th { (line.cell.arm) @if line.shipped { " (to ship)" } }
                        @for cell in &line.cells { td.number.more[cell.starts_with('>')] { (cell) } }
                    }
                } }
            } }
            p.muted { "> not seen to recover in half (or 95 of 100) of the outages, so longer than this." }
            @for skipped in &verdict.skipped {
                p { b { (skipped.fault) } " was skipped: " (skipped.reason) }
            }
        }
    }
}

fn measured(record: &Record, findings: &Findings) -> Markup {
    let settings = &record.settings;
    html! {
        section #measured {
            h2 { "How it was measured" }
            p {
                (findings.cells.len()) " cells, each with " (settings.rate_per_s)
                " reads per second, to be answered within " (settings.deadline_us / 1000)
                " ms, over a pool of its own."
            }
            (words(record))
        }
    }
}
