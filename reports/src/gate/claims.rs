//! What a gate found, as claims: each measure is no worse than the baseline.

use std::collections::BTreeSet;

use super::{Baseline, Judged, Kind, Power, Ruling, RunOf};
use crate::{
    claim::{Claim, Decision, Noun, Source, Unit},
    run::ARM_SEAWALL,
    stats::{micro, quantile::Observation},
};

/// What is counted of a gate.
pub(super) const RUNS: Noun = Noun::new("run", "runs");

/// A claim for each measure, and one for each claim that held in every run of the baseline
/// and is refuted in more than half of these.
#[must_use]
pub fn claims(baseline: &Baseline, now: &[RunOf], judged: &[Judged]) -> Vec<Claim> {
    let mut claims = refuted_now(baseline, now);
    claims.extend(judged.iter().map(|judged| measure(judged)));
    // What is worse is what is looked for.
    claims.sort_by_key(|claim| match claim.verdict {
        Decision::Refuted => 0,
        Decision::Inconclusive => 1,
        Decision::Holds => 2,
    });
    claims
}

fn measure(judged: &Judged) -> Claim {
    let name = judged.series.key.name();
    let arm = match judged.series.key.arm() {
        "" => ARM_SEAWALL,
        arm => arm,
    };
    let floor = judged.change.floor;
    let says = if floor.is_finite() {
        format!("{name}: at most {:.2} times as bad as the baseline", floor)
    } else {
        format!("{name}: no worse than the baseline")
    };
    let mut claim = Claim::new(&name, arm, says, Source::Baseline, Unit::Times, RUNS);
    claim.gating = true;
    claim.n = judged.series.now.len();
    claim.observed = judged.change.estimate.map(micro);
    claim.low = judged.change.low.map(micro);
    claim.high = judged.change.high.map(micro);
    claim.band_high = Some(micro(floor)).filter(|floor| floor.is_finite());
    (claim.verdict, claim.reason) = match judged.ruling {
        Ruling::NoWorse => (Decision::Holds, None),
        Ruling::Regression => (Decision::Refuted, Some(regression(judged))),
        Ruling::Open => (Decision::Inconclusive, Some(open(judged))),
    };
    claim
}

fn regression(judged: &Judged) -> String {
    let mut parts = Vec::new();
    if let Some([then, now]) = judged.series.medians {
        let [then, now] = [then, now].map(|value| said(judged, value));
        parts.push(format!("the median was {then}, and is {now}"));
    }
    if let Some((place, change)) = &judged.series.worst {
        parts.push(format!("worst: {place}, {:.2}x", change.exp()));
    }
    if judged.kind == Kind::Hard {
        parts.push("in the baseline it came out the same every time".to_owned());
    }
    parts.join("; ")
}

/// A value of its measure, for people.
pub(super) fn said(judged: &Judged, value: f64) -> String {
    judged.series.measure.said(Some(Observation::Exact(value)))
}

fn open(judged: &Judged) -> String {
    let reason = judged.reason.clone().unwrap_or_default();
    match judged.power.iter().find(|power| power.last >= 0.8) {
        Some(Power { worse, .. }) => format!(
            "{reason}; with the runs that the plan allows, what is {:.0} % worse is found in four \
             of five gates",
            worse * 100.0
        ),
        None if judged.power.is_empty() => reason,
        None => format!("{reason}; it is too noisy here to find what is 50 % worse"),
    }
}

fn refuted_now(baseline: &Baseline, now: &[RunOf]) -> Vec<Claim> {
    let held = |name: &String| baseline.runs.iter().all(|run| !run.refuted.contains(name));
    let named: BTreeSet<&String> = now.iter().flat_map(|run| &run.refuted).collect();
    let claims = named.into_iter().filter_map(|name| {
        let refuted = now.iter().filter(|run| run.refuted.contains(name)).count();
        if !held(name) || 2 * refuted <= now.len() {
            return None;
        }
        let (arm, id) = name.split_once(' ')?;
        let says = format!("the claim {id} holds, as in the baseline");
        let mut claim = Claim::new(id, arm, says, Source::Baseline, Unit::count("runs"), RUNS);
        claim.gating = true;
        claim.n = now.len();
        claim.observed = Some(refuted as f64);
        claim.out_of = Some(now.len() as u64);
        claim.band_high = Some(0.0);
        (claim.low, claim.high) = (claim.observed, claim.observed);
        claim.verdict = Decision::Refuted;
        claim.reason = Some(format!("it is refuted in {refuted} of {} runs", now.len()));
        Some(claim)
    });
    claims.collect()
}
