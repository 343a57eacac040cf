//! The user's own scripts, as they were run, and what was seen of them before anything was
//! measured.

use serde::{Deserialize, Serialize};

/// A script of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its file, as it was typed.
    pub file: String,
    /// The name of its file, without folder and ending.
    pub name: String,
    /// What the file held.
    pub text: String,
    /// How often it runs, against the weights of the others. Of 0 it never does.
    pub weight: u32,
    /// Whether it changes rows.
    pub writes: bool,
    /// Whether it is one statement, which no session is held for.
    #[serde(default)]
    pub alone: bool,
    /// Whether what becomes of its writes is checked: it is marked with `-- @write` and
    /// `-- @check`.
    #[serde(default)]
    pub marked: bool,
    /// How often it was run before anything was measured, and rolled back.
    #[serde(default)]
    pub tried: u32,
    /// Its statements, in their order.
    #[serde(default)]
    pub statements: Vec<ScriptStatement>,
}

/// A statement of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptStatement {
    /// The line that it begins in, from 1.
    pub line: u32,
    /// As it is prepared: variables are parameters.
    pub sql: String,
    /// How often it was done while the script was tried.
    pub done: u64,
    /// Rows that it returned or changed then.
    pub rows: u64,
    /// The plan with parameters and the one with values written in, where the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plans: Option<Plans>,
}

impl ScriptStatement {
    /// Whether it was done, and never returned nor changed a row: what it is measured for, it
    /// may not do. Statements that have no rows, such as `BEGIN`, are not recorded.
    #[must_use]
    pub fn finds_nothing(&self) -> bool {
        self.done > 0 && self.rows == 0
    }
}

/// Two plans of one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plans {
    /// For any value of its parameters: what a service has after some calls.
    pub prepared: String,
    /// For the values of one call, written into the statement.
    pub literal: String,
}
