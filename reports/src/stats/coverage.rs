//! Whether intervals hold the true value as often as they say, tried on samples of
//! distributions of which it is known.

use std::f64::consts::{LN_2, TAU};

use super::{
    Interval,
    quantile::{self, Observation, TWO_SIDED},
};

/// What a value is drawn from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Draw {
    /// The logarithm is standard normal.
    LogNormal,
    /// With mean 1.
    Exponential,
    /// With 3 degrees of freedom: far more stray values than a normal distribution.
    StudentT3,
    /// Standard normal.
    Normal,
}

impl Draw {
    pub(super) const ALL: [Self; 4] = [
        Self::LogNormal,
        Self::Exponential,
        Self::StudentT3,
        Self::Normal,
    ];

    pub(super) fn value(self, rng: &mut fastrand::Rng) -> f64 {
        // By Box and Muller.
        let normal = |rng: &mut fastrand::Rng| {
            (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos()
        };
        match self {
            Self::LogNormal => normal(rng).exp(),
            Self::Exponential => -(1.0 - rng.f64()).ln(),
            Self::StudentT3 => {
                let chi_squared: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
                normal(rng) / (chi_squared / 3.0).sqrt()
            }
            Self::Normal => normal(rng),
        }
    }

    fn median(self) -> f64 {
        match self {
            Self::LogNormal => 1.0,
            Self::Exponential => LN_2,
            Self::StudentT3 | Self::Normal => 0.0,
        }
    }
}

/// The least share of so many rounds that an interval may cover which covers 95 % in
/// truth: three standard errors less.
pub(super) fn least_share(rounds: u32) -> f64 {
    0.95 - 3.0 * (0.95 * 0.05 / f64::from(rounds)).sqrt()
}

#[test]
fn the_median_s_interval_covers_as_often_as_it_says() {
    let mut rng = fastrand::Rng::with_seed(2);
    let rounds = 4_000;
    for draw in Draw::ALL {
        for n in [6, 12, 20] {
            let covered = (0..rounds)
                .filter(|_| {
                    let sample: Vec<Observation> = (0..n)
                        .map(|_| Observation::Exact(draw.value(&mut rng)))
                        .collect();
                    let Interval { low, high } = quantile::interval(&sample, 0.5, TWO_SIDED);
                    let median = draw.median();
                    low.is_some_and(|low| low <= median) && high.is_some_and(|high| median <= high)
                })
                .count();
            let share = covered as f64 / f64::from(rounds);
            assert!(share > least_share(rounds), "{draw:?}, n = {n}: {share}");
        }
    }
}
