//! A record as a file: read, checked, and written whole or not at all.

use std::{io, path::Path};

use super::{Injection, Outcome, Planned, Record, SCHEMA};

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
    #[error("schema: {found}, this version reads {SCHEMA}")]
    Schema {
        /// What the file says.
        found: u32,
    },
    /// The record contradicts itself.
    #[error("injections[{injection}].{field}: {value}, {allowed}")]
    Invalid {
        /// Index of the injection.
        injection: usize,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: String,
    },
    /// What a sweep recorded contradicts itself.
    #[error("sweep.{field}: {value}, allowed: {allowed}")]
    Sweep {
        /// The field.
        field: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: &'static str,
    },
}

impl Record {
    /// Reads and checks `record.json`.
    ///
    /// # Errors
    /// If the file cannot be read, is not a record of this [`SCHEMA`], or its
    /// columns do not fit together.
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
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(json)?;
        if let Some(found) = value.get("schema").and_then(serde_json::Value::as_u64)
            && found != u64::from(SCHEMA)
        {
            return Err(RecordError::Schema {
                found: u32::try_from(found).unwrap_or(u32::MAX),
            });
        }
        let record: Self = serde_json::from_value(value).map_err(json)?;
        record.check()?;
        Ok(record)
    }

    /// Writes `record.json` so that a reader finds the old file or the new one,
    /// never half of one.
    ///
    /// # Errors
    /// If the file cannot be written beside `path` or moved to it.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        let io = |source| RecordError::Io {
            path: path.display().to_string(),
            source,
        };
        let text = serde_json::to_vec(self).map_err(|source| RecordError::Json {
            path: path.display().to_string(),
            source,
        })?;
        let beside = path.with_extension("json.part");
        std::fs::write(&beside, text).map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    }

    /// The entries of the plan by name, in its order, the first of each name.
    pub fn entries(&self) -> impl Iterator<Item = &Planned> {
        let first = |i: usize, name: &str| !self.schedule[..i].iter().any(|p| p.name == name);
        let entries = self.schedule.iter().enumerate();
        entries
            .filter(move |(i, planned)| first(*i, &planned.name))
            .map(|(_, planned)| planned)
    }

    /// Which of its kind an injection is, from 0: how many times its fault was
    /// planned for its arm before. Arms may be injected together or take turns;
    /// what is comparable between them is the same fault in the same round.
    #[must_use]
    pub fn round(&self, injection: &Injection) -> usize {
        self.schedule
            .iter()
            .take(injection.planned)
            .filter(|plan| plan.name == injection.fault && plan.arms.contains(&injection.arm))
            .count()
    }

    /// Checks what every reader relies on: columns of one length, known letters,
    /// times in order, indices that exist.
    ///
    /// # Errors
    /// Names the first field that does not hold.
    pub fn check(&self) -> Result<(), RecordError> {
        self.check_sweep()?;
        self.check_batches()?;
        for (injection, i) in self.injections.iter().enumerate() {
            let invalid = |field, value: String, allowed: &str| {
                Err(RecordError::Invalid {
                    injection,
                    field,
                    value,
                    allowed: allowed.to_owned(),
                })
            };
            let ops = &i.operations;
            let n = ops.latencies_us.len();
            if ops.kinds.len() != n || ops.outcomes.len() != n || ops.lags_us.len() != n {
                return invalid(
                    "operations",
                    format!(
                        "{} kinds, {} outcomes, {n} latencies, {} lags",
                        ops.kinds.len(),
                        ops.outcomes.len(),
                        ops.lags_us.len()
                    ),
                    "all columns have the same length",
                );
            }
            if let Some(c) = ops
                .outcomes
                .chars()
                .find(|c| Outcome::from_letter(*c).is_none())
            {
                return invalid(
                    "operations.outcomes",
                    format!("{c:?}"),
                    "one of o f r t u n",
                );
            }
            if let Some(c) = ops.kinds.chars().find(|c| !matches!(c, 'r' | 'w')) {
                return invalid("operations.kinds", format!("{c:?}"), "one of r w");
            }
            let times = [
                i.steady_us,
                i.requested_us,
                i.injected_us,
                i.cleared_us,
                i.ready_us,
                i.ended_us,
            ];
            if !times.is_sorted() {
                return invalid(
                    "steady_us..ended_us",
                    format!("{times:?}"),
                    "steady, requested, injected, cleared, ready and ended follow each other",
                );
            }
            if i.planned >= self.schedule.len() {
                return invalid(
                    "planned",
                    i.planned.to_string(),
                    "an index into the schedule",
                );
            }
            if !self.arms.iter().any(|arm| arm.name == i.arm) {
                return invalid("arm", i.arm.clone(), "one of the arms of the record");
            }
        }
        Ok(())
    }
}
