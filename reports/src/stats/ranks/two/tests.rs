use super::*;
use crate::stats::{
    Interval,
    coverage::Draw,
    ranks::Alternative::{Greater, Less, TwoSided},
    reference::{cases, interval, near, near_interval, number, numbers},
};
use Observation::{AtLeast, Exact};
use proptest::prelude::*;

const FOUND: &str = include_str!("../../../../tests/data/ranks.json");

#[test]
fn as_scipy_and_enumeration_find() {
    for case in cases(FOUND, "two") {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let p = [Less, Greater, TwoSided].map(|side| mann_whitney(&a, &b, side));
        for (found, expected) in p.iter().zip(numbers(&case["p"])) {
            assert!(near(*found, expected, 1e-10), "{p:?}: {case}");
        }
        for at in case["intervals"].as_array().expect("a list") {
            let found = shift(&a, &b, number(&at["confidence"]));
            assert!(
                near_interval(found.interval, interval(&at["interval"]), 1e-12),
                "{found:?}: {at}, {case}"
            );
        }
        let estimate = shift(&a, &b, 0.95).estimate.expect("an estimate");
        let off = (estimate - number(&case["estimate"])).abs();
        assert!(off < 1e-12, "{estimate}: {case}");
    }
}

/// Of every choice of places, how often the rank sum is as low.
fn by_enumeration(a: &[f64], b: &[f64]) -> (f64, f64) {
    let all = [a, b].concat();
    // How many are less, and how many are equal, itself among them: that is twice the rank.
    let twice = |v: &f64| {
        let less = all.iter().filter(|other| *other < v).count();
        2 * less + all.iter().filter(|other| *other == v).count() + 1
    };
    let ranks: Vec<usize> = all.iter().map(twice).collect();
    let seen: usize = ranks[..a.len()].iter().sum();
    let choices = (0_u32..1 << all.len()).filter(|c| c.count_ones() as usize == a.len());
    let sums: Vec<usize> = choices
        .map(|choice| {
            let chosen = (0..all.len()).filter(|place| choice >> place & 1 == 1);
            chosen.map(|place| ranks[place]).sum()
        })
        .collect();
    let share = |of: &dyn Fn(usize) -> bool| {
        sums.iter().filter(|sum| of(**sum)).count() as f64 / sums.len() as f64
    };
    (share(&|sum| sum <= seen), share(&|sum| sum >= seen))
}

