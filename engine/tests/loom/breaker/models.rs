//! What must hold, whatever the order.

use std::{io::Write as _, time::Duration};

use loom::{sync::Arc, thread};

use super::{
    config::Config,
    core::{Core, Told},
    event::State,
};

const OK: Told = Told {
    ok: true,
    took_ns: 0,
    cause: None,
};
const FAILED: Told = Told { ok: false, ..OK };
const SECOND: u64 = 1_000_000_000;

fn core(change: impl FnOnce(&mut Config)) -> Arc<Core> {
    let mut config = Config {
        failure_threshold: Some(2),
        failure_rate: None,
        recovery_timeout: Duration::from_secs(1),
        half_open_permits: 1,
        success_threshold: 1,
        ..Config::default()
    };
    change(&mut config);
    Arc::new(Core::new(config, fastrand::Rng::with_seed(1), 1))
}

fn state(core: &Core) -> (State, u64) {
    let machine = core.lock();
    (machine.state(), machine.epoch())
}

/// Two failures at once open it once, and exactly one of them is told so.
fn one_winner() {
    let core = core(|_| {});
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

/// Checks all of them; panics at the first that does not hold.
pub(crate) fn check() {
    let models: [(&str, fn()); 5] = [
        ("one_winner", one_winner),
        ("a_success_hides_no_row", a_success_hides_no_row),
        (
            "a_late_outcome_decides_nothing",
            a_late_outcome_decides_nothing,
        ),
        ("permits_are_bounded", permits_are_bounded),
        ("refusals_are_whole", refusals_are_whole),
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
