//! What is claimed of the engine: that it comes back by itself, and that this takes no more
//! of the server than it takes the careful pool.
//!
//! Nothing is claimed of the pools without the engine: the table says what they do.

use super::{
    Condition, Data, Findings, Trial,
    finding::{Asked, asked},
};
use crate::{
    claim::{
        Claim, Decision, Noun, Source, Unit,
        seldom::{Case, Cases, decide},
    },
    injections::settings::is_engine,
    measure::Measured,
    run::{ARM_CAREFUL, ARM_SEAWALL, Arm, Ended, Run},
    stats::{median, micro},
};

/// After the fault goodput is back by itself.
pub const COMES_BACK: &str = "comes-back";
/// A good answer takes no more attempts than with the careful pool.
pub const ATTEMPTS: &str = "attempts-per-answer";

const TRIALS: Noun = Noun::new("trial", "trials");
/// So many more attempts may be a matter of when they were counted, as a share.
const SAME: f64 = 0.05;
/// So many more are no matter of that.
const FAR: f64 = 0.5;

/// Those of the arm that we would ship come first, and they alone decide the exit code.
pub(super) fn claims(run: &Run, data: &Data, findings: &Findings) -> Vec<Claim> {
    let mut arms: Vec<&Arm> = run.arms.iter().filter(|arm| is_engine(arm)).collect();
    arms.sort_by_key(|arm| arm.name != ARM_SEAWALL);
    let subject = Subject {
        run,
        data,
        findings,
    };
    let of_arm = arms.into_iter().flat_map(|arm| {
        let conditions = || data.conditions.iter().enumerate();
        let back = conditions().map(|(i, c)| subject.comes_back(&arm.name, i, c));
        let attempts = conditions().map(|(i, c)| subject.attempts(&arm.name, i, c));
        back.chain(attempts).collect::<Vec<_>>()
    });
    let gating = |claim: Claim| Claim {
        gating: claim.arm == ARM_SEAWALL,
        ..claim
    };
    of_arm.map(gating).collect()
}

struct Subject<'a> {
    run: &'a Run,
    data: &'a Data,
    findings: &'a Findings,
}

impl<'a> Subject<'a> {
    /// The trials of an arm in a condition, but for those that the user ended: these were not
    /// watched for as long as they should have been.
    fn of(&self, arm: &str, condition: usize) -> Vec<(&'a Trial, &'a Measured)> {
        let last = self.data.trials.iter().map(|t| t.injection.planned).max();
        let cut =
            |t: &Trial| self.run.ended == Ended::Interrupted && Some(t.injection.planned) == last;
        let all = self.data.trials.iter().zip(&self.findings.measured);
        all.filter(|(t, _)| t.condition == condition && t.injection.arm == arm && !cut(t))
            .collect()
    }

    fn comes_back(&self, arm: &str, index: usize, condition: &Condition) -> Claim {
        let horizon_s = self.data.horizon_us as f64 / 1e6;
        let says = format!("is back by itself within {horizon_s} s");
        let mut claim = start(COMES_BACK, arm, says, Unit::Seconds, condition);
        claim.band_high = Some(horizon_s);
        let of = self.of(arm, index);
        let back = of.iter().map(|(_, m)| m.client_recovery);
        let back: Vec<_> = back.flatten().collect();
        let after_s = || back.iter().map(|r| r.after_us as f64 / 1e6);
        claim.censored = back.iter().filter(|r| r.censored).count();
        // Of those without a baseline nothing is known.
        if back.len() == of.len() && claim.censored == 0 {
            claim.observed = median(after_s()).map(micro);
            claim.high = after_s().reduce(f64::max).map(micro);
        } else if back.len() == of.len() {
            claim.at_least = after_s().reduce(f64::max).map(micro);
        }
        claim.low = after_s().reduce(f64::min).map(micro);
        let timed = of.iter().filter(|(_, m)| m.stalled_us.is_none());
        let cases: Cases = timed.map(|(_, m)| came_back(m, horizon_s)).collect();
        decide(&mut claim, cases, cases.p_value());
        unless_stalled(claim, &of)
    }

    fn attempts(&self, arm: &str, index: usize, condition: &Condition) -> Claim {
        let says = format!("a good answer takes no more attempts than with {ARM_CAREFUL}");
        let mut claim = start(ATTEMPTS, arm, says, Unit::Times, condition);
        claim.band_high = Some(1.0 + SAME);
        let (ours, others) = (self.of(arm, index), self.of(ARM_CAREFUL, index));
        // The n-th of both had the same fault.
        let pairs = || ours.iter().zip(&others);
        let counted = |trial: &Trial| asked(self.data, trial);
        let ratios: Vec<f64> = pairs()
            .filter_map(|((a, _), (b, _))| Some(counted(a)?.per_good()? / counted(b)?.per_good()?))
            .collect();
        claim.observed = median(ratios.iter().copied()).map(micro);
        claim.low = ratios.iter().copied().reduce(f64::min).map(micro);
        claim.high = ratios.iter().copied().reduce(f64::max).map(micro);
        let timed = pairs().filter(|((_, a), (_, b))| a.stalled_us.or(b.stalled_us).is_none());
        let of_pairs = timed.map(|((a, _), (b, _))| took(counted(a), counted(b)));
        // One without its other half is no proof.
        let alone = ours.len().saturating_sub(others.len());
        let alone = std::iter::repeat_n(Case::Unknown, alone);
        let cases: Cases = of_pairs.chain(alone).collect();
        decide(&mut claim, cases, cases.p_value());
        let both: Vec<_> = ours.iter().chain(&others).copied().collect();
        unless_stalled(claim, &both)
    }
}

fn start(id: &str, arm: &str, says: String, unit: Unit, condition: &Condition) -> Claim {
    let claim = Claim::new(id, arm, says, Source::Seawall, unit, TRIALS);
    Claim {
        id: format!("{id}-{}", condition.slug()),
        kind: Some(condition.name.clone()),
        ..claim
    }
}

fn came_back(measured: &Measured, horizon_s: f64) -> Case {
    let Some(back) = measured.client_recovery else {
        return Case::Unknown;
    };
    let after_s = back.after_us as f64 / 1e6;
    match (back.censored, after_s <= horizon_s) {
        (false, true) => Case::Within,
        // Not watched long enough to say.
        (true, true) => Case::Unknown,
        // Goodput is down to the end.
        (true, false) if measured.metastable => Case::FarBeyond,
        _ => Case::Beyond,
    }
}

/// What the answers of one took, beside those of the other.
fn took(ours: Option<Asked>, others: Option<Asked>) -> Case {
    let (Some(ours), Some(others)) = (ours, others) else {
        return Case::Unknown;
    };
    match (ours.per_good(), others.per_good()) {
        (Some(ours), Some(others)) => match ours / others {
            ratio if ratio <= 1.0 + SAME => Case::Within,
            ratio if ratio <= 1.0 + FAR => Case::Beyond,
            _ => Case::FarBeyond,
        },
        // The other took attempts, and gave no good answer for them.
        (Some(_), None) => Case::Within,
        (None, Some(_)) => Case::FarBeyond,
        (None, None) => Case::Unknown,
    }
}

/// What was measured while the load generator itself stood still is its own doing.
fn unless_stalled(mut claim: Claim, of: &[(&Trial, &Measured)]) -> Claim {
    let stalls: Vec<u64> = of.iter().filter_map(|(_, m)| m.stalled_us).collect();
    if let Some(longest_us) = stalls.iter().max()
        && !claim.is(Decision::Refuted)
    {
        claim.stalled(*longest_us, &TRIALS.of(stalls.len()));
    }
    claim
}
