//! `availability`: under faults, an arm serves no less than `bare` does.
//!
//! Both arms met the same planned fault, at the same phase and for the same
//! time, so the difference is taken within each pair: what a crash costs more
//! than a reset does not enter the interval. The claim is one of
//! non-inferiority: the difference may be as low as the margin.

use crate::{
    measure::Measured,
    stats::{
        bootstrap::{self, MIN_VALUES, mean, mean_interval},
        quantile::Observation,
    },
};

use super::{
    ARM_BARE, Claim, Decision,
    experiment::{Subject, injections},
};

/// How much less available than `bare` an arm may be, 0..=1. Five points are
/// 0.3 s of a fault window of 6 s: about one round of probing after a fault,
/// which a client without a breaker does not wait for.
pub const AVAILABILITY_MARGIN: f64 = 0.05;

/// `None` for `bare` itself.
pub(super) fn claim(subject: &Subject<'_>, arm: &str) -> Option<Claim> {
    if arm == ARM_BARE {
        return None;
    }
    let says = format!(
        "at most {:.0} points less available than {ARM_BARE}",
        AVAILABILITY_MARGIN * 100.0
    );
    let mut claim = Claim::new("availability", arm, says, "seawall", "ratio");
    claim.band_low = Some(-AVAILABILITY_MARGIN);
    let differences = differences(subject, arm);
    claim.n = differences.len();
    claim.observe(mean(&differences).map(Observation::Exact));
    let interval = mean_interval(&differences, subject.record.seed);
    claim.decide(interval);
    if claim.is(Decision::Inconclusive) {
        let n = injections(differences.len());
        claim.reason = Some(if !subject.has_arm(ARM_BARE) {
            format!("the run had no arm {ARM_BARE} to compare with")
        } else if differences.len() < MIN_VALUES {
            format!("{n} in both arms; {MIN_VALUES} are the fewest that can say it")
        } else {
            match bootstrap::runs_to_settle(&differences, interval, -AVAILABILITY_MARGIN) {
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

/// Availability minus that of `bare` under the same planned fault.
fn differences(subject: &Subject<'_>, arm: &str) -> Vec<f64> {
    let of_bare = |planned: usize| -> Option<&Measured> {
        subject
            .of_arm(ARM_BARE)
            .find(|(bare, _)| bare.planned == planned)
            .map(|(_, measured)| measured)
    };
    subject
        .of_arm(arm)
        .filter_map(|(injection, measured)| {
            let bare = of_bare(injection.planned)?;
            Some(measured.availability? - bare.availability?)
        })
        .collect()
}
