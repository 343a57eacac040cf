//! What a configuration promises of every injection, and what breaks the promise.

use super::*;
use crate::{
    experiments::failure_sim::{Counted, Unserved},
    run::{
        Attempts, Beside, BreakerState, Call, CallKind, Ended, Import, Injection, Outcome,
        SessionCount, Transition,
    },
};

/// The claim about `seawall`, where its injections were changed; they are counted from 0.
pub(super) fn changed(rounds: usize, id: &str, change: impl Fn(usize, &mut Injection)) -> Claim {
    let record = record_of(rounds, |arm, n, injection| {
        if arm == "seawall" {
            change(n, injection);
        }
    });
    judged(&record, "seawall", id)
}

pub(super) fn record_of(rounds: usize, change: impl Fn(&str, usize, &mut Injection)) -> Record {
    let mut record = synthetic::record(7, rounds, &["bare", "careful", "seawall"]);
    for (i, injection) in failures(&mut record).injections.iter_mut().enumerate() {
        change(&injection.arm.clone(), i / 3, injection);
    }
    record
}

pub(super) fn not_served(injection: &mut Injection) {
    injection.not_steady_after = Some("expected at least 99 % of operations ok".to_owned());
}

#[test]
fn one_injection_that_is_not_served_again_refutes_it_however_many_are() {
    for rounds in [1, 2, 10] {
        assert!(changed(rounds, "served-again", |_, _| {}).is(Decision::Holds));
        let refuted = changed(rounds, "served-again", |n, i| {
            if n == 1 {
                not_served(i);
            }
        });
        assert!(refuted.is(Decision::Refuted), "{rounds}: {refuted:?}");
        let reason = refuted.reason.unwrap();
        assert!(reason.contains("reset: expected at least 99 %"), "{reason}");
    }
}

#[test]
fn a_machine_that_is_too_slow_for_both_accuses_nobody_unless_goodput_stays_down() {
    let both = record_of(1, |arm, n, injection| {
        if arm != "bare" && n == 1 {
            not_served(injection);
        }
    });
    let claim = judged(&both, "seawall", "served-again");
    assert!(claim.is(Decision::Inconclusive), "{claim:?}");
    let held_down = doctored(&both, "seawall", "served-again", |arm, _, measured| {
        measured.metastable = arm == "seawall";
    });
    assert!(held_down.is(Decision::Refuted));
}

#[test]
fn an_import_that_does_not_go_on_is_not_served_again() {
    let with_behind = |before: usize, last: &str| {
        changed(1, "served-again", |n, injection| {
            let outcomes = format!("{}{last}", "o".repeat(before));
            let import = Import {
                strategy: "sequential".to_owned(),
                batch: 10,
                outcomes: if n == 2 { outcomes } else { "o".repeat(60) },
                ledger: None,
            };
            injection.beside = Some(Beside {
                imports: vec![import],
                ..Beside::default()
            });
        })
        .verdict
    };
    assert_eq!(
        with_behind(0, &"u".repeat(10)),
        Decision::Refuted,
        "the first"
    );
    let with = |last: &str| with_behind(40, last);
    assert_eq!(with(&"o".repeat(20)), Decision::Holds);
    assert_eq!(with(&"f".repeat(10)), Decision::Holds, "one was refused");
    assert_eq!(with(&"f".repeat(20)), Decision::Refuted);
    assert_eq!(
        with(&"u".repeat(10)),
        Decision::Refuted,
        "the last one hangs"
    );
}

#[test]
fn a_recovery_that_never_comes_refutes_its_kind_alone() {
    let record = complete();
    let of = |after_us, censored, kind: &str| {
        let id = format!("recovery-{kind}");
        doctored(&record, "seawall", &id, |arm, n, measured| {
            if arm == "seawall" && n / 3 == 2 {
                measured.client_recovery = Some(Recovery { after_us, censored });
                measured.metastable = censored && after_us > 1_000 * MS;
                let cost_s = if after_us > 3_000 * MS { 9.0 } else { 2.0 };
                measured.unavailable_s = Some(cost_s);
            }
        })
    };
    assert!(of(900 * MS, false, "blackhole").is(Decision::Holds));
    let late = of(1_500 * MS, false, "blackhole");
    assert!(late.is(Decision::Inconclusive), "one may be the machine's");
    assert!(of(3_500 * MS, false, "blackhole").is(Decision::Refuted));
    let never = of(3_000 * MS, true, "blackhole");
    assert!(never.is(Decision::Refuted), "{never:?}");
    assert_eq!((never.censored, never.at_least), (1, Some(3.0)));
    // Nobody watched for as long as the band is.
    assert!(of(800 * MS, true, "blackhole").is(Decision::Inconclusive));
    assert!(of(3_000 * MS, true, "crash").is(Decision::Holds));
    // Served, and slower than before: late, and no more than that is known.
    let slower = doctored(
        &record,
        "seawall",
        "recovery-blackhole",
        |arm, n, measured| {
            if arm == "seawall" && n / 3 == 2 {
                measured.client_recovery = Some(Recovery {
                    after_us: 3_000 * MS,
                    censored: true,
                });
            }
        },
    );
    assert!(slower.is(Decision::Inconclusive), "{slower:?}");
}

