//! How likely a number of runs shows a difference, and how many runs do.
//!
//! Before runs are paid for it should be known whether they can say anything. What they are
//! like is taken from runs that there are: their residuals, what is left when the middle of
//! each set is taken off. New ones are drawn from these, each moved a little at random so
//! that a value that was not observed can come out too, and all drawn in so that they scatter
//! no more than the residuals do (the smoothed bootstrap; Silverman and Young, *The
//! bootstrap: to smooth or not to smooth?*, Biometrika 74, 1987; the bandwidth is
//! Silverman's, *Density Estimation*, section 3.4.2). To one of two sets a shift is added;
//! how often the test of [`ranks`](super::ranks) then finds it is its power.
//!
//! An estimate from a handful of residuals is a rough one: it is good for "about ten runs",
//! not for the tenth.

use std::f64::consts::TAU;

use super::{
    mean,
    ranks::{Alternative, cut_of_signed, cut_of_two},
    settle::MOST_RUNS,
};

/// What is wanted of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// The level at which it tests, 0 to 0.5; 0.05 by default.
    pub alpha: f64,
    /// On which side it tests: that the set with the shift, or the differences, are on this
    /// side of no difference. Both by default.
    pub alternative: Alternative,
    /// How likely it shall find the shift, 0 to 1; 0.8 by default.
    pub wanted: f64,
    /// How often the runs are drawn; 2 000 by default, which tells a power of 80 % to within
    /// two points. At least one.
    pub simulations: usize,
}

impl Default for Power {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            alternative: Alternative::TwoSided,
            wanted: 0.8,
            simulations: 2_000,
        }
    }
}

impl Power {
    /// How likely the Mann-Whitney test of so many runs in each of two sets finds that one is
    /// greater by `shift`, if both scatter as these residuals do. `None` if these do not
    /// scatter: without at least two different ones nothing is known.
    #[must_use]
    pub fn of_two(
        &self,
        residuals: &[f64],
        shift: f64,
        per_side: usize,
        rng: &mut fastrand::Rng,
    ) -> Option<f64> {
        let noise = Noise::of(residuals)?;
        let found = self.found(cut_of_two(per_side, per_side, self.tail()), |below| {
            let mut values: Vec<(f64, bool)> = Vec::with_capacity(2 * per_side);
            for shifted in [true, false] {
                let by = if shifted { shift } else { 0.0 };
                values.extend((0..per_side).map(|_| (noise.draw(rng) + by, shifted)));
            }
            below.of(per_side * per_side, exceeding(&mut values))
        });
        Some(found)
    }

    /// How likely Wilcoxon's signed-rank test of so many pairs finds that their differences
    /// lie about `shift`, if they scatter about it as these residuals do about zero. `None` if
    /// these do not scatter.
    #[must_use]
    pub fn of_pairs(
        &self,
        residuals: &[f64],
        shift: f64,
        pairs: usize,
        rng: &mut fastrand::Rng,
    ) -> Option<f64> {
        let noise = Noise::of(residuals)?;
        let found = self.found(cut_of_signed(pairs, self.tail()), |below| {
            let draws = (0..pairs).map(|_| noise.draw(rng) + shift);
            let mut sizes: Vec<(f64, bool)> = draws.map(|d| (d.abs(), d > 0.0)).collect();
            sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ranks = sizes.iter().zip(1..).filter(|((_, above), _)| *above);
            below.of(pairs * (pairs + 1) / 2, ranks.map(|(_, rank)| rank).sum())
        });
        Some(found)
    }

    /// The fewest runs in each of two sets with which the power is as wanted. `None` if more
    /// than [`MOST_RUNS`] would be needed, or nothing is known.
    #[must_use]
    pub fn runs_per_side(
        &self,
        residuals: &[f64],
        shift: f64,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        self.fewest(rng, |n, rng| self.of_two(residuals, shift, n, rng))
    }

    /// The fewest pairs with which the power is as wanted. `None` if more than [`MOST_RUNS`]
    /// would be needed, or nothing is known.
    #[must_use]
    pub fn pairs(&self, residuals: &[f64], shift: f64, rng: &mut fastrand::Rng) -> Option<usize> {
        self.fewest(rng, |n, rng| self.of_pairs(residuals, shift, n, rng))
    }

