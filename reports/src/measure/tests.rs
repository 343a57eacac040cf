use proptest::prelude::*;

use super::{injection::Measured, *};
use crate::{
    run::{BreakerState, Injection, Load, Outcome, Transition},
    synthetic::{Fault, HORIZON_US, RATE_PER_S, TIMES, Times, injection, load},
};

const MS: u64 = 1_000;

/// Served in 2 ms, but for `down` (milliseconds), where it fails in 1 ms.
fn outage(times: Times, down: std::ops::Range<u64>) -> Injection {
    injection(Fault::Refused, "seawall", times, |at| {
        if down.contains(&(at / MS)) {
            (Outcome::Rejected, MS)
        } else {
            (Outcome::Ok, 2 * MS)
        }
    })
}

fn measured(injection: &Injection) -> Measured {
    measure(&load(), HORIZON_US, injection)
}

fn at(after_us: u64) -> Option<Recovery> {
    Some(Recovery {
        after_us,
        censored: false,
    })
}

fn later_than(after_us: u64) -> Option<Recovery> {
    Some(Recovery {
        after_us,
        censored: true,
    })
}

#[test]
fn an_outage_is_measured_to_the_step() {
    let mut injection = outage(TIMES, 2_600..6_100);
    injection.breaker = [(0, BreakerState::Closed), (2_630, BreakerState::Open)]
        .map(|(ms, state)| Transition {
            at_us: ms * MS,
            state,
            reason: String::new(),
        })
        .to_vec();
    let m = measured(&injection);
    assert_eq!(m.recovery, at(600 * MS));
    assert_eq!(m.client_recovery, at(600 * MS));
    assert_eq!(m.detect_us, Some(130 * MS));
    // The first window that holds a failure starts just under 250 ms before it.
    assert_eq!(m.fail_fast_us, Some(0));
    assert!(!m.metastable);
    // Down for 3.5 s of the 6 s from the injection to the horizon.
    assert!((m.outage_equivalent_s.unwrap() - 3.5).abs() < 1e-9);
    assert!((m.availability.unwrap() - 2.5 / 6.0).abs() < 1e-9);
    assert_eq!(m.rejected_p99_us, Some(MS));
    assert_eq!(m.counts.of(Outcome::Rejected), 1_400);
    assert_eq!(m.counts.total(), 4_200);
    let baseline = m.baseline.unwrap();
    assert!((baseline.goodput_per_s - 400.0).abs() < 1e-9);
    assert_eq!((baseline.p99_us, baseline.error_rate), (2 * MS, 0.0));
    assert!((m.amplification.unwrap() - 2_820.0 / 4_200.0).abs() < 1e-9);
}

#[test]
fn a_rejection_is_timed_from_the_call_and_only_while_the_circuit_is_open() {
    let opens = 3_000 * MS;
    let mut injection = injection(Fault::Pause, "seawall", TIMES, |at| match at {
        // Kept waiting until the circuit opens.
        at if (2_500 * MS..opens).contains(&at) => (Outcome::Rejected, opens - at),
        // The generator was 12 ms late, and the answer came at once.
        at if (opens..5_500 * MS).contains(&at) => (Outcome::Rejected, 12 * MS),
        _ => (Outcome::Ok, 2 * MS),
    });
    injection.breaker = [(0, BreakerState::Closed), (opens, BreakerState::Open)]
        .map(|(at_us, state)| Transition {
            at_us,
            state,
            reason: String::new(),
        })
        .to_vec();
    assert_eq!(measured(&injection).rejected_p99_us, Some(12 * MS));
    injection.operations.lags_us.fill(12 * MS - 40);
    assert_eq!(measured(&injection).rejected_p99_us, Some(40));
    // Opened after the fault was asked for, but before the probe saw it.
    injection.requested_us = 2_400 * MS;
    injection.breaker[1].at_us = 2_450 * MS;
    assert_eq!(measured(&injection).detect_us, Some(0));
    injection.breaker.truncate(1);
    assert_eq!(measured(&injection).rejected_p99_us, None);
}

#[test]
fn without_an_outage_recovery_takes_no_time() {
    let m = measured(&outage(TIMES, 0..0));
    assert_eq!(m.recovery, at(0));
    assert_eq!(m.fail_fast_us, None);
    assert_eq!(m.outage_equivalent_s, Some(0.0));
    assert_eq!(m.availability, Some(1.0));
}

#[test]
fn what_never_comes_back_is_censored_and_metastable() {
    let m = measured(&outage(TIMES, 2_600..99_000));
    // The load went on for 5 s, of which the last 2 could not start a recovery.
    assert_eq!(m.recovery, later_than(3_000 * MS));
    assert!(m.metastable);
}

