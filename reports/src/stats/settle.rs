//! How many more observations would decide on which side of a limit a quantile lies.
//!
//! The exact interval of a quantile lies at or below a limit as soon as the observations
//! within the limit reach the rank of its upper end, and above it as soon as those that
//! may be within do not reach the rank of its lower end: so only their numbers count.

use super::quantile::{Observation, Ranks};

/// More runs than this are not worth proposing.
pub const MOST_RUNS: usize = 500;

/// Observations, by where they lie with regard to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Split {
    /// At most the limit.
    pub within: usize,
    /// Above it.
    pub beyond: usize,
    /// On either side: all that is known of these is that they are at least something
    /// that is not above it.
    pub open: usize,
}

impl Split {
    /// Splits a sample.
    #[must_use]
    pub fn of(sample: &[Observation], limit: f64) -> Self {
        let within = sample.iter().filter(|o| o.most() <= limit).count();
        let beyond = sample.iter().filter(|o| o.least() > limit).count();
        Self {
            within,
            beyond,
            open: sample.len() - within - beyond,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn n(self) -> usize {
        self.within + self.beyond + self.open
    }

    /// Whether the interval of the `q`-quantile, with at most `tail` on either side, lies
    /// on one side of the limit.
    #[must_use]
    pub fn settles(self, q: f64, tail: f64) -> bool {
        self.settles_with(0, 0.0, q, tail)
    }

    /// The least number of observations in all, and more than there are, with which it
    /// would: if those that are added fall within the limit as often as those that are
    /// known, and the others stay as they are. `None` if more than [`MOST_RUNS`] would
    /// not do either.
    #[must_use]
    pub fn runs_to_settle(self, q: f64, tail: f64) -> Option<usize> {
        let share = match self.within + self.beyond {
            0 => 1.0,
            known => self.within as f64 / known as f64,
        };
        let n = self.n();
        (n + 1..=MOST_RUNS).find(|all| self.settles_with(all - n, share, q, tail))
    }

    /// The same with `more` observations, a `share` of them within the limit.
    fn settles_with(self, more: usize, share: f64, q: f64, tail: f64) -> bool {
        let ranks = Ranks::new(self.n() + more, q, tail);
        let within = self.within as f64 + share * more as f64;
        let perhaps = within + self.open as f64;
        ranks.high.is_some_and(|rank| rank as f64 <= within + 1e-9)
            || ranks
                .low
                .is_some_and(|rank| rank as f64 >= perhaps + 1.0 - 1e-9)
    }
}

/// The fewest observations that can show a `q`-quantile to be within a limit. `None` if
/// these are more than [`MOST_RUNS`].
#[must_use]
pub fn fewest(q: f64, tail: f64) -> Option<usize> {
    Split::default().runs_to_settle(q, tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::quantile::{
        FEWEST_FOR_MEDIAN, ONE_SIDED,
        Observation::{AtLeast, Exact},
        TWO_SIDED, interval,
    };
    use proptest::prelude::*;

    fn split(within: usize, beyond: usize, open: usize) -> Split {
        Split {
            within,
            beyond,
            open,
        }
    }

    #[test]
    fn the_fewest_for_a_median_and_for_a_95th_percentile() {
        assert_eq!(fewest(0.5, TWO_SIDED), Some(FEWEST_FOR_MEDIAN));
        assert_eq!(fewest(0.95, ONE_SIDED), Some(59));
    }

    #[test]
    fn one_beyond_asks_for_three_more_and_half_beyond_for_no_end_of_them() {
        let runs = |split: Split| split.runs_to_settle(0.5, TWO_SIDED);
        // Of 12 the third and the tenth bound the median, of 9 the second and the eighth.
        assert_eq!(runs(split(5, 1, 0)), Some(12));
        assert_eq!(runs(split(1, 5, 0)), Some(12));
        assert_eq!(runs(split(5, 0, 1)), Some(9), "the open one stays open");
        assert_eq!(runs(split(3, 3, 0)), None);
        assert_eq!(runs(split(MOST_RUNS, 0, 0)), None);
        assert!(runs(split(8, 4, 0)) > runs(split(9, 3, 0)));
    }

    proptest! {
        #[test]
        fn it_settles_where_the_interval_lies_on_one_side(
            sample in prop::collection::vec((0_u32..9, any::<bool>()), 0..40),
            limit in 0_u32..9,
            (q, tail) in prop::sample::select(vec![(0.5, TWO_SIDED), (0.9, ONE_SIDED)]),
        ) {
            let of = |(at, open): (u32, bool)| match open {
                true => AtLeast(f64::from(at)),
                false => Exact(f64::from(at)),
            };
            let sample: Vec<Observation> = sample.into_iter().map(of).collect();
            let limit = f64::from(limit);
            let interval = interval(&sample, q, tail);
            let one_side = interval.high.is_some_and(|high| high <= limit)
                || interval.low.is_some_and(|low| low > limit);
            prop_assert_eq!(Split::of(&sample, limit).settles(q, tail), one_side);
        }
    }
}
