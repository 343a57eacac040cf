//! The interval of a probability, from how often it happened.
//!
//! Exact, by the binomial distribution (Clopper and Pearson, *The use of
//! confidence or fiducial limits*, Biometrika 26, 1934): with six trials an
//! approximation would promise more than it keeps.

use super::{Interval, binomial, quantile::TWO_SIDED};

/// The 95 % two-sided interval of the probability of what happened in `k` of `n`
/// trials. Without trials nothing is known.
#[must_use]
pub fn interval(k: usize, n: usize) -> Interval {
    if n == 0 {
        return Interval::default();
    }
    // P(X >= k) grows with p, P(X <= k) falls: both ends by halving.
    let low = (k > 0).then(|| root(|p| 1.0 - binomial::cdf(k - 1, n, p) < TWO_SIDED));
    let high = (k < n).then(|| root(|p| binomial::cdf(k, n, p) > TWO_SIDED));
    Interval {
        low: Some(low.unwrap_or(0.0)),
        high: Some(high.unwrap_or(1.0)),
    }
}

/// How likely something happens in at least `k` of `n` trials that happens in a share `p` of
/// them, 0 < p < 1: the p-value of the exact binomial test on one side.
#[must_use]
pub fn at_least(k: usize, n: usize, p: f64) -> f64 {
    match k.checked_sub(1) {
        None => 1.0,
        Some(below) => (1.0 - binomial::cdf(below, n, p)).max(0.0),
    }
}

/// Where `below` ceases to hold on 0..1.
fn root(below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{
        cases, count, interval as expected_interval, near, near_interval, number,
    };

    const FOUND: &str = include_str!("../../tests/data/proportion.json");

    #[test]
    fn as_scipy_finds() {
        for case in cases(FOUND, "intervals") {
            let found = interval(count(&case["k"]), count(&case["n"]));
            let expected = expected_interval(&case["interval"]);
            assert!(near_interval(found, expected, 1e-11), "{found:?}: {case}");
        }
        for case in cases(FOUND, "at_least") {
            let (k, n, p) = (count(&case["k"]), count(&case["n"]), number(&case["p"]));
            let (found, expected) = (at_least(k, n, p), number(&case["at_least"]));
            assert!(near(found, expected, 1e-10), "{found}: {case}");
        }
    }

    /// Of every probability, how often the interval holds it: the sum over all outcomes.
    #[test]
    fn covers_every_probability_and_a_narrower_one_does_not() {
        let n = 12;
        let covered = |share: usize, narrower: f64| -> f64 {
            let p = share as f64 / 200.0;
            let mut before = 0.0;
            let outcomes = binomial::cdfs(n, p).enumerate().filter_map(|(k, up_to)| {
                let likely = up_to - before;
                before = up_to;
                let found = interval(k, n);
                let holds = found.low.is_some_and(|low| low + narrower <= p)
                    && found.high.is_some_and(|high| p <= high - narrower);
                holds.then_some(likely)
            });
            outcomes.sum()
        };
        assert!((1..200).all(|share| covered(share, 0.0) >= 0.95));
        assert!((1..200).any(|share| covered(share, 0.03) < 0.93));
    }

    #[test]
    fn the_tail_of_one_in_ten() {
        for (k, n, p) in [
            (0, 6, 1.0),
            (1, 6, 0.468_559),
            (3, 6, 0.015_85),
            (6, 6, 1e-6),
            (1, 1, 0.1),
        ] {
            assert!((at_least(k, n, 0.1) - p).abs() < 1e-6, "{k} of {n}");
        }
    }

    #[test]
    fn as_tabulated() {
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.3085),
            (1, 10, 0.0025, 0.4450),
            (5, 10, 0.1871, 0.8129),
            (10, 10, 0.6915, 1.0),
            (3, 6, 0.1181, 0.8819),
            (8, 20, 0.1912, 0.6395),
        ] {
            let i = interval(k, n);
            let near = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 6e-5);
            assert!(near(i.low, low) && near(i.high, high), "{k} of {n}: {i:?}");
        }
        assert_eq!(interval(0, 0), Interval::default());
    }
}
