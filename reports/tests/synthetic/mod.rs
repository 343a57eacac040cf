//! Records that were made up, for tests and for the example page.

use std::collections::BTreeMap;

use reports::run::{
    Attempts, Callers, Injection, Ledger, Load, Mix, Operations, Outcome, Planned, Span, Step,
};

pub(crate) const RATE_PER_S: u32 = 400;

/// The times of an injection, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) steady: u64,
    pub(crate) injected: u64,
    pub(crate) cleared: u64,
    pub(crate) ready: u64,
    pub(crate) ended: u64,
}

/// Half a second to warm up, 2 s of steady state, a fault of 3 s, 5 s after it.
#[cfg(test)]
pub(crate) const TIMES: Times = Times {
    steady: 500,
    injected: 2_500,
    cleared: 5_500,
    ready: 5_500,
    ended: 10_500,
};

pub(crate) fn load() -> Load {
    Load {
        rate_per_s: RATE_PER_S,
        clients: None,
        deadline_us: 250_000,
        max_in_flight: 256,
        write_share: 0.2,
        mix: Mix::default(),
        callers: Callers::default(),
        steady_ok_share: 0.99,
        steady_p99_us: 125_000,
    }
}

/// How long after a fault availability is taken from.
pub(crate) const HORIZON_US: u64 = 3_000_000;

/// The faults that are made up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Refused,
    Reset,
    Blackhole,
    Latency,
    Crash,
    Pause,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        self.words()[0]
    }

    /// Name, title, what happens under it, and what it means that it is gone.
    fn words(self) -> [&'static str; 4] {
        match self {
            Self::Refused => [
                "refused",
                "Connections refused",
                "new connections are refused, old ones closed",
                "connections are accepted",
            ],
            Self::Reset => [
                "reset",
                "Connections reset",
                "connections are reset at the first byte",
                "connections are left alone",
            ],
            Self::Blackhole => [
                "blackhole",
                "Blackhole",
                "packets vanish, and old sockets stay dead",
                "the network is back",
            ],
            Self::Latency => [
                "latency",
                "Slow answers",
                "every answer is held back",
                "answers are fast",
            ],
            Self::Crash => [
                "crash",
                "Server crash",
                "the server is down: killed, then started again",
                "the server's process is back",
            ],
            Self::Pause => [
                "pause",
                "Server paused",
                "the server's processes are stopped",
                "the server goes on",
            ],
        }
    }
}

/// What a run does if nobody has a plan.
pub(crate) const FAULTS: [Fault; 6] = [
    Fault::Refused,
    Fault::Reset,
    Fault::Blackhole,
    Fault::Latency,
    Fault::Crash,
    Fault::Pause,
];

/// An entry of a plan that is one fault of three seconds, for nobody.
pub(crate) fn entry(fault: Fault) -> Planned {
    let [kind, title, during, gone] = fault.words().map(str::to_owned);
    Planned {
        name: kind.clone(),
        faults: vec![Step {
            kind,
            title,
            during,
            gone,
            phase_us: 2_000_000,
            length_us: 3_000_000,
            stream: None,
            toxicity: None,
            parameters: BTreeMap::new(),
        }],
        arms: Vec::new(),
    }
}

/// An injection whose operations are answered as `answer` says of each, given
/// its scheduled time in microseconds. Every fifth operation is a write.
pub(crate) fn injection(
    fault: Fault,
    arm: &str,
    times: Times,
    mut answer: impl FnMut(u64) -> (Outcome, u64),
) -> Injection {
    let mut operations = Operations::default();
    let mut ledger = Ledger::default();
    for i in 0..(times.ended * u64::from(RATE_PER_S)).div_ceil(1_000) {
        let (outcome, latency_us) = answer(i * 1_000_000 / u64::from(RATE_PER_S));
        let write = i % 5 == 0;
        operations.kinds.push(if write { 'w' } else { 'r' });
        operations.outcomes.push(outcome.letter());
        operations.latencies_us.push(latency_us);
        operations.lags_us.push(0);
        if write && outcome == Outcome::Ok {
            ledger.sent += 1;
            ledger.acked += 1;
            ledger.committed += 1;
        }
        if write && outcome == Outcome::Unknown {
            ledger.sent += 1;
            ledger.unknown += 1;
            ledger.unknown_absent += 1;
        }
    }
    let sent = operations
        .outcomes
        .chars()
        .filter(|c| *c != 'r' && *c != 'n');
    Injection {
        planned: 0,
        fault: fault.name().to_owned(),
        arm: arm.to_owned(),
        started_us: 0,
        steady_us: times.steady * 1_000,
        requested_us: times.injected * 1_000,
        injected_us: times.injected * 1_000,
        cleared_us: times.cleared * 1_000,
        ready_us: times.ready * 1_000,
        ended_us: times.ended * 1_000,
        spans: vec![Span {
            kind: fault.name().to_owned(),
            effective_us: times.injected * 1_000,
            cleared_us: times.cleared * 1_000,
        }],
        not_steady_after: None,
        attempts: Attempts {
            statements: sent.count() as u64,
            connects: 20,
        },
        operations,
        breaker: Vec::new(),
        attempts_down: None,
        sessions: Vec::new(),
        beside: None,
        ledger: Some(ledger),
    }
}

mod batches;
mod failures;
#[cfg(test)]
mod sweep;

pub(crate) use batches::usual_batches;
#[cfg(test)]
pub(crate) use batches::{Spot, batches, class, guide_classes, swept_batches, usual};
pub(crate) use failures::record;
#[cfg(test)]
pub(crate) use failures::{failures, in_turns, interrupted_after};
#[cfg(test)]
pub(crate) use sweep::{sweep, swept};
