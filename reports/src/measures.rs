//! `measures.json`: the samples of a run, with what they are of.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    experiment::Data,
    record::{RecordError, whole_json},
    run::{Arm, Environment, Run},
    sample::Sample,
};

/// The version of the file's schema.
pub const SCHEMA: u32 = 1;

/// What a run measured, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The experiment, as typed.
    pub command: String,
    /// What was typed behind it.
    pub arguments: Vec<String>,
    /// The seed of the run.
    pub seed: u64,
    /// `quick`, `default` or `full`.
    pub size: String,
    /// When the run began, UTC, RFC 3339.
    pub started_utc: String,
    /// Where it took place.
    pub environment: Environment,
    /// The configurations under test.
    pub arms: Vec<Arm>,
    /// What was measured: by arm and place.
    pub samples: Vec<Sample>,
}

impl Measures {
    /// The samples of a run.
    pub(crate) fn of(run: &Run, samples: Vec<Sample>) -> Self {
        Self {
            schema: SCHEMA,
            command: run.command.clone(),
            arguments: run.arguments.clone(),
            seed: run.seed,
            size: run.size.clone(),
            started_utc: run.started_utc.clone(),
            environment: run.environment.clone(),
            arms: run.arms.clone(),
            samples,
        }
    }

    /// Several runs of one experiment as if they were one, of which each is measured once:
    /// then the replicate is the run. `None` of none.
    #[must_use]
    pub fn together(runs: &[Self]) -> Option<Self> {
        let first = runs.first()?;
        let measures = Data::measures(&first.command)?;
        let samples = first.samples.iter().filter_map(|sample| {
            let measure = measures
                .iter()
                .find(|measure| measure.name == sample.measure)?;
            let same =
                |other: &&Sample| other.measure == sample.measure && other.labels == sample.labels;
            let each = runs.iter().filter_map(|run| run.samples.iter().find(same));
            Sample::of_runs(measure.together, each)
        });
        Some(Self {
            samples: samples.collect(),
            ..first.clone()
        })
    }

    /// Reads `measures.json`.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one of this schema.
    pub fn load(path: &Path) -> Result<Self, MeasuresError> {
        let name = || path.display().to_string();
        let text = std::fs::read(path).map_err(|source| MeasuresError::Io {
            path: name(),
            source,
        })?;
        let read: Self = serde_json::from_slice(&text).map_err(|source| MeasuresError::Json {
            path: name(),
            source,
        })?;
        read.checked().map_err(|reason| MeasuresError::Schema {
            path: name(),
            reason,
        })
    }

    /// Itself, if this version reads it.
    ///
    /// # Errors
    /// What does not fit.
    pub fn checked(self) -> Result<Self, String> {
        if self.schema != SCHEMA {
            return Err(format!(
                "schema: {}, this version reads {SCHEMA}",
                self.schema
            ));
        }
        if Data::measures(&self.command).is_none() {
            let known = Data::COMMANDS.join(", ");
            return Err(format!(
                "command: {}, this version knows {known}",
                self.command
            ));
        }
        Ok(self)
    }

    /// Writes `measures.json`, a sample a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        whole_json(path, self.to_json())
    }

    fn to_json(&self) -> Result<String, serde_json::Error> {
        let head = Self {
            samples: Vec::new(),
            ..self.clone()
        };
        let head = serde_json::to_string(&head)?;
        let lines: Result<Vec<String>, _> =
            self.samples.iter().map(serde_json::to_string).collect();
        let lines = lines?.join(",\n");
        // The samples are the last field.
        Ok(match head.strip_suffix("[]}") {
            Some(head) => format!("{head}[\n{lines}\n]}}\n"),
            None => serde_json::to_string(self)? + "\n",
        })
    }
}

/// Why the measures of a run could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasuresError {
    /// The file could not be read.
    #[error("{path}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file does not hold measures.
    #[error("{path} does not hold measures")]
    Json {
        /// The file.
        path: String,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error("{path}: {reason}")]
    Schema {
        /// The file.
        path: String,
        /// What does not fit.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge, synthetic};

    #[test]
    fn measures_are_read_as_they_were_written_a_sample_a_line() {
        let record = synthetic::record(7, 1, &["bare", "seawall"]);
        let measures = judge(&record).measures;
        assert!(measures.samples.len() > 50, "{}", measures.samples.len());
        let text = measures.to_json().unwrap();
        assert_eq!(text.lines().count(), measures.samples.len() + 2);
        let dir = std::env::temp_dir().join(format!("measures-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("measures.json");
        measures.save(&path).unwrap();
        assert_eq!(Measures::load(&path).unwrap(), measures);
        for (from, to, says) in [
            (
                r#""schema":1"#,
                r#""schema":9"#,
                "schema: 9, this version reads 1",
            ),
            (
                r#""command":"failure-sim""#,
                r#""command":"x""#,
                "command: x, this version knows",
            ),
        ] {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = Measures::load(&path).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
