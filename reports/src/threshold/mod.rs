//! Bounds of the user's on what a run measures: `recovery.p95 < 2s`, `ledger.lost == 0`.
//!
//! Each is judged as a claim that gates, so that it stands in every report and decides the
//! exit code: broken is refuted, and what was not measured is inconclusive.
//!
//! Which places a threshold is about:
//! - Those that have all its labels. Without the label `arm`, those of the arm `seawall` alone,
//!   if there are some, and of all arms otherwise.
//! - With a statistic, the values of all these places are taken together: `recovery.p95` is the
//!   95th percentile of all recoveries, under whatever fault.
//! - Without one, each place has to keep the bound by itself: `latency.p99{phase=before}` is the
//!   99th percentile of all operations before a fault, one fault after another.

mod parse;

pub use parse::{Comparison, Malformed, Threshold};

use crate::{
    claim::{Claim, Decision, Noun, Source},
    run::ARM_SEAWALL,
    sample::{ARM, Measure, Sample, Statistic, Together},
    stats::quantile::Observation,
};

/// What the ids of thresholds begin with; their numbers from 1 follow.
pub const ID: &str = "threshold";

const VALUES: Noun = Noun::new("value", "values");

/// All thresholds of a run, judged, in their order.
#[must_use]
pub fn judge(thresholds: &[Threshold], measures: &[Measure], samples: &[Sample]) -> Vec<Claim> {
    let numbered = thresholds.iter().enumerate();
    numbered
        .map(|(i, threshold)| one(&format!("{ID}-{}", i + 1), threshold, measures, samples))
        .collect()
}

/// Reads thresholds that were checked when the run began; one that this version does not read
/// any more is told as what it is.
#[must_use]
pub fn judge_recorded(texts: &[String], measures: &[Measure], samples: &[Sample]) -> Vec<Claim> {
    let numbered = texts.iter().enumerate();
    numbered
        .map(|(i, text)| {
            let id = format!("{ID}-{}", i + 1);
            match Threshold::parse(text, measures) {
                Ok(threshold) => one(&id, &threshold, measures, samples),
                Err(error) => {
                    let unit = crate::claim::Unit::count("values");
                    let mut claim =
                        Claim::new(&id, ARM_SEAWALL, text.as_str(), Source::User, unit, VALUES);
                    claim.gating = true;
                    claim.reason = Some(error.to_string());
                    claim
                }
            }
        })
        .collect()
}

fn one(id: &str, threshold: &Threshold, measures: &[Measure], samples: &[Sample]) -> Claim {
    let named = measures.iter().find(|m| m.name == threshold.measure);
    let together = named.map_or(Together::Median, |measure| measure.together);
    let places = places(threshold, samples);
    let arm = match threshold.labels.iter().find(|(name, _)| name == ARM) {
        Some((_, arm)) => arm.as_str(),
        None => places
            .first()
            .map_or(ARM_SEAWALL, |sample| sample.label(ARM)),
    };
    let unit = threshold.quantity.unit();
    let mut claim = Claim::new(id, arm, threshold.text.as_str(), Source::User, unit, VALUES);
    claim.gating = true;
    let bound = Some(threshold.bound);
    match threshold.comparison {
        Comparison::Below | Comparison::AtMost => claim.band_high = bound,
        Comparison::Above | Comparison::AtLeast => claim.band_low = bound,
        Comparison::Equal => (claim.band_low, claim.band_high) = (bound, bound),
        Comparison::NotEqual => {}
    }
    let values: Vec<Observation> = places
        .iter()
        .flat_map(|place| place.observations())
        .collect();
    claim.n = values.len();
    claim.censored = values
        .iter()
        .filter(|v| matches!(v, Observation::AtLeast(_)))
        .count();
    let judged: Vec<(String, Observation)> = match threshold.statistic {
        Some(Statistic::Count) if places.is_empty() => Vec::new(),
        Some(statistic) => statistic
            .of(&values)
            .map(|v| (String::new(), v))
            .into_iter()
            .collect(),
        None => {
            let each = places.iter();
            each.filter_map(|place| Some((place.place(), place.whole(together)?)))
                .collect()
        }
    };
    if judged.is_empty() {
        claim.reason = Some(nothing(threshold, samples));
        return claim;
    }
    decide(&mut claim, threshold, &judged);
    claim
}

