//! What a report says, before it has a form.
//!
//! An experiment builds a page of blocks; a renderer gives it a form and knows no
//! experiment. What stands around every page (the verdict, where and when it was run, how
//! to do it again) is its document.
//!
//! - `block`: the parts of a section
//! - `document`: a page with all that stands around it
//! - `table`: rows of numbers
//! - `scripts`: what is said of the user's own scripts
//! - `spark`: shares over time, in letters
//! - `worst`: the slowest operations one by one

mod block;
mod document;
mod scripts;
mod spark;
mod table;
mod worst;

pub use block::{Block, Definition, Style, Text};
pub use document::{Again, Document, Fact, Headline, quoted};
pub use scripts::operations;
pub(crate) use scripts::section as scripts;
pub use spark::{SparkGroup, Sparks};
pub(crate) use spark::{letter, shares};
pub(crate) use table::maybe;
pub use table::{Cell, Column, Measure, Row, Table};
pub(crate) use worst::{Watched, worst};

use crate::plot::Plot;

/// What a report says.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The question that it answers, as a heading.
    pub title: String,
    /// What came out, in a sentence or two. Where nothing can be said, what is missing for it.
    pub finding: String,
    /// What was done, for who has never seen such a run.
    pub intro: String,
    /// How much of it was done: `12 of 12 injections carried out`.
    pub carried_out: String,
    /// What stands right below the verdict.
    pub lead: Vec<Block>,
    /// What a terminal has room for.
    pub summary: Summary,
    /// What to ship, if it is an experiment that says so; for a terminal, beside the
    /// section that says it in full.
    pub ship: Vec<Ship>,
    /// Files to use, which are written beside the report.
    pub files: Vec<File>,
    /// The rest, in the order of the questions that a reader has.
    pub sections: Vec<Section>,
    /// How it was measured: the load, and what the words mean.
    pub measured: Vec<Block>,
    /// What the same command does again: `The same seed and flags draw the same faults.`
    pub repeats: String,
    /// What else there is to know at the end.
    pub details: Vec<Block>,
    /// Whether the run read files of the user's, which need not be there any more.
    /// What they held is in the record.
    pub read_files: bool,
}

/// The numbers of a run, on a terminal.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The name over it, in capitals: `FAULTS`.
    pub name: String,
    /// What the numbers are, if their columns do not say it.
    pub says: String,
    /// Tables and text.
    pub blocks: Vec<Block>,
}

/// Something to ship.
#[derive(Debug, Clone, Default)]
pub struct Ship {
    /// What it is for, or what it is called.
    pub name: String,
    /// What it is, why, and what it costs.
    pub says: Vec<String>,
    /// The block of configuration. Empty if nothing can be shipped.
    pub settings: String,
}

/// A file to use.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Its name, in the folder of the report.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// A command that tries it out, to be completed by its path. Empty if there is none.
    pub tried_by: String,
}

/// A part of a page with a heading.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// What links point to. Empty if none does.
    pub id: String,
    /// The heading.
    pub title: String,
    /// What stands behind it, in small.
    pub note: String,
    /// The one form that it is for, if not for all.
    pub only: Option<Form>,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A form of a whole page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a browser.
    Html,
    /// For a pull request or a ticket.
    Markdown,
}

impl Page {
    /// All its pictures, in their order.
    pub fn plots(&self) -> impl Iterator<Item = &Plot> {
        let blocks = self.sections.iter().flat_map(|section| &section.blocks);
        blocks.filter_map(|block| match block {
            Block::Plot(plot) => Some(plot),
            _ => None,
        })
    }
}

impl Section {
    /// A section for every form.
    #[must_use]
    pub fn new(id: &str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self {
            id: id.to_owned(),
            title: title.into(),
            blocks,
            ..Self::default()
        }
    }

    /// A section for one form.
    #[must_use]
    pub fn only(self, form: Form) -> Self {
        Self {
            only: Some(form),
            ..self
        }
    }

    /// What is claimed, and whether it is so.
    #[must_use]
    pub fn claims() -> Self {
        Self::new(
            "claims",
            "What is claimed, and whether it is so",
            vec![Block::Claims],
        )
    }

    /// Whether it is in a form.
    pub(crate) fn is_in(&self, form: Form) -> bool {
        self.only.is_none_or(|only| only == form)
    }
}

/// As a sentence: a capital first, a full stop last.
#[must_use]
pub fn sentence(clause: &str) -> String {
    capital(clause) + "."
}

/// With a capital first.
#[must_use]
pub fn capital(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
