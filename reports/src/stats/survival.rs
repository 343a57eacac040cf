//! Kaplan-Meier: how likely a recovery takes longer than a time, when some were
//! not watched to their end.
//!
//! The product-limit estimate (Kaplan and Meier, *Nonparametric Estimation from
//! Incomplete Observations*, JASA 53, 1958) with Greenwood's variance. A quantile
//! is the first time at which the curve is at or below its level, its interval
//! the times at which the curve's own interval, on the scale of log(-log S), holds
//! that level (Brookmeyer and Crowley, *A Confidence Interval for the Median
//! Survival Time*, Biometrics 38, 1982).
//!
//! It needs the censoring not to depend on the times: here every recovery is waited
//! for equally long, so it does not. Claims are nevertheless decided by the exact
//! intervals of [`quantile`](super::quantile), which need nothing.

use super::{Interval, quantile::Observation};

/// 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_964;

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

    /// The 95 % interval of the share, within 0..=1 by its scale. At a share of
    /// zero it is not known.
    fn interval(&self) -> Option<(f64, f64)> {
        let log = self.survival.ln();
        if !log.is_finite() || log == 0.0 {
            return None;
        }
        let spread = Z * self.greenwood.sqrt() / log.abs();
        let at = |sign: f64| self.survival.powf((sign * spread).exp());
        Some((at(1.0), at(-1.0)))
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
        let level = 1.0 - q;
        let first = |below: &dyn Fn(&Fall) -> bool| {
            let fall = self.steps.iter().find(|fall| below(fall))?;
            Some(fall.at)
        };
        Interval {
            low: first(&|fall| match fall.interval() {
                Some((low, _)) => low <= level,
                None => fall.survival <= level,
            }),
            high: first(&|fall| fall.interval().is_some_and(|(_, high)| high <= level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Observation::{AtLeast, Exact};
    use proptest::prelude::*;

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
