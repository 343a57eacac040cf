//! The random functions draw from the distributions that the manual of pgbench gives.

use fastrand::Rng;

use crate::script::random;

const DRAWS: usize = 200_000;

/// The share of draws in each cell of `1..=size`.
fn counts(size: usize, mut draw: impl FnMut(&mut Rng) -> i64) -> Vec<f64> {
    let mut rng = Rng::with_seed(20_260_101);
    let mut counts = vec![0.0; size];
    for _ in 0..DRAWS {
        let drawn = draw(&mut rng);
        counts[usize::try_from(drawn - 1).expect("in the range")] += 1.0;
    }
    counts
}

/// Pearson's statistic, for probabilities that are not tiny.
fn chi_squared(counts: &[f64], probabilities: &[f64]) -> f64 {
    let draws = DRAWS as f64;
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    let cells = counts.iter().zip(probabilities);
    cells
        .map(|(count, probability)| {
            let expected = probability * draws;
            assert!(expected > 5.0, "a cell is too rare: {expected}");
            (count - expected).powi(2) / expected
        })
        .sum()
}

/// What a chi-squared statistic exceeds by chance once in 10 000 times: the approximation
/// of Wilson and Hilferty.
fn limit(cells: usize) -> f64 {
    let freedom = cells as f64 - 1.0;
    let part = 2.0 / (9.0 * freedom);
    freedom * (1.0 - part + 3.719 * part.sqrt()).powi(3)
}

/// The distribution function of the standard normal distribution, by Simpson's rule.
fn normal(x: f64) -> f64 {
    let steps = 2000;
    let width = x / f64::from(steps);
    let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let inner: f64 = (1..steps)
        .map(|step| {
            let weight = if step % 2 == 1 { 4.0 } else { 2.0 };
            weight * density(f64::from(step) * width)
        })
        .sum();
    0.5 + width / 3.0 * (density(0.0) + inner + density(x))
}

fn uniform_cells(size: usize) -> Vec<f64> {
    vec![1.0 / size as f64; size]
}

fn gaussian_cells(size: usize, parameter: f64) -> Vec<f64> {
    let whole = 2.0 * normal(parameter) - 1.0;
    let at = |cell: usize| normal(2.0 * parameter * (cell as f64 / size as f64 - 0.5));
    (0..size)
        .map(|cell| (at(cell + 1) - at(cell)) / whole)
        .collect()
}

fn zipfian_cells(size: usize, parameter: f64) -> Vec<f64> {
    let weight = |cell: usize| (cell as f64).powf(-parameter);
    let whole: f64 = (1..=size).map(weight).sum();
    (1..=size).map(|cell| weight(cell) / whole).collect()
}

fn exponential_cells(size: usize, parameter: f64) -> Vec<f64> {
    let at = |cell: usize| (-parameter * cell as f64 / size as f64).exp();
    let whole = 1.0 - (-parameter).exp();
    (0..size)
        .map(|cell| (at(cell) - at(cell + 1)) / whole)
        .collect()
}

#[test]
fn random_is_uniform() {
    let counts = counts(100, |rng| random::uniform(rng, 1, 100));
    let fits = |cells: &[f64]| chi_squared(&counts, cells) < limit(100);
    assert!(fits(&uniform_cells(100)));
    assert!(
        !fits(&exponential_cells(100, 0.1)),
        "the test sees a difference"
    );
}

#[test]
fn random_gaussian_is_a_normal_distribution_that_is_cut_off() {
    for parameter in [2.0, 2.5] {
        let counts = counts(50, |rng| random::gaussian(rng, 1, 50, parameter));
        let fits = |cells: &[f64]| chi_squared(&counts, cells) < limit(50);
        assert!(fits(&gaussian_cells(50, parameter)), "{parameter}");
        assert!(!fits(&gaussian_cells(50, parameter + 0.05)), "{parameter}");
    }
}

#[test]
fn random_zipfian_falls_with_the_power_of_the_rank() {
    for parameter in [1.05, 1.1, 1.5, 2.0] {
        let counts = counts(30, |rng| random::zipfian(rng, 1, 30, parameter));
        let fits = |cells: &[f64]| chi_squared(&counts, cells) < limit(30);
        assert!(fits(&zipfian_cells(30, parameter)), "{parameter}");
        assert!(!fits(&zipfian_cells(30, parameter + 0.05)), "{parameter}");
    }
}

/// The largest distance between the distribution functions, times the root of the number of
/// draws. By chance it exceeds 2.23 once in 10 000 times.
fn kolmogorov_smirnov(counts: &[f64], probabilities: &[f64]) -> f64 {
    let (mut seen, mut expected, mut largest) = (0.0, 0.0, 0.0_f64);
    for (count, probability) in counts.iter().zip(probabilities) {
        seen += count / DRAWS as f64;
        expected += probability;
        largest = largest.max(f64::abs(seen - expected));
    }
    largest * (DRAWS as f64).sqrt()
}

#[test]
fn random_exponential_falls_by_its_parameter() {
    for parameter in [0.5, 2.0, 10.0] {
        let counts = counts(1000, |rng| random::exponential(rng, 1, 1000, parameter));
        let distance = |parameter| kolmogorov_smirnov(&counts, &exponential_cells(1000, parameter));
        assert!(
            distance(parameter) < 2.23,
            "{parameter}: {}",
            distance(parameter)
        );
        assert!(
            distance(parameter * 1.1) > 2.23,
            "{parameter}: {}",
            distance(parameter * 1.1)
        );
    }
}

#[test]
fn draws_stay_in_their_range_at_its_limits() {
    let mut rng = Rng::with_seed(3);
    let ranges = [
        (1, 1),
        (-5, -5),
        (i64::MIN, i64::MIN),
        (i64::MAX, i64::MAX),
        (i64::MIN, -2),
        (1, i64::MAX - 1),
    ];
    for (low, high) in ranges {
        for _ in 0..500 {
            for drawn in [
                random::uniform(&mut rng, low, high),
                random::gaussian(&mut rng, low, high, 2.0),
                random::exponential(&mut rng, low, high, 1e-9),
                random::exponential(&mut rng, low, high, 1000.0),
                random::zipfian(&mut rng, low, high, 1.001),
                random::zipfian(&mut rng, low, high, 1000.0),
            ] {
                assert!((low..=high).contains(&drawn), "{drawn} in {low}..={high}");
            }
        }
    }
}
