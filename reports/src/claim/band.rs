//! A claim, and the one rule by which an interval decides it.

use serde::{Deserialize, Serialize};

use super::{Noun, Unit};
use crate::{
    numbers::seconds,
    stats::{Interval, micro, quantile::Observation},
};

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The data bear it out: the whole interval lies inside the band, or the bound was kept each
    /// time.
    Holds,
    /// The data contradict it: the whole interval lies outside the band, or the bound was missed
    /// too often or by too much.
    Refuted,
    /// The data do not say; the claim's reason says why not.
    Inconclusive,
}

impl Decision {
    /// As it is written in `verdict.json` and shown to readers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Refuted => "refuted",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Who claims something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The migration guide.
    Guide,
    /// We do.
    Seawall,
    /// Whoever asked for it, by a threshold.
    User,
    /// An earlier run of the same, which this one is to be no worse than.
    Baseline,
}

impl Source {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Guide => "the migration guide",
            Self::Seawall => "seawall",
            Self::User => "the user",
            Self::Baseline => "the baseline",
        }
    }
}

/// A claim about one arm, judged. Numbers are in `unit`. A bound that does not exist is
/// `None`: of the band, because nothing is claimed on that side; of the interval,
/// because the data do not bound it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Stable, within an arm unique.
    pub id: String,
    /// The arm that it is about.
    pub arm: String,
    /// The kind of fault that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The claim, as a sentence.
    pub says: String,
    /// Who claims it.
    pub source: Source,
    /// Whether it decides the exit code.
    pub gating: bool,
    /// Whether it is so.
    pub verdict: Decision,
    /// Why it is inconclusive and what would settle it, or what refuted it.
    pub reason: Option<String>,
    /// What the numbers are in.
    pub unit: Unit,
    /// Whether they are differences of two such quantities, which have a sign.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub difference: bool,
    /// What entered, and is counted by `n`.
    pub counts: Noun,
    /// How many of them entered.
    pub n: usize,
    /// Of these, how many were only bounded from below.
    pub censored: usize,
    /// What was observed. `None` if nothing was, or if it is only bounded.
    pub observed: Option<f64>,
    /// What `observed` counts some of: so many writes, of which none was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of: Option<u64>,
    /// Where `observed` is `None` because of censoring: its lower bound.
    pub at_least: Option<f64>,
    /// Lower end of the confidence interval; of a bound that is judged injection by injection,
    /// the least that was observed.
    pub low: Option<f64>,
    /// Upper end of the confidence interval; of such a bound, the greatest that was observed.
    pub high: Option<f64>,
    /// Least value that agrees with the claim.
    pub band_low: Option<f64>,
    /// Greatest value that agrees with the claim.
    pub band_high: Option<f64>,
}

impl Claim {
    /// A claim of which nothing is known yet.
    pub(crate) fn new(
        id: &str,
        arm: &str,
        says: impl Into<String>,
        source: Source,
        unit: Unit,
        counts: Noun,
    ) -> Self {
        Self {
            id: id.to_owned(),
            arm: arm.to_owned(),
            kind: None,
            says: says.into(),
            source,
            gating: false,
            verdict: Decision::Inconclusive,
            reason: None,
            unit,
            difference: false,
            counts,
            n: 0,
            censored: 0,
            observed: None,
            out_of: None,
            at_least: None,
            low: None,
            high: None,
            band_low: None,
            band_high: None,
        }
    }

    /// The same claim about one kind of fault alone: its name stands behind the id.
    pub(crate) fn of_kind(mut self, kind: &str) -> Self {
        let slug = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        self.id = format!("{}-{}", self.id, kind.chars().map(slug).collect::<String>());
        self.kind = Some(kind.to_owned());
        self
    }

    /// Enters what was observed.
    pub(crate) fn observe(&mut self, observed: Option<Observation>) {
        match observed {
            Some(Observation::Exact(value)) => self.observed = Some(micro(value)),
            Some(Observation::AtLeast(bound)) => self.at_least = Some(micro(bound)),
            None => {}
        }
    }

    /// Enters the interval and decides by it.
    pub(crate) fn decide(&mut self, interval: Interval) {
        self.low = interval.low.map(micro);
        self.high = interval.high.map(micro);
        self.verdict = decision(interval, self.band_low, self.band_high);
    }

    /// Takes the verdict back: the load generator itself stood still for so long, and what was
    /// measured meanwhile is its own doing.
    pub(crate) fn stalled(&mut self, longest_us: u64, of: &str) {
        self.verdict = Decision::Inconclusive;
        self.reason = Some(format!(
            "the load generator itself stood still for {} in {of}; run it again",
            seconds(longest_us as f64 / 1e6),
        ));
    }

    /// Whether the claim has this verdict.
    #[must_use]
    pub fn is(&self, verdict: Decision) -> bool {
        self.verdict == verdict
    }
}

fn decision(interval: Interval, band_low: Option<f64>, band_high: Option<f64>) -> Decision {
    let above = |bound: Option<f64>| bound.is_some_and(|b| interval.low.is_some_and(|l| l > b));
    let below = |bound: Option<f64>| bound.is_some_and(|b| interval.high.is_some_and(|h| h < b));
    if above(band_high) || below(band_low) {
        return Decision::Refuted;
    }
    let inside_low = band_low.is_none_or(|b| interval.low.is_some_and(|l| l >= b));
    let inside_high = band_high.is_none_or(|b| interval.high.is_some_and(|h| h <= b));
    let banded = band_low.is_some() || band_high.is_some();
    if banded && inside_low && inside_high {
        Decision::Holds
    } else {
        Decision::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Holds, Inconclusive, Refuted};

    #[test]
    fn an_interval_decides_only_when_all_of_it_lies_on_one_side() {
        let i = |low, high| Interval { low, high };
        for (interval, band, expected) in [
            (i(Some(1.0), Some(2.0)), (None, Some(2.0)), Holds),
            (i(None, Some(2.0)), (None, Some(2.0)), Holds),
            (i(Some(1.0), Some(2.1)), (None, Some(2.0)), Inconclusive),
            (i(Some(1.0), None), (None, Some(2.0)), Inconclusive),
            (i(Some(2.1), None), (None, Some(2.0)), Refuted),
            (i(Some(-0.05), Some(0.0)), (Some(-0.05), None), Holds),
            (i(Some(-0.06), None), (Some(-0.05), None), Inconclusive),
            (i(None, Some(-0.06)), (Some(-0.05), None), Refuted),
            (i(Some(1.0), Some(2.0)), (Some(1.0), Some(2.0)), Holds),
            (
                i(Some(0.9), Some(2.0)),
                (Some(1.0), Some(2.0)),
                Inconclusive,
            ),
            (i(None, None), (Some(1.0), Some(2.0)), Inconclusive),
            (i(Some(1.0), Some(2.0)), (None, None), Inconclusive),
        ] {
            assert_eq!(
                decision(interval, band.0, band.1),
                expected,
                "{interval:?} {band:?}"
            );
        }
    }
}
