//! What is seen once is not made up for, and what was not seen is not taken for well.

use super::{
    promises::{changed, not_served, record_of},
    *,
};
use crate::run::{Attempts, Beside, Import, Injection, Mix, Outcome};

fn found<'a>(claims: &'a [Claim], id: &str) -> Option<&'a Claim> {
    claims.iter().find(|c| c.arm == "seawall" && c.id == id)
}

fn import(ledger: Option<Ledger>) -> Import {
    Import {
        strategy: "parallel".to_owned(),
        batch: 10,
        outcomes: "o".repeat(60),
        ledger,
    }
}

fn beside(imports: Vec<Import>) -> Option<Beside> {
    Some(Beside {
        imports,
        ..Beside::default()
    })
}

type Violation<'a> = &'a dyn Fn(&mut Injection);

/// What one injection did, in whatever claim: no other that goes well makes it hold.
#[test]
fn injections_that_go_well_never_turn_a_violation_into_a_pass() {
    let fails = |injection: &mut Injection, from_us: u64, n: usize| {
        let i = usize::try_from(from_us * 400 / 1_000_000).unwrap() + 1;
        let letters = Outcome::Failed.letter().to_string().repeat(n);
        injection
            .operations
            .outcomes
            .replace_range(i..i + n, &letters);
    };
    let violations: [(&str, Violation<'_>); 6] = [
        ("served-again", &not_served),
        ("no-failure", &|i| fails(i, i.steady_us, 20)),
        ("fresh-connections", &|i| fails(i, i.ready_us + 900_000, 20)),
        ("attempts", &|i| {
            i.attempts_down = Some(Attempts {
                statements: 9,
                connects: 9_000,
            });
        }),
        ("no-loss", &|i| {
            let ledger = i.ledger.as_mut().unwrap();
            ledger.lost = 1;
            ledger.committed -= 1;
        }),
        ("in-time", &|i| i.operations.latencies_us[900] = 30_000_000),
    ];
    for (id, violation) in violations {
        for rounds in [1, 2, 10] {
            let claim = changed(rounds, id, |n, injection| {
                if n == 0 {
                    violation(injection);
                }
            });
            assert!(claim.is(Decision::Refuted), "{rounds} rounds: {claim:?}");
        }
    }
}

/// Where the careful pool's callers wait as well, long after the fault, it is the machine.
#[test]
fn a_machine_that_is_too_slow_for_both_accuses_neither() {
    let late = |careful_ms: u64| {
        let record = record_of(1, |arm, n, injection| {
            if n > 0 {
                return;
            }
            let later = (injection.ready_us + 600_000) * 400 / 1_000_000;
            let later = usize::try_from(later).unwrap();
            match arm {
                "careful" => {
                    injection.operations.latencies_us[later..later + 320].fill(careful_ms * MS);
                }
                "seawall" => {
                    let failed = Outcome::TimedOut.letter().to_string().repeat(20);
                    let outcomes = &mut injection.operations.outcomes;
                    outcomes.replace_range(later..later + 20, &failed);
                    not_served(injection);
                }
                _ => {}
            }
        });
        let ids = ["fresh-connections", "served-again", "recovery-refused"];
        ids.map(|id| {
            let claim = doctored(&record, "seawall", id, |arm, n, measured| {
                if arm == "seawall" && n < 3 {
                    measured.client_recovery = Some(Recovery {
                        after_us: 5_000 * MS,
                        censored: true,
                    });
                }
            });
            claim.verdict
        })
    };
    assert_eq!(late(5), [Decision::Refuted; 3]);
    assert_eq!(late(40), [Decision::Inconclusive; 3]);
}

/// A second run on the same processors once made a query of the engine's look dearer than the
/// careful pool's two: the system had put all of the one on two processors, and of the other on
/// one.
#[test]
fn a_cost_is_told_from_where_the_system_runs_a_client() {
    let with = |bare_times: u64| {
        let mut record = complete();
        for window in &mut failures(&mut record).windows {
            match &*window.arm {
                "seawall" => window.p50_us *= 3,
                "bare" if window.round % 2 == 0 => window.p50_us *= bare_times,
                _ => {}
            }
        }
        judged(&record, "seawall", "overhead-p50").verdict
    };
    assert_eq!(with(1), Decision::Refuted);
    assert_eq!(with(4), Decision::Inconclusive);
}

#[test]
fn a_loss_that_was_seen_counts_although_something_else_could_not_be_read() {
    let lost = Ledger {
        sent: 60,
        acked: 60,
        committed: 59,
        lost: 1,
        ..Ledger::default()
    };
    for imports in [
        vec![import(Some(lost)), import(None)],
        vec![import(None), import(Some(lost))],
    ] {
        let record = record_of(1, |arm, n, injection| {
            if arm == "seawall" && n == 0 {
                injection.beside = beside(imports.clone());
            }
        });
        let claim = judged(&record, "seawall", "no-loss");
        assert!(claim.is(Decision::Refuted), "{claim:?}");
        assert_eq!(crate::judge(&record).verdict.ledger.lost, 1);
    }
}

/// Of what is brought in one by one, the last one tells whether it goes on.
#[test]
fn a_write_that_hangs_is_not_served_again() {
    let ending = |last: &str| {
        changed(1, "served-again", |_, injection| {
            injection.beside = beside(vec![Import {
                batch: 1,
                outcomes: format!("{}{last}", "o".repeat(40)),
                ..import(None)
            }]);
        })
        .verdict
    };
    assert_eq!(ending("uo"), Decision::Holds, "one was in doubt");
    assert_eq!(ending("u"), Decision::Refuted);
}

/// Statements count as connections do: what comes at the pace of before until the circuit has
/// to be open, and nothing from then on.
#[test]
fn statements_while_the_server_is_down_are_bounded_by_the_pace_of_before() {
    let sending = |statements| {
        changed(1, "attempts", |n, injection| {
            // 400 a second but for the three seconds of the fault.
            let up_us = injection.ended_us - (injection.cleared_us - injection.injected_us);
            injection.attempts.statements = up_us * 400 / 1_000_000 + statements;
            injection.attempts_down = Some(Attempts {
                statements: if n == 0 { statements } else { 0 },
                connects: 9,
            });
        })
        .verdict
    };
    // A deadline of 0.25 s and five arrivals at 400 a second, and the 32 of the connections.
    assert_eq!(sending(130), Decision::Holds);
    assert_eq!(sending(150), Decision::Inconclusive);
    assert_eq!(sending(300), Decision::Refuted);
}

/// One stop of the runner once took back whatever had been seen before it.
#[test]
fn what_the_generator_did_excuses_its_own_injection_only() {
    let with = |not_served_in: usize| {
        changed(1, "served-again", |n, injection| {
            if n == 3 {
                injection.operations.lags_us[1_200] = 2_900 * MS;
            }
            if n == not_served_in {
                not_served(injection);
            }
        })
        .verdict
    };
    assert_eq!(with(0), Decision::Refuted);
    assert_eq!(with(3), Decision::Inconclusive);
    assert_eq!(with(99), Decision::Inconclusive);
}

#[test]
fn queries_that_fail_one_at_a_time_are_no_matter_of_their_cost() {
    let with = |ours: u64, careful: u64| {
        let mut record = complete();
        for window in &mut failures(&mut record).windows {
            let failed = match &*window.arm {
                "seawall" => ours,
                "careful" => careful,
                _ => 0,
            };
            window.failed = failed;
            window.counted = window.counted.filter(|_| failed == 0);
        }
        let of = |id| judged(&record, "seawall", id).verdict;
        (of("no-failure"), of("metrics"))
    };
    use Decision::{Holds, Inconclusive, Refuted};
    assert_eq!(with(0, 0), (Holds, Holds));
    assert_eq!(with(1, 0), (Refuted, Inconclusive));
    assert_eq!(with(1, 1), (Inconclusive, Inconclusive));
    let mut record = complete();
    let windows = &mut failures(&mut record).windows;
    let one = windows.iter_mut().find(|w| w.arm == "seawall").unwrap();
    (one.failed, one.counted) = (1, None);
    assert!(judged(&record, "seawall", "no-failure").is(Inconclusive));
    assert!(judged(&record, "seawall", "metrics").is(Inconclusive));
}

#[test]
fn a_wrong_answer_while_nothing_is_wrong_counts_as_well() {
    let mut record = complete();
    let stale = Ledger {
        reads: 900,
        stale_reads: 1,
        ..Ledger::default()
    };
    failures(&mut record).window_answers = vec![("careful".to_owned(), stale)];
    assert!(judged(&record, "seawall", "no-loss").is(Decision::Holds));
    failures(&mut record).window_answers = vec![("seawall".to_owned(), stale)];
    assert!(judged(&record, "seawall", "no-loss").is(Decision::Refuted));
}

#[test]
fn what_a_run_did_not_ask_is_not_claimed() {
    // A server that answers some is not down: who is thrown out may come in again.
    let record = record_of(1, |_, _, injection| {
        let in_fault = (injection.injected_us + 400_000) * 400 / 1_000_000;
        let i = usize::try_from(in_fault).unwrap();
        injection.operations.outcomes.replace_range(i..=i, "o");
        injection.attempts_down = Some(Attempts {
            statements: 9,
            connects: 700,
        });
    });
    let all = claims(&record, |_, _, _| {});
    assert!(found(&all, "attempts").is_none());
    assert!(
        found(&all, "detect").is_none(),
        "its errors may be the callers' own"
    );
    assert!(found(&all, "fresh-connections").is_some());
    // Nobody asks the server for its sessions, if nothing runs beside the load.
    let mut record = complete();
    failures(&mut record).load.mix = Mix::default();
    let all = claims(&record, |_, _, _| {});
    assert!(found(&all, "connections").is_none() && found(&all, "stopped").is_none());
    // No circuit opened.
    let record = record_of(1, |_, _, injection| {
        injection.breaker.truncate(1);
        injection.operations.outcomes = "o".repeat(injection.operations.outcomes.len());
    });
    let all = claims(&record, |_, _, _| {});
    for id in [
        "fresh-connections",
        "waiters-refused",
        "detect",
        "fail-fast",
    ] {
        assert!(found(&all, id).is_none(), "{id}");
    }
}
