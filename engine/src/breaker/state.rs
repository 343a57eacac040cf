//! What a breaker says of itself: its state and mode, and why they changed. Pure.

use std::{fmt, time::Duration};

use super::{outcome::Cause, window::Counts};

/// What the breaker does with callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Admits all callers.
    Closed,
    /// Refuses all callers.
    Open,
    /// Admits a few callers, to find out whether the server is back.
    HalfOpen,
}

/// Whether the breaker's decisions are obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// They are.
    Active,
    /// The breaker decides and reports, and refuses nobody: to see what it would do.
    Shadow,
    /// All callers are refused, until another mode is set.
    ForcedOpen,
    /// All callers are admitted, and nothing is counted.
    Disabled,
}

/// Why the state changed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// This many failures without a success between them, or in the latter half of any.
    ConsecutiveFailures(u32),
    /// The share of failures in the window.
    FailureRate(Counts),
    /// The share of slow calls in the window.
    SlowRate(Counts),
    /// A call has been under way for so long, and none has gone well since.
    Hanging(Duration),
    /// For so long nobody had an answer, and neither had a probe.
    Silent(Duration),
    /// One failure that needs no other.
    Decisive(Cause),
    /// The recovery timeout is over.
    RecoveryTimeout,
    /// The probe was answered.
    ProbeAnswered,
    /// This many callers were served in half-open.
    HalfOpenSucceeded(u32),
    /// A caller failed in half-open.
    HalfOpenFailed,
    /// Half-open came to no decision in time.
    LeaseExpired,
    /// Somebody forced it, or set the mode.
    Manual,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsecutiveFailures(1) => f.write_str("1 failure"),
            Self::ConsecutiveFailures(n) => write!(f, "{n} failures in a row"),
            Self::FailureRate(c) => write!(f, "{} of {} failed", c.failed, c.total()),
            Self::SlowRate(c) => write!(f, "{} of {} were slow", c.slow, c.total()),
            Self::Hanging(age) => write!(f, "no answer for {} ms", age.as_millis()),
            Self::Silent(age) => write!(f, "no answer to anybody for {} ms", age.as_millis()),
            Self::Decisive(cause) => cause.fmt(f),
            Self::RecoveryTimeout => f.write_str("recovery timeout passed"),
            Self::ProbeAnswered => f.write_str("probe answered"),
            Self::HalfOpenSucceeded(n) => write!(f, "{n} served in half-open"),
            Self::HalfOpenFailed => f.write_str("failed in half-open"),
            Self::LeaseExpired => f.write_str("half-open undecided for too long"),
            Self::Manual => f.write_str("by hand"),
        }
    }
}

/// The counts that a trip was decided by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// Failures without a success between them, or in the latter half of any.
    pub consecutive: u32,
    /// Outcomes in the last span of time.
    pub span: Counts,
    /// The last N outcomes, if there is such a window.
    pub last: Option<Counts>,
    /// The kinds of the last failures, the newest first.
    pub causes: [Option<Cause>; 8],
}
