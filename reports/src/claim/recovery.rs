//! `recovery` and `recovery-p95`: the guide promises recovery in 10 to 30
//! seconds. Faster is no breach of it, so only the upper end is a band.
//!
//! An injection that did not recover while it was watched enters as "longer
//! than that", and one without a baseline as "longer than nothing": neither can
//! be dropped, or the worst cases would be the ones that do not count.

use crate::stats::quantile::{self, ONE_SIDED, Observation, TWO_SIDED};

use super::{
    Claim, Decision,
    experiment::{Subject, injections},
};

/// The guide: "Error recovery: 10-30 second recovery".
const BAND_S: f64 = 30.0;

/// Fewest injections that can bound a 95th percentile from above at 95 %
/// confidence: the smallest n with `0.95^n <= 0.05`.
const MIN_FOR_P95: usize = 59;

pub(super) fn median(subject: &Subject<'_>, arm: &str) -> Claim {
    let says = format!("half of all recoveries take at most {BAND_S} s");
    let mut claim = start("recovery", arm, says);
    let times = times(subject, arm);
    claim.observe(quantile::median(&times));
    enter(&mut claim, &times, 0.5, TWO_SIDED);
    claim
}

pub(super) fn p95(subject: &Subject<'_>, arm: &str, ours: bool) -> Claim {
    let says = format!("95 of 100 recoveries take at most {BAND_S} s");
    let mut claim = start("recovery-p95", arm, says);
    let times = times(subject, arm);
    claim.observe(quantile::quantile(&times, 0.95));
    enter(&mut claim, &times, 0.95, ONE_SIDED);
    claim.gating = ours && times.len() >= MIN_FOR_P95;
    if times.len() < MIN_FOR_P95 {
        claim.verdict = Decision::Inconclusive;
        claim.reason = Some(format!(
            "{}; {MIN_FOR_P95} is the fewest that can say it",
            injections(times.len())
        ));
    }
    claim
}

fn start(id: &str, arm: &str, says: String) -> Claim {
    let mut claim = Claim::new(id, arm, says, "guide", "s");
    claim.band_high = Some(BAND_S);
    claim
}

fn times(subject: &Subject<'_>, arm: &str) -> Vec<Observation> {
    subject
        .of_arm(arm)
        .map(|(_, measured)| match measured.recovery {
            Some(r) if r.censored => Observation::AtLeast(r.after_us as f64 / 1e6),
            Some(r) => Observation::Exact(r.after_us as f64 / 1e6),
            None => Observation::AtLeast(0.0),
        })
        .collect()
}

/// Decides a claim that the `q`-quantile of `values` is at most the band's upper
/// end, and says what would settle it if these values do not.
pub(super) fn enter(claim: &mut Claim, values: &[Observation], q: f64, tail: f64) {
    claim.n = values.len();
    claim.censored = values
        .iter()
        .filter(|value| matches!(value, Observation::AtLeast(_)))
        .count();
    claim.decide(quantile::interval(values, q, tail));
    if claim.is(Decision::Inconclusive) {
        claim.reason = Some(unsettled(claim, values, q, tail));
    }
}

fn unsettled(claim: &Claim, values: &[Observation], q: f64, tail: f64) -> String {
    let limit = claim.band_high.unwrap_or(f64::INFINITY);
    let within = values.iter().filter(|v| v.most() <= limit).count();
    let beyond = values.iter().filter(|v| v.least() > limit).count();
    let known = within + beyond;
    let share = if known == 0 && !values.is_empty() {
        return format!(
            "none of {} was watched long enough",
            injections(values.len())
        );
    } else if known == 0 {
        1.0
    } else {
        within as f64 / known as f64
    };
    let fewest = quantile::runs_to_settle(1.0, q, tail).unwrap_or(quantile::MOST_RUNS);
    let settle = match quantile::runs_to_settle(share, q, tail) {
        Some(n) if n > values.len() => format!("about {n} injections would settle it"),
        Some(_) => "injections that are watched longer would settle it".to_owned(),
        None => format!(
            "not even {} injections would settle it",
            quantile::MOST_RUNS
        ),
    };
    if values.len() < fewest {
        let n = injections(values.len());
        return format!("{n}; {fewest} is the fewest that can say it, {settle}");
    }
    format!("the interval reaches across the band's end; {settle}")
}
