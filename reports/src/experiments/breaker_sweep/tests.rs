use super::*;
use crate::{
    Record, Verdict,
    claim::{Decision, Source},
    run::{BreakerState, Ended, Transition},
    synthetic::{sweep, swept},
    verdict::exit,
};

fn judge(record: &Record) -> Verdict {
    crate::judge(record).verdict
}

fn found_in(verdict: &Verdict) -> Findings {
    serde_json::from_value(verdict.findings["sweep"].clone()).unwrap()
}

const OURS: &str = "3/120s-active";

/// A wait that is spread over (0, timeout), and a fifth of a second with a probe.
fn usual(cell: &Cell, planned: usize) -> u64 {
    let part = (planned as u64 * 37 % 100) + 1;
    match cell.probe {
        ProbeMode::Passive => cell.recovery_timeout_us / 60 * part / 100,
        ProbeMode::Active => 100_000 + part * 1_000,
    }
}

fn complete() -> Record {
    sweep(30, usual)
}

fn claim<'a>(verdict: &'a Verdict, id: &str) -> &'a Claim {
    verdict.claims.iter().find(|c| c.id == id).unwrap()
}

fn stretches(record: &mut Record) -> &mut [Stretch] {
    &mut swept(record).stretches
}

/// Lets the breaker of a cell open in the middle of a false alarm.
fn false_open(record: &mut Record, fresh: bool, arm: &str) {
    let of = |s: &&mut Stretch| s.fresh == fresh;
    let stretch = stretches(record).iter_mut().find(of).unwrap();
    let at_us = stretch.alarms[1].began_us + 100_000;
    let run = stretch.runs.iter_mut().find(|run| run.arm == arm).unwrap();
    let open = Transition {
        at_us,
        state: BreakerState::Open,
        reason: "doctored".to_owned(),
    };
    run.breaker.insert(1, open);
}

#[test]
fn a_good_sweep_recommends_the_cell_that_costs_least_and_holds() {
    let record = complete();
    record.check().unwrap();
    let verdict = judge(&record);
    let findings = found_in(&verdict);
    let recommended = findings.recommended.as_ref().unwrap();
    // All active cells cost the same; this one opens first and wastes least.
    assert_eq!(recommended.arm, OURS);
    assert_eq!(
        recommended.toml,
        "circuit_breaker_failure_threshold = 3\n\
         circuit_breaker_recovery_timeout = 120\n\
         circuit_breaker_error_rate = 0.5\n\
         circuit_breaker_probe = \"active\"\n"
    );
    assert_eq!(verdict.exit_code, exit::HOLDS, "{:#?}", verdict.claims);
    assert!(claim(&verdict, FALSE_OPENS).is(Decision::Holds));
    assert!(claim(&verdict, "recovery").is(Decision::Holds));
    assert!(claim(&verdict, "confirmation").is(Decision::Holds));
    let front: Vec<&str> = findings
        .cells
        .iter()
        .filter(|c| c.on_front)
        .map(|c| &*c.arm)
        .collect();
    assert!(front.iter().all(|arm| arm.ends_with("active")), "{front:?}");
    let read: Verdict = serde_json::from_str(&verdict.to_json().unwrap()).unwrap();
    assert_eq!(read, verdict);
}

#[test]
fn times_and_counts_are_those_that_were_put_in() {
    let record = sweep(7, |cell, planned| match cell.probe {
        ProbeMode::Passive => 250_000 * (planned as u64 + 1),
        ProbeMode::Active => 50_000,
    });
    let verdict = judge(&record);
    let cell = found_in(&verdict).cells.remove(1);
    assert_eq!((&*cell.arm, cell.week), ("5/60s-passive", Some(2)));
    assert_eq!((cell.outages, cell.recover.censored), (7, 0));
    // To one operation, every 25 ms.
    let near = |found: Option<f64>, put_in: f64| found.is_some_and(|f| (f - put_in).abs() < 0.026);
    assert!(near(cell.recover.median_s, 1.0), "{:?}", cell.recover);
    assert!(near(cell.recover.p95_s, 1.75), "{:?}", cell.recover);
    assert!(
        near(cell.outage_equivalent_s, 2.0),
        "one second, and the wait"
    );
    assert_eq!(cell.detect_s, Some(0.125));
    assert_eq!((cell.false_opens, cell.wasted), (Some(0), Some(5.0)));
}

