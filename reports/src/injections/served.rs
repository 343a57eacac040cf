//! What is claimed of the load before a fault, and after it: that it is served.

use crate::{
    claim::{
        Claim, INJECTIONS, Source, Unit, id,
        seldom::{Case, Cases, decide},
    },
    measure::Measured,
    run::{Answer, BreakerState, CallKind, Injection, Kind, Outcome, Run, Transition},
    stats::median,
};

use super::Injected;

/// An import counts as served again if half of the rows of so many of its last inserts were
/// brought in: the server may have refused the others as it must.
const LAST: usize = 2;
/// How long after a fault a circuit may still open because of it, in us.
const AFTERMATH_US: u64 = 1_000_000;
/// When the other arm's callers have been told as well, in us: whoever fails later does so
/// for another reason.
const OTHERS_US: u64 = 600_000;
/// How long that is looked at, in us.
const OVERLOADED_US: u64 = 750_000;
/// A probe of the engine may see the end of a fault so long before ours does, in us.
const ALMOST_US: u64 = 300_000;
/// At once, on a busy machine, in us.
const AT_ONCE_US: u64 = 100_000;
/// Faults that end every session where the pool can see it: a connection from before one
/// fails at once, and never by making its caller wait.
const ENDING: [&str; 5] = [
    "reset",
    "crash",
    "fast-restart",
    "immediate-restart",
    "terminate",
];
/// What timers and the scheduler of a busy machine may add, in seconds.
const LATE_S: f64 = 0.15;
/// More than this is no matter of the machine, in seconds.
const FAR_S: f64 = 1.0;

/// `no-failure`: before the fault, no operation fails, nor is refused, but for the caller's
/// own mistakes, which fail as they must.
pub(crate) fn no_failure(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let says = "while nothing is wrong, no operation fails";
    // Of those that have nothing to do with the fault: they were answered before it, or due
    // so long before it that they must have been.
    let failures = |injection: &Injection| {
        let due_by_us = injection
            .requested_us
            .saturating_sub(subject.load.deadline_us);
        let answers = injection.operations.answers(subject.load.rate_per_s);
        let before = answers.filter(|a| {
            a.due_us >= injection.steady_us
                && (a.end_us < injection.requested_us || a.due_us < due_by_us)
        });
        let (n, failures) = before.fold((0, 0), |(n, failures), answer| {
            (n + 1, failures + u32::from(answer.outcome != Outcome::Ok))
        });
        (n > 0).then_some(failures)
    };
    counted(subject, arm, id::NO_FAILURE, says, |injection, _| {
        let control = subject.control(injection);
        let of_control = control.and_then(|(control, _)| failures(control));
        match failures(injection) {
            None => Case::Unknown,
            Some(0) => Case::Within,
            // The machine's doing, as far as it did the same to the other arm.
            Some(n) if of_control.is_some_and(|of| of > 0 && n <= of + 5) => Case::Unknown,
            Some(1..=5) => Case::Beyond,
            Some(_) => Case::FarBeyond,
        }
    })
}

/// `served-again`: at the end of every injection, load is served as before it. One that is
/// not refutes it, unless the arm that it is compared with was not either, and goodput was
/// there: then it is the machine that is too slow.
pub(crate) fn again(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let says = "at the end of every injection, load is served as before it";
    let case = |injection: &Injection, measured: &Measured| {
        let well = |i: &Injection| i.not_steady_after.is_none() && imports_go_on(i);
        if well(injection) {
            Case::Within
        } else if !measured.metastable
            && (overloaded(subject, injection)
                || subject
                    .control(injection)
                    .is_some_and(|(control, _)| !well(control)))
        {
            Case::Unknown
        } else {
            Case::FarBeyond
        }
    };
    let mut claim = counted(subject, arm, id::SERVED_AGAIN, says, case)?;
    claim.reason = claim.reason.map(|reason| {
        let of_arm = subject.judged(arm).map(|(injection, _)| injection);
        let not =
            of_arm.filter_map(|i| Some(format!("{}: {}", i.fault, i.not_steady_after.as_ref()?)));
        let mut all = vec![reason];
        all.extend(not);
        all.join("; ")
    });
    Some(claim)
}

/// Whether each import was still brought in at the end. One whose last batch is not answered
/// hangs: the load ends when what is under way has had its time.
fn imports_go_on(injection: &Injection) -> bool {
    let imports = injection.beside.iter().flat_map(|beside| &beside.imports);
    imports.into_iter().all(|import| {
        let last = |n: usize, outcome: Outcome| {
            let last = import.outcomes.chars().rev().take(n);
            last.filter(|letter| *letter == outcome.letter()).count()
        };
        let (batch, rows) = (import.batch, LAST * import.batch);
        let hangs = last(batch, Outcome::Unknown) == batch;
        let few = import.outcomes.len() < rows;
        !hangs && (few || last(rows, Outcome::Ok) >= rows / 2)
    })
}

