use super::*;
use crate::stats::{
    coverage::Draw,
    mean,
    reference::{cases, interval, near_interval, number, numbers},
};
use proptest::prelude::*;

const FOUND: &str = include_str!("../../../tests/data/bootstrap.json");

/// From scipy's redrawn samples, since its way of drawing is another.
#[test]
fn as_scipy_finds_from_the_same_samples() {
    for case in cases(FOUND, "bca") {
        let bootstrap = Bootstrap {
            confidence: number(&case["confidence"]),
            ..Bootstrap::default()
        };
        let without = case["without"].as_array().expect("a list");
        let without: Vec<Vec<f64>> = without.iter().map(numbers).collect();
        let redrawn = numbers(&case["redrawn"]);
        let found = bootstrap.interval(number(&case["of_all"]), redrawn, &without);
        let expected = interval(&case["interval"]);
        assert!(
            near_interval(found, expected, 1e-9),
            "{found:?}: {expected:?}"
        );
    }
}

fn average(values: &[f64]) -> f64 {
    mean(values).unwrap_or(f64::NAN)
}

fn sample(draw: Draw, n: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
    (0..n).map(|_| draw.value(rng)).collect()
}

#[test]
fn few_values_bound_their_median_exactly() {
    let mut rng = fastrand::Rng::with_seed(1);
    let values = sample(Draw::Exponential, FEWEST, &mut rng);
    let bootstrap = Bootstrap::default();
    let few = &values[1..];
    assert_eq!(bootstrap.one(few, average, &mut rng), Interval::default());
    let difference = |a: &[f64], b: &[f64]| average(a) - average(b);
    assert_eq!(
        bootstrap.two((few, &values), difference, &mut rng),
        Interval::default()
    );
    assert_eq!(
        bootstrap.two((&values, few), difference, &mut rng),
        Interval::default()
    );
    let exact: Vec<Observation> = few.iter().copied().map(Observation::Exact).collect();
    let exact = quantile::interval(&exact, 0.5, quantile::TWO_SIDED - 1e-15);
    assert_eq!(
        bootstrap.bounded(few, average, &mut rng),
        Bounded::Median(exact)
    );
    let Bounded::Statistic(of_mean) = bootstrap.bounded(&values, average, &mut rng) else {
        panic!("enough");
    };
    assert!(of_mean.low.is_some() && of_mean.high.is_some());
}

#[test]
fn what_is_not_finite_or_hardly_redrawn_bounds_nothing() {
    let mut rng = fastrand::Rng::with_seed(1);
    let values = sample(Draw::Normal, 30, &mut rng);
    let few = Bootstrap {
        resamples: 99,
        ..Bootstrap::default()
    };
    assert_eq!(few.one(&values, average, &mut rng), Interval::default());
    let none = |_: &[f64]| f64::NAN;
    assert_eq!(
        Bootstrap::default().one(&values, none, &mut rng),
        Interval::default()
    );
    // One in 2 000 is not to be told from 200 samples.
    let sure = Bootstrap {
        confidence: 0.999,
        resamples: 200,
    };
    assert_eq!(sure.one(&values, average, &mut rng), Interval::default());
    let same = Bootstrap::default().one(&[2.0; 30], average, &mut rng);
    assert_eq!((same.low, same.high), (Some(2.0), Some(2.0)));
}

proptest! {
    /// What is turned up the other way round is bounded the other way round, and pairs of
    /// two equal values differ by nothing.
    #[test]
    fn it_moves_and_grows_with_the_values(seed in any::<u64>(), by in -5.0_f64..5.0, times in 0.1_f64..9.0) {
        let rng = || fastrand::Rng::with_seed(seed);
        let values = sample(Draw::LogNormal, 25, &mut rng());
        let bootstrap = Bootstrap { resamples: 400, ..Bootstrap::default() };
        let before = bootstrap.one(&values, average, &mut rng());
        let moved: Vec<f64> = values.iter().map(|v| v * times + by).collect();
        let after = bootstrap.one(&moved, average, &mut rng());
        let expected = Interval {
            low: before.low.map(|low| low * times + by),
            high: before.high.map(|high| high * times + by),
        };
        prop_assert!(near_interval(after, expected, 1e-6), "{:?} {:?}", after, expected);
        let pairs: Vec<(f64, f64)> = values.iter().map(|v| (*v, *v)).collect();
        let differences = |pairs: &[(f64, f64)]| pairs.iter().map(|(a, b)| a - b).sum();
        let none = bootstrap.one(&pairs, differences, &mut rng());
        prop_assert_eq!((none.low, none.high), (Some(0.0), Some(0.0)));
    }
}

/// How often a mean, and a difference of two, lie below the interval and above it.
#[test]
fn misses_about_as_often_as_it_says_and_one_of_less_confidence_more_often() {
    let mut rng = fastrand::Rng::with_seed(2);
    let rounds = 800;
    let mut covered = |confidence: f64, of: Draw, truth: f64| {
        let bootstrap = Bootstrap {
            confidence,
            resamples: 400,
        };
        let holds = |Interval { low, high }: Interval, truth: f64| {
            low.is_some_and(|low| low <= truth) && high.is_some_and(|high| truth <= high)
        };
        let (mut one, mut two) = (0, 0);
        for _ in 0..rounds {
            let (a, b) = (sample(of, 30, &mut rng), sample(of, 20, &mut rng));
            one += u32::from(holds(bootstrap.one(&a, average, &mut rng), truth));
            let difference = |a: &[f64], b: &[f64]| average(a) - average(b);
            let found = bootstrap.two((&a, &b), difference, &mut rng);
            two += u32::from(holds(found, 0.0));
        }
        [one, two].map(|covered| f64::from(covered) / f64::from(rounds))
    };
    for (of, truth, least) in [(Draw::Normal, 0.0, 0.92), (Draw::Exponential, 1.0, 0.90)] {
        for share in covered(0.95, of, truth) {
            assert!((least..0.97).contains(&share), "{of:?}: {share}");
        }
        for share in covered(0.85, of, truth) {
            assert!(share < least, "{of:?}: {share}");
        }
    }
}
