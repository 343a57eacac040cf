//! What those who run scripts ask of them.

use tokio_postgres::types::ToSql;

use super::{Effect, Script, ScriptError, Value, command::Command, error::place};

/// Values as parameters of a statement.
#[must_use]
pub fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    let each = values.iter().map(|value| value as &(dyn ToSql + Sync));
    each.collect()
}

impl Effect {
    /// Whether a statement with this effect begins a transaction or ends it, or goes back in
    /// it: it has neither rows nor parameters.
    #[must_use]
    pub fn controls(self) -> bool {
        matches!(
            self,
            Self::Begins | Self::Commits | Self::RollsBack | Self::Savepoint
        )
    }
}

impl ScriptError {
    /// Something that may not stand at a place of a file; line and column count from 1.
    #[must_use]
    pub fn new(
        file: &str,
        (line, column): (u32, u32),
        what: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line,
            column,
            what: what.into(),
            allowed: allowed.into(),
        }
    }
}

/// Two scripts are equal if their files hold the same.
impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.text == other.text
    }
}

impl Script {
    /// Whether runs of it differ in their statements: it has an `\if`.
    #[must_use]
    pub fn branches(&self) -> bool {
        let mut commands = self.parts.commands.iter();
        commands.any(|command| matches!(command, Command::Branch { .. }))
    }

    /// The first place at which it waits for more than room to send: for an answer that it
    /// puts into a variable, or for time. Says with which command.
    #[must_use]
    pub fn waits(&self) -> Option<(u32, u32, &'static str)> {
        self.parts.commands.iter().find_map(|command| {
            let (at, name) = match command {
                Command::Statement { got: Some(got), .. } => {
                    (got.at, if got.every { "aset" } else { "gset" })
                }
                Command::Sleep { .. } => {
                    let at = self.text.to_ascii_lowercase().find("\\sleep");
                    (at.unwrap_or(0), "sleep")
                }
                _ => return None,
            };
            let (line, column) = place(&self.text, at);
            Some((line, column, name))
        })
    }
}
