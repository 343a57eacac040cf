//! The runs of a build that is known to be well, as a file.

use std::{collections::BTreeMap, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Report,
    claim::{Decision, Source},
    measures::Measures,
    record::{RecordError, whole_json},
    run::Environment,
    sample::Sample,
};

/// The version of the file's schema.
pub const SCHEMA: u32 = 1;

/// Runs of one build, all of the same experiment with the same flags and the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What all of them were.
    pub of: Of,
    /// Each of them.
    pub runs: Vec<RunOf>,
}

/// What several runs have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Of {
    /// The experiment.
    pub command: String,
    /// What was typed behind it, without seed and environment.
    pub arguments: Vec<String>,
    /// The seed of every run.
    pub seed: u64,
    /// Where they took place.
    pub environment: Environment,
    /// The settings of each arm.
    pub arms: BTreeMap<String, BTreeMap<String, String>>,
}

/// What one run measured, and what it refuted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOf {
    /// When it began, UTC, RFC 3339.
    pub started_utc: String,
    /// Claims that gate and that it refuted: the arm and the id.
    pub refuted: Vec<String>,
    /// What it measured.
    pub samples: Vec<Sample>,
}

impl Of {
    /// What a run was. `arguments` is what was typed, without seed and environment.
    #[must_use]
    pub fn run(measured: &Measures, arguments: &[String]) -> Self {
        let arms = measured.arms.iter();
        Self {
            command: measured.command.clone(),
            arguments: arguments.to_vec(),
            seed: measured.seed,
            environment: measured.environment.clone(),
            arms: arms
                .map(|arm| (arm.name.clone(), arm.config.clone()))
                .collect(),
        }
    }

    /// How the environment of another differs from this one's.
    #[must_use]
    pub fn elsewhere(&self, now: &Self) -> Vec<String> {
        places(&self.environment, &now.environment)
    }

    /// What another is that this is not, in words; nothing if both are the same.
    #[must_use]
    pub fn differs(&self, now: &Self) -> Vec<String> {
        let mut differences = places(&self.environment, &now.environment);
        let names = self.arms.keys().chain(now.arms.keys());
        let names: std::collections::BTreeSet<&String> = names.collect();
        for arm in names {
            match (self.arms.get(arm), now.arms.get(arm)) {
                (Some(then), Some(now)) => differences.extend(settings(arm, then, now)),
                (Some(_), None) => differences.push(format!("arm {arm}: not there any more")),
                _ => differences.push(format!("arm {arm}: it was not there")),
            }
        }
        differences
    }
}

/// How two environments differ: `PostgreSQL: 15.18, then 16.4`.
#[must_use]
pub(crate) fn places(then: &Environment, now: &Environment) -> Vec<String> {
    let facts = |e: &Environment| {
        [
            ("environment", e.kind.clone()),
            ("PostgreSQL", e.server_version.clone()),
            ("proxy", e.proxy.clone()),
            ("CPUs", e.cpus.to_string()),
            ("profile", e.profile.clone()),
        ]
    };
    let both = facts(then).into_iter().zip(facts(now));
    let differ = both.filter(|(then, now)| then != now);
    differ
        .map(|((name, then), (_, now))| format!("{name}: {then}, then {now}"))
        .collect()
}

/// How two settings of an arm differ.
pub(crate) fn settings(
    arm: &str,
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differ = keys
        .into_iter()
        .filter(|key| then.get(*key) != now.get(*key));
    let said = |of: Option<&String>| of.map_or("not set", String::as_str).to_owned();
    differ
        .map(|key| {
            format!(
                "{arm}: {key}: {}, then {}",
                said(then.get(key)),
                said(now.get(key))
            )
        })
        .collect()
}

impl RunOf {
    /// What a judged record comes to.
    #[must_use]
    pub fn report(report: &Report<'_>) -> Self {
        let claims = report.verdict.claims.iter();
        // Thresholds are judged on all runs together.
        let claims = claims.filter(|claim| claim.gating && claim.source != Source::User);
        let refuted = claims.filter(|claim| claim.is(Decision::Refuted));
        Self {
            started_utc: report.record.run.started_utc.clone(),
            refuted: refuted
                .map(|claim| format!("{} {}", claim.arm, claim.id))
                .collect(),
            samples: report.measures.samples.clone(),
        }
    }
}

impl Baseline {
    /// Runs of which all were the same.
    #[must_use]
    pub fn new(of: Of, runs: Vec<RunOf>) -> Self {
        Self {
            schema: SCHEMA,
            of,
            runs,
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// If the file cannot be read, or is none of this version.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let name = || path.display().to_string();
        let text = std::fs::read(path).map_err(|source| BaselineError::Io {
            path: name(),
            source,
        })?;
        let json = |source| BaselineError::Json {
            path: name(),
            source,
        };
        #[derive(Deserialize)]
        struct Header {
            schema: u32,
        }
        let Header { schema } = serde_json::from_slice(&text).map_err(json)?;
        if schema != SCHEMA {
            return Err(BaselineError::Schema {
                path: name(),
                found: schema,
            });
        }
        let baseline: Self = serde_json::from_slice(&text).map_err(json)?;
        if baseline.runs.len() < FEWEST {
            return Err(BaselineError::Few {
                path: name(),
                found: baseline.runs.len(),
            });
        }
        Ok(baseline)
    }

    /// Writes it, a sample a line, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        whole_json(path, self.to_json())
    }

    fn to_json(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        // Only samples begin so, and text within a string has its quotes escaped.
        Ok(text.replace("{\"measure\":", "\n{\"measure\":") + "\n")
    }
}

/// Runs without which nothing can be said of noise.
const FEWEST: usize = 3;

/// Why a baseline could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The file could not be read.
    #[error("{path}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no baseline.
    #[error("{path} is not a baseline")]
    Json {
        /// The file.
        path: String,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error("{path}: schema: {found}, this version reads {SCHEMA}")]
    Schema {
        /// The file.
        path: String,
        /// What it says.
        found: u32,
    },
    /// It has too few runs.
    #[error("{path}: runs: {found}, allowed: {FEWEST} or more")]
    Few {
        /// The file.
        path: String,
        /// How many it has.
        found: usize,
    },
}