#[test]
fn the_guide_s_weeks_are_judged_beside_what_to_expect() {
    let verdict = judge(&complete());
    let week = |id: &str, expected: f64| {
        let claim = claim(&verdict, id);
        assert!(!claim.gating);
        assert_eq!(
            (claim.source, claim.n, claim.band_high),
            (Source::Guide, claim.n, Some(0.5))
        );
        let reason = claim.reason.as_deref().unwrap();
        let percent = format!("(0, timeout) gives {:.0} %", expected * 100.0);
        assert!(reason.contains(&percent), "{reason}");
        claim
    };
    assert!(week("recovery-week1", 0.25).is(Decision::Refuted));
    assert!(week("recovery-week2", 0.5).is(Decision::Inconclusive));
    assert!(week("recovery-week3", 2.0 / 3.0).n >= 30);
    // Half of them longer than 30 s is no 95 of 100 within it.
    assert!(claim(&verdict, "recovery-week2-p95").is(Decision::Refuted));
    let weeks = found_in(&verdict).weeks;
    let shares: Vec<f64> = weeks.iter().map(|w| w.within as f64 / w.n as f64).collect();
    for (share, week) in shares.iter().zip(&weeks) {
        assert!((share - week.expected).abs() < 0.1, "{week:?}");
        assert!(week.low.unwrap() < *share && *share < week.high.unwrap());
    }
}

#[test]
fn a_week_beyond_the_band_is_refuted_and_one_within_it_holds() {
    let beyond = judge(&sweep(8, |cell, _| match cell.week {
        Some(2) => 700_000,
        _ => 100_000,
    }));
    assert!(claim(&beyond, "recovery-week2").is(Decision::Refuted));
    assert!(claim(&beyond, "recovery-week3").is(Decision::Holds));
    // Never back while it was watched: longer than that, not left out.
    let never = judge(&sweep(8, |cell, _| match cell.week {
        Some(1) => 9_000_000,
        _ => 100_000,
    }));
    let week1 = claim(&never, "recovery-week1");
    assert!(week1.is(Decision::Refuted), "{week1:?}");
    assert_eq!((week1.n, week1.censored, week1.observed), (8, 8, None));
}

#[test]
fn a_recommended_cell_that_opened_falsely_does_not_hold() {
    // In the sweep: then it is not the one that is recommended.
    let mut record = complete();
    false_open(&mut record, false, OURS);
    let verdict = judge(&record);
    let findings = found_in(&verdict);
    assert_ne!(findings.recommended.as_ref().unwrap().arm, OURS);
    let opened = findings.cells.iter().find(|c| c.arm == OURS).unwrap();
    assert_eq!((opened.false_opens, opened.on_front), (Some(1), false));
    // On the fresh alarms, after it was recommended.
    let mut record = complete();
    false_open(&mut record, true, OURS);
    let verdict = judge(&record);
    assert!(claim(&verdict, FALSE_OPENS).is(Decision::Refuted));
    assert_eq!(verdict.exit_code, exit::REFUTED);
}

#[test]
fn where_every_cell_opens_falsely_nothing_is_recommended() {
    let mut record = complete();
    let arms: Vec<String> = record.run.arms.iter().map(|arm| arm.name.clone()).collect();
    for arm in &arms {
        false_open(&mut record, false, arm);
    }
    let verdict = judge(&record);
    assert_eq!(found_in(&verdict).recommended, None);
    assert!(claim(&verdict, FALSE_OPENS).is(Decision::Refuted));
    assert_eq!(verdict.exit_code, exit::REFUTED);
}

#[test]
fn false_alarms_that_were_not_met_are_not_zero_opens() {
    for kind in Alarm::ALL {
        let mut record = complete();
        for stretch in stretches(&mut record) {
            stretch.alarms.retain(|span| span.kind != kind);
        }
        let verdict = judge(&record);
        let findings = found_in(&verdict);
        assert!(findings.cells.iter().all(|cell| cell.false_opens.is_none()));
        assert!(
            claim(&verdict, FALSE_OPENS).is(Decision::Inconclusive),
            "{kind:?}"
        );
        assert_eq!(verdict.exit_code, exit::INCONCLUSIVE);
    }
    let mut record = complete();
    stretches(&mut record)[1].runs[1].alarms.clear();
    let verdict = judge(&record);
    assert!(claim(&verdict, FALSE_OPENS).is(Decision::Inconclusive));
}

#[test]
fn a_recommendation_that_recovers_slowly_is_refuted() {
    let slow = judge(&sweep(8, |_, _| 600_000));
    assert!(claim(&slow, "recovery").is(Decision::Refuted));
    assert_eq!(slow.exit_code, exit::REFUTED);
}