/// `fresh-connections`: who calls when the circuit has closed again, or has waited for it, is
/// not handed a connection from before the fault. Bursts that take every connection find each of them,
/// and a second pool has some that nobody used while the fault lasted. `None` without a fault
/// that opened a circuit.
pub(crate) fn fresh(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let says = "who calls once the circuit has closed again is answered";
    counted(subject, arm, id::FRESH_CONNECTIONS, says, |injection, _| {
        let Some(failed) = failed_since_closed(subject, arm, injection, injection, 0) else {
            return Case::Apart;
        };
        let control = subject.control(injection);
        let of_control = control
            .and_then(|(c, _)| failed_since_closed(subject, arm, injection, c, OTHERS_US))
            .unwrap_or(0);
        match failed {
            0 => Case::Within,
            // The machine's doing, as far as it did the same to the other arm.
            _ if of_control > 0 && failed <= of_control + 3 => Case::Unknown,
            _ if overloaded(subject, injection) => Case::Unknown,
            1..=3 => Case::Beyond,
            _ => Case::FarBeyond,
        }
    })
}

/// Whether the machine is too slow for the other arm as well: half of its callers wait for more
/// than a twentieth of the deadline, half a second and more after the fault was gone. With room
/// to spare that is some milliseconds.
pub(super) fn overloaded(subject: &Injected<'_>, injection: &Injection) -> bool {
    let Some((control, _)) = subject.control(injection) else {
        return false;
    };
    let from_us = control.ready_us.saturating_add(OTHERS_US);
    let answers = control.operations.answers(subject.load.rate_per_s);
    let later = answers.filter(|answer| {
        let then = (from_us..from_us + OVERLOADED_US).contains(&answer.due_us);
        then && answer.outcome != Outcome::NotSent
    });
    let waited = median(later.map(|answer| (answer.end_us - answer.due_us) as f64));
    waited.is_some_and(|waited_us| waited_us > subject.load.deadline_us as f64 / 20.0)
}

/// From when on nobody may meet a dead connection: the circuit, which had opened because of
/// the fault, has closed, for the first time since the fault was gone, or as good as gone.
/// One that stays open is another claim's matter.
fn closed_us(injection: &Injection, breaker: &[Transition]) -> Option<u64> {
    let opened = breaker
        .iter()
        .position(|t| t.state == BreakerState::Open && t.at_us >= injection.requested_us)?;
    let almost_us = injection.cleared_us.saturating_sub(ALMOST_US);
    let closed = breaker[opened..]
        .iter()
        .find(|t| t.state == BreakerState::Closed && t.at_us >= almost_us)?;
    Some(closed.at_us.max(injection.ready_us))
}

/// How many calls of an arm failed, other than by being refused, that began after the
/// circuits of an injection had closed, and so long after that. Where callers wait for that,
/// also those of the second pool that had waited and had half of their time left: it has more
/// connections than callers, so that they are handed one at once. `None` if none had.
fn failed_since_closed(
    subject: &Injected<'_>,
    arm: &str,
    injection: &Injection,
    of: &Injection,
    later_us: u64,
) -> Option<usize> {
    let at_once_us = if subject.is_of(injection, &ENDING) {
        subject.load.deadline_us / 2
    } else {
        u64::MAX
    };
    let calls = |what: CallKind, since_us: u64| {
        let beside = of.beside.iter().flat_map(|beside| &beside.calls);
        let since = beside.filter(|call| call.what == what && call.at_us > since_us);
        let told = since.filter(|call| call.latency_us < at_once_us);
        told.filter(|call| call.outcome.failed()).count()
    };
    let waits = subject.settings(arm).is_some_and(|settings| settings.waits);
    let before_us = if waits {
        subject.load.deadline_us / 2
    } else {
        0
    };
    let closed_us = |breaker: &[Transition]| Some(closed_us(injection, breaker)? + later_us);
    let of_load = closed_us(&injection.breaker).map(|since_us| {
        let answers = of.operations.answers(subject.load.rate_per_s);
        let since = answers.filter(|answer| answer.due_us > since_us);
        let told = since.filter(|answer| answer.took_us < at_once_us);
        told.filter(Answer::failed).count() + calls(CallKind::Slow, since_us)
    });
    let quiet = injection.beside.iter().map(|beside| &beside.quiet_breaker);
    let of_quiet = quiet
        .filter_map(|breaker| closed_us(breaker))
        .map(|since_us| calls(CallKind::Quiet, since_us.saturating_sub(before_us)));
    of_load.into_iter().chain(of_quiet).reduce(|a, b| a + b)
}

