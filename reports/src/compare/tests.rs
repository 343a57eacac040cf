use super::*;
use crate::{
    Data,
    claim::Decision,
    judge,
    measures::Measures,
    run::ARM_SEAWALL,
    sample::{ARM, FAULT, Sample},
    stats::quantile::Observation,
    synthetic,
};

fn measured(seed: u64, rounds: usize) -> Measures {
    judge(&synthetic::record(
        seed,
        rounds,
        &["bare", "careful", "seawall"],
    ))
    .measures
}

fn compared(a: &Measures, b: &Measures) -> Vec<Compared> {
    let measures = Data::measures(&a.command).expect("measures");
    compare(&measures, a, b)
}

/// Every recovery of our arm, so many times as long.
fn slower(mut of: Measures, times: f64) -> Measures {
    let ours = of.samples.iter_mut();
    for sample in ours.filter(|s| s.measure == "recovery" && s.label(ARM) == ARM_SEAWALL) {
        for value in &mut sample.values {
            value.0 = match value.0 {
                Observation::Exact(value) => Observation::Exact(value * times),
                Observation::AtLeast(value) => Observation::AtLeast(value * times),
            };
        }
    }
    of
}

#[test]
fn what_got_slower_is_significant_and_named_first_and_the_rest_is_not() {
    let a = measured(7, 12);
    let b = slower(a.clone(), 5.0);
    let all = compared(&a, &b);
    let significant: Vec<&Compared> = all.iter().filter(|c| c.significant).collect();
    assert!(!significant.is_empty());
    for compared in &significant {
        assert_eq!(compared.measure.name, "recovery");
        assert_eq!(compared.is_better(), Some(false));
        let (low, high) = (
            compared.low.expect("bounded"),
            compared.high.expect("bounded"),
        );
        let change = compared.change.expect("an estimate");
        assert!(
            low > 1.0 && (low..=high).contains(&change),
            "{low} {change} {high}"
        );
    }
    let differences = differences(&a, &b);
    assert_eq!(differences, Differences::default());
    let document = document(["x", "y"], [&a, &b], &differences, &all);
    let finding = &document.page.finding;
    assert!(
        finding.starts_with("recovery, seawall") && finding.contains("worse"),
        "{finding}"
    );
    assert!(document.page.plots().count() > 2);
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let a = measured(7, 4);
    for compared in compared(&a, &a) {
        assert!(!compared.significant, "{compared:?}");
        let change = compared.change.unwrap_or(1.0);
        assert!((change - 1.0).abs() < 1e-9, "{compared:?}");
    }
}

/// Six values a side that do not overlap are rare by chance, and not rare enough among hundreds
/// of measures.
#[test]
fn what_would_be_significant_alone_is_not_among_hundreds() {
    let a = measured(7, 6);
    let all = compared(&a, &slower(a.clone(), 50.0));
    let apart = all
        .iter()
        .filter(|c| c.measure.name == "recovery" && c.p < 0.01);
    assert!(apart.clone().count() > 0);
    assert!(all.len() > 100, "{}", all.len());
    assert!(apart.into_iter().all(|compared| !compared.significant));
}

#[test]
fn two_runs_of_one_build_differ_significantly_in_few_measures() {
    let pairs = (0..20).map(|i| compared(&measured(100 + i, 6), &measured(200 + i, 6)));
    let with = pairs
        .filter(|all| all.iter().any(|compared| compared.significant))
        .count();
    assert!(
        with <= 2,
        "in {with} of 20 pairs of runs something is significant"
    );
}

#[test]
fn what_differs_in_how_they_came_about_is_said() {
    let a = measured(7, 1);
    let mut b = measured(7, 1);
    b.seed = 8;
    b.environment.cpus += 2;
    b.arguments.insert(0, "--rate=80".to_owned());
    let ours = b
        .arms
        .iter_mut()
        .find(|arm| arm.name == ARM_SEAWALL)
        .expect("ours");
    ours.config
        .insert("max_connections".to_owned(), "6".to_owned());
    b.arms.retain(|arm| arm.name != "careful");
    b.samples.retain(|sample| sample.label(ARM) != "careful");
    let found = differences(&a, &b);
    let said = found.setup.join("\n");
    for part in [
        "--rate=80",
        "seed: 7, then 8",
        "CPUs: ",
        "max_connections: ",
        "arm careful: only",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!found.only_a.is_empty() && found.only_b.is_empty());
    assert!(
        found.only_a.iter().all(|name| name.contains("careful")),
        "{:?}",
        found.only_a
    );
}

#[test]
fn several_runs_are_compared_by_run() {
    let runs: Vec<Measures> = (1..=6).map(|seed| measured(seed, 1)).collect();
    let together = Measures::together(&runs).expect("runs");
    let of = |of: &Measures| -> Sample {
        let mut samples = of.samples.iter();
        let wanted = |s: &&Sample| {
            s.measure == "recovery" && s.label(ARM) == ARM_SEAWALL && s.label(FAULT) == "crash"
        };
        samples.find(wanted).expect("a sample").clone()
    };
    assert_eq!(of(&together).values.len(), 6);
    assert!(Measures::together(&[]).is_none());
}

#[test]
fn a_measure_over_runs_has_a_point_for_each_that_has_it() {
    let mut runs: Vec<Measures> = (1..=5).map(|seed| measured(seed, 2)).collect();
    runs[2]
        .samples
        .retain(|sample| sample.measure != "recovery");
    let usual = lines(&runs, &[]);
    assert!(usual.iter().all(|line| line.place.starts_with(ARM_SEAWALL)));
    assert!(
        usual
            .iter()
            .all(|line| line.measure.judged && line.points.len() == 5)
    );
    let named = lines(&runs, &["recovery".to_owned()]);
    assert!(named.iter().any(|line| line.place.starts_with("bare")));
    for line in &named {
        assert_eq!(line.measure.name, "recovery");
        assert!(line.points[2].is_none());
        let points = line.points.iter().flatten();
        assert!(points.clone().count() == 4);
        for point in points {
            assert!(
                point.least <= point.whole && point.whole <= point.most,
                "{point:?}"
            );
        }
    }
    let document = history_document("runs", &runs, &named);
    assert_eq!(document.page.plots().count(), 1);
    assert!(
        document.page.finding.contains("recovery"),
        "{}",
        document.page.finding
    );
    let none = history_document("runs", &runs[..1], &lines(&runs[..1], &[]));
    assert_eq!(none.headline.mood, Decision::Inconclusive);
}
