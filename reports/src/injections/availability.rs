//! `availability`: under faults, an arm serves no less than `bare` does.
//!
//! What is compared is the time in which an arm was not available, in seconds an
//! injection: a share would depend on how long the run happened to watch. The
//! n-th injection of a fault meets both arms with the same phase and length, so
//! the difference is taken within each pair.
//!
//! The claim is one of non-inferiority, with a margin of one deadline and one wait
//! between probes. Failing fast gives up, by what it is, the operations of the last
//! deadline before the server is back: a caller that had kept hanging would have
//! been answered just in time. And a client that gambles no caller sees the return
//! of the server when its probe does. Nothing beyond that is granted.

use crate::{
    claim::{Claim, Decision, INJECTIONS, Source, Unit, id},
    run::ARM_BARE,
    stats::{
        bootstrap::{self, MIN_VALUES, mean_interval},
        mean,
        quantile::Observation,
    },
};

use super::Injected;

/// Longest wait between two probes of the engine as shipped
/// (`circuit_breaker_probe_interval_ms`).
const PROBE_WAIT_S: f64 = 0.25;

/// `None` for `bare` itself.
pub(crate) fn claim(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    if arm == ARM_BARE {
        return None;
    }
    let margin_s = subject.load.deadline_us as f64 / 1e6 + PROBE_WAIT_S;
    let says = format!("a fault costs at most {margin_s} s more than {ARM_BARE}");
    let (source, unit) = (Source::Seawall, Unit::Seconds);
    let mut claim = Claim::new(id::AVAILABILITY, arm, says, source, unit, INJECTIONS);
    claim.difference = true;
    claim.band_high = Some(margin_s);
    let differences = differences(subject, arm);
    claim.n = differences.len();
    claim.observe(mean(&differences).map(Observation::Exact));
    let interval = mean_interval(&differences, subject.run.seed);
    claim.decide(interval);
    if claim.is(Decision::Inconclusive) {
        let n = INJECTIONS.of(differences.len());
        claim.reason = Some(if !subject.has_arm(ARM_BARE) {
            format!("the run had no arm {ARM_BARE} to compare with")
        } else if differences.len() < MIN_VALUES {
            format!("{n} in both arms; {MIN_VALUES} are the fewest that can say it")
        } else {
            match bootstrap::runs_to_settle(&differences, interval, margin_s) {
                Some(runs) => format!(
                    "the interval reaches across the margin; about {runs} injections would settle it"
                ),
                None => {
                    "the interval reaches across the margin, which is where the mean is".to_owned()
                }
            }
        });
    }
    Some(claim)
}

/// Seconds without service, minus those of `bare` under the same fault.
fn differences(subject: &Injected<'_>, arm: &str) -> Vec<f64> {
    subject
        .of_arm(arm)
        .filter_map(|(injection, measured)| {
            let round = subject.run.round(injection);
            let (_, bare) = subject.of_arm(ARM_BARE).find(|(bare, _)| {
                bare.fault == injection.fault && subject.run.round(bare) == round
            })?;
            Some(measured.unavailable_s? - bare.unavailable_s?)
        })
        .collect()
}