#[test]
fn a_breaker_that_waits_for_its_timeout_is_judged_by_it() {
    let record = synthetic::record(7, 1, &["careful", "guide"]);
    let claim = judged(&record, "guide", "recovery-blackhole");
    assert_eq!(claim.band_high, Some(61.0));
    assert!(!claim.gating);
    let never = doctored(&record, "guide", "recovery-blackhole", |_, _, measured| {
        measured.client_recovery = Some(Recovery {
            after_us: 5_000 * MS,
            censored: true,
        });
    });
    assert!(never.is(Decision::Inconclusive), "it was watched for 5 s");
}

fn opened(injection: &mut Injection, later_us: u64) {
    for transition in &mut injection.breaker {
        if transition.state == BreakerState::Open {
            transition.at_us += later_us;
            return;
        }
    }
}

#[test]
fn a_circuit_that_opens_at_ten_times_its_threshold_is_late_in_every_kind() {
    assert!(changed(1, "detect", |_, _| {}).is(Decision::Holds));
    // Forty-five failures more, at 400 a second.
    let late = changed(1, "detect", |_, i| opened(i, 113 * MS));
    assert!(late.is(Decision::Refuted), "{late:?}");
    let once = changed(1, "detect", |n, i| {
        if n == 3 {
            opened(i, 113 * MS);
        }
    });
    assert!(once.is(Decision::Inconclusive));
    let never = changed(1, "detect-pause", |n, i| {
        if n == 5 {
            i.breaker.truncate(1);
        }
    });
    assert!(never.is(Decision::Refuted), "{never:?}");
}

#[test]
fn a_fault_that_nobody_fails_under_does_not_have_to_be_detected() {
    let claim = changed(1, "detect", |n, injection| {
        if n == 3 {
            injection.operations.outcomes = "o".repeat(injection.operations.outcomes.len());
            injection.breaker.truncate(1);
        }
    });
    assert!(claim.is(Decision::Holds), "{claim:?}");
}

#[test]
fn a_circuit_that_opens_without_a_fault_is_a_false_alarm() {
    let open_at = |at: fn(&Injection) -> u64, times: u64| {
        changed(1, "no-false-alarm", |n, injection| {
            for i in 0..if n == 4 { times } else { 0 } {
                let transition = Transition {
                    at_us: at(injection) + i,
                    state: BreakerState::Open,
                    reason: "5 failures in a row".to_owned(),
                };
                injection.breaker.push(transition);
            }
        })
        .verdict
    };
    assert_eq!(open_at(|i| i.requested_us - 9_000, 2), Decision::Refuted);
    assert_eq!(open_at(|i| i.ready_us + 2_000_000, 2), Decision::Refuted);
    assert_eq!(
        open_at(|i| i.ready_us + 2_000_000, 1),
        Decision::Inconclusive
    );
    assert_eq!(
        open_at(|i| i.cleared_us, 2),
        Decision::Holds,
        "its aftermath"
    );
}

#[test]
fn an_arm_that_is_not_served_without_a_fault_is_named() {
    let mut record = complete();
    let data = failures(&mut record);
    data.injections.clear();
    data.unserved.push(Unserved {
        arm: "seawall".to_owned(),
        reason: "expected at least 99 %, saw 40 %".to_owned(),
        opened: 7,
    });
    let before = judged(&record, "seawall", "served-before");
    assert!(before.is(Decision::Refuted) && before.gating);
    let alarm = judged(&record, "seawall", "no-false-alarm");
    assert!(alarm.is(Decision::Refuted), "{alarm:?}");
    assert_eq!(crate::judge(&record).verdict.exit_code, 1);
}

/// Five calls of the second pool fail after its circuit has closed, each so long after it began.
fn dead_connections(of: &str, kind: &str, us: u64, when: fn(&Injection) -> u64) -> Decision {
    let mut record = record_of(1, |arm, n, injection| {
        if (arm == "seawall" || arm == of) && n == 2 {
            let call = Call {
                what: CallKind::Quiet,
                at_us: when(injection),
                latency_us: us,
                outcome: Outcome::Failed,
            };
            injection.beside = Some(Beside {
                calls: vec![call; 5],
                quiet_breaker: injection.breaker.clone(),
                ..Beside::default()
            });
        }
    });
    for step in record.run.schedule.iter_mut().flat_map(|p| &mut p.faults) {
        kind.clone_into(&mut step.kind);
    }
    judged(&record, "seawall", "fresh-connections").verdict
}

