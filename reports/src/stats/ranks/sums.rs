//! What sums of ranks come out by chance.

use super::{Alternative, ROUNDING};
use crate::stats::distribution::{normal_at_least, normal_at_most, normal_quantile};

/// How many ways lead to each sum from zero on. All of them are equally likely.
///
/// Numbers of ways are floats: those of [`EXACT_UP_TO`](super::EXACT_UP_TO) have up to 30
/// digits, and adding loses none of the first 13.
pub(super) struct Sums {
    ways: Vec<f64>,
    all: f64,
}

impl Sums {
    /// Of all choices of `size` of the items.
    pub(super) fn of_size(items: &[usize], size: usize) -> Self {
        let most = items.iter().sum::<usize>() + 1;
        let mut ways = vec![vec![0.0; most]; size + 1];
        ways[0][0] = 1.0;
        let mut reached = 0;
        for (taken, item) in items.iter().enumerate() {
            reached += item;
            for chosen in (1..=size.min(taken + 1)).rev() {
                let (fewer, more) = ways.split_at_mut(chosen);
                let without = &fewer[chosen - 1][..=reached - item];
                for (sum, ways) in more[0][*item..].iter_mut().zip(without) {
                    *sum += ways;
                }
            }
        }
        Self::new(ways.pop().unwrap_or_default())
    }

    /// Of all choices of any number of the items.
    pub(super) fn of_any(items: &[usize]) -> Self {
        let mut ways = vec![1.0];
        for item in items {
            let without = ways.clone();
            ways.resize(without.len() + item, 0.0);
            for (sum, ways) in ways[*item..].iter_mut().zip(without) {
                *sum += ways;
            }
        }
        Self::new(ways)
    }

    fn new(ways: Vec<f64>) -> Self {
        let all = ways.iter().sum();
        Self { ways, all }
    }

    /// The same distribution with its least sum at zero.
    pub(super) fn with_least_at_zero(self) -> Self {
        let possible = |ways: &f64| *ways > 0.0;
        Self {
            ways: self.ways.into_iter().skip_while(|w| !possible(w)).collect(),
            ..self
        }
    }
}

/// The distribution of a sum if there is no difference.
pub(super) enum Null {
    /// As counted.
    Exact(Sums),
    /// Normal. A whole step is between one sum and the next, of which half is added.
    Normal {
        /// Of the sum.
        mean: f64,
        /// Of the sum.
        variance: f64,
        /// Between one sum and the next.
        step: f64,
    },
}

impl Null {
    /// How likely a sum as far off is by chance.
    pub(super) fn p(&self, sum: usize, alternative: Alternative) -> f64 {
        let (low, high) = (self.at_most(sum), self.at_least(sum));
        match alternative {
            Alternative::Less => low,
            Alternative::Greater => high,
            Alternative::TwoSided => (2.0 * low.min(high)).min(1.0),
        }
    }

    fn at_most(&self, sum: usize) -> f64 {
        match self {
            Self::Exact(Sums { ways, all }) => ways.iter().take(sum + 1).sum::<f64>() / all,
            Self::Normal { variance: 0.0, .. } => 1.0,
            Self::Normal {
                mean,
                variance,
                step,
            } => normal_at_most((sum as f64 + step / 2.0 - mean) / variance.sqrt()),
        }
    }

    fn at_least(&self, sum: usize) -> f64 {
        match self {
            Self::Exact(Sums { ways, all }) => ways.iter().skip(sum).sum::<f64>() / all,
            Self::Normal { variance: 0.0, .. } => 1.0,
            Self::Normal {
                mean,
                variance,
                step,
            } => normal_at_least((sum as f64 - step / 2.0 - mean) / variance.sqrt()),
        }
    }

    /// The greatest sum that is so low that at most `tail` are as low: as many of the
    /// ordered pairs may be cut off at either end. `None` if even zero is more likely.
    pub(super) fn cut(&self, tail: f64) -> Option<usize> {
        let tail = tail * (1.0 + ROUNDING);
        let low = match self {
            Self::Exact(Sums { ways, all }) => {
                let mut below = 0.0;
                let sums = ways.iter().map(|ways| {
                    below += ways;
                    below / all
                });
                sums.take_while(|below| *below <= tail).count()
            }
            Self::Normal {
                mean,
                variance,
                step,
            } => {
                let last = mean + normal_quantile(tail) * variance.sqrt() - step / 2.0;
                (0_u32..)
                    .map(f64::from)
                    .take_while(|sum| *sum <= last)
                    .count()
            }
        };
        low.checked_sub(1)
    }
}
