//! The binomial distribution, exactly, for as many trials as there are
//! injections.

/// P(X <= k) for X ~ Bin(n, p), 0 < p < 1.
pub(super) fn cdf(k: usize, n: usize, p: f64) -> f64 {
    cdfs(n, p).nth(k).unwrap_or(1.0)
}

/// P(X <= 0), P(X <= 1), ..., P(X <= n). Summed from logarithms, so that `(1 - p)^n`
/// may be smaller than the smallest float.
pub(super) fn cdfs(n: usize, p: f64) -> impl Iterator<Item = f64> {
    let odds = p.ln() - (-p).ln_1p();
    let mut ln_pmf = n as f64 * (-p).ln_1p();
    let mut sum = 0.0_f64;
    (0..=n).map(move |k| {
        if k > 0 {
            ln_pmf += ((n - k + 1) as f64).ln() - (k as f64).ln() + odds;
        }
        sum += ln_pmf.exp();
        if k == n { 1.0 } else { sum.min(1.0) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every sequence of n trials, one by one.
    fn by_enumeration(k: usize, n: usize, p: f64) -> f64 {
        (0_u32..1 << n)
            .map(|trials| trials.count_ones() as usize)
            .filter(|successes| *successes <= k)
            .map(|s| p.powf(s as f64) * (1.0 - p).powf((n - s) as f64))
            .sum()
    }

    proptest! {
        #[test]
        fn agrees_with_enumeration(n in 1_usize..13, k in 0_usize..14, p in 0.01_f64..0.99) {
            prop_assert!((cdf(k, n, p) - by_enumeration(k, n, p)).abs() < 1e-12);
        }
    }

    #[test]
    fn does_not_underflow() {
        assert!((cdf(5_000, 10_001, 0.5) - 0.5).abs() < 1e-9);
    }
}
