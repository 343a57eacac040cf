//! The words that a breaker is spoken of in: states, outcomes, reasons. Pure.

use std::{fmt, time::Duration};

use super::window::Counts;

/// How many changes are kept; older ones are only counted.
pub const HISTORY: usize = 256;

/// What the breaker does with callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Admits all.
    Closed,
    /// Refuses all.
    Open,
    /// Admits a few, to find out.
    HalfOpen,
}

/// What is done with what the state machine decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is obeyed.
    Active,
    /// It decides and reports, and refuses nobody: to see what it would do.
    Shadow,
    /// All are refused, until told otherwise.
    ForcedOpen,
    /// All are admitted, and nothing is counted.
    Disabled,
}

/// What came of something that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server answered.
    Success,
    /// The server did not answer, or said that it cannot.
    Failure,
    /// Says nothing about the server: the caller went away, or a queue was full.
    Neutral,
}

/// What a failure was, as far as a breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The class of the error, as in metrics.
    pub class: &'static str,
    /// The code that the server gave for it, if it gave one: of a database the SQLSTATE.
    pub code: Option<[u8; 5]>,
    /// One such failure is enough to open: the server said itself that it is going
    /// away, or is not there yet.
    pub decisive: bool,
}

impl Cause {
    /// A failure of a class, without a code, to be counted with others.
    #[must_use]
    pub fn of(class: &'static str) -> Self {
        Self {
            class,
            code: None,
            decisive: false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class)?;
        match self.code.as_ref().map(|code| std::str::from_utf8(code)) {
            Some(Ok(code)) => write!(f, " ({code})"),
            _ => Ok(()),
        }
    }
}

/// Why the state changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// This many failures without a success between them.
    ConsecutiveFailures(u32),
    /// The share of failures in the window.
    FailureRate(Counts),
    /// The share of slow calls in the window.
    SlowRate(Counts),
    /// A call has been under way for so long, and none has gone well since.
    Hanging(Duration),
    /// One failure that needs no other.
    Decisive(Cause),
    /// The wait is over.
    RecoveryTimeout,
    /// The probe was answered.
    ProbeAnswered,
    /// This many callers were served in half-open.
    HalfOpenSucceeded(u32),
    /// A caller failed in half-open.
    HalfOpenFailed,
    /// Half-open came to no decision in time.
    LeaseExpired,
    /// Somebody said so.
    Told,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsecutiveFailures(1) => f.write_str("1 failure"),
            Self::ConsecutiveFailures(n) => write!(f, "{n} failures in a row"),
            Self::FailureRate(c) => write!(f, "{} of {} failed", c.failed, c.total()),
            Self::SlowRate(c) => write!(f, "{} of {} were slow", c.slow, c.total()),
            Self::Hanging(age) => write!(f, "no answer for {} ms", age.as_millis()),
            Self::Decisive(cause) => cause.fmt(f),
            Self::RecoveryTimeout => f.write_str("recovery timeout passed"),
            Self::ProbeAnswered => f.write_str("probe answered"),
            Self::HalfOpenSucceeded(n) => write!(f, "{n} served in half-open"),
            Self::HalfOpenFailed => f.write_str("failed in half-open"),
            Self::LeaseExpired => f.write_str("half-open undecided for too long"),
            Self::Told => f.write_str("told to"),
        }
    }
}

/// What a trip was decided by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Snapshot {
    /// Failures without a success between them.
    pub consecutive: u32,
    /// The last span of time.
    pub span: Counts,
    /// The last N outcomes, if there is such a window.
    pub last: Option<Counts>,
    /// What the last failures were, the newest first.
    pub causes: [Option<Cause>; 8],
}

/// A change, on the breaker's own clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) at_ns: u64,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) mode: Mode,
    pub(super) reason: Reason,
    pub(super) epoch: u64,
    pub(super) snapshot: Snapshot,
}
