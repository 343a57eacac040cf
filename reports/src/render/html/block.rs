//! The parts of a section.

use maud::{Markup, PreEscaped, html};

use crate::{
    claim::{Claim, Decision},
    page::{Block, Cell, Column, Style, Table, Text},
    plot::Plot,
    run::Arm,
};

use super::{super::group::shown, card::card};

/// Letters of a line of small pictures.
const SPARKS: usize = 100;

/// What a block may need that is no part of it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) claims: &'a [Claim],
    /// The SVG document of a picture.
    pub(super) drawn: &'a dyn Fn(&Plot) -> String,
    /// The id of the section that it stands in. Empty if it has none.
    pub(super) id: &'a str,
    /// What that section is called.
    pub(super) title: &'a str,
}

pub(super) fn blocks(blocks: &[Block], context: &Context<'_>) -> Markup {
    html! { @for of in blocks { (block(of, context)) } }
}

pub(super) fn block(of: &Block, context: &Context<'_>) -> Markup {
    match of {
        Block::Text(of) => text(of),
        Block::List(clauses) => html! { ul { @for clause in clauses { li { (clause) } } } },
        Block::Table(of) => table(of, context.title),
        Block::Plot(plot) => figure(plot, context),
        Block::Sparks(of) => html! {
            pre tabindex="0" role="img" aria-label=(of.says) { (of.lines(SPARKS).join("\n")) }
        },
        Block::Code(_, code) => html! { pre tabindex="0" { code { (code) } } },
        Block::Claims => claims(context.claims),
        Block::Arms(of) => arms(of),
        Block::Definitions(all) => html! {
            dl { @for definition in *all { dt { (definition.word) } dd { (definition.means) } } }
        },
        Block::Details(summary, inner) => {
            let context = Context {
                id: "",
                title: summary,
                ..*context
            };
            html! { details { summary { (summary) } (blocks(inner, &context)) } }
        }
    }
}

fn text(text: &Text) -> Markup {
    let parts = html! {
        @for (part, strong) in &text.parts { @if *strong { b { (part) } } @else { (part) } }
    };
    match text.style {
        Style::Plain => html! { p { (parts) } },
        Style::Finding => html! { p.finding { (parts) } },
        Style::Muted => html! { p.muted { (parts) } },
    }
}

/// In a frame of its own, in which it moves where the page is narrow. `title` is what it is
/// called if it does not say so itself.
fn table(table: &Table, title: &str) -> Markup {
    let named = !table.heading.is_empty();
    let name = if named { &*table.heading } else { title };
    if table.rows.is_empty() {
        return html! {
            @if named { h3 { (name) } }
            p { (table.empty) }
        };
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label=(name) { table.numbers.grouped {
            caption.unseen[!named] { (name) }
            thead { tr { @for column in &table.columns {
                th.number[column.is_number()] scope="col"
                    title=[Some(column.about).filter(|about| !about.is_empty())] { (column.name) }
            } } }
            tbody { @for row in &table.rows {
                tr.first[row.first] {
                    @for (i, (of, column)) in row.cells.iter().zip(&table.columns).enumerate() {
                        @let shown = row.first || !column.once;
                        @let chosen = if i == 0 { row.chosen } else { "" };
                        (cell(of, column, shown, chosen))
                    }
                }
            } }
        } }
    }
}

/// A cell that was said above is there for who listens, and for when the rows are sorted.
fn cell(cell: &Cell, column: &Column, shown: bool, chosen: &str) -> Markup {
    let inner = html! {
        @if !shown {
            span { (cell.all()) }
        } @else if !cell.link.is_empty() {
            a href=(format!("#{}", cell.link)) { (cell.all()) }
        } @else if cell.strong {
            b { (cell.all()) }
        } @else {
            (cell.all())
        }
        @if !chosen.is_empty() { " (" (chosen) ")" }
    };
    if column.is_head() {
        html! { th.same[!shown] scope="row" { (inner) } }
    } else if column.is_number() {
        let key = sort_key(&cell.text).map(|key| key.to_string());
        html! { td.number.more[cell.bounded] data-v=[key] { (inner) } }
    } else {
        html! { td.same[!shown] { (inner) } }
    }
}

