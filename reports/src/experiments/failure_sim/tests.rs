use super::*;
use crate::{
    Record,
    claim::Decision,
    measure::Recovery,
    synthetic::{self, failures},
};

const MS: u64 = 1_000;

/// Twelve injections: six faults against `bare` and `seawall`.
fn complete() -> Record {
    synthetic::record(7, 1, &["bare", "seawall"])
}

fn claims(record: &Record, doctor: impl Fn(&str, usize, &mut Measured)) -> Vec<Claim> {
    let crate::Data::FailureSim(data) = &record.data else {
        panic!("{}", record.data.command());
    };
    let measured = data.injections.iter().enumerate().map(|(n, i)| {
        let mut measured = measure(&data.load, data.horizon_us, i);
        doctor(&i.arm, n, &mut measured);
        measured
    });
    let findings = Findings {
        measured: measured.collect(),
        effects: Vec::new(),
    };
    FailureSim::claims(&record.run, data, &findings)
}

fn judged(record: &Record, arm: &str, id: &str) -> Claim {
    doctored(record, arm, id, |_, _, _| {})
}

fn doctored(
    record: &Record,
    arm: &str,
    id: &str,
    doctor: impl Fn(&str, usize, &mut Measured),
) -> Claim {
    claims(record, doctor)
        .into_iter()
        .find(|claim| claim.arm == arm && claim.id == id)
        .unwrap()
}

/// Every recovery of `seawall` took this long.
fn recovery_of(record: &Record, id: &str, after_us: u64, censored: bool) -> Claim {
    doctored(record, "seawall", id, |_, _, measured| {
        measured.recovery = Some(Recovery { after_us, censored });
    })
}

fn small(record: &Record, injections: usize) -> Record {
    let mut small = record.clone();
    failures(&mut small).injections.truncate(injections);
    small
}

#[test]
fn ids_and_gates_are_a_contract() {
    let record = synthetic::record(7, 1, &["bare", "guide", "seawall"]);
    let found: Vec<(String, String, bool)> = claims(&record, |_, _, _| {})
        .into_iter()
        .map(|claim| (claim.arm, claim.id, claim.gating))
        .collect();
    let expected = [
        ("seawall", "recovery", true),
        ("seawall", "recovery-p95", false),
        ("seawall", "fail-fast", true),
        ("seawall", "no-loss", true),
        ("seawall", "availability", true),
        ("bare", "recovery", false),
        ("bare", "recovery-p95", false),
        ("bare", "no-loss", false),
        ("guide", "recovery", false),
        ("guide", "recovery-p95", false),
        ("guide", "fail-fast", false),
        ("guide", "no-loss", true),
        ("guide", "availability", false),
    ]
    .map(|(arm, id, gating)| (arm.to_owned(), id.to_owned(), gating));
    assert_eq!(found, expected);
}

#[test]
fn recovery_holds_is_refuted_and_is_inconclusive() {
    let record = complete();
    let holds = judged(&record, "seawall", "recovery");
    assert!(holds.is(Decision::Holds), "{holds:?}");
    assert_eq!((holds.n, holds.censored, holds.reason), (6, 0, None));
    assert!(holds.low <= holds.observed && holds.observed <= holds.high);

    let slow = recovery_of(&record, "recovery", 31_000 * MS, false);
    assert!(slow.is(Decision::Refuted));
    assert_eq!(slow.low, Some(31.0));
    // Nobody saw it recover, but it was watched for longer than 30 s.
    let never = recovery_of(&record, "recovery", 31_000 * MS, true);
    assert!(never.is(Decision::Refuted));
    assert_eq!((never.observed, never.at_least), (None, Some(31.0)));
    assert_eq!((never.censored, never.high), (6, None));

    let given_up_early = recovery_of(&record, "recovery", 5_000 * MS, true);
    assert!(given_up_early.is(Decision::Inconclusive));
    assert_eq!(
        given_up_early.reason.unwrap(),
        "none of 6 injections was watched long enough"
    );
    let few = judged(&small(&record, 10), "seawall", "recovery");
    assert!(few.is(Decision::Inconclusive));
    assert_eq!(
        few.reason.unwrap(),
        "6 injections are the fewest that can say it"
    );
    let none = judged(&small(&record, 0), "seawall", "recovery");
    assert!(none.is(Decision::Inconclusive));
    assert_eq!((none.n, none.observed), (0, None));
}

