//! The head of a record: what was run, where, with which arms, and how it ended.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{Injection, Planned, Script};

/// What most services run today.
pub const ARM_BARE: &str = "bare";
/// What a good engineer writes today: the same pool with a deadline on everything.
pub const ARM_CAREFUL: &str = "careful";
/// The engine, configured as the guide says.
pub const ARM_GUIDE: &str = "guide";
/// The engine, as we would ship it.
pub const ARM_SEAWALL: &str = "seawall";

/// What every record has, whatever was found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`](crate::record::SCHEMA) at the time of writing.
    pub schema: u32,
    /// The experiment, as typed.
    pub command: String,
    /// What was typed behind it, with secrets replaced, and with seed and environment
    /// as they were resolved: the same run is had from these again.
    pub arguments: Vec<String>,
    /// The seed that every draw of the run came from.
    pub seed: u64,
    /// `quick`, `default` or `full`.
    pub size: String,
    /// When the run began, UTC, RFC 3339. A label: nothing is computed from it.
    pub started_utc: String,
    /// Where the run took place.
    pub environment: Environment,
    /// The configurations under test, in the order they are reported in.
    pub arms: Vec<Arm>,
    /// The fault plan as the user gave it; `None` for the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The user's own scripts, which the operations are runs of. Empty where the load is the
    /// usual one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<Script>,
    /// The variables that the user defined for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The user's bounds on what is measured, as they were typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
    /// The plan as drawn from the seed, before anything was started. Empty for an
    /// experiment without faults.
    pub schedule: Vec<Planned>,
    /// Planned faults that could not be carried out here, and why.
    pub skipped: Vec<Skipped>,
    /// The tables of the user's own database, in a server that was there before. Empty in
    /// any other, and of a run of an earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<UserTable>,
    /// How the run ended.
    pub ended: Ended,
}

impl Run {
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
}

/// A table of the user's own, which a run leaves as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTable {
    /// Its schema and its name, as SQL has them.
    pub name: String,
    /// What was in it before the run; `None` if it was not there, or not read in time.
    pub before: Option<Content>,
    /// What was in it after the run; `None` if it was not there, or not read in time.
    pub after: Option<Content>,
}

/// What is in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its rows.
    pub rows: u64,
    /// The sum of a hash of each row: the same rows have the same, in whichever order.
    pub fingerprint: String,
}

/// The machine, the server and the proxy of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `docker`, `local` or `external`.
    pub kind: String,
    /// `server_version` as PostgreSQL reports it.
    pub server_version: String,
    /// `embedded`, or `toxiproxy <version>`.
    pub proxy: String,
    /// Processors that the runner may use.
    pub cpus: u32,
    /// Build profile of the runner: `dev` or `release`.
    pub profile: String,
}

impl fmt::Display for Environment {
    /// `PostgreSQL 15.18 (local), proxy embedded, 2 CPUs, dev profile`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PostgreSQL {} ({}), proxy {}, {} CPUs, {} profile",
            self.server_version, self.kind, self.proxy, self.cpus, self.profile
        )
    }
}

/// A configuration under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// What it is called: `bare`, `guide`, `seawall`, ...
    pub name: String,
    /// What it is, in one sentence.
    pub about: String,
    /// Its settings, as text.
    pub config: BTreeMap<String, String>,
}

/// A planned fault that was not carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// What was not done: [`Planned::name`].
    pub fault: String,
    /// Why not, as a sentence for the user.
    pub reason: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    /// The whole plan was carried out.
    Complete,
    /// The user stopped it; what was measured until then is here.
    Interrupted,
    /// The load was not served well enough before a fault was to be injected.
    NoSteadyState {
        /// What was expected and what was seen.
        reason: String,
    },
    /// Something failed that is not the subject of the experiment.
    Failed {
        /// The error and its causes.
        reason: String,
    },
}
