//! Quantiles of times that may be right-censored, with exact intervals.
//!
//! The number of observations below the true q-quantile is Bin(n, q), whatever
//! the distribution of the times is. So the u-th smallest of n is an upper
//! bound at confidence `1 - tail` as soon as P(Bin(n, q) <= u - 1) >= 1 - tail,
//! and the l-th smallest a lower bound as soon as P(Bin(n, q) <= l - 1) <= tail
//! (David and Nagaraja, *Order Statistics*, 3rd ed., section 7.1).
//!
//! The observations need not even have one distribution: where each comes from its own,
//! as under faults of several kinds, the quantile is that of their mixture, and these
//! bounds are the more cautious for it (Hoeffding, *On the distribution of the number of
//! successes in independent trials*, Annals of Mathematical Statistics 27, 1956).
//!
//! An observation that is only known to be at least `c` stands at `c` for the
//! lower bound and at infinity for the upper. That is right for any censoring,
//! also when it depends on the times; Kaplan-Meier would need it not to.

use super::{Interval, binomial};

/// The 95 % two-sided interval has this much on either side.
pub const TWO_SIDED: f64 = 0.025;
/// A 95 % bound on one side.
pub const ONE_SIDED: f64 = 0.05;

/// Fewest values that bound a median on both sides at 95 %: the smallest n with
/// `0.5^n <= 0.025`.
pub const FEWEST_FOR_MEDIAN: usize = 6;

/// One observed time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observation {
    /// It was this.
    Exact(f64),
    /// It was not seen to end: it is at least this.
    AtLeast(f64),
}

impl Observation {
    /// The least that it can be.
    #[must_use]
    pub fn least(self) -> f64 {
        match self {
            Self::Exact(value) | Self::AtLeast(value) => value,
        }
    }

    /// The most that it can be.
    #[must_use]
    pub fn most(self) -> f64 {
        match self {
            Self::Exact(value) => value,
            Self::AtLeast(_) => f64::INFINITY,
        }
    }
}

/// The interval of the `q`-quantile with at most `tail` on either side of it,
/// 0 < q < 1. With too few observations a side is unbounded.
#[must_use]
pub fn interval(sample: &[Observation], q: f64, tail: f64) -> Interval {
    let ranks = Ranks::new(sample.len(), q, tail);
    Interval {
        low: ranks
            .low
            .and_then(|rank| nth(sample, rank, Observation::least)),
        high: ranks
            .high
            .and_then(|rank| nth(sample, rank, Observation::most))
            .filter(|high| high.is_finite()),
    }
}

/// The sample's median, or what bounds it from below.
///
/// An even number of observations has the mean of the middle two. `None`
/// without observations.
#[must_use]
pub fn median(sample: &[Observation]) -> Option<Observation> {
    let mid = |value: fn(Observation) -> f64| {
        let below = nth(sample, sample.len().div_ceil(2), value)?;
        let above = nth(sample, sample.len() / 2 + 1, value)?;
        Some(f64::midpoint(below, above))
    };
    known(mid(Observation::least)?, mid(Observation::most)?)
}

/// The sample's `q`-quantile by nearest rank, or what bounds it from below.
#[must_use]
pub fn quantile(sample: &[Observation], q: f64) -> Option<Observation> {
    let rank = (1..=sample.len()).find(|rank| *rank as f64 >= q * sample.len() as f64 - 1e-9)?;
    known(
        nth(sample, rank, Observation::least)?,
        nth(sample, rank, Observation::most)?,
    )
}

fn known(least: f64, most: f64) -> Option<Observation> {
    Some(if most.is_finite() {
        Observation::Exact(most)
    } else {
        Observation::AtLeast(least)
    })
}

/// The order statistics that bound a quantile, counted from one.
pub(super) struct Ranks {
    pub(super) low: Option<usize>,
    pub(super) high: Option<usize>,
}

impl Ranks {
    pub(super) fn new(n: usize, q: f64, tail: f64) -> Self {
        // Of rank r it is P(X <= r - 1) that counts.
        let at_ranks = || binomial::cdfs(n, q).take(n);
        let low = at_ranks().take_while(|below| *below <= tail).count();
        Self {
            low: (low > 0).then_some(low),
            high: at_ranks()
                .position(|below| below >= 1.0 - tail)
                .map(|rank| rank + 1),
        }
    }
}