    /// By halving, each number of runs with the same draws: of a power that does not fall
    /// with more of them, but for what the steps of an exact test and chance make of it.
    fn fewest(
        &self,
        rng: &mut fastrand::Rng,
        power: impl Fn(usize, &mut fastrand::Rng) -> Option<f64>,
    ) -> Option<usize> {
        let seed = rng.u64(..);
        let does = |n: usize| {
            let power = power(n, &mut fastrand::Rng::with_seed(seed))?;
            Some(power >= self.wanted)
        };
        let mut does_not = 0;
        let mut most = 1;
        while !does(most)? {
            if most == MOST_RUNS {
                return None;
            }
            does_not = most;
            most = (2 * most).min(MOST_RUNS);
        }
        while most - does_not > 1 {
            let middle = usize::midpoint(does_not, most);
            if does(middle)? {
                most = middle;
            } else {
                does_not = middle;
            }
        }
        Some(most)
    }

    fn tail(&self) -> f64 {
        match self.alternative {
            Alternative::TwoSided => self.alpha / 2.0,
            Alternative::Less | Alternative::Greater => self.alpha,
        }
    }

    /// How often it is found that a sum lies beyond `cut` from an end.
    fn found(&self, cut: Option<usize>, mut draw: impl FnMut(Sides) -> bool) -> f64 {
        let Some(cut) = cut else {
            return 0.0;
        };
        let sides = Sides {
            cut,
            alternative: self.alternative,
        };
        let simulations = self.simulations.max(1);
        let found = (0..simulations).filter(|_| draw(sides)).count();
        found as f64 / simulations as f64
    }
}

/// Where sums are rejected.
#[derive(Clone, Copy)]
struct Sides {
    cut: usize,
    alternative: Alternative,
}

impl Sides {
    /// Whether a sum of at most `all` is.
    fn of(self, all: usize, sum: usize) -> bool {
        let (low, high) = (sum <= self.cut, all - sum <= self.cut);
        match self.alternative {
            Alternative::Less => low,
            Alternative::Greater => high,
            Alternative::TwoSided => low || high,
        }
    }
}

/// In how many pairs of one with the shift and one without the former is greater.
fn exceeding(values: &mut [(f64, bool)]) -> usize {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut pairs, mut without) = (0, 0);
    for (_, shifted) in values {
        if *shifted {
            pairs += without;
        } else {
            without += 1;
        }
    }
    pairs
}

/// Residuals, from which more are drawn: one of them, moved a little, so that what lies between
/// two of few can come out as well, and together as wide as they are.
pub(crate) struct Noise<'a> {
    residuals: &'a [f64],
    mean: f64,
    bandwidth: f64,
    /// Draws them in as much as the bandwidth spreads them.
    scale: f64,
}

impl<'a> Noise<'a> {
    /// `None` if they do not scatter.
    pub(crate) fn of(residuals: &'a [f64]) -> Option<Self> {
        let n = residuals.len() as f64;
        let mean = mean(residuals)?;
        let squares: f64 = residuals.iter().map(|r| (r - mean).powi(2)).sum();
        let variance = squares / n;
        if !variance.is_finite() || residuals.iter().all(|r| *r == residuals[0]) {
            return None;
        }
        let mut ordered = residuals.to_vec();
        ordered.sort_by(f64::total_cmp);
        let quarter = residuals.len() / 4;
        let within = ordered[residuals.len() - 1 - quarter] - ordered[quarter];
        // Of a normal distribution 1.34 standard deviations are between its quartiles. Where
        // half of the residuals are equal, these say nothing.
        let deviation = variance.sqrt();
        let spread = if within > 0.0 {
            deviation.min(within / 1.34)
        } else {
            deviation
        };
        let bandwidth = 0.9 * spread * n.powf(-0.2);
        Some(Self {
            residuals,
            mean,
            bandwidth,
            scale: (1.0 + bandwidth * bandwidth / variance).sqrt().recip(),
        })
    }

