//! `recovery` and `recovery-p95`: the guide promises recovery in 10 to 30
//! seconds. Faster is no breach of it, so only the upper end is a band.
//!
//! An injection that did not recover while it was watched enters as "longer
//! than that", and one without a baseline as "longer than nothing": neither can
//! be dropped, or the worst cases would be the ones that do not count.

use crate::{
    claim::{Claim, Decision, INJECTIONS, Source, Unit, at_most::enter, id},
    stats::quantile::{self, ONE_SIDED, Observation, TWO_SIDED},
};

use super::Injected;

/// The guide: "Error recovery: 10-30 second recovery". Faster is no breach of it.
pub const RECOVERY_S: f64 = 30.0;

/// Fewest injections that can bound a 95th percentile from above at 95 %
/// confidence: the smallest n with `0.95^n <= 0.05`.
const MIN_FOR_P95: usize = 59;

pub(crate) fn median(subject: &Injected<'_>, arm: &str) -> Claim {
    let says = format!("half of all recoveries take at most {RECOVERY_S} s");
    let mut claim = start(id::RECOVERY, arm, says);
    let times = times(subject, arm);
    claim.observe(quantile::median(&times));
    enter(&mut claim, &times, 0.5, TWO_SIDED);
    claim
}

pub(crate) fn p95(subject: &Injected<'_>, arm: &str, ours: bool) -> Claim {
    let says = format!("95 of 100 recoveries take at most {RECOVERY_S} s");
    let mut claim = start(id::RECOVERY_P95, arm, says);
    let times = times(subject, arm);
    claim.observe(quantile::quantile(&times, 0.95));
    enter(&mut claim, &times, 0.95, ONE_SIDED);
    claim.gating = ours && times.len() >= MIN_FOR_P95;
    if times.len() < MIN_FOR_P95 {
        claim.verdict = Decision::Inconclusive;
        claim.reason = Some(format!(
            "{MIN_FOR_P95} injections are the fewest that can say it"
        ));
    }
    claim
}

fn start(id: &str, arm: &str, says: String) -> Claim {
    let mut claim = Claim::new(id, arm, says, Source::Guide, Unit::Seconds, INJECTIONS);
    claim.band_high = Some(RECOVERY_S);
    claim
}

fn times(subject: &Injected<'_>, arm: &str) -> Vec<Observation> {
    subject
        .of_arm(arm)
        .map(|(_, measured)| {
            measured
                .recovery
                .map_or(Observation::AtLeast(0.0), Into::into)
        })
        .collect()
}