fn nth(sample: &[Observation], rank: usize, value: fn(Observation) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = sample.iter().map(|o| value(*o)).collect();
    values.sort_by(f64::total_cmp);
    values.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Observation::{AtLeast, Exact};
    use proptest::prelude::*;

    fn exact(values: &[f64]) -> Vec<Observation> {
        values.iter().map(|v| Exact(*v)).collect()
    }

    #[test]
    fn six_bound_a_median_and_five_do_not() {
        let six = exact(&[3.0, 1.0, 2.0, 6.0, 5.0, 4.0]);
        let both = Interval {
            low: Some(1.0),
            high: Some(6.0),
        };
        assert_eq!(interval(&six, 0.5, TWO_SIDED), both);
        assert_eq!(interval(&six[..5], 0.5, TWO_SIDED), Interval::default());
        assert_eq!(median(&six), Some(Exact(3.5)));
        assert_eq!(median(&six[..5]), Some(Exact(3.0)));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn fifty_nine_bound_a_95th_percentile_and_fifty_eight_do_not() {
        let n = |n: u32| (1..=n).map(|v| Exact(f64::from(v))).collect::<Vec<_>>();
        assert_eq!(interval(&n(58), 0.95, ONE_SIDED).high, None);
        assert_eq!(interval(&n(59), 0.95, ONE_SIDED).high, Some(59.0));
        assert_eq!(quantile(&n(100), 0.95), Some(Exact(95.0)));
    }

    #[test]
    fn the_textbook_table_of_the_median_s_interval() {
        // Ranks of the 95 % interval of a median, as textbooks print them.
        for (n, low, high) in [
            (6, 1, 6),
            (8, 1, 8),
            (9, 2, 8),
            (12, 3, 10),
            (20, 6, 15),
            (25, 8, 18),
        ] {
            let ranks = Ranks::new(n, 0.5, TWO_SIDED);
            assert_eq!((ranks.low, ranks.high), (Some(low), Some(high)), "n = {n}");
        }
    }

    #[test]
    fn a_censored_value_bounds_from_below_only() {
        let mut sample = exact(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        sample.push(AtLeast(9.0));
        assert_eq!(interval(&sample, 0.5, TWO_SIDED).high, None);
        assert_eq!(interval(&sample, 0.5, TWO_SIDED).low, Some(1.0));
        assert_eq!(median(&sample), Some(Exact(3.5)));
        let censored = vec![AtLeast(40.0); 6];
        assert_eq!(interval(&censored, 0.5, TWO_SIDED).low, Some(40.0));
        assert_eq!(median(&censored), Some(AtLeast(40.0)));
        // One that was given up early says nothing: it may be the longest of all.
        sample[5] = AtLeast(0.0);
        assert_eq!(interval(&sample, 0.5, TWO_SIDED).low, Some(0.0));
        assert_eq!(interval(&sample, 0.5, TWO_SIDED).high, None);
    }

    proptest! {
        #[test]
        fn censoring_only_widens_upwards_and_more_waiting_only_narrows(
            sample in prop::collection::vec((0.0_f64..60.0, any::<bool>(), 0.0_f64..1.0), 0..30),
            q in prop::sample::select(vec![0.5, 0.95]),
        ) {
            let truth: Vec<_> = sample.iter().map(|(v, ..)| Exact(*v)).collect();
            let at = |share: f64| -> Vec<_> {
                sample
                    .iter()
                    .map(|(v, censored, part)| if *censored { AtLeast(v * part * share) } else { Exact(*v) })
                    .collect()
            };
            let (full, seen, less) = (
                interval(&truth, q, TWO_SIDED),
                interval(&at(1.0), q, TWO_SIDED),
                interval(&at(0.5), q, TWO_SIDED),
            );
            prop_assert!(seen.low <= full.low && less.low <= seen.low);
            if let Some(high) = seen.high {
                prop_assert!(full.high.is_some_and(|full| full <= high));
            }
        }

        #[test]
        fn the_interval_holds_the_sample_median(values in prop::collection::vec(0.0_f64..9.0, 6..40)) {
            let sample = exact(&values);
            let i = interval(&sample, 0.5, TWO_SIDED);
            let m = median(&sample).map(Observation::least);
            prop_assert!(i.low <= m && m <= i.high);
        }
    }

    /// Log-normal times, some given up early: the truth lies in the interval at
    /// least as often as the interval says.
    #[test]
    fn covers_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut normal = move || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        for (n, q, z, tail, least) in [
            (6, 0.5, 0.0, TWO_SIDED, 0.95),
            (15, 0.5, 0.0, TWO_SIDED, 0.95),
            (59, 0.95, 1.6449, ONE_SIDED, 0.90),
        ] {
            let rounds = 4_000;
            let truth = f64::exp(z);
            let covered = (0..rounds)
                .filter(|_| {
                    let sample: Vec<_> = (0..n)
                        .map(|i| {
                            let time = normal().exp();
                            if i % 4 == 0 && time > 2.0 {
                                AtLeast(2.0)
                            } else {
                                Exact(time)
                            }
                        })
                        .collect();
                    let i = interval(&sample, q, tail);
                    i.low.is_none_or(|low| low <= truth) && i.high.is_none_or(|high| truth <= high)
                })
                .count();
            let share = covered as f64 / f64::from(rounds);
            assert!(share > least - 0.01, "n = {n}, q = {q}: {share}");
        }
    }
}
