//! The document, from top to bottom.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    page::{Block, Document, Form, Section},
    plot::{
        Plot,
        palette::{Scheme, scheme},
    },
};

use super::{
    block::{Context, block, blocks},
    card::sign,
};

const STYLE: &str = include_str!("style.css");
/// What a page can do that it need not: rows are sorted, and what is folded away is printed.
const SCRIPT: &str = include_str!("script.js");
/// The browser itself sees to it that nothing is fetched.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The whole page. `drawn` gives the SVG document of a picture.
#[must_use]
pub fn html(document: &Document<'_>, drawn: &dyn Fn(&Plot) -> String) -> String {
    let (headline, page) = (&document.headline, &document.page);
    let context = Context {
        claims: &document.claims,
        drawn,
        id: "",
        title: &page.title,
    };
    let sections: Vec<&Section> = page
        .sections
        .iter()
        .filter(|s| s.is_in(Form::Html))
        .collect();
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.name) ": " (first_line(document)) }
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                style { (PreEscaped(style())) }
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
                    (contents(&sections))
                    @for of in &sections { (section(of, &context)) }
                    @if !page.measured.is_empty() {
                        section #measured {
                            h2 { "How it was measured" }
                            (blocks(&page.measured, &context))
                        }
                    }
                    (at_last(document, &context))
                }
                script { (PreEscaped(SCRIPT)) }
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

/// The style sheet, with the colours of pictures.
fn style() -> String {
    let Scheme { rules, light, dark } = scheme();
    format!(
        ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n\
         {rules}{STYLE}"
    )
}

/// Links to the sections of a page that has several.
fn contents(sections: &[&Section]) -> Markup {
    let linked = sections.iter().filter(|section| !section.id.is_empty());
    let linked: Vec<&&Section> = linked.collect();
    html! {
        @if linked.len() > 2 {
            nav.contents aria-label="Contents" { ul {
                @for of in linked { li { a href=(format!("#{}", of.id)) { (of.title) } } }
                li { a href="#again" { "Again" } }
            } }
        }
    }
}

fn section(section: &Section, context: &Context<'_>) -> Markup {
    let context = Context {
        id: &section.id,
        title: &section.title,
        ..*context
    };
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
                nav aria-label=(section.title) { @for plot in plots { a href=(format!("#{}", plot.name)) { (plot.name) } " " } }
            }
            @for of in &section.blocks { (block(of, &context)) }
        }
    }
}

/// How to do it again, and what else there is of the run.
fn at_last(document: &Document<'_>, context: &Context<'_>) -> Markup {
    let context = Context {
        id: "again",
        title: "Again",
        ..*context
    };
    html! {
        section #again {
            h2 { "Again" }
            @for again in &document.again {
                @if !again.purpose.is_empty() { p { (again.purpose) } }
                pre tabindex="0" { code { (again.in_folder("FOLDER")) } }
            }
            p.muted { (document.page.repeats) }
            (blocks(&document.details, &context))
            (blocks(&document.page.details, &context))
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
