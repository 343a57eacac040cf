use super::*;
use crate::{
    Record,
    claim::Decision,
    measure::Recovery,
    synthetic::{self, failures},
};

const MS: u64 = 1_000;

/// Six faults against the two pools without the engine, and ours.
fn complete() -> Record {
    synthetic::record(7, 1, &["bare", "careful", "seawall"])
}

const KINDS: [&str; 6] = ["refused", "reset", "blackhole", "latency", "crash", "pause"];

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
    let record = synthetic::record(7, 1, &["bare", "careful", "guide", "seawall"]);
    let found: Vec<(String, String, bool)> = claims(&record, |_, _, _| {})
        .into_iter()
        .map(|claim| (claim.arm, claim.id, claim.gating))
        .collect();
    let of_kinds = |id: &str, gating: bool| {
        let of = |kind: &&str| (format!("{id}-{kind}"), gating);
        KINDS.iter().map(of).collect::<Vec<_>>()
    };
    let one = |id: &str, gating: bool| vec![(id.to_owned(), gating)];
    let of_engine = |ours: bool| {
        [
            one("served-before", true),
            one("no-failure", true),
            one("served-again", true),
            one("recovery", ours),
            one("recovery-p95", false),
            of_kinds("recovery", ours),
            one("detect", true),
            of_kinds("detect", true),
            one("fail-fast", true),
            one("in-time", true),
            one("no-false-alarm", true),
            one("fresh-connections", true),
            one("waiters-refused", true),
            one("no-loss", true),
            one("availability", ours),
            of_kinds("availability", ours),
            one("attempts", true),
            one("connections", true),
            one("stopped", true),
            one("overhead-p50", true),
            one("overhead-p99", true),
            one("overhead-cpu", true),
            one("memory", true),
            one("metrics", true),
        ]
        .concat()
    };
    let without = || {
        [
            one("recovery", false),
            one("recovery-p95", false),
            one("no-loss", false),
        ]
        .concat()
    };
    let expected: Vec<(String, String, bool)> = [
        ("seawall", of_engine(true)),
        ("bare", without()),
        ("careful", without()),
        ("guide", of_engine(false)),
    ]
    .into_iter()
    .flat_map(|(arm, claims)| {
        let of_arm = move |(id, gating): (String, bool)| (arm.to_owned(), id, gating);
        claims.into_iter().map(of_arm)
    })
    .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_complete_run_of_ours_holds_in_every_claim_that_gates() {
    for seed in [3, 7, 8] {
        let record = synthetic::record(seed, 1, &["bare", "careful", "seawall"]);
        for claim in claims(&record, |_, _, _| {}).iter().filter(|c| c.gating) {
            assert!(claim.is(Decision::Holds), "{seed}: {claim:?}");
        }
    }
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
    let few = judged(&small(&record, 15), "seawall", "recovery");
    assert!(few.is(Decision::Inconclusive));
    assert_eq!(
        few.reason.unwrap(),
        "6 injections are the fewest that can say it: --repeats 2"
    );
    let none = judged(&small(&record, 0), "seawall", "recovery");
    assert!(none.is(Decision::Inconclusive));
    assert_eq!((none.n, none.observed), (0, None));
}

