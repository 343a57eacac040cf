//! The measures of an injection as people and `verdict.json` have them.

use serde::{Deserialize, Serialize};

use crate::{
    run::{Injection, Ledger, Run},
    stats::micro,
};

use super::{Measured, Recovery};

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
    /// How long the load generator itself stood still, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_s: Option<f64>,
    /// What became of its writes. `None` if it could not be checked.
    pub ledger: Option<Ledger>,
}

/// The injections by fault, round and arm, however the arms took turns.
#[must_use]
pub fn side_by_side(run: &Run, injections: &[Injection], measured: &[Measured]) -> Vec<Effect> {
    let mut all: Vec<_> = injections.iter().zip(measured).collect();
    all.sort_by_key(|(injection, _)| {
        let fault = run.entries().position(|e| e.name == injection.fault);
        let arm = run.arms.iter().position(|arm| arm.name == injection.arm);
        (fault, run.round(injection), arm)
    });
    let effects = all.into_iter();
    effects
        .map(|(injection, measured)| effect(injection, measured))
        .collect()
}

fn effect(injection: &Injection, measured: &Measured) -> Effect {
    let seconds = |us: u64| micro(us as f64 / 1e6);
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
        outage_equivalent_s: measured.outage_equivalent_s.map(micro),
        availability: measured.availability.map(micro),
        unavailable_s: measured.unavailable_s.map(micro),
        amplification: measured.amplification.map(micro),
        rejected_p99_s: measured.rejected_p99_us.map(seconds),
        stalled_s: measured.stalled_us.map(seconds),
        ledger: injection.ledger,
    }
}
