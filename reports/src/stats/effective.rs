//! How many independent values a series is worth, of which neighbours are alike.
//!
//! Windows of a run that follow each other share what the machine did: their mean is known
//! less well than that of as many independent ones. The run is the replicate, never the
//! window; this tells how much one run's own mean wavers, and whether a longer run would say
//! more.
//!
//! The sum of all autocorrelations, each pair of neighbouring ones taken together for as long
//! as the pair is above zero, and none greater than the one before it (Geyer, *Practical
//! Markov Chain Monte Carlo*, Statistical Science 7, 1992, section 3.3: the initial monotone
//! sequence). Estimated as Stan and ArviZ do of one chain (Vehtari and others,
//! *Rank-normalization, folding, and localization*, Bayesian Analysis 16, 2021, section 3.2),
//! so with the least of what a series can be worth more than its length: `n log10(n)`.

use super::mean;

/// The fewest values that can show how neighbours are alike.
pub const FEWEST: usize = 4;

/// What a series is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effective {
    /// As many independent values would tell as much of the mean. More than there are if
    /// neighbours tend to lie on opposite sides.
    pub size: f64,
    /// Standard error of the mean.
    pub standard_error: f64,
}

impl Effective {
    /// Of a series in the order of time. `None` of fewer than [`FEWEST`] values, or if one is
    /// not finite. One that never changes is worth its length.
    #[must_use]
    pub fn of(series: &[f64]) -> Option<Self> {
        let n = series.len();
        if n < FEWEST || series.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mean = mean(series)?;
        let away: Vec<f64> = series.iter().map(|value| value - mean).collect();
        let autocovariance = |lag: usize| {
            let products = away.iter().zip(&away[lag..]).map(|(a, b)| a * b);
            products.sum::<f64>() / n as f64
        };
        let variance = autocovariance(0);
        let same = series.iter().all(|value| *value == series[0]);
        if same || variance == 0.0 {
            return Some(Self {
                size: n as f64,
                standard_error: 0.0,
            });
        }
        // The variance is estimated without bias, the covariances are not.
        let bias = 1.0 / (n as f64 - 1.0);
        let time = sum(n, |lag| autocovariance(lag) / variance - bias);
        let size = n as f64 / time.max(1.0 / (n as f64).log10());
        let deviation = (variance * n as f64 * bias).sqrt();
        Some(Self {
            size,
            standard_error: deviation / size.sqrt(),
        })
    }
}

/// One and twice all correlations, as far as they can be told from nothing.
fn sum(n: usize, correlation: impl Fn(usize) -> f64) -> f64 {
    let mut pair = (1.0, correlation(1));
    let mut kept: Vec<f64> = Vec::new();
    let mut lag = 1;
    // The last pair is not summed up, but for the first half of it where it is above zero.
    while lag + 3 < n && pair.0 + pair.1 > 0.0 {
        kept.push(pair.0 + pair.1);
        pair = (correlation(lag + 1), correlation(lag + 2));
        lag += 2;
    }
    let mut least = f64::INFINITY;
    let monotone = kept.iter().map(|pair| {
        least = least.min(*pair);
        least
    });
    2.0 * monotone.sum::<f64>() - 1.0 + pair.0.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{
        coverage::Draw,
        reference::{cases, near, number, numbers},
    };
    use proptest::prelude::*;

    const FOUND: &str = include_str!("../../tests/data/effective.json");

    #[test]
    fn as_arviz_finds() {
        for case in cases(FOUND, "series") {
            let found = Effective::of(&numbers(&case["values"])).expect("enough");
            let (size, error) = (number(&case["size"]), number(&case["standard_error"]));
            assert!(near(found.size, size, 1e-10), "{found:?}: {size}");
            assert!(
                near(found.standard_error, error, 1e-10),
                "{found:?}: {error}"
            );
        }
    }

    /// Each value is `phi` times the one before, and noise.
    fn autoregressive(phi: f64, n: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
        let mut value = Draw::Normal.value(rng) / (1.0 - phi * phi).sqrt();
        let next = |_| {
            value = phi * value + Draw::Normal.value(rng);
            value
        };
        (0..n).map(next).collect()
    }

    #[test]
    fn of_an_autoregressive_series_as_the_theory_says() {
        let mut rng = fastrand::Rng::with_seed(1);
        for phi in [-0.4, 0.0, 0.3, 0.6, 0.9] {
            let n = 4_000;
            let sizes = (0..20).map(|_| {
                let series = autoregressive(phi, n, &mut rng);
                Effective::of(&series).expect("enough").size
            });
            let size = mean(&sizes.collect::<Vec<f64>>()).expect("some");
            let expected = n as f64 * (1.0 - phi) / (1.0 + phi);
            assert!(near(size, expected, 0.1), "{phi}: {size}, {expected}");
        }
    }

    /// How often the mean lies within two standard errors of the truth, and how often by the
    /// standard error of as many independent values.
    #[test]
    fn the_mean_wavers_as_much_as_it_says_and_more_than_that_of_independent_ones() {
        let mut rng = fastrand::Rng::with_seed(2);
        let rounds = 1_000;
        let (mut held, mut naive) = (0, 0);
        for _ in 0..rounds {
            let series = autoregressive(0.6, 400, &mut rng);
            let found = Effective::of(&series).expect("enough");
            let off = mean(&series).expect("some").abs();
            let independent = found.standard_error * (found.size / 400.0).sqrt();
            held += u32::from(off <= 1.96 * found.standard_error);
            naive += u32::from(off <= 1.96 * independent);
        }
        let share = |of: u32| f64::from(of) / f64::from(rounds);
        assert!((0.91..0.97).contains(&share(held)), "{}", share(held));
        assert!(share(naive) < 0.80, "{}", share(naive));
    }

    #[test]
    fn what_says_nothing_and_what_never_changes() {
        assert_eq!(Effective::of(&[1.0, 2.0, 3.0]), None);
        assert_eq!(Effective::of(&[1.0, 2.0, 3.0, f64::NAN]), None);
        let same = Effective {
            size: 9.0,
            standard_error: 0.0,
        };
        assert_eq!(Effective::of(&[0.1; 9]), Some(same));
    }

    proptest! {
        #[test]
        fn it_does_not_depend_on_the_unit(
            series in prop::collection::vec(-100_i32..100, 4..60),
            times in prop::sample::select(vec![-4.0, 0.5, 1024.0]),
        ) {
            let series: Vec<f64> = series.into_iter().map(f64::from).collect();
            let scaled: Vec<f64> = series.iter().map(|v| v * times).collect();
            let (Some(one), Some(other)) = (Effective::of(&series), Effective::of(&scaled)) else {
                panic!("enough");
            };
            let most = series.len() as f64 * (series.len() as f64).log10().max(1.0);
            prop_assert!(one.size > 0.0 && one.size <= most + 1e-9);
            prop_assert!(near(one.size, other.size, 1e-9));
            prop_assert!((one.standard_error * f64::abs(times) - other.standard_error).abs() < 1e-6);
        }
    }
}