/// By what a number is sorted, whatever its unit: `8.3 ms` before `0.21 s` before `> 3.00 s`.
/// `None` if it is no number.
fn sort_key(text: &str) -> Option<f64> {
    let text = text.trim_start_matches(['>', '<', '~', ' ']);
    let end = |c: char| !(c.is_ascii_digit() || "+-. ".contains(c));
    let digits = &text[..text.find(end).unwrap_or(text.len())];
    let number: f64 = digits.replace(' ', "").parse().ok()?;
    let unit: String = text[digits.len()..]
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect();
    let factor = match unit.as_str() {
        "µs" | "us" => 1e-6,
        "ms" => 1e-3,
        "min" => 60.0,
        _ => 1.0,
    };
    Some(number * factor)
}

/// In a frame of its own, like a table.
fn figure(plot: &Plot, context: &Context<'_>) -> Markup {
    let svg = (context.drawn)(plot);
    // The size comes from the page; the document's own would be in its way. No text of the
    // document has a quotation mark in it.
    let sized = svg.split_once(" width=\"");
    let inner = sized.and_then(|(head, rest)| {
        let (_, rest) = rest.split_once(" viewBox=\"")?;
        Some(format!("{head} viewBox=\"{rest}"))
    });
    // The only picture of a section may have its name.
    let id = Some(&plot.name).filter(|name| *name != context.id);
    html! {
        figure.plot id=[id] {
            div.frame tabindex="0" role="group" aria-label=(plot.title) {
                (PreEscaped(inner.unwrap_or_default()))
            }
            figcaption {
                a href=(format!("plots/{}.svg", plot.name)) { "SVG" } " "
                a href=(format!("plots/{}.png", plot.name)) { "PNG" }
            }
        }
    }
}

fn arms(arms: &[Arm]) -> Markup {
    html! {
        dl.arms {
            @for arm in arms {
                dt { (arm.name) }
                dd {
                    (arm.about)
                    @if !arm.config.is_empty() {
                        details {
                            summary { "settings" }
                            table.plain { caption.unseen { "settings of " (arm.name) } @for (key, value) in &arm.config {
                                tr { th scope="row" { code { (key) } } td { code { (value) } } }
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn claims(claims: &[Claim]) -> Markup {
    let (mut gating, others): (Vec<Claim>, Vec<Claim>) =
        claims.iter().cloned().partition(|claim| claim.gating);
    // What is wrong is what is looked for.
    gating.sort_by_key(|claim| match claim.verdict {
        Decision::Refuted => 0,
        Decision::Inconclusive => 1,
        Decision::Holds => 2,
    });
    html! {
        p.muted {
            "Shaded: what is claimed. Bar: the 95 % interval of what was measured, or, by kind of "
            "fault, from the least to the greatest; an arrow: the data do not bound it. Dot: what "
            "was observed."
        }
        div.cards { @for of in shown(&gating) { (card(&of)) } }
        @if !others.is_empty() {
            details {
                summary { "For comparison: what does not decide the verdict (" (others.len()) ")" }
                div.cards { @for of in shown(&others) { (card(&of)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_whatever_their_unit() {
        let sorted = [
            "-0.33 s", "0 s", "12 µs", "8.3 ms", "0.21 s", "> 3.00 s", "12.3 s", "1 min", "97.3 %",
            "60 000",
        ];
        let keys = sorted.map(|text| sort_key(text).expect(text));
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(sort_key("2.53x [1.19x, 4.56x]"), Some(2.53));
        assert_eq!(sort_key("0.98 [0.97, 0.99]"), Some(0.98));
        for none in ["-", "", "not run", "? false"] {
            assert_eq!(sort_key(none), None, "{none}");
        }
    }
}
