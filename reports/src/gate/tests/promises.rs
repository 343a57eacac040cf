//! What a gate promises, over hundreds of gates.

use super::{
    super::{Baseline, Budget, Ruling, RunOf, TOLD, ahead, judge, runs_needed, series, soft},
    MEASURES, NOTHING, Planted, runs, worse,
};
use crate::sample::Measure;

/// The two promises of a gate, over many gates: how seldom it accuses an unchanged build, and
/// that its own prediction of what it finds is right.
fn promises(
    mut draw: impl FnMut(f64, usize) -> [Vec<RunOf>; 2],
    measures: &[Measure],
    slowed: &str,
    gates: usize,
) {
    let gate = |then: &[RunOf], now: &[RunOf]| {
        let all = series(measures, then, now);
        let plan = ahead(
            Budget {
                then: then.len(),
                most: now.len(),
            },
            soft(&all),
        );
        let mut judged = Vec::new();
        for (look, runs) in plan.looks().iter().enumerate() {
            let all = series(measures, then, &now[..*runs]);
            judged = judge(&all, &plan, look, &judged, &[], 1);
            if judged.iter().all(|judged| judged.ruling != Ruling::Open) {
                break;
            }
        }
        judged
    };
    let [then, _] = draw(1.0, 8);
    let n = runs_needed(soft(&series(measures, &then, &[])));
    let accused = (0..gates).filter(|_| {
        let [then, now] = draw(1.0, n);
        !worse(&gate(&then, &now)).is_empty()
    });
    let accused = accused.count();
    assert!(
        accused * 20 <= gates,
        "{accused} of {gates} unchanged builds were accused"
    );
    for (i, worse_by) in TOLD.into_iter().enumerate() {
        let (mut found, mut predicted) = (0, 0.0);
        for _ in 0..gates {
            let [then, now] = draw(1.0 + worse_by, n);
            let judged = gate(&then, &now);
            let of = judged
                .iter()
                .find(|j| j.series.key.measure == slowed)
                .expect("judged");
            found += usize::from(of.ruling == Ruling::Regression);
            predicted += of.power[i].last;
        }
        let (found, predicted) = (found as f64 / gates as f64, predicted / gates as f64);
        assert!(
            (found - predicted).abs() <= 0.1,
            "{slowed} {worse_by}: found {found:.2}, predicted {predicted:.2}"
        );
    }
}

#[test]
fn few_unchanged_builds_are_accused_and_slow_ones_are_found_as_often_as_predicted() {
    let mut rng = fastrand::Rng::with_seed(23);
    for noise in [0.02, 0.06] {
        let draw = |slower: f64, n: usize| {
            let planted = Planted {
                recovery_of_crash: slower.powi(2),
                ..NOTHING
            };
            [
                runs(n, NOTHING, noise, &mut rng),
                runs(2 * n, planted, noise, &mut rng),
            ]
        };
        promises(draw, &MEASURES, "recovery", 200);
    }
}

/// The same from runs that were recorded while this machine built other things:
/// `scenarios gate --save-baseline reports/tests/data/noise.json --runs 40 steady --quick --env local`.
#[test]
fn the_same_holds_of_recorded_noise() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/noise.json");
    let recorded = Baseline::load(std::path::Path::new(path)).expect("a baseline");
    assert_eq!(
        (recorded.of.command.as_str(), recorded.runs.len()),
        ("steady", 40)
    );
    let measures = crate::Data::measures("steady").expect("measures");
    let mut rng = fastrand::Rng::with_seed(29);
    for slowed in ["latency.p50", "latency.p99"] {
        let draw = |slower: f64, n: usize| {
            let mut runs = recorded.runs.clone();
            rng.shuffle(&mut runs);
            let then = runs.split_off(runs.len() - n);
            runs.truncate(2 * n);
            let samples = runs.iter_mut().flat_map(|run| &mut run.samples);
            for sample in samples.filter(|s| s.measure == slowed && s.label("arm") == "seawall") {
                sample.pooled = sample.pooled.map(|pooled| pooled * slower);
            }
            [then, runs]
        };
        promises(draw, &measures, slowed, 200);
    }
}
