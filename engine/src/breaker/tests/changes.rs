//! Every way in which the state can change, and what must follow each: an event, a wake-up
//! for those who wait, and what is to be done when it opens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{super::changes::Changes, *};

fn base() -> Config {
    Config {
        hanging: Some(Duration::from_millis(300)),
        half_open_lease: Duration::from_secs(5),
        ..one_strike()
    }
}

/// Brings a breaker from where it is to the change in question.
type Way = fn(&Breaker);

/// A way to change the state: what it is called, what comes before it, how long after that
/// it happens, the change itself, and the state that it leads to.
struct Case {
    name: &'static str,
    before: Way,
    wait: Duration,
    change: Way,
    to: State,
}

fn admit(breaker: &Breaker) {
    drop(breaker.admit(clock::now()));
}

fn hang(breaker: &Breaker) {
    // Never answered: what it stands for is still under way when the test ends.
    std::mem::forget(breaker.admit(clock::now()));
}

fn trip(breaker: &Breaker) {
    fail(breaker);
}

/// Opens it, long enough ago for the next caller to be let through.
fn half_open(breaker: &Breaker) {
    fail(breaker);
    let later = clock::now() + Duration::from_secs(2);
    drop(breaker.admit(later));
    assert_eq!(breaker.state(), State::HalfOpen);
}

const NONE: Way = |_| {};
const NOW: Duration = Duration::ZERO;

const CASES: &[Case] = &[
    Case {
        name: "an outcome trips it",
        before: NONE,
        wait: NOW,
        change: trip,
        to: State::Open,
    },
    Case {
        name: "a cause that is decisive trips it",
        before: NONE,
        wait: NOW,
        change: |breaker| {
            let cause = Cause {
                decisive: true,
                ..Cause::of("unavailable")
            };
            let now = clock::now();
            breaker.admit(now).expect("closed").fail(cause, now);
        },
        to: State::Open,
    },
    Case {
        name: "a caller finds on admission that a call hangs",
        before: hang,
        wait: Duration::from_millis(400),
        change: |breaker| {
            let refused = breaker.admit(clock::now()).expect_err("it found the trip");
            assert!(
                matches!(refused.reason, Some(Reason::Hanging(_))),
                "{refused}"
            );
        },
        to: State::Open,
    },
    Case {
        name: "the check finds that a call hangs",
        before: hang,
        wait: Duration::from_millis(400),
        change: |breaker| assert!(breaker.check_hanging(clock::now())),
        to: State::Open,
    },
    Case {
        name: "a caller finds the wait over",
        before: trip,
        wait: Duration::from_secs(1),
        change: admit,
        to: State::HalfOpen,
    },
    Case {
        name: "a caller finds the lease of half-open over",
        before: half_open,
        wait: Duration::from_secs(10),
        change: admit,
        to: State::Open,
    },
    Case {
        name: "half-open serves",
        before: half_open,
        wait: NOW,
        change: |breaker| assert_eq!(succeed(breaker), Some(State::Closed)),
        to: State::Closed,
    },
    Case {
        name: "half-open fails",
        before: half_open,
        wait: NOW,
        change: |breaker| assert_eq!(fail(breaker), Some(State::Open)),
        to: State::Open,
    },
    Case {
        name: "the probe is answered",
        before: trip,
        wait: NOW,
        change: |breaker| breaker.probe_answered(1, clock::now()),
        to: State::Closed,
    },
    Case {
        name: "it is forced open",
        before: NONE,
        wait: NOW,
        change: Breaker::force_open,
        to: State::Open,
    },
    Case {
        name: "it is forced open while open",
        before: trip,
        wait: NOW,
        change: Breaker::force_open,
        to: State::Open,
    },
    Case {
        name: "it is forced closed",
        before: trip,
        wait: NOW,
        change: Breaker::force_close,
        to: State::Closed,
    },
    Case {
        name: "it is forced closed after it was forced open",
        before: Breaker::force_open,
        wait: NOW,
        change: Breaker::force_close,
        to: State::Closed,
    },
    Case {
        name: "it is reset",
        before: half_open,
        wait: NOW,
        change: Breaker::reset,
        to: State::Closed,
    },
    Case {
        name: "it is disabled",
        before: trip,
        wait: NOW,
        change: Breaker::disable,
        to: State::Closed,
    },
    Case {
        name: "it is to report only",
        before: NONE,
        wait: NOW,
        change: |breaker| breaker.set_mode(Mode::Shadow),
        to: State::Closed,
    },
    Case {
        name: "it trips while it reports only",
        before: |breaker| breaker.set_mode(Mode::Shadow),
        wait: NOW,
        change: trip,
        to: State::Open,
    },
];

#[tokio::test(start_paused = true)]
async fn every_change_is_acted_on_whoever_finds_it() {
    for case in CASES {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = opened.clone();
        let on_change = move |changes: &Changes| {
            count.fetch_add(usize::from(changes.opened()), Ordering::Relaxed);
        };
        let breaker = Breaker::with_on_change(base(), fastrand::Rng::with_seed(1), on_change);
        (case.before)(&breaker);
        tokio::time::advance(case.wait).await;

        let (mut events, epoch) = (breaker.events(), breaker.epoch());
        let before = opened.load(Ordering::Relaxed);
        let waiting = tokio::spawn({
            let breaker = breaker.clone();
            async move { breaker.changed_since(epoch).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "{}", case.name);
        (case.change)(&breaker);

        let soon = clock::now() + Duration::from_millis(1);
        let event = clock::timeout_at(soon, events.next()).await;
        let Ok(Event::Changed(change)) = event else {
            panic!("{}: {event:?}", case.name);
        };
        assert_eq!(change.to, case.to, "{}", case.name);
        let woken = clock::timeout_at(soon, waiting).await;
        assert!(matches!(woken, Ok(Ok(()))), "{}: nobody woken", case.name);
        let opens = usize::from(case.to == State::Open);
        let acted = opened.load(Ordering::Relaxed) - before;
        assert_eq!(acted, opens, "{}", case.name);
        let more = clock::timeout_at(soon, events.next()).await;
        assert!(more.is_err(), "{}: {more:?}", case.name);
    }
}
