//! `verdict.json`: what a record says, and the exit code that follows.
//!
//! The verdict is a pure function of the record, made anew whenever it is
//! asked for, so that a better definition applies to old runs as well. The exit
//! code stands in the file too: a wrapper that swallows it hides nothing.
//!
//! Invariants: field names are a contract with whoever reads the file; fields
//! may be added; all numbers are finite.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    claim::{Claim, Decision, id},
    experiment::Judged,
    measure::Effect,
    record::{RecordError, whole_json},
    run::{Ended, Environment, Ledger, Run, Skipped},
};

/// The version of the file's schema.
pub const SCHEMA: u32 = 1;

/// The exit codes that a verdict can ask for.
pub mod exit {
    /// Every claim that gates holds.
    pub const HOLDS: u8 = 0;
    /// A claim that gates is refuted.
    pub const REFUTED: u8 = 1;
    /// A claim that gates is inconclusive, or none gates.
    pub const INCONCLUSIVE: u8 = 2;
    /// The load was not served well enough before a fault.
    pub const NO_STEADY_STATE: u8 = 3;
    /// Data were lost, duplicated or made up by a configuration of the engine.
    pub const DATA_LOST: u8 = 4;
    /// The run failed for a reason that is not the subject of the experiment.
    pub const FAILED: u8 = 70;
    /// The user stopped it.
    pub const INTERRUPTED: u8 = 130;
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The experiment, as typed.
    pub command: String,
    /// The seed of the run.
    pub seed: u64,
    /// One of [`exit`].
    pub exit_code: u8,
    /// How the run ended.
    pub ended: Ended,
    /// Where it took place.
    pub environment: Environment,
    /// The claims, those of the gating arm first.
    pub claims: Vec<Claim>,
    /// What each fault did to each arm: by fault, round and arm.
    pub injections: Vec<Effect>,
    /// What became of the writes of all injections together.
    pub ledger: Ledger,
    /// Planned faults that could not be carried out.
    pub skipped: Vec<Skipped>,
    /// What the experiment found beside that, under its own keys.
    #[serde(flatten)]
    pub findings: serde_json::Map<String, serde_json::Value>,
}

impl Verdict {
    /// What follows from what was judged.
    pub(crate) fn new(run: &Run, judged: Judged) -> Self {
        Self {
            schema: SCHEMA,
            command: run.command.clone(),
            seed: run.seed,
            exit_code: exit_code(run, &judged.claims),
            ended: run.ended.clone(),
            environment: run.environment.clone(),
            claims: judged.claims,
            injections: judged.injections,
            ledger: judged.ledger,
            skipped: run.skipped.clone(),
            findings: judged.findings,
        }
    }

    /// The text of `verdict.json`, indented for people.
    ///
    /// # Errors
    /// Never in practice: no number of it is not finite.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Writes `verdict.json`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        whole_json(path, self.to_json())
    }
}

/// A loss that was seen is told whatever happened to the rest of the run, unless
/// the user ended it; and so is a claim that is refuted before a load was not served any more.
fn exit_code(run: &Run, claims: &[Claim]) -> u8 {
    let gating = || claims.iter().filter(|claim| claim.gating);
    let lost = gating().any(|claim| claim.id == id::NO_LOSS && claim.is(Decision::Refuted));
    let refuted = gating().any(|claim| claim.is(Decision::Refuted));
    match run.ended {
        Ended::Interrupted => return exit::INTERRUPTED,
        _ if lost => return exit::DATA_LOST,
        // What a claim was refuted by was seen before that.
        _ if refuted => return exit::REFUTED,
        Ended::Failed { .. } => return exit::FAILED,
        Ended::NoSteadyState { .. } => return exit::NO_STEADY_STATE,
        Ended::Complete => {}
    }
    if gating().all(|claim| claim.is(Decision::Holds)) && gating().next().is_some() {
        exit::HOLDS
    } else {
        exit::INCONCLUSIVE
    }
}

#[cfg(test)]
mod tests;
