//! The kinds of fault: where each is done, what can be set, and what it needs.
//!
//! One table for all of them, which a plan is checked against and which
//! `scenarios list faults` prints.

use reports::record::{Fault, Stream};

/// Where a fault is done, and so where a probe looks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Between client and server, by the proxy.
    Network,
    /// To the server's processes, or to its own network.
    Process,
    /// By sessions with the server: locks, settings, strangers.
    Session,
}

/// What can be set of a fault. Its unit stands last in its name.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The key in a plan.
    pub name: &'static str,
    /// Its value if it is not set.
    pub usual: Usual,
    /// The least value.
    pub least: u32,
    /// The greatest value.
    pub most: u32,
    /// What it is.
    pub about: &'static str,
}

/// A value that may depend on the load.
#[derive(Debug, Clone, Copy)]
pub enum Usual {
    /// This one.
    Value(u32),
    /// This many percent of the operations' deadline, in milliseconds.
    OfDeadline(u32),
}

impl Usual {
    /// The value, for a deadline.
    #[must_use]
    pub fn value(self, deadline_ms: u32) -> u32 {
        match self {
            Self::Value(value) => value,
            Self::OfDeadline(percent) => (deadline_ms.saturating_mul(percent) / 100).max(1),
        }
    }
}

const fn parameter(
    name: &'static str,
    usual: Usual,
    range: (u32, u32),
    about: &'static str,
) -> Parameter {
    Parameter {
        name,
        usual,
        least: range.0,
        most: range.1,
        about,
    }
}

/// Ten minutes: longer than any run waits.
const MS_MOST: u32 = 600_000;

/// What can be set of a kind.
#[must_use]
pub fn parameters(kind: Fault) -> &'static [Parameter] {
    use Usual::{OfDeadline, Value};
    const RESET: &[Parameter] = &[parameter(
        "after_ms",
        Value(0),
        (0, MS_MOST),
        "from the first byte to the reset",
    )];
    const LATENCY: &[Parameter] = &[
        parameter(
            "latency_ms",
            OfDeadline(150),
            // Less cannot be told from a healthy server under load by a probe.
            (20, MS_MOST),
            "how much later each chunk comes",
        ),
        parameter(
            "jitter_ms",
            Value(0),
            (0, MS_MOST),
            "more or less by up to this; below latency_ms",
        ),
    ];
    const BANDWIDTH: &[Parameter] = &[parameter(
        "rate_kb_per_s",
        Value(1),
        (0, 100_000),
        "1000 bytes a second; 0 stops it",
    )];
    // Up to what can be told from a healthy link by a probe of some 100 kB.
    const SLICER: &[Parameter] = &[
        parameter(
            "size_bytes",
            Value(16),
            (1, 1_500),
            "of a piece, on average",
        ),
        parameter(
            "variation_bytes",
            Value(0),
            (0, 1_499),
            "more or less by up to this; below size_bytes",
        ),
        parameter(
            "delay_us",
            Value(20_000),
            (1_000, 1_000_000),
            "after each piece",
        ),
    ];
    const SLOW_CLOSE: &[Parameter] = &[parameter(
        "delay_ms",
        Value(1_000),
        (50, 60_000),
        "from the end until it is passed on",
    )];
    const TIMEOUT: &[Parameter] = &[parameter(
        "timeout_ms",
        Value(0),
        (0, MS_MOST),
        "of silence before it closes; 0 means when the fault ends",
    )];
    const LIMIT_DATA: &[Parameter] = &[parameter(
        "limit_bytes",
        Value(2_000),
        (0, 10_000_000),
        "after which a connection is closed",
    )];
    const TERMINATE: &[Parameter] = &[
        parameter(
            "every_ms",
            Value(250),
            (50, MS_MOST),
            "from one time to the next",
        ),
        parameter(
            "share_percent",
            Value(100),
            (1, 100),
            "of the sessions, at random",
        ),
    ];
    const MAX_CONNECTIONS: &[Parameter] = &[parameter(
        "evict",
        Value(1),
        (0, 1),
        "1: the load's own sessions are ended as well",
    )];
    const LOCK_STORM: &[Parameter] = &[
        parameter("sessions", Value(8), (2, 64), "that take turns"),
        parameter(
            "hold_ms",
            OfDeadline(25),
            (1, 60_000),
            "how long each holds the lock",
        ),
    ];
    const SLOW_STATEMENTS: &[Parameter] = &[parameter(
        "delay_ms",
        OfDeadline(150),
        (20, 60_000),
        "how much longer each statement takes",
    )];
    match kind {
        Fault::Reset => RESET,
        Fault::Latency => LATENCY,
        Fault::Bandwidth => BANDWIDTH,
        Fault::Slicer => SLICER,
        Fault::SlowClose => SLOW_CLOSE,
        Fault::Timeout => TIMEOUT,
        Fault::LimitData => LIMIT_DATA,
        Fault::Terminate => TERMINATE,
        Fault::MaxConnections => MAX_CONNECTIONS,
        Fault::LockStorm => LOCK_STORM,
        Fault::SlowStatements => SLOW_STATEMENTS,
        _ => &[],
    }
}

