//! The whole breaker, as callers meet it.

mod changes;
mod model;

use std::time::Duration;

use super::*;
use crate::clock;

fn breaker(config: Config) -> Breaker {
    Breaker::with_rng(config, fastrand::Rng::with_seed(1))
}

fn one_strike() -> Config {
    Config {
        failure_threshold: Some(1),
        recovery_timeout: Duration::from_secs(1),
        half_open_permits: 1,
        success_threshold: 1,
        ..Config::default()
    }
}

fn fail(breaker: &Breaker) -> Option<State> {
    let now = clock::now();
    breaker.admit(now).ok()?.record(CallOutcome::Failure, now)
}

fn succeed(breaker: &Breaker) -> Option<State> {
    let now = clock::now();
    breaker.admit(now).ok()?.record(CallOutcome::Success, now)
}

async fn after(seconds: f64) {
    tokio::time::advance(Duration::from_secs_f64(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_permit_gives_half_open_its_place_back() {
    let breaker = breaker(one_strike());
    assert_eq!(fail(&breaker), Some(State::Open));
    after(1.0).await;
    let first = breaker.admit(clock::now());
    assert!(first.is_ok());
    assert!(breaker.admit(clock::now()).is_err(), "one permit only");
    drop(first);
    assert_eq!(breaker.state(), State::HalfOpen, "neutral is not success");
    assert_eq!(succeed(&breaker), Some(State::Closed), "the place is free");
}

/// Defect 10: half-open wedged for ever after cancelled probes, or when more
/// successes were asked for than there were permits.
#[tokio::test(start_paused = true)]
async fn half_open_is_never_wedged() {
    let breaker = breaker(Config {
        half_open_permits: 1,
        success_threshold: 3,
        half_open_lease: Duration::from_secs(5),
        recovery_multiplier: 1.0,
        recovery_jitter: Jitter {
            first: 0.0,
            again: 0.0,
        },
        ..one_strike()
    });
    fail(&breaker);
    after(1.0).await;
    for left in [2, 1, 0] {
        let closed = succeed(&breaker);
        assert_eq!(closed.is_some(), left == 0, "one permit, three times");
    }
    fail(&breaker);
    after(1.0).await;
    let leaked = breaker.admit(clock::now());
    std::mem::forget(leaked);
    assert!(breaker.admit(clock::now()).is_err());
    after(5.0).await;
    assert!(
        breaker.admit(clock::now()).is_err(),
        "the lease is over: open"
    );
    after(1.0).await;
    assert!(breaker.admit(clock::now()).is_ok(), "and asks again");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_open_wakes_on_the_trip() {
    let breaker = breaker(one_strike());
    let waiting = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.opened().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    fail(&breaker);
    assert_eq!(waiting.await.expect("woken"), 1);
}

/// Defect 11: calls that were begun before the trip closed it without a probe.
#[tokio::test(start_paused = true)]
async fn what_was_begun_before_the_trip_decides_nothing() {
    let breaker = breaker(one_strike());
    let now = clock::now();
    let permits: Vec<_> = (0..5).filter_map(|_| breaker.admit(now).ok()).collect();
    let changes: Vec<_> = permits
        .into_iter()
        .filter_map(|permit| permit.record(CallOutcome::Failure, now))
        .collect();
    assert_eq!(changes, [State::Open], "one wins");
    assert_eq!(breaker.stale_outcomes(), 4);
    after(1.0).await;
    let before = breaker.admit(clock::now()).expect("half-open");
    drop(before);
    breaker.force_close();
    let late = breaker.admit(clock::now()).expect("closed");
    fail(&breaker);
    after(1.0).await;
    let probe = breaker.admit(clock::now()).expect("half-open");
    assert_eq!(late.record(CallOutcome::Success, clock::now()), None);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(
        probe.record(CallOutcome::Success, clock::now()),
        Some(State::Closed)
    );
}

/// Defect 6 and pitfall: a threshold of three opened only after ten calls.
#[tokio::test(start_paused = true)]
async fn a_threshold_of_three_opens_at_the_third_failure_of_a_fresh_breaker() {
    let breaker = breaker(Config {
        failure_threshold: Some(3),
        ..Config::default()
    });
    assert_eq!([fail(&breaker), fail(&breaker)], [None, None]);
    assert_eq!(fail(&breaker), Some(State::Open));
    let opened = breaker.history_since(0)[0];
    assert_eq!(opened.reason, Reason::ConsecutiveFailures(3));
    assert_eq!(opened.evidence.span.failed, 3);
}

/// Once ten that had waited for a lock, and were given up at one moment, opened the circuit
/// for two hundred a second that were served.
#[tokio::test(start_paused = true)]
async fn failures_of_one_moment_are_in_no_row_while_others_are_served() {
    for threads_apart in [false, true] {
        let breaker = breaker(Config::default());
        let began = clock::now();
        let waits: Vec<_> = (0..10).filter_map(|_| breaker.admit(began).ok()).collect();
        for _ in 0..1_000 {
            after(0.005).await;
            succeed(&breaker);
        }
        after(0.003).await;
        if threads_apart {
            let other = breaker.clone();
            std::thread::spawn(move || succeed(&other))
                .join()
                .expect("no panic");
            after(0.003).await;
        }
        let ended = clock::now();
        for wait in waits {
            assert_eq!(wait.record(CallOutcome::Failure, ended), None);
        }
        assert_eq!(breaker.state(), State::Closed);
    }
}

/// A server that stops: calls that began before the last answer are as good a sign as those
/// that began after it.
#[tokio::test(start_paused = true)]
async fn a_server_that_stops_is_found_by_the_calls_that_were_under_way() {
    let breaker = breaker(Config::default());
    for _ in 0..100 {
        after(0.005).await;
        succeed(&breaker);
    }
    let began = clock::now();
    let hang: Vec<_> = (0..5).filter_map(|_| breaker.admit(began).ok()).collect();
    after(0.005).await;
    succeed(&breaker);
    after(5.0).await;
    let ended = clock::now();
    let opened: Vec<_> = hang
        .into_iter()
        .filter_map(|call| call.record(CallOutcome::Failure, ended))
        .collect();
    assert_eq!(opened, [State::Open]);
}

/// Those that fail at once are in a row whatever was served a moment before.
#[tokio::test(start_paused = true)]
async fn failures_at_once_are_a_row_behind_the_last_success() {
    let breaker = breaker(Config::default());
    succeed(&breaker);
    for n in 1..=5 {
        let began = clock::now();
        let call = breaker.admit(began).expect("closed");
        after(0.001).await;
        let changed = call.record(CallOutcome::Failure, clock::now());
        assert_eq!(changed.is_some(), n == 5, "{n}");
    }
}

/// The guide's rollback.
#[tokio::test(start_paused = true)]
async fn switched_off_it_never_opens() {
    let off = breaker(Config {
        failure_threshold: Some(999_999),
        failure_rate: None,
        ..Config::default()
    });
    assert!((0..20_000).all(|_| fail(&off).is_none()));
}

/// Defect 9: failures from before the outage opened it again at once.
#[tokio::test(start_paused = true)]
async fn the_window_is_cleared_on_close_and_what_tripped_it_is_kept() {
    let breaker = breaker(Config {
        failure_threshold: None,
        count_window: Some(100),
        minimum_calls: 10,
        ..Config::default()
    });
    let now = clock::now();
    let cause = Cause {
        class: "timeout",
        code: Some(*b"57014"),
        decisive: false,
    };
    let mut opened = None;
    for _ in 0..10 {
        opened = opened.or(breaker.admit(now).expect("closed").fail(cause, now));
    }
    assert_eq!(opened, Some(State::Open));
    let trip = breaker.history_since(0)[0];
    let ten = Counts {
        failed: 10,
        ..Counts::default()
    };
    assert_eq!(trip.reason, Reason::FailureRate(ten));
    assert_eq!(trip.evidence.last, Some(ten));
    assert!(trip.evidence.causes.iter().all(|kept| *kept == Some(cause)));
    assert_eq!(cause.to_string(), "timeout (57014)");
    breaker.probe_answered(1, now);
    assert_eq!(breaker.state(), State::Closed);
    succeed(&breaker);
    assert!((0..8).all(|_| fail(&breaker).is_none()), "nine calls");
    assert_eq!(fail(&breaker), Some(State::Open), "the tenth");
}

/// Defect 12: backoff and jitter changed only what was reported.
#[tokio::test(start_paused = true)]
async fn the_wait_that_was_drawn_is_the_wait() {
    let breaker = breaker(Config {
        recovery_jitter: Jitter {
            first: 0.0,
            again: 0.5,
        },
        ..one_strike()
    });
    fail(&breaker);
    for _ in 0..20 {
        let refused = breaker.admit(clock::now()).expect_err("open");
        let wait = refused.retry_after;
        tokio::time::advance(wait - Duration::from_millis(1)).await;
        assert!(
            breaker.admit(clock::now()).is_err(),
            "a moment before {wait:?}"
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        let probe = breaker.admit(clock::now()).expect("after it");
        probe.record(CallOutcome::Failure, clock::now());
    }
}

#[tokio::test(start_paused = true)]
async fn callers_are_told_when_the_probe_will_have_asked_and_why_they_are_refused() {
    let breaker = breaker(one_strike());
    let opened_at = clock::now();
    fail(&breaker);
    let in_1_s = Refused {
        retry_after: Duration::from_secs(1),
        since: opened_at,
        reason: Some(Reason::ConsecutiveFailures(1)),
    };
    assert_eq!(breaker.admit(clock::now()).err(), Some(in_1_s));
    assert_eq!(
        in_1_s.to_string(),
        "circuit open, retry after 1000 ms (1 failure)"
    );
    let soon = Duration::from_millis(120);
    breaker.probe_scheduled(clock::now() + soon);
    let refused = breaker.admit(clock::now()).expect_err("open");
    assert_eq!(refused.retry_after, soon);
    after(0.2).await;
    let late = breaker.admit(clock::now()).expect_err("open");
    assert_eq!(late.retry_after, Duration::from_millis(50), "never at once");
}

#[tokio::test(start_paused = true)]
async fn one_decisive_failure_is_enough() {
    let breaker = breaker(Config::default());
    let cause = Cause {
        class: "unavailable",
        code: Some(*b"57P03"),
        decisive: true,
    };
    let now = clock::now();
    let permit = breaker.admit(now).expect("closed");
    assert_eq!(permit.fail(cause, now), Some(State::Open));
    let reason = breaker.history_since(0)[0].reason;
    assert_eq!(reason.to_string(), "unavailable (57P03)");
}

#[tokio::test(start_paused = true)]
async fn calls_that_take_long_open_it_though_they_go_well() {
    let breaker = breaker(Config {
        slow_rate: Some(0.8),
        slow_call: Duration::from_secs(5),
        minimum_calls: 5,
        ..Config::default()
    });
    let now = clock::now();
    let permits: Vec<_> = (0..5).filter_map(|_| breaker.admit(now).ok()).collect();
    after(5.0).await;
    let opened: Vec<_> = permits
        .into_iter()
        .map(|permit| permit.record(CallOutcome::Success, clock::now()))
        .collect();
    assert_eq!(opened[..4], [None; 4]);
    assert_eq!(opened[4], Some(State::Open));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_opens_it_before_it_gives_up() {
    let breaker = breaker(Config {
        hanging: Some(Duration::from_millis(800)),
        ..Config::default()
    });
    succeed(&breaker);
    after(0.3).await;
    let hangs = breaker.admit(clock::now()).expect("closed");
    after(0.8).await;
    assert!(!breaker.check_hanging(clock::now()), "known to an eighth");
    after(0.2).await;
    assert!(breaker.check_hanging(clock::now()));
    assert_eq!(breaker.state(), State::Open);
    drop(hangs);
    breaker.force_close();
    let _long = breaker.admit(clock::now()).expect("closed");
    for _ in 0..20 {
        after(0.1).await;
        succeed(&breaker);
    }
    assert!(!breaker.check_hanging(clock::now()), "others are served");
    after(0.1).await;
    let by_a_caller = breaker.admit(clock::now()).expect("closed");
    after(1.0).await;
    let _next = breaker.admit(clock::now());
    assert_eq!(breaker.state(), State::Open, "seen by the next caller");
    drop(by_a_caller);
}

#[tokio::test(start_paused = true)]
async fn after_closing_a_growing_share_is_admitted() {
    let breaker = breaker(Config {
        ramp: Duration::from_secs(10),
        ..one_strike()
    });
    fail(&breaker);
    breaker.probe_answered(1, clock::now());
    let admitted = || {
        let now = clock::now();
        (0..100).filter(|_| breaker.admit(now).is_ok()).count()
    };
    assert_eq!(admitted(), 10);
    after(5.0).await;
    assert!((50..=60).contains(&admitted()));
    after(5.0).await;
    assert_eq!(admitted(), 100);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_told_what_to_do() {
    let breaker = breaker(one_strike());
    breaker.force_open();
    assert_eq!(
        (breaker.state(), breaker.mode()),
        (State::Open, Mode::ForcedOpen)
    );
    after(999.0).await;
    assert!(breaker.admit(clock::now()).is_err(), "whatever time it is");
    breaker.force_close();
    assert_eq!(
        (breaker.state(), breaker.mode()),
        (State::Closed, Mode::Active)
    );
    assert_eq!(fail(&breaker), Some(State::Open), "it decides again");
    breaker.disable();
    assert!((0..99).all(|_| fail(&breaker).is_none()));
    breaker.set_mode(Mode::Shadow);
    assert_eq!(fail(&breaker), Some(State::Open), "it reports");
    assert!((0..7).all(|_| breaker.admit(clock::now()).is_ok()));
    assert_eq!(breaker.shadow_refusals(), 7);
    breaker.reset();
    assert_eq!(
        (breaker.state(), breaker.mode()),
        (State::Closed, Mode::Active)
    );
}

/// Defect 13: listeners ran under the lock, so that forcing from one deadlocked.
#[tokio::test(start_paused = true)]
async fn a_reader_of_events_may_force_it_and_a_slow_one_is_told_what_it_missed() {
    let breaker = breaker(one_strike());
    let (mut quick, mut slow) = (breaker.events(), breaker.events());
    fail(&breaker);
    let Event::Changed(first) = quick.next().await else {
        panic!("a change");
    };
    assert_eq!((first.from, first.to), (State::Closed, State::Open));
    breaker.force_close();
    let Event::Changed(second) = quick.next().await else {
        panic!("a change");
    };
    assert_eq!((second.reason, second.epoch), (Reason::Manual, 2));
    for _ in 0..HISTORY {
        fail(&breaker);
        breaker.force_close();
    }
    let missed = HISTORY as u64 + 2;
    assert_eq!(slow.next().await, Event::Missed(missed));
    for epoch in 1..=HISTORY as u64 {
        let Event::Changed(change) = slow.next().await else {
            panic!("a change");
        };
        assert_eq!(change.epoch, missed + epoch, "in order");
    }
    assert_eq!(breaker.transitions(), 2 * HISTORY as u64 + 2);
    assert_eq!(breaker.history_since(0).len(), HISTORY, "bounded");
}

#[tokio::test(start_paused = true)]
async fn any_future_can_be_protected() {
    let breaker = breaker(one_strike());
    let mistake = breaker.call_as(async { Err::<(), _>("mine") }, |_| None);
    assert!(matches!(mistake.await, Err(CallError::Failed("mine"))));
    assert_eq!(breaker.state(), State::Closed, "a sign of life");
    let given_up = tokio::time::timeout(
        Duration::from_secs(1),
        breaker.call(std::future::pending::<Result<(), ()>>()),
    );
    assert!(given_up.await.is_err());
    assert_eq!(breaker.state(), State::Closed, "the caller's own affair");
    let failed = breaker.call(async { Err::<(), _>("theirs") }).await;
    assert!(matches!(failed, Err(CallError::Failed("theirs"))));
    let never = breaker.call(async { panic!("must not run") as Result<(), &str> });
    assert!(matches!(never.await, Err(CallError::Refused(_))));
}

/// What the breaker costs where all is well.
#[test]
fn a_call_that_goes_well_allocates_nothing_and_neither_does_a_refusal() {
    let breaker = breaker(one_strike());
    let now = clock::now();
    // A thread's first call takes its shard.
    breaker
        .admit(now)
        .expect("closed")
        .record(CallOutcome::Success, now);
    let well = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            breaker
                .admit(now)
                .expect("closed")
                .record(CallOutcome::Success, now);
        }
    });
    assert_eq!(well.count_total, 0);
    breaker
        .admit(now)
        .expect("closed")
        .record(CallOutcome::Failure, now);
    let refused = allocation_counter::measure(|| {
        assert!((0..1_000).all(|_| breaker.admit(now).is_err()));
    });
    assert_eq!(refused.count_total, 0);
}
