//! What an operation is drawn as: its outcome, with the late ones apart.

use plotters::style::RGBAColor;

use crate::{
    plot::palette::{FAILED, LATE, NOT_SENT, OK, REJECTED, TIMED_OUT, UNKNOWN},
    run::{Injection, Outcome},
};

/// An outcome as the reader sees it; the order is that of stacks and legends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Ok,
    Late,
    Failed,
    Rejected,
    TimedOut,
    Unknown,
    NotSent,
}

impl Answer {
    pub(super) const ALL: [Self; 7] = [
        Self::Ok,
        Self::Late,
        Self::Failed,
        Self::Rejected,
        Self::TimedOut,
        Self::Unknown,
        Self::NotSent,
    ];

    pub(super) fn of(outcome: Outcome, latency_us: u64, deadline_us: u64) -> Self {
        match outcome {
            Outcome::Ok if latency_us <= deadline_us => Self::Ok,
            Outcome::Ok => Self::Late,
            Outcome::Failed => Self::Failed,
            Outcome::Rejected => Self::Rejected,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Unknown => Self::Unknown,
            Outcome::NotSent => Self::NotSent,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "ok, but after the deadline",
            Self::Failed => Outcome::Failed.name(),
            Self::Rejected => "rejected (not sent, by breaker or pool)",
            Self::TimedOut => Outcome::TimedOut.name(),
            Self::Unknown => "unknown (a write without an answer)",
            Self::NotSent => "not sent (too many in flight)",
        }
    }

    pub(super) fn color(self) -> RGBAColor {
        match self {
            Self::Ok => OK,
            Self::Late => LATE,
            Self::Failed => FAILED,
            Self::Rejected => REJECTED,
            Self::TimedOut => TIMED_OUT,
            Self::Unknown => UNKNOWN,
            Self::NotSent => NOT_SENT,
        }
    }
}

/// An operation, as it is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dot {
    /// From the injection on.
    pub(super) at_s: f64,
    pub(super) latency_us: f64,
    pub(super) answer: Answer,
}

/// All operations of an injection, in their order.
pub(super) fn dots(injection: &Injection, rate_per_s: u32, deadline_us: u64) -> Vec<Dot> {
    let injected_s = injection.injected_us as f64 / 1e6;
    injection
        .operations
        .outcomes
        .chars()
        .zip(&injection.operations.latencies_us)
        .enumerate()
        .filter_map(|(i, (letter, latency))| {
            let outcome = Outcome::from_letter(letter)?;
            Some(Dot {
                at_s: i as f64 / f64::from(rate_per_s.max(1)) - injected_s,
                latency_us: *latency as f64,
                answer: Answer::of(outcome, *latency, deadline_us),
            })
        })
        .collect()
}
