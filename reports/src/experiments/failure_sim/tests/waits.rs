//! What is claimed of an arm whose callers wait, and of one that notices a silence.

use super::{promises::record_of, *};

/// A record in which ours has these settings as well.
fn with(rounds: usize, settings: &[(&str, &str)]) -> Record {
    let mut record = record_of(rounds, |_, _, _| {});
    let ours = record.run.arms.iter_mut().find(|arm| arm.name == "seawall");
    let config = &mut ours.unwrap().config;
    for (key, value) in settings {
        config.insert((*key).to_owned(), (*value).to_owned());
    }
    record
}

const WAITS: &[(&str, &str)] = &[("circuit_breaker_when_open", "wait")];
const EARLY: &[(&str, &str)] = &[("circuit_breaker_early_detection", "true")];

#[test]
fn who_waits_is_not_refused_and_has_one_deadline() {
    let record = with(1, WAITS);
    let all = claims(&record, |_, _, _| {});
    let of = |id: &str| all.iter().find(|c| c.arm == "seawall" && c.id == id);
    assert!(of("fail-fast").is_none() && of("waiters-refused").is_none());
    let says = &of("in-time").unwrap().says;
    assert!(says.ends_with("within 0.25 s"), "{says}");
    let refuses = claims(&with(1, &[]), |_, _, _| {});
    assert!(refuses.iter().all(|c| !c.id.starts_with("no-worse")));
}

/// Of six pairs each: ours lost so much more than the careful pool.
fn lost_more(by_s: f64) -> Claim {
    let record = with(6, WAITS);
    doctored(
        &record,
        "seawall",
        "no-worse-careful-reset",
        |arm, _, measured| {
            let more_s = if arm == "seawall" { by_s } else { 0.0 };
            measured.outage_equivalent_s = Some(1.0 + more_s);
        },
    )
}

#[test]
fn who_waits_loses_no_more_in_any_kind() {
    let claim = lost_more(0.01);
    assert!(claim.is(Decision::Holds) && !claim.gating, "{claim:?}");
    assert_eq!((claim.n, claim.observed), (6, Some(0.01)));
    assert!(lost_more(-0.4).is(Decision::Holds));
    let claim = lost_more(0.03);
    assert!(claim.is(Decision::Refuted), "{claim:?}");
    // One of six is not enough to say that it is no worse.
    let record = with(6, WAITS);
    let mut n = 0;
    let once = std::cell::RefCell::new(&mut n);
    let claim = doctored(
        &record,
        "seawall",
        "no-worse-bare-pause",
        |arm, _, measured| {
            let mut n = once.borrow_mut();
            **n += usize::from(arm == "seawall");
            let more_s = if arm == "seawall" && **n > 30 {
                0.5
            } else {
                0.0
            };
            measured.outage_equivalent_s = Some(1.0 + more_s);
        },
    );
    assert!(claim.is(Decision::Inconclusive), "{claim:?}");
    let few = doctored(
        &with(1, WAITS),
        "seawall",
        "no-worse-bare-pause",
        |_, _, _| {},
    );
    let reason = few.reason.unwrap();
    assert!(
        few.verdict == Decision::Inconclusive && reason.ends_with("--repeats 6"),
        "{reason}"
    );
}

#[test]
fn what_an_arm_that_waits_may_cost_more_is_a_probes_wait() {
    let cost = |settings: &[(&str, &str)], more_s: f64| {
        let record = with(1, settings);
        let claim = doctored(&record, "seawall", "availability", |arm, _, measured| {
            let ours_s = if arm == "seawall" { more_s } else { 0.0 };
            measured.unavailable_s = Some(1.0 + ours_s);
        });
        claim.verdict
    };
    assert_eq!(cost(WAITS, 0.15), Decision::Holds);
    assert_eq!(cost(WAITS, 0.3), Decision::Refuted);
}

#[test]
fn an_early_detection_is_promised_where_answers_are_known() {
    // Longer than a quarter of a second, and a deadline would still be within what is usual.
    let late = |settings: &[(&str, &str)]| {
        let mut record = with(1, settings);
        for injection in &mut failures(&mut record).injections {
            if injection.arm == "seawall" && injection.fault == "pause" {
                let failing = injection.operations.outcomes.replace(['t', 'u', 'f'], "r");
                injection.operations.outcomes = failing;
                let opened = injection.injected_us + 2_000 * MS;
                injection.breaker[1].at_us = opened;
            }
        }
        judged(&record, "seawall", "detect-pause")
    };
    let claim = late(EARLY);
    assert!(claim.is(Decision::Refuted), "{claim:?}");
    assert!(
        claim.says.contains("a quarter of a second"),
        "{}",
        claim.says
    );
}

/// What a caller's own deadline cuts short is no failure of the server, and a server that takes
/// sessions is not silent.
#[test]
fn where_callers_wait_their_time_outs_do_not_have_to_open_the_circuit() {
    let never = |settings: &[&[(&str, &str)]], letter: &str| {
        let mut record = with(1, &settings.concat());
        for planned in &mut record.run.schedule {
            planned
                .faults
                .iter_mut()
                .for_each(|f| f.kind = "lock-storm".to_owned());
        }
        for injection in &mut failures(&mut record).injections {
            if injection.arm == "seawall" {
                let outcomes = &injection.operations.outcomes;
                injection.operations.outcomes = outcomes.replace(['t', 'u', 'f', 'r'], letter);
                injection.breaker.truncate(1);
            }
        }
        let all = claims(&record, |_, _, _| {});
        let of_arm = all
            .iter()
            .filter(|c| c.arm == "seawall" && c.id.starts_with("detect"));
        of_arm.map(|c| c.verdict).collect::<Vec<_>>()
    };
    assert_eq!(never(&[WAITS, EARLY], "t"), []);
    assert!(never(&[WAITS, EARLY], "f").contains(&Decision::Refuted));
    assert!(never(&[EARLY], "t").contains(&Decision::Refuted));
}
