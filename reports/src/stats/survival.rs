//! Kaplan-Meier: how likely a recovery takes longer than a time, when some were
//! not watched to their end.
//!
//! The product-limit estimate (Kaplan and Meier, *Nonparametric Estimation from
//! Incomplete Observations*, JASA 53, 1958) with Greenwood's variance. A quantile
//! is the first time at which the curve is at or below its level, its interval
//! the times at which the curve's own interval, on the scale of log(-log S), holds
//! that level (Brookmeyer and Crowley, *A Confidence Interval for the Median
//! Survival Time*, Biometrics 38, 1982; the scale is that of Kalbfleisch and Prentice,
//! *The Statistical Analysis of Failure Time Data*, section 1.4). Whether two curves or more
//! differ is tested by [`log_rank`].
//!
//! It needs the censoring not to depend on the times: here every recovery is waited
//! for equally long, so it does not. Claims are nevertheless decided by the exact
//! intervals of [`quantile`](super::quantile), which need nothing.

mod log_rank;

use super::{Interval, distribution::normal_quantile, quantile::Observation};

pub use log_rank::{LogRank, log_rank};

/// A curve: the share of recoveries that take longer than a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its steps, in the order of time.
    pub steps: Vec<Fall>,
}

/// A step of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fall {
    /// When.
    pub at: f64,
    /// The share that takes longer than this.
    pub survival: f64,
    /// Greenwood's sum: the variance of the share is its square times this.
    greenwood: f64,
}

impl Fall {
    /// Standard error of the share, by Greenwood's formula.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        self.survival * self.greenwood.sqrt()
    }

    /// The interval of the share, by itself, at so much confidence, 0 to 1; within 0..=1 by
    /// its scale. At a share of zero it is not known.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Interval {
        let log = self.survival.ln();
        if !log.is_finite() || log == 0.0 {
            return Interval::default();
        }
        let z = normal_quantile(0.5 + confidence / 2.0);
        let spread = z * self.greenwood.sqrt() / log.abs();
        let at = |sign: f64| self.survival.powf((sign * spread).exp());
        Interval {
            low: Some(at(1.0)),
            high: Some(at(-1.0)),
        }
    }
}

/// Estimates the curve. A time that is only bounded from below was at risk until
/// then, and at it.
#[must_use]
pub fn curve(sample: &[Observation]) -> Curve {
    let mut ended: Vec<f64> = sample
        .iter()
        .filter_map(|o| match o {
            Observation::Exact(at) => Some(*at),
            Observation::AtLeast(_) => None,
        })
        .collect();
    ended.sort_by(f64::total_cmp);
    let (mut survival, mut greenwood) = (1.0, 0.0);
    let steps = ended.chunk_by(|a, b| a == b).map(|together| {
        let at = together[0];
        let at_risk = sample.iter().filter(|o| o.least() >= at).count() as f64;
        let ends = together.len() as f64;
        survival *= (at_risk - ends) / at_risk;
        greenwood += ends / (at_risk * (at_risk - ends));
        Fall {
            at,
            survival,
            greenwood,
        }
    });
    Curve {
        steps: steps.collect(),
    }
}