#[test]
fn an_injection_without_a_baseline_is_not_dropped() {
    let record = complete();
    let claim = doctored(&record, "seawall", "recovery", |_, n, measured| {
        if n < 2 {
            measured.recovery = None;
        }
    });
    assert!(claim.is(Decision::Inconclusive));
    assert_eq!((claim.n, claim.censored), (6, 1));
}

#[test]
fn mixed_recoveries_ask_for_more_runs() {
    let record = synthetic::record(7, 2, &["bare", "seawall"]);
    let claim = doctored(&record, "seawall", "recovery", |_, n, measured| {
        measured.recovery = Some(Recovery {
            after_us: if n % 6 == 1 { 40_000 * MS } else { 400 * MS },
            censored: false,
        });
    });
    assert!(claim.is(Decision::Inconclusive), "{claim:?}");
    let reason = claim.reason.unwrap();
    assert!(reason.starts_with("the interval reaches across the band's end; about "));
}

#[test]
fn the_95th_percentile_gates_from_59_injections_on() {
    let record = synthetic::record(7, 10, &["seawall"]);
    for (n, gates) in [(58, false), (59, true)] {
        let part = small(&record, n);
        let fast = judged(&part, "seawall", "recovery-p95");
        assert_eq!(
            (fast.gating, fast.is(Decision::Holds)),
            (gates, gates),
            "{n}"
        );
        let slow = recovery_of(&part, "recovery-p95", 31_000 * MS, false);
        assert_eq!(
            (slow.gating, slow.is(Decision::Refuted)),
            (gates, gates),
            "{n}"
        );
    }
    let few = judged(&small(&record, 58), "seawall", "recovery-p95");
    assert!(few.is(Decision::Inconclusive));
    assert_eq!(
        few.reason.unwrap(),
        "59 injections are the fewest that can say it"
    );
}

/// Three seconds in which the runner was stopped were charged to the arm.
#[test]
fn where_the_generator_stood_still_no_time_is_judged() {
    let mut record = complete();
    let crate::Data::FailureSim(data) = &mut record.data else {
        panic!("another experiment");
    };
    let mine = data.injections.iter_mut().find(|i| i.arm == "seawall");
    mine.unwrap().operations.lags_us[1_200] = 2_900 * MS;
    for id in ["recovery", "fail-fast", "availability"] {
        let claim = judged(&record, "seawall", id);
        assert!(claim.is(Decision::Inconclusive), "{claim:?}");
        assert_eq!(
            claim.reason.unwrap(),
            "the load generator itself stood still for 2.90 s in 1 injection; run it again"
        );
    }
    assert!(judged(&record, "seawall", "no-loss").is(Decision::Holds));
    assert!(
        !judged(&record, "bare", "recovery")
            .reason
            .is_some_and(|r| r.contains("stood"))
    );
    let report = crate::judge(&record);
    let stalled = report.verdict.injections.iter().filter_map(|e| e.stalled_s);
    assert_eq!(stalled.collect::<Vec<_>>(), [2.9]);
}

#[test]
fn fail_fast_holds_is_refuted_and_is_inconclusive() {
    let record = complete();
    let holds = judged(&record, "seawall", "fail-fast");
    assert!(holds.is(Decision::Holds), "{holds:?}");
    let slow = doctored(&record, "seawall", "fail-fast", |_, _, measured| {
        measured.rejected_p99_us = measured.rejected_p99_us.map(|_| 10_001);
    });
    assert!(slow.is(Decision::Refuted));
    let one_silent = doctored(&record, "seawall", "fail-fast", |_, n, measured| {
        if n == 1 {
            measured.rejected_p99_us = None;
        }
    });
    assert!(one_silent.is(Decision::Inconclusive));
    assert_eq!(one_silent.n, 5);
    assert!(
        one_silent
            .reason
            .unwrap()
            .starts_with("nothing was rejected in 1 injection; 6 injections are the fewest")
    );
}

