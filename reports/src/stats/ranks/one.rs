//! Differences of pairs, or values of one set against zero.

use super::{Alternative, EXACT_UP_TO, Null, Shift, Sums, doubled_ranks};

/// The p-value of Wilcoxon's signed-rank test: how likely differences lie as far on the
/// side of the alternative of zero by chance.
///
/// Those that are zero say nothing and are left out, as Wilcoxon did; without any other it
/// is 1. Exact with and without ties for up to [`EXACT_UP_TO`] that are not zero, and normal
/// beyond (with the variance that the ties leave). None may be NaN.
#[must_use]
pub fn signed_rank(differences: &[f64], alternative: Alternative) -> f64 {
    let signed: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if signed.is_empty() {
        return 1.0;
    }
    let sizes: Vec<f64> = signed.iter().map(|d| d.abs()).collect();
    let (ranks, ties) = doubled_ranks(&sizes);
    let above = signed.iter().zip(&ranks).filter(|(d, _)| **d > 0.0);
    let sum = above.map(|(_, rank)| rank).sum();
    let null = if signed.len() <= EXACT_UP_TO {
        Null::Exact(Sums::of_any(&ranks))
    } else {
        let n = signed.len() as f64;
        // Of doubled ranks.
        Null::Normal {
            mean: n * (n + 1.0) / 2.0,
            variance: n * (n + 1.0) * (2.0 * n + 1.0) / 6.0 - ties / 12.0,
            step: 2.0,
        }
    };
    null.p(sum, alternative)
}

/// The middle of values, or of the differences of pairs, with an exact interval at so much
/// confidence, 0 < `confidence` < 1: as much is left out below as above. It is the median of
/// the means of all two of them, each with itself as well (Walsh averages), and is that of a
/// distribution that is symmetric. Nothing is said of values that are not finite.
#[must_use]
pub fn pseudomedian(values: &[f64], confidence: f64) -> Shift {
    pseudomedian_at(values, (1.0 - confidence) / 2.0)
}

/// The same with at most `tail` on either side, 0 < `tail` < 0.5: each side by itself is a
/// bound at a confidence of `1 - tail`.
#[must_use]
pub fn pseudomedian_at(values: &[f64], tail: f64) -> Shift {
    if values.iter().any(|value| !value.is_finite()) {
        return Shift::default();
    }
    let mut means: Vec<f64> = values
        .iter()
        .enumerate()
        .flat_map(|(i, a)| values[i..].iter().map(move |b| f64::midpoint(*a, *b)))
        .collect();
    means.sort_by(f64::total_cmp);
    Shift::of(&means, &means, cut(values.len(), tail))
}

/// How many of the ordered means of two of `n` values to cut off at either end.
pub(in crate::stats) fn cut(n: usize, tail: f64) -> Option<usize> {
    if n == 0 {
        return None;
    }
    let null = if n <= EXACT_UP_TO {
        let ranks: Vec<usize> = (1..=n).collect();
        Null::Exact(Sums::of_any(&ranks))
    } else {
        let n = n as f64;
        Null::Normal {
            mean: n * (n + 1.0) / 4.0,
            variance: n * (n + 1.0) * (2.0 * n + 1.0) / 24.0,
            step: 1.0,
        }
    };
    null.cut(tail)
}

#[cfg(test)]
mod tests;