#[test]
fn who_is_handed_a_dead_connection_after_the_fault_refutes_it() {
    let after = |i: &Injection| i.ready_us + 1_000_000;
    let during = |i: &Injection| i.injected_us;
    let of_blackhole = |of, when| dead_connections(of, "blackhole", 250 * MS, when);
    assert_eq!(of_blackhole("", after), Decision::Refuted);
    assert_eq!(of_blackhole("", during), Decision::Holds);
    // The careful pool's calls failed then as well: it is the machine.
    assert_eq!(of_blackhole("careful", after), Decision::Inconclusive);
    // It would have failed at once: the session is over, and nobody has to wait to see it.
    let of_crash = |us| dead_connections("", "crash", us, after);
    assert_eq!(of_crash(5 * MS), Decision::Refuted);
    assert_eq!(of_crash(500 * MS), Decision::Holds);
}

#[test]
fn who_waits_is_told_in_time_and_refused_when_the_circuit_opens() {
    let slowest = |us: u64| {
        changed(1, "in-time", |n, injection| {
            if n == 2 {
                injection.operations.latencies_us[0] = us;
            }
        })
        .verdict
    };
    // Two waits of 0.25 s, and what a busy machine adds.
    assert_eq!(slowest(640 * MS), Decision::Holds);
    assert_eq!(slowest(750 * MS), Decision::Inconclusive);
    assert_eq!(slowest(1_600 * MS), Decision::Refuted);
    let waiting = |us: u64| {
        changed(1, "waiters-refused", |_, injection| {
            let open_us = injection.breaker[1].at_us;
            let rate = u64::from(synthetic::RATE_PER_S);
            for back in 1..20 {
                let i = usize::try_from(open_us * rate / 1_000_000 - back).unwrap();
                injection.operations.outcomes.replace_range(i..=i, "r");
                injection.operations.latencies_us[i] = us;
            }
        })
        .verdict
    };
    assert_eq!(waiting(60 * MS), Decision::Holds);
    assert_eq!(waiting(250 * MS), Decision::Refuted);
}

#[test]
fn attempts_and_sessions_are_bounded() {
    let tried = |connects| {
        changed(1, "attempts", |n, injection| {
            if n == 0 {
                injection.attempts_down = Some(Attempts {
                    statements: 9,
                    connects,
                });
            }
        })
        .verdict
    };
    assert_eq!(tried(40), Decision::Holds);
    assert_eq!(tried(300), Decision::Inconclusive);
    assert_eq!(tried(700), Decision::Refuted);
    let too_many = |sessions, times: usize, at: fn(&Injection) -> u64| {
        changed(1, "connections", |n, injection| {
            if n == 4 {
                let at_us = at(injection);
                let more = vec![
                    SessionCount {
                        at_us,
                        sessions,
                        orphans: 0
                    };
                    times
                ];
                injection.sessions.extend(more);
            }
        })
        .verdict
    };
    assert_eq!(too_many(17, 90, |i| i.steady_us), Decision::Refuted);
    assert_eq!(too_many(17, 3, |i| i.steady_us), Decision::Inconclusive);
    assert_eq!(too_many(32, 3, |i| i.cleared_us), Decision::Holds);
    assert_eq!(too_many(33, 1, |i| i.cleared_us), Decision::Refuted);
    let unknown = changed(1, "connections", |_, i| i.sessions.clear());
    assert!(unknown.is(Decision::Inconclusive));
}

#[test]
fn imports_are_part_of_what_may_not_be_lost() {
    let lost = changed(1, "no-loss", |n, injection| {
        if n == 0 {
            let ledger = Ledger {
                sent: 60,
                acked: 60,
                committed: 59,
                lost: 1,
                ..Ledger::default()
            };
            injection.beside = Some(Beside {
                imports: vec![Import {
                    strategy: "parallel".to_owned(),
                    batch: 10,
                    outcomes: "o".repeat(60),
                    ledger: Some(ledger),
                }],
                ..Beside::default()
            });
        }
    });
    assert!(lost.is(Decision::Refuted));
    let unread = changed(1, "no-loss", |_, injection| {
        injection.beside = Some(Beside {
            imports: vec![Import {
                strategy: "parallel".to_owned(),
                batch: 10,
                outcomes: "o".to_owned(),
                ledger: None,
            }],
            ..Beside::default()
        });
    });
    assert!(unread.is(Decision::Inconclusive));
}

