//! What is claimed of an arm towards the server: few attempts while it is down, never more
//! sessions than it may have, and no query that nobody waits for.

use crate::{
    claim::{Claim, id, seldom::Case},
    run::{Injection, Outcome, SessionCount},
};

use super::{
    Injected,
    served::{counted, overloaded},
};

/// How long after a fault sessions of before may still be there, in us: the server does
/// not know that the other side is gone.
const AFTERMATH_US: u64 = 2_000_000;
/// The share of the counts in which a busy machine may show what is not so.
const MOMENTS: f64 = 0.2;

/// `attempts`: while the server is down, an arm tries every connection once or twice, and
/// then as often as its probe may at its shortest waits, or it keeps a server that comes back from coming back. And
/// it sends no more statements than come until the circuit has to be open, at the pace of the
/// time that the server was up. `None` for an arm that promises nothing.
pub(crate) fn attempts(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let settings = subject.settings(arm)?;
    let detection_s = settings.detection_s(subject.load)?;
    let connections = 2.0 * f64::from(settings.max_connections);
    let seconds = |us: u64| us as f64 / 1e6;
    let says = format!(
        "while the server is down, at most {connections} connections are tried, and those of the \
         probe at its shortest waits; and as many statements as come until the circuit is open"
    );
    counted(subject, arm, id::ATTEMPTS, &says, |injection, _| {
        let Some(down) = injection.attempts_down else {
            return Case::Unknown;
        };
        let down_s = seconds(injection.cleared_us.saturating_sub(injection.injected_us));
        let connects = connections + settings.probes(down_s);
        let up_s = (seconds(injection.ended_us) - down_s).max(0.1);
        let sent = injection.attempts.statements;
        let per_s = sent.saturating_sub(down.statements) as f64 / up_s;
        let statements = connections + per_s * detection_s;
        let times = (down.connects as f64 / connects).max(down.statements as f64 / statements);
        match times {
            // It was not down for everybody: who is thrown out may come in again.
            _ if some_answered(subject, injection) => Case::Apart,
            times if times <= 1.0 => Case::Within,
            times if times <= 2.0 => Case::Beyond,
            _ => Case::FarBeyond,
        }
    })
}

/// Whether an operation was answered without error while the fault lasted, from a quarter of a
/// second into it on.
fn some_answered(subject: &Injected<'_>, injection: &Injection) -> bool {
    let from_us = injection.injected_us.saturating_add(250_000);
    let mut answers = injection.operations.answers(subject.load.rate_per_s);
    answers.any(|answer| {
        answer.outcome == Outcome::Ok && (from_us..injection.cleared_us).contains(&answer.end_us)
    })
}

/// Most probes of one pool that are under way at once (`seawall::pool`).
const PROBES: u32 = 12;

/// `connections`: the server never has more sessions of an arm than `max_connections`. In
/// a fault, and shortly after it, those of before may still be there. `None` where nothing runs
/// beside the load: then nobody asks the server.
pub(crate) fn connections(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let max = subject.settings(arm)?.max_connections;
    let says = format!("the server never has more than {max} of its sessions");
    seen(subject, arm, id::CONNECTIONS, &says, |injection| {
        let most = injection.sessions.iter().map(|s| s.sessions).max();
        // Those of before, and as many anew; of a small pool, those that probes may make.
        if most.is_some_and(|most| most > max + max.max(PROBES)) {
            return Some(1.0);
        }
        share(injection, |s| s.sessions > max)
    })
}

/// `stopped`: a query whose caller has given up is stopped on the server: none is seen to go
/// on for long. `None` for an arm that promises nothing, and as for [`connections`].
pub(crate) fn stopped(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    subject.settings(arm)?;
    let says = "what callers have given up is stopped on the server";
    seen(subject, arm, id::STOPPED, says, |injection| {
        share(injection, |s| s.orphans > 0)
    })
}

/// A claim about what the server was asked meanwhile: the share of the times in which it was
/// not so, if it was asked.
fn seen(
    subject: &Injected<'_>,
    arm: &str,
    id: &str,
    says: &str,
    share: impl Fn(&Injection) -> Option<f64>,
) -> Option<Claim> {
    counted(subject, arm, id, says, |injection, _| {
        if !subject.load.mix.beside {
            return Case::Apart;
        }
        match share(injection).map(seen_in) {
            None => Case::Unknown,
            Some(Case::Beyond | Case::FarBeyond) if overloaded(subject, injection) => Case::Unknown,
            Some(case) => case,
        }
    })
}

/// What is not so for a moment may be the machine's doing.
fn seen_in(share: f64) -> Case {
    match share {
        0.0 => Case::Within,
        share if share <= MOMENTS => Case::Beyond,
        _ => Case::FarBeyond,
    }
}

/// Of the counts from before the fault, and from when its aftermath is over, those of which
/// something is true. `None` if there are none.
fn share(injection: &Injection, is: impl Fn(&SessionCount) -> bool) -> Option<f64> {
    let over_us = injection.ready_us.saturating_add(AFTERMATH_US);
    let counts = injection.sessions.iter();
    let quiet = counts.filter(|s| s.at_us < injection.requested_us || s.at_us > over_us);
    let (n, so) = quiet.fold((0_u32, 0_u32), |(n, so), s| (n + 1, so + u32::from(is(s))));
    (n > 0).then(|| f64::from(so) / f64::from(n))
}
