//! What must hold, whatever the order.

use std::{io::Write as _, time::Duration};

use loom::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use super::{
    changes::{Changes, OnChange},
    config::Config,
    core::Core,
    state::State,
    ticket::Observation,
};

const OK: Observation = Observation {
    ok: true,
    took_ns: 0,
    cause: None,
};
const FAILED: Observation = Observation { ok: false, ..OK };
const SECOND: u64 = 1_000_000_000;

fn core(change: impl FnOnce(&mut Config)) -> Arc<Core> {
    core_with(change, Box::new(drop))
}

fn core_with(change: impl FnOnce(&mut Config), on_change: OnChange) -> Arc<Core> {
    let mut config = Config {
        failure_threshold: Some(2),
        failure_rate: None,
        recovery_timeout: Duration::from_secs(1),
        half_open_permits: 1,
        success_threshold: 1,
        ..Config::default()
    };
    change(&mut config);
    Arc::new(Core::new(config, fastrand::Rng::with_seed(1), 1, on_change))
}

/// How many changes were acted on so far.
fn counted() -> (Arc<AtomicU64>, OnChange) {
    let acted_on = Arc::new(AtomicU64::new(0));
    let count = acted_on.clone();
    let on_change = move |changes: Changes| {
        count.fetch_add(changes.0.len() as u64, Ordering::Relaxed);
    };
    (acted_on, Box::new(on_change))
}

fn state(core: &Core) -> (State, u64) {
    core.read(|machine| (machine.state(), machine.epoch()))
}

/// Two failures at once open it once, exactly one of them is told so, and the change is
/// acted on once.
fn one_winner() {
    let (acted_on, on_change) = counted();
    let core = core_with(|_| {}, on_change);
    let other = core.clone();
    let fail = |core: &Core| {
        let mut ticket = core.admit(|| 0, || 0).expect("closed");
        core.record(0, &mut ticket, FAILED, 0)
    };
    let theirs = thread::spawn(move || fail(&other));
    let mine = fail(&core);
    let theirs = theirs.join().expect("no panic");
    assert!(mine ^ theirs, "one of them changed it");
    assert_eq!(state(&core), (State::Open, 1));
    assert_eq!(acted_on.load(Ordering::Relaxed), 1);
}

/// A success beside failures resets the row or comes before it, but a row of two
/// without a success between them always opens.
fn a_success_hides_no_row() {
    let core = core(|_| {});
    let other = core.clone();
    let theirs = thread::spawn(move || {
        // Refused, if it opened before.
        if let Ok(mut ticket) = other.admit(|| 0, || 0) {
            other.record(0, &mut ticket, OK, 0);
        }
    });
    let mut opened = false;
    for _ in 0..3 {
        if let Ok(mut ticket) = core.admit(|| 0, || 0) {
            opened |= core.record(0, &mut ticket, FAILED, 0);
        }
    }
    theirs.join().expect("no panic");
    assert!(opened, "three failures and one success hold a row of two");
    assert_eq!(state(&core).0, State::Open);
}

/// A late success of the epoch before neither closes half-open nor counts in it.
fn a_late_outcome_decides_nothing() {
    let core = core(|config| config.failure_threshold = Some(1));
    let mut late = core.admit(|| 0, || 0).expect("closed");
    let mut ticket = core.admit(|| 0, || 0).expect("closed");
    core.record(0, &mut ticket, FAILED, 0);
    let other = core.clone();
    let theirs = thread::spawn(move || other.record(0, &mut late, OK, SECOND));
    let probe = core.admit(|| 0, || SECOND);
    assert!(!theirs.join().expect("no panic"));
    assert!(probe.is_ok());
    assert_eq!(state(&core), (State::HalfOpen, 2));
    assert_eq!(core.stale(), 1);
}

/// Of two callers in half-open one is let through, and its place comes back however
/// it ends.
fn permits_are_bounded() {
    let core = core(|config| config.failure_threshold = Some(1));
    let mut ticket = core.admit(|| 0, || 0).expect("closed");
    core.record(0, &mut ticket, FAILED, 0);
    let other = core.clone();
    let theirs = thread::spawn(move || other.admit(|| 0, || SECOND).ok());
    let mine = core.admit(|| 0, || SECOND).ok();
    let theirs = theirs.join().expect("no panic");
    assert!(mine.is_some() ^ theirs.is_some());
    let mut out = mine.or(theirs).expect("one of them");
    core.release(&mut out);
    assert!(core.admit(|| 0, || SECOND).is_ok(), "its place is free");
}

/// Whoever is refused while it closes is told something true of one of both states.
fn refusals_are_whole() {
    let core = core(|config| config.failure_threshold = Some(1));
    let mut ticket = core.admit(|| 0, || 5).expect("closed");
    core.record(0, &mut ticket, FAILED, 5);
    let other = core.clone();
    let theirs = thread::spawn(move || {
        other.update(|machine| machine.probe_answered(1, 7));
    });
    if let Err(refusal) = core.admit(|| 0, || 6) {
        assert_eq!(refusal.since_ns, 5);
        assert_eq!(refusal.retry_after_ns, SECOND - 1);
        assert!(refusal.reason.is_some());
    }
    theirs.join().expect("no panic");
    assert_eq!(state(&core), (State::Closed, 2));
}

/// Two callers that find at once that a call hangs open it once, both are refused, and the
/// change is acted on once.
fn a_trip_on_admission_is_acted_on() {
    let (acted_on, on_change) = counted();
    let hanging = |config: &mut Config| config.hanging = Some(Duration::from_nanos(8));
    let core = core_with(hanging, on_change);
    let _hangs = core.admit(|| 0, || 0).expect("closed");
    let other = core.clone();
    let theirs = thread::spawn(move || other.admit(|| 0, || 100).is_err());
    let mine = core.admit(|| 0, || 100).is_err();
    let theirs = theirs.join().expect("no panic");
    assert!(mine || theirs, "the one that finds it is refused");
    assert_eq!(state(&core), (State::Open, 1));
    assert_eq!(acted_on.load(Ordering::Relaxed), 1);
}

/// Checks all of them; panics at the first that does not hold.
pub(crate) fn check() {
    let models: [(&str, fn()); 6] = [
        ("one_winner", one_winner),
        ("a_success_hides_no_row", a_success_hides_no_row),
        (
            "a_late_outcome_decides_nothing",
            a_late_outcome_decides_nothing,
        ),
        ("permits_are_bounded", permits_are_bounded),
        ("refusals_are_whole", refusals_are_whole),
        (
            "a_trip_on_admission_is_acted_on",
            a_trip_on_admission_is_acted_on,
        ),
    ];
    let mut out = std::io::stdout().lock();
    for (name, model) in models {
        let mut builder = loom::model::Builder::new();
        // Enough for every order of two threads with few steps each.
        builder.preemption_bound = Some(3);
        builder.check(model);
        // A closed pipe is no failure of the models.
        let _unread = writeln!(out, "test {name} ... ok");
    }
    let _unread = writeln!(out, "\n{} passed, 0 failed", models.len());
}