impl Curve {
    /// The `q`-quantile: the first time that at most `1 - q` take longer than.
    /// `None` if the curve does not come down that far.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let level = 1.0 - q + 1e-9;
        let fall = self.steps.iter().find(|fall| fall.survival <= level)?;
        Some(fall.at)
    }

    /// The 95 % interval of the `q`-quantile.
    #[must_use]
    pub fn quantile_interval(&self, q: f64) -> Interval {
        self.quantile_interval_at(q, 0.95)
    }

    /// The interval of the `q`-quantile at so much confidence, 0 to 1.
    #[must_use]
    pub fn quantile_interval_at(&self, q: f64, confidence: f64) -> Interval {
        let level = 1.0 - q;
        let first = |below: &dyn Fn(&Fall, Interval) -> bool| {
            let mut steps = self.steps.iter();
            let fall = steps.find(|fall| below(fall, fall.interval(confidence)))?;
            Some(fall.at)
        };
        Interval {
            low: first(&|fall, share| share.low.unwrap_or(fall.survival) <= level),
            high: first(&|_, share| share.high.is_some_and(|high| high <= level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{cases, interval, near_interval, number, observations};
    use Observation::{AtLeast, Exact};
    use proptest::prelude::*;

    const FOUND: &str = include_str!("../../tests/data/survival.json");

    /// Weeks of remission under 6-mercaptopurine (Freireich and others, Blood 21,
    /// 1963), the example of most textbooks.
    fn remissions() -> Vec<Observation> {
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23];
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let ended = ended.map(|weeks| Exact(f64::from(weeks)));
        let censored = censored.map(|weeks| AtLeast(f64::from(weeks)));
        ended.into_iter().chain(censored).collect()
    }

    #[test]
    fn the_textbook_curve_and_its_standard_errors() {
        let curve = curve(&remissions());
        let printed = [
            (6.0, 0.857, 0.0764),
            (7.0, 0.807, 0.0869),
            (10.0, 0.753, 0.0963),
            (13.0, 0.690, 0.1068),
            (16.0, 0.627, 0.1141),
            (22.0, 0.538, 0.1282),
            (23.0, 0.448, 0.1346),
        ];
        assert_eq!(curve.steps.len(), printed.len());
        for (fall, (at, survival, error)) in curve.steps.iter().zip(printed) {
            assert_eq!(fall.at, at);
            assert!((fall.survival - survival).abs() < 6e-4, "{fall:?}");
            assert!((fall.standard_error() - error).abs() < 6e-5, "{fall:?}");
        }
        assert_eq!(curve.quantile(0.5), Some(23.0));
        assert_eq!(curve.quantile(0.95), None, "nobody was watched that long");
        // At 13: 0.690^exp(1.96 * 0.1548 / 0.371) = 0.43; at 10 it is above one half.
        let interval = Interval {
            low: Some(13.0),
            high: None,
        };
        assert_eq!(curve.quantile_interval(0.5), interval);
    }

    #[test]
    fn as_lifelines_finds() {
        for case in cases(FOUND, "curves") {
            let curve = curve(&observations(&case));
            let confidence = number(&case["confidence"]);
            let steps = case["steps"].as_array().expect("steps");
            assert_eq!(curve.steps.len(), steps.len(), "{case}");
            for (fall, step) in curve.steps.iter().zip(steps) {
                assert_eq!(fall.at, number(&step["at"]), "{case}");
                let survival = number(&step["survival"]);
                assert!((fall.survival - survival).abs() < 1e-12, "{fall:?}: {step}");
                let found = fall.interval(confidence);
                let expected = interval(&step["interval"]);
                assert!(near_interval(found, expected, 1e-10), "{found:?}: {step}");
            }
            for of in case["quantiles"].as_array().expect("quantiles") {
                let q = number(&of["q"]);
                assert_eq!(curve.quantile(q), of["quantile"].as_f64(), "{q}: {case}");
                let found = curve.quantile_interval_at(q, confidence);
                assert_eq!(found, interval(&of["interval"]), "{q}: {case}");
                let at_95 = curve.quantile_interval(q);
                assert!(confidence != 0.95 || at_95 == found, "{q}: {case}");
            }
        }
    }

    #[test]
    fn more_confidence_is_wider() {
        let curve = curve(&remissions());
        let [most, less] = [0.99, 0.8].map(|confidence| curve.steps[3].interval(confidence));
        assert!(most.low < less.low && less.high < most.high);
        let at = |confidence: f64| curve.quantile_interval_at(0.5, confidence);
        assert_eq!(at(0.95), curve.quantile_interval(0.5));
        assert!(at(0.8).low > at(0.99).low);
        assert_eq!(at(0.1).high, Some(23.0), "low confidence bounds from above");
    }

    #[test]
    fn without_censoring_it_is_the_share_of_longer_ones() {
        let sample = [4.0, 1.0, 3.0, 2.0].map(Exact);
        let curve = curve(&sample);
        let shares: Vec<f64> = curve.steps.iter().map(|fall| fall.survival).collect();
        assert_eq!(shares, [0.75, 0.5, 0.25, 0.0]);
        // Binomial: sqrt(0.75 * 0.25 / 4).
        assert!((curve.steps[0].standard_error() - 0.216_506).abs() < 1e-6);
        assert_eq!(curve.quantile(0.5), Some(2.0));
        assert_eq!(curve.quantile(0.95), Some(4.0));
    }

    #[test]
    fn nothing_seen_to_end_says_nothing() {
        for sample in [vec![], vec![AtLeast(3.0); 6]] {
            let curve = curve(&sample);
            assert_eq!(curve.quantile(0.5), None);
            assert_eq!(curve.quantile_interval(0.5), Interval::default());
        }
    }

    proptest! {
        #[test]
        fn it_only_falls_and_its_median_lies_in_its_interval(
            sample in prop::collection::vec((1_u32..40, any::<bool>()), 1..40),
        ) {
            let sample: Vec<_> = sample
                .into_iter()
                .map(|(t, ended)| if ended { Exact(f64::from(t)) } else { AtLeast(f64::from(t)) })
                .collect();
            let curve = curve(&sample);
            let mut before = 1.0;
            for fall in &curve.steps {
                prop_assert!(fall.survival < before && fall.survival >= 0.0);
                before = fall.survival;
            }
            let Interval { low, high } = curve.quantile_interval(0.5);
            if let Some(median) = curve.quantile(0.5) {
                prop_assert!(low.is_some_and(|low| low <= median));
                prop_assert!(high.is_none_or(|high| high >= median));
            }
        }
    }
}