#[test]
fn an_injection_without_a_baseline_is_not_dropped() {
    let record = complete();
    let claim = doctored(&record, "seawall", "recovery", |_, n, measured| {
        if n < 3 {
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
        "59 injections are the fewest that can say it: --repeats 10"
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
    for (one, verdict) in [
        (None, Decision::Holds),
        (Some(10_001), Decision::Inconclusive),
        // What is slow in one kind of fault is not made up for by the others.
        (Some(100_001), Decision::Refuted),
    ] {
        let claim = doctored(&record, "seawall", "fail-fast", |_, n, measured| {
            if n == 2 {
                measured.rejected_p99_us = one;
            }
        });
        assert!(claim.is(verdict), "{claim:?}");
        assert_eq!(claim.n, 5 + usize::from(one.is_some()));
    }
}

#[test]
fn one_write_too_few_or_too_many_refutes_no_loss() {
    let record = complete();
    assert!(judged(&record, "seawall", "no-loss").is(Decision::Holds));
    let doctor = |change: &dyn Fn(&mut Ledger)| {
        let mut record = record.clone();
        change(
            failures(&mut record).injections[17]
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
        "1 lost, 0 duplicate, 0 unexpected, 0 out of order, 0 wrong reads"
    );
    assert_eq!(lost.observed, Some(1.0));
    assert!(doctor(&|ledger| ledger.duplicate += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.unexpected += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.out_of_order += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.stale_reads += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.foreign_reads += 1).is(Decision::Refuted));
    assert!(doctor(&|ledger| ledger.missing_reads += 1).is(Decision::Refuted));
}

#[test]
fn no_loss_does_not_hold_where_it_could_not_have_failed() {
    let record = complete();
    let doctor = |change: &dyn Fn(&mut Option<Ledger>)| {
        let mut record = record.clone();
        change(&mut failures(&mut record).injections[17].ledger);
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

/// What `seawall` was without service for, beyond the careful pool, fault by fault.
fn costing(record: &Record, id: &str, beyond_s: impl Fn(usize) -> f64) -> Claim {
    doctored(record, "seawall", id, |arm, n, measured| {
        let fault = n / record.run.arms.len();
        let more = if arm == "seawall" {
            beyond_s(fault)
        } else {
            0.0
        };
        measured.unavailable_s = Some(2.0 + more);
    })
}

/// A wait between probes of 0.25 s, and 0.15 s for the machine; and as much as the careful pool
/// answers just in time of what came in the last deadline, of 0.25 s.
#[test]
fn availability_is_judged_by_a_margin_of_each_kind() {
    let record = complete();
    for (just_in_time, expected) in [(0, 0.4), (50, 0.53), (100, 0.65), (101, 0.65)] {
        let mut record = record.clone();
        let of_careful = failures(&mut record).injections.iter_mut();
        for injection in of_careful.filter(|i| i.arm == "careful" && i.fault == "blackhole") {
            let back = usize::try_from(injection.ready_us * 400 / 1_000_000).unwrap();
            let letters = "o".repeat(just_in_time);
            let outcomes = &mut injection.operations.outcomes;
            outcomes.replace_range(back - 110..back, &"t".repeat(110));
            outcomes.replace_range(back - just_in_time..back, &letters);
        }
        let band = costing(&record, "availability-blackhole", |_| 0.0).band_high;
        assert!(
            (band.unwrap() - expected).abs() < 0.02,
            "{just_in_time}: {band:?}"
        );
    }
    assert!(costing(&record, "availability", |_| 0.3).is(Decision::Holds));
    // Half a second more in five kinds is not paid for by two and a half seconds less in one.
    let five = |fault: usize| if fault == 2 { -2.5 } else { 0.85 };
    let refuted = costing(&record, "availability", five);
    assert!(refuted.is(Decision::Refuted), "{refuted:?}");
    assert_eq!(refuted.reason.unwrap(), "beyond it in 5 of 6 injections");
    let one = |fault: usize| if fault == 5 { 0.9 } else { 0.0 };
    assert!(costing(&record, "availability", one).is(Decision::Inconclusive));
    let alone = costing(&record, "availability-pause", one);
    assert!(alone.is(Decision::Inconclusive), "{alone:?}");
    assert!(alone.reason.unwrap().contains("--repeats"));
    let far = |fault: usize| if fault == 5 { 4.0 } else { -2.5 };
    for id in ["availability", "availability-pause"] {
        assert!(costing(&record, id, far).is(Decision::Refuted), "{id}");
    }
    assert!(costing(&record, "availability-crash", far).is(Decision::Holds));
}

/// Of twelve kinds' injections, two beyond their margin are nothing for all of them, and
/// Holm's procedure knows that there were six kinds.
#[test]
fn several_kinds_share_one_chance_of_a_false_alarm() {
    let of = |rounds| {
        let record = synthetic::record(7, rounds, &["bare", "careful", "seawall"]);
        let pause = |fault: usize| if fault % 6 == 5 { 0.9 } else { 0.0 };
        costing(&record, "availability-pause", pause).verdict
    };
    // The binomial tail at one in ten, six times: 0.6, 0.06, 0.006.
    assert_eq!(
        [1, 2, 3].map(of),
        [
            Decision::Inconclusive,
            Decision::Inconclusive,
            Decision::Refuted
        ]
    );
}

#[test]
fn without_the_careful_pool_the_bare_one_is_compared_with() {
    let record = synthetic::record(7, 1, &["bare", "seawall"]);
    let claim = judged(&record, "seawall", "availability");
    assert!(claim.says.contains("than bare"), "{}", claim.says);
    let alone = synthetic::record(7, 1, &["seawall"]);
    let ids: Vec<String> = claims(&alone, |_, _, _| {})
        .into_iter()
        .map(|c| c.id)
        .collect();
    assert!(!ids.contains(&"availability".to_owned()), "{ids:?}");
}

#[test]
fn pairs_are_of_the_same_planned_fault() {
    let mut record = synthetic::record(7, 2, &["careful", "seawall"]);
    // The first fault was not carried out against the careful pool.
    failures(&mut record).injections.remove(0);
    let claim = judged(&record, "seawall", "availability");
    assert_eq!(claim.n, 11);
    assert!(claim.is(Decision::Inconclusive));
}

/// More rounds of ours alone, as a full run has them.
#[test]
fn an_injection_that_was_to_have_no_pair_is_not_missed() {
    let mut record = synthetic::record(7, 2, &["careful", "seawall"]);
    for entry in &mut record.run.schedule[6..] {
        entry.arms.retain(|arm| arm == "seawall");
    }
    let data = failures(&mut record);
    data.injections
        .retain(|i| i.planned < 6 || i.arm == "seawall");
    let claim = judged(&record, "seawall", "availability");
    assert_eq!(claim.n, 6);
    assert!(claim.is(Decision::Holds), "{claim:?}");
    assert_eq!(judged(&record, "seawall", "served-again").n, 12);
}

#[test]
fn arms_that_take_turns_are_paired_by_their_turn() {
    let record = synthetic::record(7, 2, &["careful", "seawall"]);
    let together = judged(&record, "seawall", "availability");
    let in_turns = synthetic::in_turns(record);
    assert_eq!(judged(&in_turns, "seawall", "availability"), together);
}

mod more_data;
mod promises;
mod waits;
