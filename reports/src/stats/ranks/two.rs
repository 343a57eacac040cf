//! Two sets of runs that have nothing to do with each other.

use super::{Alternative, EXACT_UP_TO, Null, Shift, Sums, doubled_ranks};
use crate::stats::quantile::Observation;

/// The p-value of the Mann-Whitney test: how likely `a` lies as far on the side of the
/// alternative of `b` by chance. With no values in one of both it is 1.
///
/// Exact with and without ties for up to [`EXACT_UP_TO`] values a side, also of one large
/// and one small set, and normal beyond
/// (with the variance that the ties leave). No value may be NaN; one that was not seen to
/// end may stand as infinity if all were watched for equally long.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64], alternative: Alternative) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    if a.len() > b.len() {
        // There are fewer ways to choose the smaller set.
        return mann_whitney(b, a, alternative.turned());
    }
    let (ranks, ties) = doubled_ranks(&[a, b].concat());
    let sum = ranks[..a.len()].iter().sum();
    let null = if is_counted(a.len(), b.len()) {
        Null::Exact(Sums::of_size(&ranks, a.len()))
    } else {
        let (m, n) = (a.len() as f64, b.len() as f64);
        let all = m + n;
        // Of doubled ranks.
        Null::Normal {
            mean: m * (all + 1.0),
            variance: m * n / 3.0 * (all + 1.0 - ties / (all * (all - 1.0))),
            step: 2.0,
        }
    };
    null.p(sum, alternative)
}

/// By how much the values of `a` lie above those of `b`, with an exact interval at so much
/// confidence, 0 < `confidence` < 1: as much is left out below as above. Nothing is said of
/// values that are not finite.
#[must_use]
pub fn shift(a: &[f64], b: &[f64], confidence: f64) -> Shift {
    shift_at(a, b, (1.0 - confidence) / 2.0)
}

/// The same with at most `tail` on either side, 0 < `tail` < 0.5: each side by itself is a
/// bound at a confidence of `1 - tail`.
#[must_use]
pub fn shift_at(a: &[f64], b: &[f64], tail: f64) -> Shift {
    if a.iter().chain(b).any(|value| !value.is_finite()) {
        return Shift::default();
    }
    let exact = |values: &[f64]| -> Vec<Observation> {
        values.iter().copied().map(Observation::Exact).collect()
    };
    shift_of(&exact(a), &exact(b), tail)
}

/// The same of times that were not all seen to end: what is only known to be at least
/// something stands at that for one side of the interval and at infinity for the other,
/// which is right for any censoring.
#[must_use]
pub fn shift_of(a: &[Observation], b: &[Observation], tail: f64) -> Shift {
    let differences = |of: fn(Observation, Observation) -> f64| {
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| of(*a, *b)));
        let mut differences: Vec<f64> = pairs.collect();
        differences.sort_by(f64::total_cmp);
        differences
    };
    let least = differences(|a, b| a.least() - b.most());
    let most = differences(|a, b| a.most() - b.least());
    Shift::of(&least, &most, cut(a.len(), b.len(), tail))
}

/// Whether counting takes no longer than that of [`EXACT_UP_TO`] a side: for each value and
/// each that may be chosen, as many steps as there are sums, which grow with the square of
/// all values.
fn is_counted(m: usize, n: usize) -> bool {
    let steps = |m: usize, n: usize| ((m + n) as f64).powi(3) * m.min(n) as f64;
    steps(m, n) <= steps(EXACT_UP_TO, EXACT_UP_TO)
}

/// How many of the ordered differences of `m` and `n` values to cut off at either end.
pub(crate) fn cut(m: usize, n: usize, tail: f64) -> Option<usize> {
    if m == 0 || n == 0 {
        return None;
    }
    let null = if is_counted(m, n) {
        let ranks: Vec<usize> = (0..m + n).collect();
        Null::Exact(Sums::of_size(&ranks, m.min(n)).with_least_at_zero())
    } else {
        let (m, n) = (m as f64, n as f64);
        Null::Normal {
            mean: m * n / 2.0,
            variance: m * n * (m + n + 1.0) / 12.0,
            step: 1.0,
        }
    };
    null.cut(tail)
}

/// The least p-value, on one side, that so many runs in each of two sets can have: that of
/// one order among all, one in C(2n, n).
#[must_use]
pub fn least_p(per_side: usize) -> f64 {
    // C(2k, k) / C(2k - 2, k - 1) = (4k - 2) / k.
    let steps = (1..=per_side).map(|k| k as f64 / (4 * k - 2) as f64);
    steps.product()
}

/// The fewest runs in each of two sets that can show a difference on one side at a level:
/// the least n with `1 / C(2n, n) <= alpha`. At a level of zero, as many as make the
/// probability too small for a float.
#[must_use]
pub fn fewest_per_side(alpha: f64) -> usize {
    let alpha = alpha.max(0.0) * (1.0 + super::ROUNDING);
    let (mut n, mut p) = (1, least_p(1));
    while p > alpha {
        n += 1;
        p *= n as f64 / (4 * n - 2) as f64;
    }
    n
}

#[cfg(test)]
mod tests;
