//! What is claimed of an arm while nothing is wrong.

use super::{ArmFinding, Data, Findings};
use crate::claim::{Claim, Decision, Noun, Source, Unit, no_loss};

/// The arm whose claims decide the exit code.
const OURS: &str = "seawall";
/// No operation fails.
pub const NO_FAILURE: &str = "no-failure";

const OPERATIONS: Noun = Noun::new("operation", "operations");
const STRETCHES: Noun = Noun::new("stretch", "stretches");

/// Those of our arm first.
pub(super) fn claims(data: &Data, findings: &Findings) -> Vec<Claim> {
    let mut arms: Vec<&ArmFinding> = findings.arms.iter().collect();
    arms.sort_by_key(|found| found.arm != OURS);
    let of_arm = arms.into_iter().flat_map(|found| {
        let of = data.stretches.iter().filter(|s| s.arm == found.arm);
        let ledgers: Vec<_> = of.map(|stretch| stretch.ledger).collect();
        [
            no_failure(found),
            no_loss::of(&found.arm, &ledgers, STRETCHES),
        ]
    });
    let gating = |claim: Claim| Claim {
        gating: claim.arm == OURS,
        ..claim
    };
    of_arm.map(gating).collect()
}

/// One failure is enough to refute it, so there is no interval.
fn no_failure(found: &ArmFinding) -> Claim {
    let unit = Unit::count("operations");
    let says = "no operation fails";
    let mut claim = Claim::new(
        NO_FAILURE,
        &found.arm,
        says,
        Source::Seawall,
        unit,
        OPERATIONS,
    );
    claim.band_high = Some(0.0);
    claim.n = usize::try_from(found.operations).unwrap_or(usize::MAX);
    if found.operations == 0 {
        claim.reason = Some("nothing was measured".to_owned());
        return claim;
    }
    let failed: u64 = found.failed.values().sum();
    let count = failed as f64;
    claim.observed = Some(count);
    claim.out_of = Some(found.operations);
    (claim.low, claim.high) = (Some(count), Some(count));
    if failed == 0 {
        claim.verdict = Decision::Holds;
    } else {
        claim.verdict = Decision::Refuted;
        let each = found.failed.iter().map(|(name, n)| format!("{n} {name}"));
        claim.reason = Some(each.collect::<Vec<_>>().join(", "));
    }
    claim
}
