//! The binomial distribution, exactly, for as many trials as there are
//! injections.

/// P(X <= k) for X ~ Bin(n, p), 0 < p < 1. Summed from logarithms, so that
/// `(1 - p)^n` may be smaller than the smallest float.
pub(super) fn cdf(k: usize, n: usize, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let odds = p.ln() - (-p).ln_1p();
    let mut ln_pmf = n as f64 * (-p).ln_1p();
    let mut sum = ln_pmf.exp();
    for i in 1..=k {
        ln_pmf += ((n - i + 1) as f64).ln() - (i as f64).ln() + odds;
        sum += ln_pmf.exp();
    }
    sum.min(1.0)
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
