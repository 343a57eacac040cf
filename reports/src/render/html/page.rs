//! The document, from top to bottom.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    page::{Block, Document, Form, Section},
    plot::Plot,
};

use super::{
    block::{Context, block, blocks},
    card::sign,
};

const STYLE: &str = include_str!("style.css");

/// The whole page. `drawn` gives the SVG document of a picture.
#[must_use]
pub fn html(document: &Document<'_>, drawn: &dyn Fn(&Plot) -> String) -> String {
    let (headline, page) = (&document.headline, &document.page);
    let context = Context {
        claims: &document.claims,
        drawn,
    };
    let sections = page.sections.iter().filter(|s| s.is_in(Form::Html));
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.name) ": " (first_line(document)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    @if page.finding.is_empty() {
                        h1 { (page.title) }
                    } @else {
                        p.question { (page.title) }
                        h1 { (page.finding) }
                    }
                    p.headline.(headline.mood.name()) {
                        span.sign { (sign(headline.mood)) } " " (headline.sentence)
                    }
                    p.intro { (page.intro) }
                    (blocks(&page.lead, &context))
                    p.muted.facts { @for (i, fact) in document.facts.iter().enumerate() {
                        @if i > 0 { br; }
                        (fact.name) ": " (fact.says)
                    } }
                }
                main {
                    @for of in sections { (section(of, &context)) }
                    section #measured {
                        h2 { "How it was measured" }
                        (blocks(&page.measured, &context))
                    }
                    (at_last(document, &context))
                }
            }
        }
    };
    whole.into_string()
}

/// What a reader sees first.
fn first_line<'a>(document: &'a Document<'_>) -> &'a str {
    if document.page.finding.is_empty() {
        &document.headline.sentence
    } else {
        &document.page.finding
    }
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
fn at_last(document: &Document<'_>, context: &Context<'_>) -> Markup {
    html! {
        section #again {
            h2 { "Again" }
            @for again in &document.again {
                @if !again.purpose.is_empty() { p { (again.purpose) } }
                pre { code { (again.in_folder("FOLDER")) } }
            }
            p.muted { (document.page.repeats) }
            (blocks(&document.details, context))
            (blocks(&document.page.details, context))
            p {
                @if !document.files.is_empty() {
                    "Beside this file: "
                    @for (i, file) in document.files.iter().enumerate() {
                        @if i > 0 { ", " }
                        a href=(file) { (file) }
                    }
                    ". "
                }
                "Exit code " (document.exit_code) "."
            }
        }
    }
}
