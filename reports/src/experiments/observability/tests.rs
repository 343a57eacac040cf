//! What is wrong is named, and what is right holds.

use super::*;
use crate::claim::Decision;

fn data() -> Data {
    let compared = |what: &str, n: u64| Compared {
        what: what.to_owned(),
        happened: n,
        counted: n,
    };
    let exam = |fault: &str| Exam {
        fault: fault.to_owned(),
        compared: vec![
            compared("queries: ok", 100),
            compared("queries: network", 3),
        ],
        scrapes: 40,
        contradictions: Vec::new(),
        sessions: vec![Sessions {
            server: 5,
            pool: 5,
            counted: 5,
        }],
        served_again: true,
        callers_ended: true,
    };
    let window = |pair: u32, with: Observed, queries: u64| Window {
        pair,
        of: Observed::History,
        with,
        queries,
        took_us: 1_000_000,
        cpu_us: 500_000,
    };
    Data {
        callers: 8,
        timed: 100,
        pairs: 10,
        window_us: 1_000_000,
        busy_per_s: 1_000,
        exams: vec![exam("none"), exam("reset")],
        quantiles: vec![Quantile {
            share: 0.5,
            exact_us: 1_000,
            histogram_us: 995,
        }],
        windows: (0..10)
            .flat_map(|pair| {
                let with = window(pair, Observed::History, 9_990 + u64::from(pair % 3));
                [window(pair, Observed::Nothing, 10_000), with]
            })
            .collect(),
        memory: vec![MemoryOf {
            retention_minutes: 15,
            slots: 2_100,
            bytes: 4_900_000,
            bytes_most: 9_400_000,
        }],
    }
}

fn claim(data: &Data, id: &str) -> Claim {
    let claims = claims::claims(&find(data));
    claims.into_iter().find(|c| c.id == id).expect("claimed")
}

#[test]
fn what_agrees_holds() {
    for id in [COMPLETE_VISIBILITY, SCRAPES, QUANTILES] {
        let claim = claim(&data(), id);
        assert!(claim.is(Decision::Holds) && claim.gating, "{claim:?}");
    }
    assert_eq!(claim(&data(), COMPLETE_VISIBILITY).n, 206);
    let price = claim(&data(), "price-history");
    assert!(price.is(Decision::Holds) && !price.gating, "{price:?}");
}

#[test]
fn one_event_too_many_or_too_few_is_named() {
    for counted in [2, 4] {
        let mut data = data();
        data.exams[1].compared[1].counted = counted;
        let claim = claim(&data, COMPLETE_VISIBILITY);
        assert!(claim.is(Decision::Refuted));
        let reason = claim.reason.expect("a reason");
        let named = format!("reset: queries: network: 3 happened, {counted} counted");
        assert!(reason.contains(&named), "{reason}");
    }
    for change in [
        |exam: &mut Exam| exam.sessions[0].server = 6,
        |exam: &mut Exam| exam.sessions[0].counted = 4,
        |exam: &mut Exam| exam.callers_ended = false,
    ] {
        let mut data = data();
        change(&mut data.exams[0]);
        assert!(claim(&data, COMPLETE_VISIBILITY).is(Decision::Refuted));
    }
}

#[test]
fn a_scrape_that_contradicts_itself_and_a_quantile_that_is_off_are_named() {
    let mut wrong = data();
    wrong.exams[0].contradictions = vec!["queries_total{}: 3, and then Some(2.0)".to_owned()];
    assert!(claim(&wrong, SCRAPES).is(Decision::Refuted));
    for (histogram_us, holds) in [(585, false), (600, true), (1_011, true), (1_020, false)] {
        let mut wrong = data();
        wrong.quantiles[0].histogram_us = histogram_us;
        let claim = claim(&wrong, QUANTILES);
        assert_eq!(
            claim.is(Decision::Holds),
            holds,
            "{histogram_us}: {claim:?}"
        );
    }
}

#[test]
fn what_costs_more_is_refuted_and_nothing_measured_is_no_verdict() {
    let mut dear = data();
    for window in dear
        .windows
        .iter_mut()
        .filter(|w| w.with != Observed::Nothing)
    {
        window.queries = 9_000 + u64::from(window.pair);
    }
    assert!(claim(&dear, "price-history").is(Decision::Refuted));
    let nothing = Data {
        exams: Vec::new(),
        quantiles: Vec::new(),
        ..data()
    };
    for id in [COMPLETE_VISIBILITY, SCRAPES, QUANTILES] {
        let claim = claim(&nothing, id);
        assert!(claim.is(Decision::Inconclusive) && claim.reason.is_some());
    }
}

#[test]
fn the_finding_says_what_agrees_what_differs_and_what_is_missing() {
    let say = |change: &dyn Fn(&mut Data)| {
        let mut data = data();
        change(&mut data);
        page::finding(&find(&data))
    };
    let agrees = say(&|_| {});
    assert!(agrees.starts_with("The metrics agree with what happened, event for event: "));
    let differs = say(&|data| data.exams[0].compared[0].counted += 1);
    assert!(
        differs.starts_with("The metrics differ from what happened in 1 of "),
        "{differs}"
    );
    let contradicts = say(&|data| data.exams[0].contradictions.push("x".to_owned()));
    assert!(contradicts.contains(", and contradicted themselves in one scrape; "));
    let nothing = say(&|data| {
        data.exams.clear();
        data.windows.clear();
    });
    assert_eq!(
        nothing,
        "No fault was carried out, so that nothing can be said of the metrics; what observing costs was \
         not measured."
    );
}
