//! An interval of a mean that assumes no distribution.

use super::{Interval, mean, student::expanded_tail};

/// Resamples. With 10 000, the percentile that six observations ask for (0.24 %)
/// still has 24 resamples beyond it.
pub const RESAMPLES: usize = 10_000;

/// Fewest values that an interval is made from. Below, the percentile asked for
/// is so far out that it is the smallest or the largest value itself.
pub const MIN_VALUES: usize = 6;

/// The 95 % two-sided interval of the mean, by resampling. The same values and
/// seed give the same interval. Unbounded below [`MIN_VALUES`].
#[must_use]
pub fn mean_interval(values: &[f64], seed: u64) -> Interval {
    if values.len() < MIN_VALUES {
        return Interval::default();
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = values
                .iter()
                .map(|_| values[rng.usize(..values.len())])
                .sum();
            sum / values.len() as f64
        })
        .collect();
    let tail = expanded_tail(0.025, values.len());
    // How many resamples are left out on either side.
    let beyond = (0..RESAMPLES / 2)
        .take_while(|i| (i + 1) as f64 <= tail * RESAMPLES as f64)
        .count();
    // Only these two of the sorted resamples are asked for.
    let mut sorted_at = |i: usize| *means.select_nth_unstable_by(i, f64::total_cmp).1;
    Interval {
        low: Some(sorted_at(beyond)),
        high: Some(sorted_at(RESAMPLES - 1 - beyond)),
    }
}

/// How many values in all would keep the interval clear of a limit, if mean and
/// spread stayed as they are: its width shrinks with the square root.
#[must_use]
pub fn runs_to_settle(values: &[f64], interval: Interval, limit: f64) -> Option<usize> {
    more_to_settle(values.len(), mean(values)?, interval, limit)
}

/// The same, of `n` values of which only mean and interval are known.
#[must_use]
pub fn more_to_settle(n: usize, mean: f64, interval: Interval, limit: f64) -> Option<usize> {
    let (low, high) = (interval.low?, interval.high?);
    let towards = if mean > limit {
        mean - low
    } else {
        high - mean
    };
    let ratio = towards / (mean - limit).abs();
    let n = n as f64 * ratio * ratio;
    (1..=super::quantile::MOST_RUNS).find(|runs| *runs as f64 >= n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every resample there is, for six values: 6^6 of them.
    fn by_enumeration(values: &[f64; 6]) -> Vec<f64> {
        let mut means: Vec<f64> = (0..6_usize.pow(6))
            .map(|code| {
                (0..6)
                    .map(|digit| values[code / 6_usize.pow(digit) % 6])
                    .sum::<f64>()
                    / 6.0
            })
            .collect();
        means.sort_by(f64::total_cmp);
        means
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn agrees_with_all_resamples(values in prop::array::uniform6(-1.0_f64..1.0), seed in any::<u64>()) {
            let all = by_enumeration(&values);
            let found = mean_interval(&values, seed);
            let share_below = |x: f64| all.partition_point(|m| *m < x) as f64 / all.len() as f64;
            // 0.0024 is asked for; 10 000 resamples know it to about 0.0005.
            prop_assert!(share_below(found.low.unwrap()) < 0.006);
            prop_assert!(share_below(found.high.unwrap()) > 0.994);
            prop_assert_eq!(found, mean_interval(&values, seed));
            let mean = mean(&values);
            prop_assert!(found.low <= mean && mean <= found.high);
        }
    }

    #[test]
    fn covers_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(2);
        for (n, least) in [(6, 0.90), (12, 0.91), (30, 0.92)] {
            let rounds = 400;
            let covered = (0..rounds)
                .filter(|round| {
                    // Skewed, as times are: exponential with mean 1.
                    let values: Vec<f64> = (0..n).map(|_| -(1.0 - rng.f64()).ln()).collect();
                    let i = mean_interval(&values, *round);
                    i.low <= Some(1.0) && Some(1.0) <= i.high
                })
                .count();
            let share = covered as f64 / rounds as f64;
            assert!(share > least - 0.03, "n = {n}: {share}");
        }
    }

    #[test]
    fn too_few_bound_nothing() {
        assert_eq!(mean_interval(&[1.0; 5], 0), Interval::default());
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn runs_to_settle_grow_as_the_limit_comes_closer() {
        let values = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
        let i = mean_interval(&values, 0);
        let near = runs_to_settle(&values, i, 0.4).unwrap();
        let far = runs_to_settle(&values, i, 0.2).unwrap();
        assert!(near > far && far > 6, "{near} {far}");
        assert_eq!(runs_to_settle(&values, i, 0.5), None);
    }
}