#[test]
fn a_run_that_the_user_ended_accuses_nobody() {
    let mut record = complete();
    let data = failures(&mut record);
    data.injections.truncate(9);
    for injection in data.injections.iter_mut().skip(6) {
        not_served(injection);
        injection.operations.outcomes = injection.operations.outcomes.replace('o', "t");
    }
    record.run.ended = Ended::Interrupted;
    for claim in claims(&record, |_, _, _| {}) {
        assert!(!claim.is(Decision::Refuted), "{claim:?}");
    }
    let Some(plot) = crate::injections::summary(&injected(
        &record.run,
        failures(&mut record.clone()),
        &FailureSim::find(&record.run, failures(&mut record.clone())),
    )) else {
        panic!("two faults were watched to their end");
    };
    assert!(!plot.title.contains("blackhole"), "{}", plot.title);
}

#[test]
fn a_query_that_costs_more_than_with_the_careful_pool_is_named() {
    let with = |id: &str, us: u64, bytes: u64| {
        let mut record = complete();
        let mut resident = 32 << 20;
        for window in &mut failures(&mut record).windows {
            if window.arm == "seawall" {
                window.p50_us += us;
                window.p99_us += us;
                window.cpu_us += us * window.queries;
                resident += bytes * window.queries;
            }
            window.resident_bytes = resident;
        }
        judged(&record, "seawall", id).verdict
    };
    for id in ["overhead-p50", "overhead-p99", "overhead-cpu"] {
        assert_eq!(with(id, 0, 0), Decision::Holds, "{id}");
        assert_eq!(with(id, 200, 0), Decision::Refuted, "{id}");
    }
    assert_eq!(with("memory", 0, 32), Decision::Holds);
    assert_eq!(with("memory", 0, 256), Decision::Refuted);
    let mut without = complete();
    failures(&mut without)
        .windows
        .retain(|w| w.arm == "seawall");
    let claim = judged(&without, "seawall", "overhead-p50");
    assert!(claim.is(Decision::Inconclusive), "nothing to compare with");
}

#[test]
fn what_fails_while_nothing_is_wrong_and_what_nobody_stops_is_named() {
    let failing = |times: usize| {
        changed(1, "no-failure", |n, injection| {
            if n == 3 {
                let first = usize::try_from(injection.steady_us * 400 / 1_000_000).unwrap() + 5;
                for i in first..first + times {
                    injection.operations.outcomes.replace_range(i..=i, "f");
                }
            }
        })
        .verdict
    };
    assert_eq!(failing(0), Decision::Holds);
    assert_eq!(failing(1), Decision::Inconclusive);
    assert_eq!(failing(6), Decision::Refuted);
    let orphaned = |times: usize, at: fn(&Injection) -> u64| {
        changed(1, "stopped", |n, injection| {
            if n == 3 {
                let at_us = at(injection);
                let orphans = SessionCount {
                    at_us,
                    sessions: 3,
                    orphans: 1,
                };
                injection.sessions.extend(vec![orphans; times]);
            }
        })
        .verdict
    };
    assert_eq!(orphaned(90, |i| i.steady_us), Decision::Refuted);
    assert_eq!(orphaned(3, |i| i.steady_us), Decision::Inconclusive);
    assert_eq!(orphaned(9, |i| i.cleared_us), Decision::Holds);
}

#[test]
fn metrics_are_compared_with_what_happened_one_by_one() {
    let with = |change: &dyn Fn(&mut Counted)| {
        let mut record = complete();
        let windows = failures(&mut record).windows.iter_mut();
        let mut counted = windows.filter_map(|window| window.counted.as_mut());
        change(counted.nth(3).unwrap());
        judged(&record, "seawall", "metrics")
    };
    assert!(with(&|_| {}).is(Decision::Holds));
    let once = with(&|counted| counted.queries.metrics += 1);
    assert!(once.is(Decision::Refuted));
    assert!(once.reason.unwrap().contains("queries were counted"));
    assert!(with(&|counted| counted.errors.metrics = 0).is(Decision::Refuted));
    assert!(with(&|counted| counted.timed.metrics -= 1).is(Decision::Refuted));
    assert!(with(&|counted| counted.piped.metrics = 1).is(Decision::Refuted));
    assert!(with(&|counted| counted.took_us.metrics /= 10).is(Decision::Refuted));
    let longer = |counted: &mut Counted| counted.took_us.metrics = counted.took_us.known + 1;
    assert!(with(&longer).is(Decision::Refuted));
    let mut unread = complete();
    for window in &mut failures(&mut unread).windows {
        window.counted = None;
    }
    assert!(judged(&unread, "seawall", "metrics").is(Decision::Inconclusive));
}
