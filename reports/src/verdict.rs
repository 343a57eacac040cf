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
    batches,
    claim::{self, Claim, Decision, Subject},
    measure::{Measured, Recovery, measure},
    record::{Ended, Environment, Injection, Ledger, Record, RecordError, Skipped},
    sweep::{self, Findings},
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
    /// What a sweep of breaker settings found; only there for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Findings>,
    /// What a sweep of batch sizes found; only there for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<batches::Findings>,
}

/// What one fault did to one arm, in seconds and ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What was done: the name of the entry of the plan.
    pub fault: String,
    /// The arm.
    pub arm: String,
    /// Index into the schedule of the record.
    pub planned: usize,
    /// Until the breaker opened.
    pub detect_s: Option<f64>,
    /// Until failing operations failed fast.
    pub fail_fast_s: Option<f64>,
    /// From when the fault was gone until the state before it was back. If
    /// `censored`: longer than this.
    pub recover_s: Option<f64>,
    /// The same, from when the server took sessions again.
    pub recover_client_s: Option<f64>,
    /// Whether both recoveries are only bounded from below.
    pub censored: bool,
    /// Whether the load was served as it should be at the end.
    pub steady_after: bool,
    /// The fault was gone and goodput stayed down until the load ended.
    pub metastable: bool,
    /// Goodput that was missing, as seconds of a full outage.
    pub outage_equivalent_s: Option<f64>,
    /// Good operations of those scheduled.
    pub availability: Option<f64>,
    /// Seconds of that time without service: what the claim compares.
    pub unavailable_s: Option<f64>,
    /// Attempts towards the server per operation.
    pub amplification: Option<f64>,
    /// 99th percentile of the latency of rejected operations.
    pub rejected_p99_s: Option<f64>,
    /// What became of its writes. `None` if it could not be checked.
    pub ledger: Option<Ledger>,
}

/// Judges a record.
#[must_use]
pub fn judge(record: &Record) -> Verdict {
    let measured: Vec<Measured> = record
        .injections
        .iter()
        .map(|injection| measure(&record.settings, injection))
        .collect();
    let swept = record.sweep.as_ref();
    let findings = swept.map(|sweep| (sweep, sweep::find(record, sweep)));
    let batches = record.batches.as_ref();
    let batches = batches.map(|swept| batches::find(record, swept));
    let claims = match (&findings, &batches) {
        (Some((sweep, findings)), _) => sweep::claims(record, sweep, findings),
        (None, Some(findings)) => batches::claims(findings),
        (None, None) => claim::failure_sim(&Subject {
            record,
            measured: &measured,
        }),
    };
    let mut ledger = Ledger::default();
    let injected = record.injections.iter().filter_map(|i| i.ledger);
    let swept = record.batches.iter().flat_map(|swept| &swept.conditions);
    for checked in injected.chain(swept.filter_map(|c| c.ledger)) {
        ledger += checked;
    }
    Verdict {
        schema: SCHEMA,
        command: record.command.clone(),
        seed: record.seed,
        exit_code: exit_code(record, &claims),
        ended: record.ended.clone(),
        environment: record.environment.clone(),
        claims,
        injections: side_by_side(record, &measured),
        ledger,
        skipped: record.skipped.clone(),
        sweep: findings.map(|(_, findings)| findings),
        batches,
    }
}

impl Verdict {
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
        let name = || path.display().to_string();
        let text = self.to_json().map_err(|source| RecordError::Json {
            path: name(),
            source,
        })?;
        std::fs::write(path, text).map_err(|source| RecordError::Io {
            path: name(),
            source,
        })
    }
}

/// The injections by fault, round and arm, however the arms took turns.
fn side_by_side(record: &Record, measured: &[Measured]) -> Vec<Effect> {
    let mut injections: Vec<_> = record.injections.iter().zip(measured).collect();
    injections.sort_by_key(|(injection, _)| {
        let fault = record.entries().position(|e| e.name == injection.fault);
        let arm = record.arms.iter().position(|arm| arm.name == injection.arm);
        (fault, record.round(injection), arm)
    });
    injections
        .into_iter()
        .map(|(injection, measured)| effect(injection, measured))
        .collect()
}

/// A loss that was seen is told whatever happened to the rest of the run, unless
/// the user ended it.
fn exit_code(record: &Record, claims: &[Claim]) -> u8 {
    let gating = || claims.iter().filter(|claim| claim.gating);
    let lost = gating().any(|claim| claim.id == claim::NO_LOSS && claim.is(Decision::Refuted));
    match record.ended {
        Ended::Interrupted => return exit::INTERRUPTED,
        _ if lost => return exit::DATA_LOST,
        Ended::Failed { .. } => return exit::FAILED,
        Ended::NoSteadyState { .. } => return exit::NO_STEADY_STATE,
        Ended::Complete => {}
    }
    if gating().any(|claim| claim.is(Decision::Refuted)) {
        exit::REFUTED
    } else if gating().all(|claim| claim.is(Decision::Holds)) && gating().next().is_some() {
        exit::HOLDS
    } else {
        exit::INCONCLUSIVE
    }
}

fn effect(injection: &Injection, measured: &Measured) -> Effect {
    let seconds = |us: u64| claim::micro(us as f64 / 1e6);
    let recovered = |recovery: Option<Recovery>| recovery.map(|r| seconds(r.after_us));
    Effect {
        fault: injection.fault.clone(),
        arm: injection.arm.clone(),
        planned: injection.planned,
        detect_s: measured.detect_us.map(seconds),
        fail_fast_s: measured.fail_fast_us.map(seconds),
        recover_s: recovered(measured.recovery),
        recover_client_s: recovered(measured.client_recovery),
        censored: measured.recovery.is_some_and(|r| r.censored),
        steady_after: injection.not_steady_after.is_none(),
        metastable: measured.metastable,
        outage_equivalent_s: measured.outage_equivalent_s.map(claim::micro),
        availability: measured.availability.map(claim::micro),
        unavailable_s: measured.unavailable_s.map(claim::micro),
        amplification: measured.amplification.map(claim::micro),
        rejected_p99_s: measured.rejected_p99_us.map(seconds),
        ledger: injection.ledger,
    }
}

#[cfg(test)]
mod tests;
