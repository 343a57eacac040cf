//! A user's own transaction: the script language of pgbench, and plain SQL with `$1`.
//!
//! - [`Script::read`] reads a text: its statements, its backslash commands (`\set`, `\if`,
//!   `\gset` and so on), and its marks in line comments (`-- @param 1 = random(1, 10)`)
//! - [`Script::check`] finds variables that nothing sets
//! - [`Run`] executes a script: it computes, and says what to send and how long to wait
//! - [`Value`]: what a variable holds, as it is sent and as it is written into SQL
//!
//! Nothing here talks to a server, waits, or reads a clock: random numbers come from a
//! generator that is passed in. The language is that of pgbench 15, with `\syncpipeline` of
//! 17 and without `\shell` and `\setshell`. It differs in that `:name` inside of quotes is
//! text, and that a variable without a value is an error in a statement too.

mod backslash;
mod check;
mod command;
mod effect;
mod error;
mod expression;
mod function;
mod mark;
mod parse;
mod permute;
mod random;
mod read;
mod run;
pub(crate) mod sql;
mod statement;
#[cfg(test)]
mod tests;
mod uses;
mod value;

use std::{collections::BTreeMap, path::Path};

pub use self::{
    check::AUTOMATIC,
    effect::Effect,
    error::ScriptError,
    expression::Expression,
    run::{Got, Run, Step},
    statement::Statement,
    uses::parameters,
    value::Value,
};
use self::{error::Fault, read::Parts};

/// The variables that a script is given, by name.
pub type Variables = BTreeMap<String, Value>;

/// A script that was read.
#[derive(Debug, Clone)]
pub struct Script {
    file: String,
    name: String,
    text: String,
    parts: Parts,
}

/// How it is found out after a run whether what a script wrote is there.
#[derive(Debug, Clone)]
pub struct Written {
    /// What identifies that which a run of the script writes.
    pub key: Expression,
    /// The statement that finds it: `:key` is the key.
    pub check: Statement,
    slot: usize,
}

impl Script {
    /// Reads a script. `file` is what errors call it.
    ///
    /// # Errors
    /// The first thing that may not stand in a script, with its line and column.
    pub fn read(file: &str, text: &str) -> Result<Self, ScriptError> {
        let parts = read::read(text).map_err(|fault| fault.in_file(file, text))?;
        let stem = Path::new(file).file_stem();
        Ok(Self {
            file: file.to_owned(),
            name: stem.map_or_else(
                || file.to_owned(),
                |stem| stem.to_string_lossy().into_owned(),
            ),
            text: text.to_owned(),
            parts,
        })
    }

    /// The file, as it was named.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The name of the file, without its folder and its ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text that was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its statements, in the order of the text.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.parts.statements
    }

    /// Whether one of its statements may write.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.parts
            .statements
            .iter()
            .any(|statement| statement.writes)
    }

    /// Checks that each variable is set before it is used, by a path of the script or by
    /// `defined`. Those in [`AUTOMATIC`] need not be among the defined ones here.
    ///
    /// # Errors
    /// The first use of a variable that nothing sets before it.
    pub fn check(&self, defined: &Variables) -> Result<(), ScriptError> {
        check::variables(&self.parts, defined).map_err(|fault| self.error(*fault))
    }

    /// What `-- @write` and `-- @check` say.
    #[must_use]
    pub fn written(&self) -> Option<&Written> {
        self.parts.written.as_ref()
    }

    /// Whether `-- @rows none` says that its statements need not find a row.
    #[must_use]
    pub fn finds_none(&self) -> bool {
        self.parts.finds_none
    }

    fn error(&self, fault: Fault) -> ScriptError {
        fault.in_file(&self.file, &self.text)
    }
}
