use super::*;
use crate::stats::{
    Interval,
    coverage::Draw,
    ranks::Alternative::{Greater, Less, TwoSided},
    reference::{cases, interval, near, near_interval, number, numbers},
};
use proptest::prelude::*;

const FOUND: &str = include_str!("../../../../tests/data/ranks.json");

#[test]
fn as_scipy_and_enumeration_find() {
    for case in cases(FOUND, "one") {
        let d = numbers(&case["d"]);
        let p = [Less, Greater, TwoSided].map(|side| signed_rank(&d, side));
        for (found, expected) in p.iter().zip(numbers(&case["p"])) {
            assert!(near(*found, expected, 1e-10), "{p:?}: {case}");
        }
        for at in case["intervals"].as_array().expect("a list") {
            let found = pseudomedian(&d, number(&at["confidence"]));
            assert!(
                near_interval(found.interval, interval(&at["interval"]), 1e-12),
                "{found:?}: {at}, {case}"
            );
        }
        let estimate = pseudomedian(&d, 0.95).estimate.expect("an estimate");
        let off = (estimate - number(&case["estimate"])).abs();
        assert!(off < 1e-12, "{estimate}: {case}");
    }
}

/// Of all signs, how often the sum of the ranks above zero is as low, and as high.
fn by_enumeration(d: &[f64]) -> (f64, f64) {
    let d: Vec<f64> = d.iter().copied().filter(|d| *d != 0.0).collect();
    let twice = |v: &f64| {
        let less = d.iter().filter(|other| other.abs() < v.abs()).count();
        2 * less + d.iter().filter(|other| other.abs() == v.abs()).count() + 1
    };
    let ranks: Vec<usize> = d.iter().map(twice).collect();
    let sum = |above: &dyn Fn(usize) -> bool| -> usize {
        let above = (0..d.len()).filter(|place| above(*place));
        above.map(|place| ranks[place]).sum()
    };
    let seen = sum(&|place| d[place] > 0.0);
    let signs = 0_u32..1 << d.len();
    let sums: Vec<usize> = signs.map(|s| sum(&|place| s >> place & 1 == 1)).collect();
    let share = |of: &dyn Fn(usize) -> bool| {
        sums.iter().filter(|sum| of(**sum)).count() as f64 / sums.len() as f64
    };
    (share(&|sum| sum <= seen), share(&|sum| sum >= seen))
}

proptest! {
    #[test]
    fn agrees_with_enumeration(d in prop::collection::vec(-6_i32..9, 0..11)) {
        let d: Vec<f64> = d.into_iter().map(f64::from).collect();
        let (low, high) = by_enumeration(&d);
        prop_assert!((signed_rank(&d, Less) - low).abs() < 1e-12);
        prop_assert!((signed_rank(&d, Greater) - high).abs() < 1e-12);
        let both = (2.0 * low.min(high)).min(1.0);
        prop_assert!((signed_rank(&d, TwoSided) - both).abs() < 1e-12);
    }

    #[test]
    fn the_interval_holds_what_is_not_rejected(
        values in prop::collection::btree_set(-5_000_i32..5_000, 2..12),
        tail in 0.01_f64..0.3,
    ) {
        // Means of no two are equal.
        let powers = values.into_iter().enumerate();
        let d: Vec<f64> = powers.map(|(i, v)| f64::from(v) + 1e-3 * 1.37_f64.powf(i as f64)).collect();
        let moved = |by: f64| d.iter().map(|d| d - by).collect::<Vec<f64>>();
        let Shift { interval, .. } = pseudomedian_at(&d, tail);
        let step = 1e-6;
        if let Some(low) = interval.low {
            prop_assert!(signed_rank(&moved(low - step), Greater) <= tail);
            prop_assert!(signed_rank(&moved(low + step), Greater) > tail);
        } else {
            prop_assert!(signed_rank(&moved(-1e6), Greater) > tail);
        }
        if let Some(high) = interval.high {
            prop_assert!(signed_rank(&moved(high + step), Less) <= tail);
            prop_assert!(signed_rank(&moved(high - step), Less) > tail);
        }
    }
}

#[test]
fn six_bound_a_middle_on_both_sides_and_five_do_not() {
    let six = [3.0, 1.0, 2.0, 6.0, 5.0, 4.0];
    let ends = Interval {
        low: Some(1.0),
        high: Some(6.0),
    };
    let found = pseudomedian(&six, 0.95);
    assert_eq!((found.interval, found.estimate), (ends, Some(3.5)));
    assert_eq!(pseudomedian(&six[..5], 0.95).interval, Interval::default());
    assert_eq!(pseudomedian(&[], 0.5), Shift::default());
    assert_eq!(pseudomedian(&[1.0, f64::NAN], 0.5), Shift::default());
    assert_eq!(signed_rank(&[0.0; 5], Greater), 1.0);
    // One in 64; a zero adds nothing.
    assert!((signed_rank(&six, Greater) - 1.0 / 64.0).abs() < 1e-15);
    assert!((signed_rank(&[&six[..], &[0.0]].concat(), Greater) - 1.0 / 64.0).abs() < 1e-15);
}

#[test]
fn covers_as_often_as_it_says_and_a_narrower_one_does_not() {
    let mut rng = fastrand::Rng::with_seed(6);
    let rounds = 4_000;
    for draw in [Draw::Normal, Draw::StudentT3] {
        for n in [6, 12, 20, 60] {
            let tail = 0.025;
            let cut = cut(n, tail).expect("enough");
            let (mut covered, mut narrower) = (0, 0);
            for _ in 0..rounds {
                let values: Vec<f64> = (0..n).map(|_| draw.value(&mut rng)).collect();
                let Interval { low, high } = pseudomedian_at(&values, tail).interval;
                let holds =
                    low.is_some_and(|low| low <= 0.0) && high.is_some_and(|high| 0.0 <= high);
                covered += u32::from(holds);
                let inner = pseudomedian_at(&values, 2.0 * tail + 0.02).interval;
                let holds = inner.low.is_some_and(|low| low <= 0.0)
                    && inner.high.is_some_and(|high| 0.0 <= high);
                narrower += u32::from(holds);
                assert!(n > 6 || cut == 0);
            }
            let least = 0.95 - 4.0 * (0.05 * 0.95 / f64::from(rounds)).sqrt();
            let share = |of: u32| f64::from(of) / f64::from(rounds);
            assert!(
                share(covered) > least,
                "{draw:?}, n = {n}: {}",
                share(covered)
            );
            assert!(
                share(narrower) < least,
                "{draw:?}, n = {n}: {}",
                share(narrower)
            );
        }
    }
}
