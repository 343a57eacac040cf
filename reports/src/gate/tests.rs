use std::collections::BTreeMap;

use super::*;
use crate::{
    claim::Decision,
    run::{Ended, Environment},
    sample::{FAULT, Measure, Sample},
    verdict::exit,
};

const MEASURES: [Measure; 5] = [
    Measure::time("latency", "how long").exact_to(1e-6).shared(),
    Measure::time("recovery", "until it is back").exact_to(0.01),
    Measure::number("rate", "how many", "queries/s").higher(),
    Measure::count("round-trips", "asked", "round trips"),
    Measure::count("noisy-count", "scatters", "connections").exact_to(1.0),
];

fn of() -> Of {
    Of {
        command: "steady".to_owned(),
        arguments: vec!["--quick".to_owned()],
        seed: 7,
        environment: Environment {
            kind: "local".to_owned(),
            server_version: "15.18".to_owned(),
            proxy: "embedded".to_owned(),
            cpus: 2,
            profile: "dev".to_owned(),
        },
        arms: BTreeMap::new(),
    }
}

fn normal(rng: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// What is planted into a run.
#[derive(Clone, Copy)]
struct Planted {
    latency: f64,
    recovery_of_crash: f64,
    rate: f64,
    round_trips: f64,
    machine: f64,
}

const NOTHING: Planted = Planted {
    latency: 1.0,
    recovery_of_crash: 1.0,
    rate: 1.0,
    round_trips: 1.0,
    machine: 1.0,
};

fn run(planted: Planted, noise: f64, rng: &mut fastrand::Rng) -> RunOf {
    let mut about = |value: f64| value * (noise * normal(rng)).exp();
    let of_arm = |arm: &str, latency: f64| Sample::exact(&MEASURES[0], arm, [latency]);
    let samples = vec![
        of_arm("seawall", about(0.01 * planted.latency * planted.machine)),
        of_arm("careful", about(0.01 * planted.machine)),
        Sample::exact(&MEASURES[1], "seawall", [about(0.5)]).at(FAULT, "pause"),
        Sample::exact(
            &MEASURES[1],
            "seawall",
            [about(2.0 * planted.recovery_of_crash)],
        )
        .at(FAULT, "crash"),
        Sample::exact(&MEASURES[2], "seawall", [about(1_000.0 * planted.rate)]),
        Sample::exact(&MEASURES[3], "seawall", [1.25 * planted.round_trips]),
        Sample::exact(&MEASURES[4], "seawall", [about(30.0).round()]),
    ];
    RunOf {
        started_utc: "2026-01-02T03:04:05Z".to_owned(),
        refuted: Vec::new(),
        samples,
    }
}

fn runs(n: usize, planted: Planted, noise: f64, rng: &mut fastrand::Rng) -> Vec<RunOf> {
    (0..n).map(|_| run(planted, noise, rng)).collect()
}

/// Goes through all looks, as the command does.
fn gated(then: &[RunOf], now: &[RunOf]) -> Vec<Judged> {
    let all = series(&MEASURES, then, now);
    let budget = Budget {
        then: then.len(),
        most: now.len(),
    };
    let plan = ahead(budget, soft(&all));
    let mut judged = Vec::new();
    for (look, runs) in plan.looks().iter().enumerate() {
        let all = series(&MEASURES, then, &now[..*runs]);
        judged = judge(&all, &plan, look, &judged, &[], 1);
        let open = judged.iter().any(|judged| judged.ruling == Ruling::Open);
        if !open
            || judged
                .iter()
                .any(|judged| judged.ruling == Ruling::Regression)
        {
            break;
        }
    }
    judged
}

fn worse(judged: &[Judged]) -> Vec<String> {
    let worse = judged
        .iter()
        .filter(|judged| judged.ruling == Ruling::Regression);
    worse.map(|judged| judged.series.key.name()).collect()
}

#[test]
fn each_measure_that_is_worse_is_named_and_no_other() {
    let mut rng = fastrand::Rng::with_seed(3);
    let then = runs(7, NOTHING, 0.02, &mut rng);
    for (planted, named) in [
        (NOTHING, None),
        (
            Planted {
                latency: 1.3,
                ..NOTHING
            },
            Some("latency"),
        ),
        (
            Planted {
                rate: 0.7,
                ..NOTHING
            },
            Some("rate"),
        ),
        (
            Planted {
                recovery_of_crash: 2.0,
                ..NOTHING
            },
            Some("recovery"),
        ),
        (
            Planted {
                round_trips: 1.04,
                ..NOTHING
            },
            Some("round-trips"),
        ),
        // What is better is no regression, and neither is a slow machine.
        (
            Planted {
                latency: 0.7,
                ..NOTHING
            },
            None,
        ),
        (
            Planted {
                rate: 1.4,
                ..NOTHING
            },
            None,
        ),
        (
            Planted {
                round_trips: 0.8,
                ..NOTHING
            },
            None,
        ),
        (
            Planted {
                machine: 2.0,
                ..NOTHING
            },
            None,
        ),
    ] {
        let now = runs(14, planted, 0.02, &mut rng);
        let judged = gated(&then, &now);
        let expected: Vec<String> = named.map(str::to_owned).into_iter().collect();
        assert_eq!(worse(&judged), expected);
        assert_eq!(judged.len(), 5);
    }
}

#[test]
fn the_place_that_got_worse_is_named_with_its_medians() {
    let mut rng = fastrand::Rng::with_seed(5);
    let baseline = Baseline::new(of(), runs(7, NOTHING, 0.02, &mut rng));
    let planted = Planted {
        recovery_of_crash: 2.0,
        ..NOTHING
    };
    let now = runs(14, planted, 0.02, &mut rng);
    let judged = gated(&baseline.runs, &now);
    let claims = claims(&baseline, &now, &judged);
    let first = &claims[0];
    assert_eq!(
        (first.id.as_str(), first.verdict),
        ("recovery", Decision::Refuted)
    );
    let reason = first.reason.as_deref().expect("a reason");
    assert!(reason.contains("worst: crash, "), "{reason}");
    let verdict = verdict(&of(), Ended::Complete, claims);
    assert_eq!(verdict.exit_code, exit::REFUTED);
    let document = document(
        &baseline,
        &of(),
        &now,
        &judged,
        &verdict,
        "again".to_owned(),
    );
    assert!(
        document.headline.sentence.contains("recovery"),
        "{}",
        document.headline.sentence
    );
    assert!(
        document.page.finding.starts_with("recovery is 1."),
        "{}",
        document.page.finding
    );
    assert_eq!(document.page.plots().count(), 1);
}

#[test]
fn a_count_is_hard_where_it_comes_out_the_same_and_soft_where_it_scatters() {
    let mut rng = fastrand::Rng::with_seed(9);
    let then = runs(7, NOTHING, 0.1, &mut rng);
    let judged = gated(&then, &runs(7, NOTHING, 0.1, &mut rng));
    let kind = |name: &str| {
        judged
            .iter()
            .find(|j| j.series.key.name() == name)
            .expect(name)
            .kind
    };
    assert_eq!(kind("round-trips"), Kind::Hard);
    assert_eq!(kind("noisy-count"), Kind::Soft);
    assert_eq!(kind("latency"), Kind::Soft);
    // Three runs are too few for an interval, and enough to see what is far beyond.
    let mut now = runs(3, NOTHING, 0.1, &mut rng);
    assert!(worse(&gated(&then[..3], &now)).is_empty());
    for run in &mut now {
        let count = run.samples.iter_mut().find(|s| s.measure == "noisy-count");
        *count.expect("a count") = Sample::exact(&MEASURES[4], "seawall", [2_400.0]);
    }
    assert_eq!(worse(&gated(&then[..3], &now)), ["noisy-count"]);
}

#[test]
fn what_is_not_measured_any_more_is_not_known() {
    let mut rng = fastrand::Rng::with_seed(11);
    let then = runs(7, NOTHING, 0.02, &mut rng);
    let mut now = runs(14, NOTHING, 0.02, &mut rng);
    for run in &mut now {
        run.samples
            .retain(|sample| sample.measure != "rate" && sample.measure != "round-trips");
    }
    let judged = gated(&then, &now);
    let open: Vec<&str> = judged
        .iter()
        .filter(|judged| judged.ruling == Ruling::Open)
        .map(|judged| judged.series.key.measure.as_str())
        .collect();
    assert_eq!(open, ["rate", "round-trips"]);
    let baseline = Baseline::new(of(), then);
    let claims = claims(&baseline, &now, &judged);
    assert_eq!(
        verdict(&of(), Ended::Complete, claims).exit_code,
        exit::INCONCLUSIVE
    );
}

#[test]
fn a_claim_that_held_and_is_refuted_now_is_named_and_a_loss_has_its_own_code() {
    let mut rng = fastrand::Rng::with_seed(13);
    let baseline = Baseline::new(of(), runs(7, NOTHING, 0.02, &mut rng));
    let mut now = runs(14, NOTHING, 0.02, &mut rng);
    let judged = gated(&baseline.runs, &now);
    let code = |now: &[RunOf]| {
        let claims = claims(&baseline, now, &judged);
        verdict(&of(), Ended::Complete, claims).exit_code
    };
    assert_eq!(code(&now), exit::HOLDS);
    // Half of the runs is not more than half.
    for run in now.iter_mut().take(7) {
        run.refuted = vec!["seawall detect".to_owned()];
    }
    assert_eq!(code(&now), exit::HOLDS);
    now[7].refuted = vec!["seawall detect".to_owned()];
    assert_eq!(code(&now), exit::REFUTED);
    for run in &mut now {
        run.refuted = vec!["seawall no-loss".to_owned()];
    }
    assert_eq!(code(&now), exit::DATA_LOST);
}

#[test]
fn enough_runs_are_made_and_looks_that_could_find_nothing_are_left_out() {
    for measures in [1, 5, 10, 25, 40] {
        let runs = runs_needed(measures);
        let plan = ahead(
            Budget {
                then: runs,
                most: usize::MAX,
            },
            measures,
        );
        assert_eq!(plan.looks()[0], runs, "{measures}");
        assert_eq!(plan.looks().last(), Some(&(2 * runs)), "{measures}");
        let spent: f64 = (0..plan.looks().len())
            .map(|look| plan.alpha_at(look))
            .sum();
        assert!(spent <= ALPHA + 1e-12, "{measures}: {spent}");
    }
    let plan = ahead(Budget { then: 7, most: 4 }, 10);
    assert_eq!(plan.looks(), [4]);
}

#[test]
fn a_baseline_is_read_as_it_was_written_and_others_are_refused() {
    let mut rng = fastrand::Rng::with_seed(17);
    let dir = std::env::temp_dir().join(format!("baseline-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("baseline.json");
    let baseline = Baseline::new(of(), runs(3, NOTHING, 0.02, &mut rng));
    baseline.save(&path).unwrap();
    assert_eq!(Baseline::load(&path).unwrap(), baseline);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() > 20, "a line a sample");
    for (wrong, says) in [
        (
            text.replacen("\"schema\":1", "\"schema\":9", 1),
            "schema: 9, this version reads 1",
        ),
        ("{}".to_owned(), "is not a baseline"),
        (
            text.replacen("\"runs\":", "\"ruins\":", 1),
            "is not a baseline",
        ),
    ] {
        std::fs::write(&path, wrong).unwrap();
        let error = Baseline::load(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    Baseline::new(of(), runs(2, NOTHING, 0.02, &mut rng))
        .save(&path)
        .unwrap();
    let error = Baseline::load(&path).unwrap_err().to_string();
    assert!(error.contains("runs: 2, allowed: 3 or more"), "{error}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_differs_is_said_first() {
    let mut other = of();
    other.environment.cpus = 4;
    other.environment.server_version = "16.4".to_owned();
    let config = |value: &str| BTreeMap::from([("max_connections".to_owned(), value.to_owned())]);
    let mut then = of();
    then.arms.insert("seawall".to_owned(), config("10"));
    then.arms.insert("gone".to_owned(), config("10"));
    other.arms.insert("seawall".to_owned(), config("6"));
    other.arms.insert("new".to_owned(), BTreeMap::new());
    assert_eq!(
        then.differs(&other),
        [
            "PostgreSQL: 15.18, then 16.4",
            "CPUs: 2, then 4",
            "arm gone: not there any more",
            "arm new: it was not there",
            "seawall: max_connections: 10, then 6",
        ]
    );
    assert!(then.differs(&then).is_empty());
    assert_eq!(
        then.elsewhere(&other),
        ["PostgreSQL: 15.18, then 16.4", "CPUs: 2, then 4"]
    );
    let mut rng = fastrand::Rng::with_seed(19);
    let baseline = runs(7, NOTHING, 0.02, &mut rng);
    let slow = Planted {
        latency: 9.0,
        round_trips: 2.0,
        ..NOTHING
    };
    let all = series(&MEASURES, &baseline, &runs(7, slow, 0.02, &mut rng));
    let plan = ahead(Budget { then: 7, most: 7 }, soft(&all));
    let judged = judge(&all, &plan, 0, &[], &then.elsewhere(&other), 1);
    assert_eq!(
        worse(&judged),
        ["round-trips"],
        "times of another machine say nothing"
    );
    let latency = judged
        .iter()
        .find(|j| j.series.key.measure == "latency")
        .expect("judged");
    assert_eq!(latency.ruling, Ruling::Open);
    let reason = latency.reason.as_deref().expect("a reason");
    assert!(reason.contains("CPUs: 2, then 4"), "{reason}");
}

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
