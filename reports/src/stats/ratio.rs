//! The ratio of two rates that were measured side by side.
//!
//! Rates differ threefold with what else a machine does, but what stands next to each
//! other in time differs alike: so the ratio is taken within each pair. Over the pairs it
//! is the median that is given and bounded, not a mean: see [`stats`](super) for why.

use serde::{Deserialize, Serialize};

use super::{
    Interval, median, micro,
    quantile::{self, Observation, TWO_SIDED},
    settle::Split,
};

/// A ratio of two rates, over several pairs that were taken together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Of each pair, in the order in which they were taken.
    pub pairs: Vec<f64>,
    /// The median. `None` without a pair.
    pub median: Option<f64>,
    /// Lower end of the median's exact 95 % interval. `None` where the data do not bound
    /// it.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Ratio {
    /// From the ratio of each pair, all above zero. Ratios multiply, so between the two
    /// in the middle of an even number lies their geometric mean: then the median of the
    /// inverse ratios is the inverse.
    #[must_use]
    pub fn of(pairs: &[f64]) -> Self {
        let sample: Vec<Observation> = pairs.iter().copied().map(Observation::Exact).collect();
        let interval = quantile::interval(&sample, 0.5, TWO_SIDED);
        Self {
            pairs: pairs.iter().copied().map(micro).collect(),
            median: median(pairs.iter().map(|ratio| ratio.ln())).map(|log| micro(log.exp())),
            low: interval.low.map(micro),
            high: interval.high.map(micro),
        }
    }

    /// How many pairs there are.
    #[must_use]
    pub fn n(&self) -> usize {
        self.pairs.len()
    }

    /// Both ends.
    #[must_use]
    pub fn interval(&self) -> Interval {
        Interval {
            low: self.low,
            high: self.high,
        }
    }

    /// How many pairs in all would show on which side of a bound the median lies, if
    /// further ones fall on both sides as these do. `None` if too many.
    #[must_use]
    pub fn pairs_to_settle(&self, bound: f64) -> Option<usize> {
        let within = self.pairs.iter().filter(|ratio| **ratio <= bound).count();
        let split = Split {
            within,
            beyond: self.n() - within,
            open: 0,
        };
        split.runs_to_settle(0.5, TWO_SIDED)
    }

    /// The same without an interval: of what is not to be trusted.
    #[must_use]
    pub fn unbounded(self) -> Self {
        Self {
            low: None,
            high: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_its_interval_turned_round_are_those_of_the_inverse() {
        let pairs = [2.0, 8.0, 1.0, 4.0, 16.0, 0.5];
        let inverse = pairs.map(f64::recip);
        let (ratio, inverse) = (Ratio::of(&pairs), Ratio::of(&inverse));
        assert_eq!(ratio.n(), 6);
        // Between 2 and 4, which is 8 to the half.
        assert_eq!(
            (ratio.median, inverse.median),
            (Some(2.828_427), Some(0.353_553))
        );
        assert_eq!((ratio.low, ratio.high), (Some(0.5), Some(16.0)));
        assert_eq!((inverse.low, inverse.high), (Some(0.0625), Some(2.0)));
        assert_eq!(Ratio::of(&pairs[..5]).interval(), Interval::default());
        assert_eq!(Ratio::of(&[]), Ratio::default());
    }

    #[test]
    fn one_stray_pair_asks_for_a_few_more_however_far_off_it_is() {
        for stray in [1.9, 0.01] {
            let ratio = Ratio::of(&[3.0, 3.1, 2.9, 3.0, 3.2, stray]);
            assert_eq!(ratio.pairs_to_settle(2.0), Some(12), "{stray}");
        }
        assert_eq!(
            Ratio::of(&[1.0, 3.0, 1.0, 3.0, 1.0, 3.0]).pairs_to_settle(2.0),
            None
        );
    }
}