/// Whether a number keeps a bound; `None` if it may or may not.
fn keeps(threshold: &Threshold, value: Observation) -> Option<bool> {
    let (comparison, bound) = (threshold.comparison, threshold.bound);
    match value {
        Observation::Exact(value) => Some(comparison.holds(value, bound)),
        Observation::AtLeast(least) => match comparison {
            Comparison::Below => (least >= bound).then_some(false),
            Comparison::AtMost => (least > bound).then_some(false),
            Comparison::Above => (least > bound).then_some(true),
            Comparison::AtLeast => (least >= bound).then_some(true),
            Comparison::Equal => (least > bound).then_some(false),
            Comparison::NotEqual => (least > bound).then_some(true),
        },
    }
}

fn decide(claim: &mut Claim, threshold: &Threshold, judged: &[(String, Observation)]) {
    let broken: Vec<_> = judged
        .iter()
        .filter(|(_, v)| keeps(threshold, *v) == Some(false))
        .collect();
    let open: Vec<_> = judged
        .iter()
        .filter(|(_, v)| keeps(threshold, *v).is_none())
        .collect();
    let shown = broken
        .first()
        .or(open.first())
        .copied()
        .or_else(|| nearest(threshold, judged));
    if let Some((_, value)) = shown {
        match value {
            Observation::Exact(value) => claim.observed = Some(*value),
            Observation::AtLeast(least) => claim.at_least = Some(*least),
        }
    }
    let named = |places: &[&(String, Observation)]| {
        let first: Vec<&str> = places
            .iter()
            .map(|(place, _)| place.as_str())
            .take(3)
            .collect();
        let more = match places.len().saturating_sub(first.len()) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("{}{more}", first.join("; "))
    };
    let several = judged.len() > 1;
    (claim.verdict, claim.reason) = if !broken.is_empty() {
        let reason = several.then(|| {
            format!(
                "broken at {} of {} places: {}",
                broken.len(),
                judged.len(),
                named(&broken)
            )
        });
        (Decision::Refuted, reason)
    } else if !open.is_empty() {
        let reason = if several {
            format!("only bounded from below: {}", named(&open))
        } else {
            "it is only bounded from below: what it is of was not watched to its end".to_owned()
        };
        (Decision::Inconclusive, Some(reason))
    } else {
        (Decision::Holds, None)
    };
}

/// Of those that keep the bound, the one that is nearest to it.
fn nearest<'a>(
    threshold: &Threshold,
    judged: &'a [(String, Observation)],
) -> Option<&'a (String, Observation)> {
    let far = |value: &Observation| (value.least() - threshold.bound).abs();
    judged
        .iter()
        .min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)))
}

fn places<'a>(threshold: &Threshold, samples: &'a [Sample]) -> Vec<&'a Sample> {
    let of = samples
        .iter()
        .filter(|sample| sample.measure == threshold.measure);
    let of = of.filter(|sample| {
        let mut labels = threshold.labels.iter();
        labels.all(|(name, value)| sample.label(name) == value)
    });
    let all: Vec<&Sample> = of.collect();
    if threshold.labels.iter().any(|(name, _)| name == ARM) {
        return all;
    }
    let ours = all
        .iter()
        .copied()
        .filter(|sample| sample.label(ARM) == ARM_SEAWALL);
    let ours: Vec<&Sample> = ours.collect();
    if ours.is_empty() { all } else { ours }
}

/// Why there is nothing to judge: the measure has no values at all, or none at such a place.
fn nothing(threshold: &Threshold, samples: &[Sample]) -> String {
    let of: Vec<&Sample> = samples
        .iter()
        .filter(|s| s.measure == threshold.measure)
        .collect();
    let missing = threshold
        .labels
        .iter()
        .find(|(name, value)| of.iter().all(|sample| sample.label(name) != value));
    match missing {
        _ if of.is_empty() => format!("this run did not measure {}", threshold.measure),
        Some((name, value)) => {
            let mut known: Vec<&str> = of.iter().map(|sample| sample.label(name)).collect();
            known.sort_unstable();
            known.dedup();
            known.retain(|value| !value.is_empty());
            match known.is_empty() {
                true => format!("{} has no label {name}", threshold.measure),
                false => format!(
                    "nothing was measured with {name}={value}, but with {}",
                    known.join(", ")
                ),
            }
        }
        None => "nothing was measured at such a place".to_owned(),
    }
}

#[cfg(test)]
mod tests;
