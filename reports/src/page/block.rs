//! The parts of a section.

use crate::{plot::Plot, run::Arm};

use super::{Sparks, Table};

/// A part of a section.
#[derive(Debug, Clone)]
pub enum Block {
    /// A paragraph.
    Text(Text),
    /// Clauses, one a line.
    List(Vec<String>),
    /// Numbers.
    Table(Table),
    /// A picture.
    Plot(Plot),
    /// Pictures of letters.
    Sparks(Sparks),
    /// Text of a file or a command: its language, and it.
    Code(&'static str, String),
    /// The claims of the verdict.
    Claims,
    /// The arms, and how each was configured.
    Arms(Vec<Arm>),
    /// What words mean.
    Definitions(&'static [Definition]),
    /// What is shown to who asks for it: a summary, and the rest. Left out where nobody
    /// can ask.
    Details(String, Vec<Block>),
}

/// A word, and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The word.
    pub word: &'static str,
    /// What it means, in sentences.
    pub means: &'static str,
}

/// A paragraph.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// How it is set.
    pub style: Style,
    /// Its parts, and whether each is to be seen at once.
    pub parts: Vec<(String, bool)>,
}

/// How a paragraph is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// As text.
    #[default]
    Plain,
    /// As what came out.
    Finding,
    /// As a note.
    Muted,
}

impl Text {
    /// An empty paragraph.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            style,
            parts: Vec::new(),
        }
    }

    /// With some more text.
    #[must_use]
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.parts.push((text.into(), false));
        self
    }

    /// With some more that is to be seen at once.
    #[must_use]
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.parts.push((text.into(), true));
        self
    }

    /// Nothing of it is set in any way.
    pub(crate) fn plain(&self) -> String {
        self.parts.iter().map(|(text, _)| &**text).collect()
    }
}

impl Block {
    /// A paragraph.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::new(Style::Plain).then(text))
    }

    /// What came out, as a paragraph.
    #[must_use]
    pub fn finding(text: impl Into<String>) -> Self {
        Self::Text(Text::new(Style::Finding).then(text))
    }

    /// A note.
    #[must_use]
    pub fn muted(text: impl Into<String>) -> Self {
        Self::Text(Text::new(Style::Muted).then(text))
    }
}