#[test]
fn a_confirmation_that_costs_more_is_refuted_and_few_pairs_do_not_say() {
    let mut record = complete();
    // The fresh outages go the other way.
    let runs = &mut stretches(&mut record)[1].runs;
    let (a, b) = (runs[0].arm.clone(), runs[1].arm.clone());
    (runs[0].arm, runs[1].arm) = (b, a);
    assert!(claim(&judge(&record), "confirmation").is(Decision::Refuted));
    let few = judge(&sweep(8, usual));
    let confirmation = claim(&few, "confirmation");
    assert_eq!(confirmation.n, 4);
    assert!(confirmation.is(Decision::Inconclusive));
    assert!(!confirmation.gating);
}

/// A generator that stands still makes every cell look as if its server had.
#[test]
fn where_the_load_generator_stood_still_nothing_is_judged() {
    for (lag_us, judged) in [(249_999, true), (250_000, false), (2_900_000, false)] {
        let mut record = complete();
        let operations = &mut stretches(&mut record)[0].runs[1].operations;
        *operations.lags_us.last_mut().unwrap() = lag_us;
        let verdict = judge(&record);
        // What was lost is lost, however late.
        let mut claims = verdict.claims.iter().filter(|c| c.id != "no-loss");
        let said = |c: &Claim| c.reason.as_deref().unwrap_or("").contains("stood still");
        if judged {
            assert!(!claims.any(said), "{lag_us}");
        } else {
            assert!(
                claims.all(|c| c.is(Decision::Inconclusive) && said(c)),
                "{lag_us}"
            );
        }
    }
}

#[test]
fn what_there_is_of_an_interrupted_sweep_is_judged() {
    let mut record = complete();
    record.run.ended = Ended::Interrupted;
    stretches(&mut record)[0].outages.truncate(2);
    swept(&mut record).stretches.truncate(1);
    let verdict = judge(&record);
    assert_eq!(verdict.exit_code, exit::INTERRUPTED);
    assert_eq!(claim(&verdict, "recovery-week1").n, 2);
    swept(&mut record).stretches.clear();
    let nothing = judge(&record);
    assert!(nothing.claims.iter().all(|c| c.is(Decision::Inconclusive)));
    // Not said to have been interrupted, it still does not hold.
    record.run.ended = Ended::Complete;
    assert_eq!(judge(&record).exit_code, exit::INCONCLUSIVE);
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let wrong = |change: &dyn Fn(&mut Record)| {
        let mut record = complete();
        change(&mut record);
        record.check().unwrap_err().to_string()
    };
    let text = wrong(&|r| swept(r).scale = 0);
    assert_eq!(text, "data.scale: 0, allowed: 1 or more");
    wrong(&|r| r.run.arms.truncate(2));
    wrong(&|r| stretches(r)[0].outages[3].cleared_us = 0);
    wrong(&|r| stretches(r)[0].outages[3].planned = 999);
    wrong(&|r| stretches(r)[0].runs[0].arm = "?".to_owned());
    wrong(&|r| stretches(r)[0].runs[0].operations.outcomes.push('x'));
    wrong(&|r| stretches(r)[0].runs[0].operations.outcomes.push('o'));
}

#[test]
fn back_is_the_first_good_operation_from_which_on_almost_all_are() {
    let columns = |outcomes| Columns {
        rate_per_s: 10,
        deadline_us: 1_000,
        first: 20,
        outcomes,
        latencies_us: &[5; 40],
    };
    let back = |outcomes, from_us| columns(outcomes).back_us(from_us, 9_000_000, 1_000_000);
    // Operation 20 is due at 2 s, then one every 100 ms.
    assert_eq!(back("ffooooooooooof", 0), Some(2_200_000));
    assert_eq!(back("ffoooooofooooooooooo", 0), Some(2_900_000));
    assert_eq!(back("oooooooooooooo", 2_350_000), Some(2_400_000));
    assert_eq!(back("ooooooooo", 0), None, "not seen for long enough");
    assert_eq!(back("oooooooooo", 0), Some(2_000_000));
    assert_eq!(back("ffffffffffffffffffff", 0), None);
}

#[test]
fn what_is_not_told_apart_has_the_shorter_timeout() {
    let mut record = complete();
    // The same threshold in two cells, and nothing else that differs.
    let cells = &mut swept(&mut record).cells;
    for (cell, timeout_s) in cells[3..].iter_mut().zip([120, 60, 90]) {
        cell.failure_threshold = 3;
        cell.recovery_timeout_us = timeout_s * 1_000_000;
    }
    for stretch in stretches(&mut record) {
        if let [.., a, b, c] = stretch.runs.as_mut_slice() {
            b.operations.clone_from(&a.operations);
            c.operations.clone_from(&a.operations);
        }
    }
    let findings = found_in(&judge(&record));
    assert_eq!(findings.recommended.unwrap().arm, "5/60s-active");
}
