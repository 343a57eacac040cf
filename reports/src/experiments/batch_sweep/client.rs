//! `one-at-a-time`: what the engine costs where nothing is sent in batches.
//!
//! The speed-up of a pipeline is over a bare client, so that a slow engine does not make
//! it look better. That the engine is slow is said here, of each condition, by the ratio
//! of two slices that follow each other; and it gates, whatever else is measured.

use crate::{
    claim::{Claim, Decision, Source, Unit},
    run::ARM_SEAWALL,
};

use super::{
    claims::{NO_BARE, PAIRS, PAIRS_PER_ROUND, unsettled_of},
    finding::{ConditionFinding, Findings},
    more::More,
};

/// The claim of what one query at a time costs through the engine.
pub const ONE_AT_A_TIME: &str = "one-at-a-time";
/// Most that it may take, in times of the bare client.
///
/// Medians of four runs of `--quick` on two cores that others used as well, with nothing
/// wrong: on loopback 1.0 to 1.6 times, but for what writes and does not wait for the disk,
/// which was 1.1 to 2.6 times (why is not known); over 2 ms of round trip 0.7 to 1.1. The
/// bare client itself was 0.6 to 1.25 times the same client a moment later. A band of 2 was
/// tried first, and one of these runs refuted it. By arithmetic, 200 µs more for each query
/// would be 2 to 3 times more where a bare one takes 70 to 100 µs; that was not measured.
pub const COST_HIGH: f64 = 3.0;
/// The same, for the reader of a claim.
const BAND: &str = "the band is from runs with nothing wrong, 1.0 to 2.6 times on two busy cores";

/// Judged where it is dearest, or where least is known of it.
pub(super) fn claim(findings: &Findings, more: More<'_>) -> Claim {
    let says = format!(
        "one at a time, the engine takes at most {COST_HIGH} times as long as a bare client"
    );
    let (source, unit) = (Source::Seawall, Unit::Times);
    let mut claim = Claim::new(ONE_AT_A_TIME, ARM_SEAWALL, says, source, unit, PAIRS);
    claim.band_high = Some(COST_HIGH);
    claim.gating = findings.conditions.is_empty() || findings.has_bare();
    let conditions = findings.conditions.iter();
    let worst = conditions.max_by(|a, b| {
        let refutes = |c: &ConditionFinding| c.cost.low.is_some_and(|low| low > COST_HIGH);
        let most = |c: &ConditionFinding| c.cost.high.unwrap_or(f64::INFINITY);
        refutes(a)
            .cmp(&refutes(b))
            .then(most(a).total_cmp(&most(b)))
            // Of equals the first.
            .then(std::cmp::Ordering::Greater)
    });
    let Some(worst) = worst else {
        claim.reason = Some("no condition was measured".to_owned());
        return claim;
    };
    if !claim.gating {
        claim.reason = Some(format!(
            "{NO_BARE}; a run of this version compares with one"
        ));
        return claim;
    }
    claim.n = worst.cost.n();
    claim.observed = worst.cost.median;
    claim.decide(worst.cost.interval());
    let place = format!(
        "most of {}: {}, {}",
        findings.conditions.len(),
        worst.class,
        worst.place()
    );
    claim.reason = Some(match &worst.cost_doubt {
        Some(doubt) => format!("{place}: {doubt}"),
        None if claim.is(Decision::Inconclusive) => {
            let pairs = (PAIRS, PAIRS_PER_ROUND);
            format!(
                "{place}: {}",
                unsettled_of(pairs, &worst.cost, COST_HIGH, more)
            )
        }
        None => format!("{place}; {BAND}"),
    });
    claim
}