#[test]
fn one_write_too_few_or_too_many_refutes_no_loss() {
    let record = complete();
    assert!(judged(&record, "seawall", "no-loss").is(Decision::Holds));
    let doctor = |change: &dyn Fn(&mut Ledger)| {
        let mut record = record.clone();
        change(
            failures(&mut record).injections[11]
                .ledger
                .as_mut()
                .unwrap(),
        );
        judged(&record, "seawall", "no-loss")
    };
    let lost = doctor(&|ledger| {
        ledger.lost += 1;
        ledger.committed -= 1;
    });
    assert!(lost.is(Decision::Refuted));
    assert_eq!(
        lost.reason.unwrap(),
        "1 lost, 0 duplicate, 0 unexpected, 0 out of order"
    );
    assert_eq!(lost.observed, Some(1.0));
    assert!(doctor(&|ledger| ledger.duplicate += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.unexpected += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.out_of_order += 1).is(Decision::Refuted));
}

#[test]
fn no_loss_does_not_hold_where_it_could_not_have_failed() {
    let record = complete();
    let doctor = |change: &dyn Fn(&mut Option<Ledger>)| {
        let mut record = record.clone();
        change(&mut failures(&mut record).injections[11].ledger);
        let claim = judged(&record, "seawall", "no-loss");
        assert!(claim.is(Decision::Inconclusive), "{claim:?}");
        claim.reason.unwrap()
    };
    assert_eq!(
        doctor(&|ledger| *ledger = None),
        "the writes of 1 injection could not be checked"
    );
    assert_eq!(
        doctor(&|ledger| *ledger = Some(Ledger::default())),
        "no write was acknowledged in 1 injection"
    );
    for contradiction in [
        |l: &mut Ledger| l.committed += 1,
        |l: &mut Ledger| l.committed -= 1,
        |l: &mut Ledger| l.sent = l.acked - 1,
        |l: &mut Ledger| l.unknown_committed = l.unknown + 1,
    ] {
        let reason = doctor(&|ledger| contradiction(ledger.as_mut().unwrap()));
        assert!(
            reason.starts_with("a ledger contradicts itself"),
            "{reason}"
        );
    }
    let empty = judged(&small(&record, 0), "seawall", "no-loss");
    assert!(empty.is(Decision::Inconclusive));
}

#[test]
fn availability_holds_is_refuted_and_is_inconclusive() {
    let record = complete();
    // The deadline is 0.25 s, and so is the wait between probes.
    let with = |seawall: f64| {
        doctored(&record, "seawall", "availability", |arm, _, measured| {
            measured.unavailable_s = Some(if arm == "seawall" { seawall } else { 2.0 });
        })
    };
    assert!(judged(&record, "seawall", "availability").is(Decision::Holds));
    assert!(with(2.49).is(Decision::Holds));
    assert!(with(2.51).is(Decision::Refuted));
    let spread = doctored(&record, "seawall", "availability", |arm, n, measured| {
        let more = [-1.0, 1.8, -0.5, 0.6, -0.7, 1.6][n / 2];
        measured.unavailable_s = Some(if arm == "seawall" { 2.0 + more } else { 2.0 });
    });
    assert!(spread.is(Decision::Inconclusive), "{spread:?}");
    let reason = spread.reason.unwrap();
    assert!(reason.starts_with("the interval reaches across the margin"));
    let few = judged(&small(&record, 11), "seawall", "availability");
    assert_eq!(
        few.reason.unwrap(),
        "5 injections in both arms; 6 are the fewest that can say it"
    );
    let alone = synthetic::record(7, 1, &["seawall"]);
    assert_eq!(
        judged(&alone, "seawall", "availability").reason.unwrap(),
        "the run had no arm bare to compare with"
    );
}

#[test]
fn pairs_are_of_the_same_planned_fault() {
    let mut record = synthetic::record(7, 2, &["bare", "seawall"]);
    // The first fault was not carried out against bare.
    failures(&mut record).injections.remove(0);
    let claim = judged(&record, "seawall", "availability");
    assert_eq!(claim.n, 11);
}

#[test]
fn arms_that_take_turns_are_paired_by_their_turn() {
    let record = synthetic::record(7, 2, &["bare", "seawall"]);
    let together = judged(&record, "seawall", "availability");
    let in_turns = synthetic::in_turns(record);
    assert_eq!(judged(&in_turns, "seawall", "availability"), together);
}