    /// One more.
    pub(crate) fn draw(&self, rng: &mut fastrand::Rng) -> f64 {
        let residual = self.residuals[rng.usize(..self.residuals.len())];
        // By Box and Muller.
        let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos();
        self.mean + (residual - self.mean + self.bandwidth * normal) * self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{
        distribution::normal_quantile,
        reference::{cases, count, number},
    };
    use Alternative::{Greater, Less, TwoSided};

    const FOUND: &str = include_str!("../../tests/data/power.json");

    /// Residuals that are as normal as so many can be.
    fn normal(n: usize) -> Vec<f64> {
        let shares = (0..n).map(|k| (k as f64 + 0.5) / n as f64);
        shares.map(normal_quantile).collect()
    }

    #[test]
    fn of_normal_noise_as_scipy_simulates() {
        let mut rng = fastrand::Rng::with_seed(1);
        for case in cases(FOUND, "power") {
            let power = Power {
                alpha: number(&case["alpha"]),
                alternative: match case["alternative"].as_str() {
                    Some("greater") => Greater,
                    _ => TwoSided,
                },
                simulations: 4_000,
                ..Power::default()
            };
            let (n, shift) = (count(&case["n"]), number(&case["shift"]));
            let found = match case["design"].as_str() {
                Some("pairs") => power.of_pairs(&normal(400), shift, n, &mut rng),
                _ => power.of_two(&normal(400), shift, n, &mut rng),
            };
            let off = found.map(|found| (found - number(&case["power"])).abs());
            assert!(off.is_some_and(|off| off < 0.03), "{found:?}: {case}");
        }
    }

    #[test]
    fn the_fewest_runs_have_the_power_and_fewer_do_not() {
        let mut rng = fastrand::Rng::with_seed(2);
        let residuals = normal(40);
        let power = Power::default();
        let runs = power.runs_per_side(&residuals, 1.0, &mut rng);
        // By the efficiency of 3 / pi to the t-test, which needs 16.7.
        assert!(runs.is_some_and(|n| (16..=19).contains(&n)), "{runs:?}");
        let pairs = power.pairs(&residuals, 1.0, &mut rng);
        // The t-test needs 9.9.
        assert!(pairs.is_some_and(|n| (9..=12).contains(&n)), "{pairs:?}");
        for n in [runs, pairs].into_iter().flatten() {
            let at = |n: usize| match Some(n) == pairs || Some(n + 1) == pairs {
                true => power.of_pairs(&residuals, 1.0, n, &mut fastrand::Rng::with_seed(3)),
                false => power.of_two(&residuals, 1.0, n, &mut fastrand::Rng::with_seed(3)),
            };
            assert!(at(n) >= Some(0.77) && at(n - 1) < Some(0.83), "{n}");
        }
        assert_eq!(power.runs_per_side(&residuals, 0.01, &mut rng), None);
        assert_eq!(power.pairs(&residuals, 0.01, &mut rng), None);
        // However great a shift is, three a side do not show it on both sides.
        assert_eq!(power.runs_per_side(&residuals, 1e3, &mut rng), Some(4));
        assert_eq!(power.pairs(&residuals, 1e3, &mut rng), Some(6));
    }

    #[test]
    fn without_a_shift_it_is_found_as_rarely_as_the_level_says() {
        let mut rng = fastrand::Rng::with_seed(4);
        let skewed: Vec<f64> = normal(30).iter().map(|z| z.exp()).collect();
        for (alternative, alpha) in [(TwoSided, 0.05), (Greater, 0.1), (Less, 0.1)] {
            let power = Power {
                alpha,
                alternative,
                ..Power::default()
            };
            let two = power.of_two(&skewed, 0.0, 8, &mut rng);
            let pairs = power.of_pairs(&normal(30), 0.0, 8, &mut rng);
            for found in [two, pairs] {
                let near = found.is_some_and(|p| p < alpha + 0.02 && p > alpha / 3.0);
                assert!(near, "{alternative:?}: {found:?}");
            }
        }
        let less = Power {
            alternative: Less,
            ..Power::default()
        };
        assert_eq!(less.of_two(&skewed, 50.0, 8, &mut rng), Some(0.0));
        assert_eq!(less.of_two(&skewed, -50.0, 8, &mut rng), Some(1.0));
        assert_eq!(less.of_pairs(&skewed, -50.0, 8, &mut rng), Some(1.0));
    }

    #[test]
    fn what_does_not_scatter_says_nothing() {
        let mut rng = fastrand::Rng::with_seed(5);
        for residuals in [vec![], vec![1.0], vec![1.0; 9], vec![f64::NAN, 1.0]] {
            let power = Power::default();
            assert_eq!(power.of_two(&residuals, 1.0, 9, &mut rng), None);
            assert_eq!(power.pairs(&residuals, 1.0, &mut rng), None);
        }
    }

    #[test]
    fn what_is_drawn_scatters_as_much_as_what_it_is_drawn_from() {
        let mut rng = fastrand::Rng::with_seed(6);
        let residuals = [-2.0, -0.5, 0.1, 0.4, 3.0];
        let noise = Noise::of(&residuals).expect("noise");
        let drawn: Vec<f64> = (0..40_000).map(|_| noise.draw(&mut rng)).collect();
        let moments = |values: &[f64]| {
            let mean = mean(values).expect("values");
            let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            (mean, squares / values.len() as f64)
        };
        let ((mean, variance), (of_mean, of_variance)) = (moments(&residuals), moments(&drawn));
        assert!((mean - of_mean).abs() < 0.05, "{of_mean}");
        assert!((variance / of_variance - 1.0).abs() < 0.05, "{of_variance}");
    }
}