fn floats(values: Vec<i32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

proptest! {
    #[test]
    fn agrees_with_enumeration(
        a in prop::collection::vec(0_i32..9, 1..7),
        b in prop::collection::vec(0_i32..9, 1..7),
    ) {
        let (a, b) = (floats(a), floats(b));
        let (low, high) = by_enumeration(&a, &b);
        prop_assert!((mann_whitney(&a, &b, Less) - low).abs() < 1e-12);
        prop_assert!((mann_whitney(&a, &b, Greater) - high).abs() < 1e-12);
        let both = (2.0 * low.min(high)).min(1.0);
        prop_assert!((mann_whitney(&a, &b, TwoSided) - both).abs() < 1e-12);
        prop_assert!((mann_whitney(&b, &a, Less) - high).abs() < 1e-12, "turned round");
    }

    /// The interval is what the test does not reject: a shift below its lower end is rejected
    /// in favour of a greater one, and one above that end is not.
    #[test]
    fn the_interval_holds_what_is_not_rejected(
        values in prop::collection::btree_set(0_i32..10_000, 4..14),
        order in any::<u64>(),
        tail in 0.01_f64..0.3,
    ) {
        let mut values = floats(values.into_iter().collect());
        fastrand::Rng::with_seed(order).shuffle(&mut values);
        // Values that differ by no other two's difference tie with none when moved.
        for (i, value) in values.iter_mut().enumerate() {
            *value += 1e-3 * 1.37_f64.powf(i as f64);
        }
        let (a, b) = values.split_at(values.len() / 2);
        let moved = |by: f64| a.iter().map(|a| a - by).collect::<Vec<f64>>();
        let Shift { interval, .. } = shift_at(a, b, tail);
        let step = 1e-6;
        if let Some(low) = interval.low {
            prop_assert!(mann_whitney(&moved(low - step), b, Greater) <= tail);
            prop_assert!(mann_whitney(&moved(low + step), b, Greater) > tail);
        } else {
            prop_assert!(mann_whitney(&moved(-1e6), b, Greater) > tail);
        }
        if let Some(high) = interval.high {
            prop_assert!(mann_whitney(&moved(high + step), b, Less) <= tail);
            prop_assert!(mann_whitney(&moved(high - step), b, Less) > tail);
        }
    }

    #[test]
    fn more_confidence_is_wider_and_what_moves_moves(
        a in prop::collection::vec(0_i32..50, 1..9),
        b in prop::collection::vec(0_i32..50, 1..9),
        by in -9_i32..9,
    ) {
        let moved: Vec<f64> = a.iter().map(|a| f64::from(a + by)).collect();
        let (a, b) = (floats(a), floats(b));
        let (narrow, wide) = (shift(&a, &b, 0.7), shift(&a, &b, 0.95));
        prop_assert!(wide.interval.low <= narrow.interval.low);
        prop_assert!(narrow.interval.high.is_none_or(|high| wide.interval.high.is_none_or(|wide| wide >= high)));
        let after = shift(&moved, &b, 0.7);
        let expected = narrow.estimate.map(|estimate| estimate + f64::from(by));
        prop_assert_eq!(after.estimate, expected);
        let turned = shift(&b, &a, 0.7);
        prop_assert_eq!(turned.interval.low, narrow.interval.high.map(|high| -high));
    }

    #[test]
    fn censoring_only_widens(
        a in prop::collection::vec((0_i32..50, any::<bool>(), 0_i32..50), 1..9),
        b in prop::collection::vec((0_i32..50, any::<bool>(), 0_i32..50), 1..9),
    ) {
        let truth = |of: &[(i32, bool, i32)]| -> Vec<f64> { of.iter().map(|v| f64::from(v.0)).collect() };
        let seen = |of: &[(i32, bool, i32)]| -> Vec<Observation> {
            let of = of.iter().map(|(v, open, until)| match open {
                true => AtLeast(f64::from(*v.min(until))),
                false => Exact(f64::from(*v)),
            });
            of.collect()
        };
        let full = shift_at(&truth(&a), &truth(&b), 0.1).interval;
        let seen = shift_of(&seen(&a), &seen(&b), 0.1).interval;
        prop_assert!(seen.low <= full.low);
        if let Some(high) = seen.high {
            prop_assert!(full.high.is_some_and(|full| full <= high));
        }
    }
}

#[test]
fn three_a_side_can_show_something_on_one_side_only() {
    let (a, b) = ([4.0, 5.0, 6.0], [1.0, 2.0, 3.0]);
    assert!((mann_whitney(&a, &b, Greater) - 0.05).abs() < 1e-15);
    assert!((mann_whitney(&a, &b, TwoSided) - 0.1).abs() < 1e-15);
    // 0.95 on one side is 0.9 on both, though (1 - 0.9) / 2 is less than 0.05 in floats.
    let bounded = Interval {
        low: Some(1.0),
        high: Some(5.0),
    };
    assert_eq!(shift(&a, &b, 0.9).interval, bounded);
    assert_eq!(shift_at(&a, &b, 0.05).interval, bounded);
    assert_eq!(shift(&a, &b, 0.95).interval, Interval::default());
    assert_eq!(shift(&a, &b, 0.95).estimate, Some(3.0));
}

#[test]
fn the_fewest_that_can_show_a_difference() {
    for (alpha, n) in [
        (0.5, 1),
        (0.2, 2),
        (0.05, 3),
        (0.049, 4),
        (0.025, 4),
        (0.01, 5),
        (0.001, 7),
    ] {
        assert_eq!(fewest_per_side(alpha), n, "{alpha}");
        assert!(least_p(n) <= alpha + 1e-15, "{alpha}");
        assert!(n == 1 || least_p(n - 1) > alpha, "{alpha}");
    }
    assert!((least_p(5) - 1.0 / 252.0).abs() < 1e-16);
    assert_eq!(fewest_per_side(2.0), 1);
    assert!(fewest_per_side(0.0) > 500, "ends");
}

#[test]
fn what_says_nothing() {
    assert_eq!(mann_whitney(&[], &[1.0], Less), 1.0);
    assert_eq!(shift(&[], &[1.0], 0.9), Shift::default());
    let open = [f64::INFINITY, 2.0, 3.0];
    assert_eq!(shift(&open, &[1.0; 3], 0.1), Shift::default());
    for n in [6, 60] {
        let same = vec![2.0; n];
        for side in [Less, Greater, TwoSided] {
            assert_eq!(mann_whitney(&same, &same, side), 1.0, "all are equal");
        }
        assert_eq!(shift(&same, &same, 0.9).estimate, Some(0.0));
    }
    let open = [AtLeast(9.0); 6];
    let few = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(Exact);
    let longer = shift_of(&open, &few, 0.025);
    assert_eq!(longer.estimate, None, "only bounded");
    // All that is known is that it lies between 10 and 11.
    let early = [AtLeast(1.0), Exact(10.0), Exact(11.0)];
    assert_eq!(shift_of(&early, &[Exact(0.0)], 0.4).estimate, None);
    let late = [AtLeast(12.0), Exact(10.0), Exact(11.0)];
    assert_eq!(shift_of(&late, &[Exact(0.0)], 0.4).estimate, Some(11.0));
    // The sixth of six times 9 - 6 to 9 - 1.
    assert_eq!(
        (longer.interval.low, longer.interval.high),
        (Some(3.0), None)
    );
}

#[test]
fn exact_and_normal_intervals_meet() {
    let mut rng = fastrand::Rng::with_seed(4);
    let mut draw =
        |n: usize| -> Vec<f64> { (0..n).map(|_| Draw::Normal.value(&mut rng)).collect() };
    let (a, b) = (draw(50), draw(50));
    let ranks: Vec<usize> = (0..100).collect();
    let exact = Null::Exact(Sums::of_size(&ranks, 50).with_least_at_zero());
    let normal = Null::Normal {
        mean: 1250.0,
        variance: 2500.0 * 101.0 / 12.0,
        step: 1.0,
    };
    for tail in [0.1, 0.05, 0.025, 0.005] {
        let (exact, normal) = (exact.cut(tail), normal.cut(tail));
        let off = exact.zip(normal).map(|(a, b)| a.abs_diff(b));
        assert!(off.is_some_and(|off| off <= 4), "{exact:?} {normal:?}");
    }
    let more = [&a[..], &[0.0]].concat();
    let (exact, normal) = (shift(&a, &b, 0.95), shift(&more, &b, 0.95));
    let off = exact
        .interval
        .low
        .zip(normal.interval.low)
        .map(|(a, b)| (a - b).abs());
    assert!(off.is_some_and(|off| off < 0.05), "{exact:?} {normal:?}");
}

/// How often the interval holds a true shift, and how often one that cuts off more does.
#[test]
fn covers_as_often_as_it_says_and_a_narrower_one_does_not() {
    let mut rng = fastrand::Rng::with_seed(5);
    let rounds = 3_000;
    let by = 0.7;
    for draw in Draw::ALL {
        for (n, tail) in [(4, 0.05), (6, 0.025), (12, 0.025), (20, 0.025)] {
            let cut = cut(n, n, tail).expect("enough");
            let (mut low, mut high, mut narrower) = (0, 0, 0);
            for _ in 0..rounds {
                let mut values =
                    |by: f64| -> Vec<f64> { (0..n).map(|_| draw.value(&mut rng) + by).collect() };
                let (a, b) = (values(by), values(0.0));
                let Interval { low: l, high: h } = shift_at(&a, &b, tail).interval;
                low += u32::from(l.is_some_and(|low| low <= by));
                high += u32::from(h.is_some_and(|high| by <= high));
                let mut all: Vec<f64> = a
                    .iter()
                    .flat_map(|a| b.iter().map(move |b| a - b))
                    .collect();
                all.sort_by(f64::total_cmp);
                let more = cut + n;
                narrower += u32::from(all[more] <= by);
            }
            let least = 1.0 - tail - 4.0 * (tail / f64::from(rounds)).sqrt();
            for covered in [low, high] {
                let share = f64::from(covered) / f64::from(rounds);
                assert!(share > least, "{draw:?}, n = {n}: {share}");
            }
            let share = f64::from(narrower) / f64::from(rounds);
            assert!(share < least, "{draw:?}, n = {n}: {share}");
        }
    }
}