/// `in-time`: who asks for one statement is answered, or told that it failed, within the time
/// that a connection and an answer may take; in a flood as well, of which the most wait in
/// vain. `None` for an arm that promises nothing.
pub(crate) fn in_time(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let promise_s = subject.settings(arm)?.call_s;
    let says = format!("who asks for one statement is told what became of it within {promise_s} s");
    counted(subject, arm, id::IN_TIME, &says, |injection, _| {
        let answers = injection.operations.answers(subject.load.rate_per_s);
        let one = answers.filter(|answer| {
            is_one(subject.run, answer.kind) && answer.outcome != Outcome::NotSent
        });
        let beside = injection.beside.iter().flat_map(|beside| &beside.calls);
        let beside = beside.map(|call| call.latency_us);
        let slowest_us = one.map(|answer| answer.took_us).chain(beside).max();
        let Some(slowest_us) = slowest_us else {
            return Case::Apart;
        };
        match slowest_us as f64 / 1e6 - promise_s {
            late if late <= LATE_S => Case::Within,
            late if late <= FAR_S => Case::Beyond,
            _ => Case::FarBeyond,
        }
    })
}

/// Whether an operation of a kind is one statement.
fn is_one(run: &Run, kind: Kind) -> bool {
    match kind {
        Kind::Read | Kind::Write | Kind::Mistake => true,
        Kind::Script(place) => {
            let script = run.scripts.get(usize::from(place));
            script.is_some_and(|script| script.alone)
        }
        _ => false,
    }
}

/// `waiters-refused`: who waits for a connection when the circuit opens is refused then, and
/// not at the end of its time. `None` where callers are to wait, and without a fault that
/// opened the circuit.
pub(crate) fn waiters(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    if subject.settings(arm)?.waits {
        return None;
    }
    let says = "who waits for a connection when the circuit opens is refused at once";
    counted(subject, arm, id::WAITERS_REFUSED, says, |injection, _| {
        let Some(opened_us) = injection.opened_us() else {
            return Case::Apart;
        };
        let answers = injection.operations.answers(subject.load.rate_per_s);
        let late = answers.filter(|answer| {
            answer.outcome == Outcome::Rejected
                && answer.due_us < opened_us
                && answer.end_us > opened_us + AT_ONCE_US
        });
        match late.count() {
            0 => Case::Within,
            1..=5 => Case::Beyond,
            _ => Case::FarBeyond,
        }
    })
}

/// `no-false-alarm`: the circuit opens in a fault, and at no other time since the load was
/// served, whatever mistakes callers make.
pub(crate) fn no_false_alarm(
    subject: &Injected<'_>,
    arm: &str,
    opened_unserved: u32,
) -> Option<Claim> {
    let says = "the circuit opens in a fault only";
    let case = |injection: &Injection, _: &Measured| {
        let over_us = injection.ready_us.saturating_add(AFTERMATH_US);
        let quiet = injection.beside.iter().flat_map(|b| &b.quiet_breaker);
        let outside = injection.breaker.iter().chain(quiet).filter(|t| {
            let before = injection.steady_us..injection.requested_us;
            t.state == BreakerState::Open && (before.contains(&t.at_us) || t.at_us > over_us)
        });
        match outside.count() {
            0 => Case::Within,
            // Failures of its own making: whoever asks it for more than it has.
            _ if overloaded(subject, injection) => Case::Unknown,
            1 => Case::Beyond,
            _ => Case::FarBeyond,
        }
    };
    let mut claim = counted(subject, arm, id::NO_FALSE_ALARM, says, case)?;
    if opened_unserved > 0 {
        claim.verdict = crate::claim::Decision::Refuted;
        claim.reason = Some(format!(
            "it opened {opened_unserved} times although nothing was wrong"
        ));
    }
    Some(claim)
}

/// A claim that counts the injections in which something was not so. `None` if there were
/// injections, and it was asked of none of them.
pub(super) fn counted(
    subject: &Injected<'_>,
    arm: &str,
    id: &str,
    says: &str,
    case: impl Fn(&Injection, &Measured) -> Case,
) -> Option<Claim> {
    let (source, unit) = (Source::Seawall, Unit::count(INJECTIONS_NOT));
    let mut claim = Claim::new(id, arm, says, source, unit, INJECTIONS);
    let cases: Cases = subject.judged(arm).map(|(i, m)| case(i, m)).collect();
    if cases.are_apart() {
        return None;
    }
    claim.band_high = Some(0.0);
    if cases.known() > 0 {
        let not = (cases.beyond + cases.far) as f64;
        claim.observed = Some(not);
        claim.out_of = Some(cases.known() as u64);
        (claim.low, claim.high) = (Some(not), Some(not));
    }
    decide(&mut claim, cases, cases.p_value());
    Some(claim)
}

/// What is counted: injections that were not as claimed.
const INJECTIONS_NOT: &str = "injections";