#[test]
fn a_recovery_too_late_to_last_is_censored_but_not_metastable() {
    let m = measured(&outage(TIMES, 2_600..9_000));
    assert_eq!(m.recovery, later_than(3_000 * MS));
    assert!(!m.metastable);
}

#[test]
fn a_relapse_within_two_seconds_is_not_a_recovery() {
    let relapse = injection(Fault::Refused, "bare", TIMES, |at| match at / MS {
        2_500..5_700 | 7_600..7_610 => (Outcome::Failed, MS),
        _ => (Outcome::Ok, MS),
    });
    assert_eq!(measured(&relapse).recovery, at(2_110 * MS));
}

#[test]
fn the_server_s_own_time_is_not_the_client_s() {
    let times = Times {
        ready: 6_000,
        ..TIMES
    };
    let m = measured(&outage(times, 2_600..6_100));
    assert_eq!(m.recovery, at(600 * MS));
    assert_eq!(m.client_recovery, at(100 * MS));
    let early = measured(&outage(times, 2_600..5_900));
    assert_eq!(early.client_recovery, at(0));
}

#[test]
fn slow_is_not_recovered_but_scheduling_noise_is() {
    let back_in = |us: u64| {
        measured(&injection(Fault::Latency, "bare", TIMES, |at| {
            match at / MS {
                0..2_500 => (Outcome::Ok, 1_000),
                2_500..5_500 => (Outcome::TimedOut, 250 * MS),
                _ => (Outcome::Ok, us),
            }
        }))
    };
    assert_eq!(back_in(RECOVERED_P99_FLOOR_US).recovery, at(0));
    let slow = back_in(RECOVERED_P99_FLOOR_US + 1);
    assert_eq!(slow.recovery, later_than(3_000 * MS));
    assert!(!slow.metastable, "goodput is back, if slowly");
}

#[test]
fn late_answers_are_not_goodput() {
    let deadline = load().deadline_us;
    let m = measured(&injection(Fault::Latency, "bare", TIMES, |at| {
        let late = (2_500..5_500).contains(&(at / MS));
        (
            Outcome::Ok,
            if late { deadline + 1 } else { deadline / 100 },
        )
    }));
    assert!((m.availability.unwrap() - 0.5).abs() < 1e-9);
    assert!((m.outage_equivalent_s.unwrap() - 3.0).abs() < 1e-9);
}

