//! A record as a file: read, checked, and written whole or not at all.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    experiment::Data,
    run::{Contradiction, Run, Step},
};

use super::{SCHEMA, v2};

/// One run of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// What every run has.
    #[serde(flatten)]
    pub run: Run,
    /// What its experiment recorded.
    pub data: Data,
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file could not be read or written.
    #[error("{path}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not a record.
    #[error("{path} is not a record")]
    Json {
        /// The file.
        path: String,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// The record was written by another version.
    #[error("schema: {found}, this version reads 2 and {SCHEMA}")]
    Schema {
        /// What the file says.
        found: u32,
    },
    /// The record is of an experiment that this version does not have.
    #[error("command: {found}, this version knows {known}")]
    Command {
        /// What the file says.
        found: String,
        /// The experiments there are.
        known: String,
    },
    /// The record contradicts itself.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// What is read first: it tells how to read the rest.
#[derive(Deserialize)]
struct Header {
    schema: u32,
    command: String,
}

impl Record {
    /// Reads and checks `record.json`.
    ///
    /// # Errors
    /// If the file cannot be read, is not a record of a schema and an experiment that
    /// are known, or contradicts itself.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        let name = || path.display().to_string();
        let text = std::fs::read(path).map_err(|source| RecordError::Io {
            path: name(),
            source,
        })?;
        let json = |source| RecordError::Json {
            path: name(),
            source,
        };
        let Header { schema, command } = serde_json::from_slice(&text).map_err(json)?;
        let record = match schema {
            SCHEMA => Data::read(&command, &text),
            v2::SCHEMA => v2::read(&command, &text),
            found => return Err(RecordError::Schema { found }),
        };
        let record = record.ok_or_else(|| RecordError::Command {
            found: command,
            known: Data::COMMANDS.join(", "),
        })?;
        let (mut run, data) = record.map_err(json)?;
        let steps = run.schedule.iter_mut().flat_map(|entry| &mut entry.faults);
        steps.for_each(Step::fill_words);
        let record = Self { run, data };
        record.check()?;
        Ok(record)
    }

    /// Writes `record.json`: see [`save`].
    ///
    /// # Errors
    /// If the file cannot be written beside `path` or moved to it.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        save(&self.run, &self.data, path)
    }

    /// Checks what every reader relies on.
    ///
    /// # Errors
    /// Names the first field that does not hold.
    pub fn check(&self) -> Result<(), Contradiction> {
        if self.run.command != self.data.command() {
            let value = format!("{}, over data of {}", self.run.command, self.data.command());
            let allowed = "the command that the data are of";
            return Err(Contradiction::new("command", value, allowed));
        }
        let checked = self.data.check(&self.run);
        checked.map_err(|contradiction| contradiction.within("data"))
    }
}

/// Writes a run and what its experiment recorded as `record.json`, so that a reader
/// finds the old file or the new one, never half of one.
///
/// # Errors
/// If the file cannot be written beside `path` or moved to it.
pub fn save<D: Serialize>(run: &Run, data: &D, path: &Path) -> Result<(), RecordError> {
    /// [`Record`], borrowed.
    #[derive(Serialize)]
    struct Borrowed<'a, D> {
        #[serde(flatten)]
        run: &'a Run,
        data: &'a D,
    }
    let io = |source| RecordError::Io {
        path: path.display().to_string(),
        source,
    };
    let text = serde_json::to_vec(&Borrowed { run, data }).map_err(|source| RecordError::Json {
        path: path.display().to_string(),
        source,
    })?;
    whole(path, &text).map_err(io)
}

/// Writes JSON that was made, whole or not at all.
///
/// # Errors
/// If it could not be made, or the file cannot be written.
pub(crate) fn whole_json(
    path: &Path,
    made: Result<String, serde_json::Error>,
) -> Result<(), RecordError> {
    let name = || path.display().to_string();
    let text = made.map_err(|source| RecordError::Json {
        path: name(),
        source,
    })?;
    whole(path, text.as_bytes()).map_err(|source| RecordError::Io {
        path: name(),
        source,
    })
}

/// Writes a file so that a reader finds the old one or the new one, never half of one.
/// Where that fails, nothing of the new one is left.
///
/// # Errors
/// If the file cannot be written beside `path` or moved to it.
pub(crate) fn whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let beside = path.with_file_name(name);
    let written = std::fs::write(&beside, content);
    let moved = written.and_then(|()| std::fs::rename(&beside, path));
    if moved.is_err() {
        // The first error is the one to tell; a file that was never made is no other.
        let _unless_gone = std::fs::remove_file(&beside);
    }
    moved
}
