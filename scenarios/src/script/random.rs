//! Draws integers with the distributions of pgbench's random functions.
//!
//! The distributions are those of pgbench, the generator is not: with the same seed it
//! draws other numbers. Each function takes a range that is not empty and whose size is an
//! `i64`, and a parameter that pgbench allows.

use fastrand::Rng;

/// The smallest parameter of a Gaussian distribution.
pub(crate) const GAUSSIAN_LEAST: f64 = 2.0;
/// The smallest parameter of a Zipfian distribution.
pub(crate) const ZIPFIAN_LEAST: f64 = 1.001;
/// The largest parameter of a Zipfian distribution.
pub(crate) const ZIPFIAN_MOST: f64 = 1000.0;

/// Each integer of the range with the same probability.
pub(crate) fn uniform(rng: &mut Rng, low: i64, high: i64) -> i64 {
    rng.i64(low..=high)
}

/// An exponential distribution that is cut off at `parameter`, over the range.
pub(crate) fn exponential(rng: &mut Rng, low: i64, high: i64, parameter: f64) -> i64 {
    let cut = (-parameter).exp();
    // From above 0 to 1, so that the logarithm is finite.
    let uniform = 1.0 - rng.f64();
    let share = -(cut + (1.0 - cut) * uniform).ln() / parameter;
    within(low, high, share)
}

/// A normal distribution around the middle of the range, cut off at `parameter` standard
/// deviations, which are the ends of the range.
pub(crate) fn gaussian(rng: &mut Rng, low: i64, high: i64, parameter: f64) -> i64 {
    let deviations = loop {
        let drawn = normal(rng);
        if (-parameter..parameter).contains(&drawn) {
            break drawn;
        }
    };
    within(low, high, (deviations + parameter) / (parameter * 2.0))
}

/// A Zipfian distribution: the k-th integer of the range comes with a probability in
/// proportion to `1 / k^parameter`. It rejects what does not fit (Devroye, *Non-Uniform
/// Random Variate Generation*, 1986, page 551).
pub(crate) fn zipfian(rng: &mut Rng, low: i64, high: i64, parameter: f64) -> i64 {
    let count = real(high - low) + 1.0;
    if count <= 1.0 {
        return low;
    }
    let power = parameter - 1.0;
    let base = 2.0_f64.powf(power);
    loop {
        let (u, v) = (rng.f64(), rng.f64());
        let drawn = u.powf(-1.0 / power).floor();
        let ratio = (1.0 + 1.0 / drawn).powf(power);
        if drawn <= count && v * drawn * (ratio - 1.0) / (base - 1.0) <= ratio / base {
            return low.saturating_add(whole(drawn) - 1).min(high);
        }
    }
}

/// A number of the standard normal distribution (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).sin()
}

/// The integer at a share, from 0 to 1, of the range.
fn within(low: i64, high: i64, share: f64) -> i64 {
    let size = real(high - low) + 1.0;
    low.saturating_add(whole(size * share)).min(high)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a range of more than 2^53 is drawn from by its highest bits, as in pgbench"
)]
fn real(value: i64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast cuts off the decimals and stays within i64"
)]
fn whole(value: f64) -> i64 {
    value as i64
}