#[test]
fn what_was_not_sent_counts_as_failed_but_does_not_fail_fast() {
    let m = measured(&injection(Fault::Pause, "bare", TIMES, |at| {
        match at / MS {
            2_500..5_500 => (Outcome::NotSent, 0),
            _ => (Outcome::Ok, MS),
        }
    }));
    assert!((m.availability.unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(m.fail_fast_us, None);
}

#[test]
fn failing_fast_must_last_and_must_be_fast() {
    let slow_until = |ms: u64, latency_us: u64| {
        measured(&injection(
            Fault::Blackhole,
            "seawall",
            TIMES,
            |at| match at / MS {
                t if (2_500..ms).contains(&t) => (Outcome::TimedOut, 250 * MS),
                t if (ms..5_500).contains(&t) => (Outcome::Rejected, latency_us),
                _ => (Outcome::Ok, MS),
            },
        ))
        .fail_fast_us
    };
    assert_eq!(slow_until(3_000, FAIL_FAST_US), Some(500 * MS));
    assert_eq!(slow_until(3_000, FAIL_FAST_US + 1), None);
    assert_eq!(slow_until(4_000, 1), None, "1.5 s are not 2 s");
}

#[test]
fn an_injection_under_way_is_measured_as_far_as_it_got() {
    let whole = outage(TIMES, 2_600..6_100);
    let until = |ms: u64| {
        let mut part = whole.clone();
        let n = usize::try_from(ms * u64::from(RATE_PER_S) / 1_000).unwrap();
        part.operations.kinds.truncate(n);
        part.operations.outcomes.truncate(n);
        part.operations.latencies_us.truncate(n);
        part
    };
    let recovered = |ms| measured(&until(ms)).recovery.is_some_and(|r| !r.censored);
    assert!(!recovered(8_095));
    assert!(recovered(8_100));
    assert!(!recovered(1_000));
    assert_eq!(measured(&until(1_000)).availability, None);
    assert_eq!(measured(&until(0)).baseline, None);
}

/// The operations of an injection from one until before another.
fn part(injection: &Injection, range: std::ops::Range<u64>) -> crate::run::Operations {
    let whole = &injection.operations;
    let at = |n: u64| usize::try_from(n).unwrap().min(whole.latencies_us.len());
    let range = at(range.start)..at(range.end);
    crate::run::Operations {
        kinds: whole.kinds[range.clone()].to_owned(),
        outcomes: whole.outcomes[range.clone()].to_owned(),
        latencies_us: whole.latencies_us[range.clone()].to_vec(),
        lags_us: whole.lags_us[range].to_vec(),
        due_us: Vec::new(),
    }
}

fn watched(injection: &Injection) -> RecoveryWatch {
    let moments = Moments {
        steady_us: injection.steady_us,
        requested_us: injection.requested_us,
        cleared_us: injection.cleared_us,
    };
    let first = injection.steady_us * u64::from(RATE_PER_S) / 1_000_000;
    let until = injection.cleared_us * u64::from(RATE_PER_S) / 1_000_000;
    RecoveryWatch::new(&load(), moments, first, &part(injection, first..until))
}

proptest! {
    /// A load that is watched while it runs ends with the first operation that shows what
    /// a report will find in the whole of it.
    #[test]
    fn a_watch_sees_what_is_measured_as_soon_as_it_is_there(
        bad in proptest::collection::vec((0_u64..9_000, 1_u64..900, any::<bool>()), 0..6),
        step in 1_u64..400,
    ) {
        let injection = injection(Fault::Refused, "seawall", TIMES, |at| {
            let hit = bad.iter().find(|(from, ms, _)| (*from..from + ms).contains(&(at / MS)));
            match hit {
                Some((_, _, true)) => (Outcome::Ok, 100 * MS),
                Some((_, _, false)) => (Outcome::Failed, MS),
                None => (Outcome::Ok, 2 * MS),
            }
        });
        let n = injection.operations.latencies_us.len() as u64;
        let mut watch = watched(&injection);
        let mut seen = injection.cleared_us * u64::from(RATE_PER_S) / 1_000_000;
        while seen < n {
            seen = (seen + step).min(n);
            let before = watch.next();
            let found = watch.recovered(&part(&injection, before..seen));
            let mut so_far = injection.clone();
            so_far.operations = part(&injection, 0..seen);
            let expected = measured(&so_far).recovery.is_some_and(|r| !r.censored);
            prop_assert_eq!(found, expected, "{} of {}", seen, n);
            prop_assert!(watch.next() >= before);
        }
    }
}

#[test]
fn a_watch_has_done_with_what_it_has_seen() {
    let injection = outage(TIMES, 2_600..6_100);
    let mut watch = watched(&injection);
    let first = watch.next();
    assert_eq!(
        first,
        injection.cleared_us * u64::from(RATE_PER_S) / 1_000_000
    );
    assert!(!watch.recovered(&part(&injection, first..first + 400)));
    // Of the second that was seen, only the window that reaches beyond it is left.
    let left = first + 400 - watch.next();
    assert!(left <= u64::from(RATE_PER_S) / 4 + 4, "{left}");
}

#[test]
fn without_a_baseline_nothing_is_said_about_recovery() {
    let times = Times {
        steady: 2_400,
        ..TIMES
    };
    let m = measured(&outage(times, 2_600..6_100));
    assert_eq!((m.baseline, m.recovery), (None, None));
    assert_eq!(m.outage_equivalent_s, None);
    let dead = measured(&outage(TIMES, 0..99_000));
    assert_eq!((dead.baseline, dead.recovery), (None, None));
}

#[test]
fn steady_state_is_asked_for_in_four_ways() {
    let ask = |answer: &dyn Fn(u64) -> (Outcome, u64)| {
        let i = injection(Fault::Refused, "bare", TIMES, answer);
        steady(&load(), 0, &i.operations, 500 * MS..2_500 * MS)
    };
    let served = ask(&|_| (Outcome::Ok, 2 * MS)).unwrap();
    assert_eq!((served.ok_share, served.p99_us), (1.0, 2 * MS));
    let said = |answer: &dyn Fn(u64) -> (Outcome, u64)| ask(answer).unwrap_err().to_string();
    assert_eq!(
        said(&|at| (
            if at % (50 * MS) == 0 {
                Outcome::Failed
            } else {
                Outcome::Ok
            },
            MS
        )),
        "expected at least 99 % of operations ok within 250 ms, saw 95.0 %"
    );
    assert_eq!(
        said(&|at| (
            if (1_000 * MS..1_017 * MS).contains(&at) {
                Outcome::NotSent
            } else {
                Outcome::Ok
            },
            MS
        )),
        "expected goodput within 5 % of 400 op/s in every window of 250 ms, saw 372 op/s"
    );
    assert_eq!(
        said(&|_| (Outcome::Ok, 126 * MS)),
        "expected p99 latency of at most 125.0 ms, saw 126.0 ms"
    );
    let i = injection(Fault::Refused, "bare", TIMES, |_| (Outcome::Ok, MS));
    assert_eq!(
        steady(&load(), 0, &i.operations, 0..999 * MS),
        Err(NotSteady::TooShort { seen: 3 })
    );
    assert_eq!(
        steady(&load(), 0, &i.operations, 10_000 * MS..99_000 * MS),
        Err(NotSteady::TooShort { seen: 2 })
    );
}

/// The definition, read aloud: every start, every window, sorted latencies.
fn recovery_by_definition(load: &Load, i: &Injection) -> Option<Recovery> {
    let ops: Vec<(u64, Outcome, u64)> = i
        .operations
        .outcomes
        .chars()
        .zip(&i.operations.latencies_us)
        .enumerate()
        .map(|(n, (c, latency))| {
            let at = n as u64 * 1_000_000 / u64::from(load.rate_per_s);
            (at, Outcome::from_letter(c).unwrap(), *latency)
        })
        .collect();
    let look = |from: u64, until: u64| {
        let window: Vec<_> = ops
            .iter()
            .filter(|(at, ..)| (from..until).contains(at))
            .collect();
        let n = window.len() as f64;
        let good = window
            .iter()
            .filter(|(_, o, l)| *o == Outcome::Ok && *l <= load.deadline_us);
        let mut ok: Vec<u64> = window
            .iter()
            .filter(|(_, o, _)| *o == Outcome::Ok)
            .map(|(_, _, l)| *l)
            .collect();
        ok.sort_unstable();
        let p99 = (1..=ok.len()).find(|rank| *rank as f64 >= 0.99 * ok.len() as f64 - 1e-9);
        let p99 = p99.map(|rank| ok[rank - 1]);
        (good.count() as f64 / n, p99, 1.0 - ok.len() as f64 / n)
    };
    let mut shares: Vec<f64> = Vec::new();
    let mut start = i.steady_us;
    while start + WINDOW_US <= i.injected_us {
        shares.push(look(start, start + WINDOW_US).0);
        start += WINDOW_US;
    }
    shares.sort_by(f64::total_cmp);
    let n = shares.len();
    let g0 = f64::midpoint(shares[(n - 1) / 2], shares[n / 2]);
    let (_, p99, errors) = look(i.steady_us, i.injected_us);
    let limit = (p99? as f64 * 1.5).max(10_000.0);
    if g0 == 0.0 {
        return None;
    }
    let mut start = i.cleared_us;
    while start + 2_000_000 <= i.ended_us {
        let well = (0..8).all(|k| {
            let from = start + k * WINDOW_US;
            let (g, p99, e) = look(from, from + WINDOW_US);
            g >= 0.95 * g0 && p99.is_some_and(|p| p as f64 <= limit) && e <= errors + 0.001
        });
        if well {
            return at(start - i.cleared_us);
        }
        start += 10_000;
    }
    later_than(
        i.ended_us
            .saturating_sub(2_000_000)
            .saturating_sub(i.cleared_us),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn recovery_is_what_its_definition_says(
        seed in any::<u64>(),
        injected in 1_500_u64..2_500,
        length in 200_u64..1_500,
        after in 0_u64..2_000,
        tail in 0_u64..4_500,
        noise in prop::sample::select(vec![0, 1, 3, 20]),
    ) {
        let times = Times {
            steady: 300,
            injected,
            cleared: injected + length,
            ready: injected + length,
            ended: injected + length + tail,
        };
        let mut rng = fastrand::Rng::with_seed(seed);
        let i = injection(Fault::Reset, "bare", times, |at| {
            let down = (injected..injected + length + after).contains(&(at / MS));
            match rng.u32(0..1_000) {
                n if n < noise => (Outcome::Failed, 300),
                n if n < 2 * noise => (Outcome::Ok, 40 * MS),
                _ if down => (Outcome::ALL[rng.usize(1..6)], rng.u64(0..300_000)),
                _ => (Outcome::Ok, rng.u64(500..9_000)),
            }
        });
        let m = measured(&i);
        prop_assert_eq!(m.recovery, recovery_by_definition(&load(), &i));
        let sum: u64 = Outcome::ALL.iter().map(|o| m.counts.of(*o)).sum();
        prop_assert_eq!(sum, i.operations.latencies_us.len() as u64);
        prop_assert!(m.availability.is_none_or(|a| (0.0..=1.0).contains(&a)));
    }
}
