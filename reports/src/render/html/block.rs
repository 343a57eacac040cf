//! The parts of a section.

use maud::{Markup, PreEscaped, html};

use crate::{
    claim::{Claim, Decision},
    page::{Block, Cell, Column, Style, Table, Text},
    plot::Plot,
    run::Arm,
};

use super::{super::group::shown, card::card};

/// What a block may need that is no part of it.
pub(super) struct Context<'a> {
    pub(super) claims: &'a [Claim],
    /// The SVG document of a picture.
    pub(super) drawn: &'a dyn Fn(&Plot) -> String,
}

pub(super) fn blocks(blocks: &[Block], context: &Context<'_>) -> Markup {
    html! { @for of in blocks { (block(of, "", context)) } }
}

/// A block of the section with this id.
pub(super) fn block(of: &Block, section: &str, context: &Context<'_>) -> Markup {
    match of {
        Block::Text(of) => text(of),
        Block::List(clauses) => html! { ul { @for clause in clauses { li { (clause) } } } },
        Block::Table(of) => table(of),
        Block::Plot(plot) => figure(plot, section, context),
        Block::Code(_, code) => html! { pre { code { (code) } } },
        Block::Claims => claims(context.claims),
        Block::Arms(of) => arms(of),
        Block::Definitions(all) => html! {
            dl { @for definition in *all { dt { (definition.word) } dd { (definition.means) } } }
        },
        Block::Details(summary, inner) => html! {
            details { summary { (summary) } (blocks(inner, context)) }
        },
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

fn table(table: &Table) -> Markup {
    html! {
        @if !table.heading.is_empty() { h3 { (table.heading) } }
        @if table.rows.is_empty() {
            p { (table.empty) }
        } @else {
            div.scroll { table.numbers {
                thead { tr { @for column in &table.columns {
                    th title=[Some(column.about).filter(|about| !about.is_empty())] { (column.name) }
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
}

fn cell(cell: &Cell, column: &Column, shown: bool, chosen: &str) -> Markup {
    let inner = html! {
        @if !shown {
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
        html! { th { (inner) } }
    } else if column.is_number() {
        html! { td.number.more[cell.bounded] { (inner) } }
    } else {
        html! { td { (inner) } }
    }
}

fn figure(plot: &Plot, section: &str, context: &Context<'_>) -> Markup {
    let svg = (context.drawn)(plot);
    // The size comes from the page; the document's own would be in its way.
    let inner = svg
        .split_once("viewBox")
        .map_or_else(String::new, |(_, rest)| {
            format!(r#"<svg role="img" shape-rendering="crispEdges" viewBox{rest}"#)
        });
    // The only picture of a section may have its name.
    let id = Some(&plot.name).filter(|name| *name != section);
    html! {
        figure id=[id] aria-label=(plot.title) {
            (PreEscaped(inner))
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