/// Where it is done.
#[must_use]
pub fn place(kind: Fault) -> Place {
    match kind {
        Fault::Refused
        | Fault::Reset
        | Fault::ResetIdle
        | Fault::Blackhole
        | Fault::Latency
        | Fault::Bandwidth
        | Fault::Slicer
        | Fault::SlowClose
        | Fault::Timeout
        | Fault::LimitData => Place::Network,
        Fault::Crash
        | Fault::FastRestart
        | Fault::ImmediateRestart
        | Fault::Pause
        | Fault::PausePostmaster
        | Fault::Disconnect => Place::Process,
        Fault::Terminate
        | Fault::MaxConnections
        | Fault::LockStorm
        | Fault::IdleInTransaction
        | Fault::SlowStatements
        | Fault::ReadOnly
        | Fault::DiskFull => Place::Session,
    }
}

/// The direction that it acts on if none is named; `None` if it has no direction.
#[must_use]
pub fn stream(kind: Fault) -> Option<Stream> {
    match kind {
        Fault::Reset
        | Fault::Latency
        | Fault::Bandwidth
        | Fault::Slicer
        | Fault::SlowClose
        | Fault::Timeout
        | Fault::LimitData => Some(Stream::Downstream),
        _ => None,
    }
}

/// Whether it can hit a share of the connections only.
#[must_use]
pub fn has_toxicity(kind: Fault) -> bool {
    stream(kind).is_some() || matches!(kind, Fault::Blackhole | Fault::ResetIdle)
}

/// Whether the server is down meanwhile, and is started again.
#[must_use]
pub fn restarts(kind: Fault) -> bool {
    matches!(
        kind,
        Fault::Crash | Fault::FastRestart | Fault::ImmediateRestart
    )
}

/// What it needs, for people.
#[must_use]
pub fn needs(kind: Fault) -> &'static str {
    match kind {
        Fault::Blackhole | Fault::ResetIdle => "the embedded proxy",
        Fault::Disconnect => "a container",
        Fault::DiskFull => "a container, or a local server and root (a tmpfs of 64 MB)",
        Fault::ReadOnly => "a server that was started here",
        _ => match place(kind) {
            Place::Network => "nothing: the proxy does it",
            Place::Process => "a server that was started here",
            Place::Session => "nothing: sessions with the server do it",
        },
    }
}

/// What `scenarios list faults` prints.
#[must_use]
pub fn list(deadline_ms: u32) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for kind in Fault::ALL {
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            text,
            "{kind:<20}{}\n{:20}needs {}",
            kind.about(),
            "",
            needs(kind)
        );
        if let Some(stream) = stream(kind) {
            let _infallible = writeln!(
                text,
                "{:20}stream = \"{}\"  upstream (to the server) or downstream (back)",
                "",
                stream.name()
            );
        }
        if has_toxicity(kind) {
            let about = "share of the connections that it hits, 0 to 1";
            let _infallible = writeln!(text, "{:20}toxicity = 1.0  {about}", "");
        }
        for parameter in parameters(kind) {
            let Parameter {
                name,
                usual,
                least,
                most,
                about,
            } = parameter;
            let value = usual.value(deadline_ms);
            let _infallible = writeln!(
                text,
                "{:20}{name} = {value}  {about} ({least} to {most})",
                ""
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_with_all_that_can_be_set() {
        let text = list(500);
        for kind in Fault::ALL {
            assert!(text.contains(&format!("\n{kind:<20}")) || text.starts_with(kind.name()));
            for parameter in parameters(kind) {
                let value = parameter.usual.value(500);
                assert!(
                    (parameter.least..=parameter.most).contains(&value),
                    "{kind}"
                );
                assert!(text.contains(&format!("{} = {value}", parameter.name)));
            }
        }
        assert!(
            text.contains("latency_ms = 750"),
            "one and a half deadlines"
        );
    }

    #[test]
    fn only_a_fault_of_the_network_has_a_direction_or_a_share() {
        for kind in Fault::ALL {
            if stream(kind).is_some() || has_toxicity(kind) {
                assert_eq!(place(kind), Place::Network, "{kind}");
            }
        }
    }
}
