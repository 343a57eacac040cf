//! The breaker's state machine. Pure: time is an argument, effects are returned.
//!
//! ```text
//!             trip                    recovery timeout, next caller
//!   Closed ----------> Open -------------------------------> HalfOpen
//!     ^                 |  ^                                   |  |
//!     |   probe answered|  |      failure, or lease expired    |  |
//!     +-----------------+  +-----------------------------------+  |
//!     +-----------------------------------------------------------+
//!                        enough successes
//! ```
//!
//! Invariants:
//! - The epoch goes up on a change of state and at no other time. What was
//!   admitted in an older epoch decides nothing any more; it is counted as stale.
//! - In `HalfOpen` at most `half_open_permits` are out at once, and it lasts at
//!   most `half_open_lease`: a permit that never comes back cannot wedge it.
//! - In `Open`, somebody is admitted at the latest `recovery_timeout` after the
//!   trip, whatever the probe says.
//! - Counts start from nothing after each change of state, so a breaker that
//!   has just closed does not trip on failures from before the outage.

use std::{collections::VecDeque, time::Duration};

use super::{
    config::Config,
    window::{Counts, Window},
};
use crate::clock::Instant;

/// How many transitions are kept; older ones are only counted.
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

/// Why the state changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// This many failures without a success between them.
    ConsecutiveFailures(u32),
    /// The share of failures in the window.
    FailureRate(Counts),
    /// The recovery timeout has passed.
    RecoveryTimeout,
    /// The probe was answered.
    ProbeAnswered,
    /// This many callers in a row were served in half-open.
    HalfOpenSucceeded(u32),
    /// A caller failed in half-open.
    HalfOpenFailed,
    /// Half-open came to no decision in time.
    LeaseExpired,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ConsecutiveFailures(n) => write!(f, "{n} failures in a row"),
            Self::FailureRate(c) => write!(f, "{} of {} failed", c.failed, c.total()),
            Self::RecoveryTimeout => f.write_str("recovery timeout passed"),
            Self::ProbeAnswered => f.write_str("probe answered"),
            Self::HalfOpenSucceeded(n) => write!(f, "{n} served in half-open"),
            Self::HalfOpenFailed => f.write_str("failed in half-open"),
            Self::LeaseExpired => f.write_str("half-open undecided for too long"),
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// When.
    pub at: Instant,
    /// The state before.
    pub from: State,
    /// The state from then on.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// The epoch that began.
    pub epoch: u64,
}

/// What [`Machine::admit`] said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Go on, and report the outcome with this epoch.
    Admitted {
        /// The epoch of the admission.
        epoch: u64,
    },
    /// Do not; ask again after this time.
    Refused {
        /// How long until it may be worth it.
        retry_after: Duration,
    },
}

#[derive(Debug)]
enum Phase {
    Closed {
        consecutive: u32,
        window: Window,
    },
    Open {
        until: Instant,
        probe_at: Option<Instant>,
    },
    HalfOpen {
        out: u32,
        succeeded: u32,
        until: Instant,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    phase: Phase,
    epoch: u64,
    history: VecDeque<Transition>,
    transitions: u64,
    stale: u64,
}

impl Machine {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let window = Window::new(config.window, now);
        Self {
            config,
            phase: Phase::Closed {
                consecutive: 0,
                window,
            },
            epoch: 0,
            history: VecDeque::with_capacity(HISTORY),
            transitions: 0,
            stale: 0,
        }
    }

    /// The state as it was left; an Open whose timeout has passed stays Open
    /// until a caller comes.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Goes up with every change of state.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last [`HISTORY`] changes of state, oldest first.
    #[must_use]
    pub fn history(&self) -> &VecDeque<Transition> {
        &self.history
    }

    /// All changes of state, also those that the history no longer holds.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// Outcomes that came too late to decide anything.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.stale
    }

    /// Asks to be admitted. An admission must be answered by exactly one
    /// [`settle`](Self::settle).
    pub fn admit(&mut self, now: Instant) -> Admission {
        if let Phase::HalfOpen { until, .. } = self.phase
            && now >= until
        {
            self.open(Reason::LeaseExpired, now);
        }
        if let Phase::Open { until, .. } = self.phase
            && now >= until
        {
            let until = now + self.config.half_open_lease;
            let phase = Phase::HalfOpen {
                out: 0,
                succeeded: 0,
                until,
            };
            self.change(phase, Reason::RecoveryTimeout, now);
        }
        match &mut self.phase {
            Phase::Closed { .. } => Admission::Admitted { epoch: self.epoch },
            Phase::HalfOpen { out, .. } if *out < self.config.half_open_permits => {
                *out += 1;
                Admission::Admitted { epoch: self.epoch }
            }
            _ => Admission::Refused {
                retry_after: self.retry_after(now),
            },
        }
    }

    /// How long until it may be worth asking again, at least the shortest wait of
    /// a probe: nobody should be told to come back at once.
    #[must_use]
    pub fn retry_after(&self, now: Instant) -> Duration {
        let least = self.config.probe_interval_min;
        match self.phase {
            Phase::Open { until, probe_at } => {
                let next = probe_at.map_or(until, |at| at.min(until));
                next.saturating_duration_since(now).max(least)
            }
            Phase::Closed { .. } | Phase::HalfOpen { .. } => least,
        }
    }

    /// Takes an admission back, with what came of it.
    pub fn settle(&mut self, epoch: u64, outcome: Outcome, now: Instant) {
        if epoch == self.epoch
            && let Phase::HalfOpen { out, .. } = &mut self.phase
        {
            *out = out.saturating_sub(1);
        }
        self.observe(epoch, outcome, now);
    }

    /// Learns from an outcome: of an admission, or of a further statement on a
    /// connection that an admission was for.
    pub fn observe(&mut self, epoch: u64, outcome: Outcome, now: Instant) {
        if outcome == Outcome::Neutral {
            return;
        }
        if epoch != self.epoch {
            self.stale += 1;
            return;
        }
        match (&mut self.phase, outcome) {
            (
                Phase::Closed {
                    consecutive,
                    window,
                },
                Outcome::Success,
            ) => {
                *consecutive = 0;
                window.record(true, now);
            }
            (
                Phase::Closed {
                    consecutive,
                    window,
                },
                _,
            ) => {
                *consecutive = consecutive.saturating_add(1);
                window.record(false, now);
                let (consecutive, counts) = (*consecutive, window.counts(now));
                if let Some(reason) = self.config.trips(consecutive, counts) {
                    self.open(reason, now);
                }
            }
            (Phase::HalfOpen { succeeded, .. }, Outcome::Success) => {
                *succeeded += 1;
                let succeeded = *succeeded;
                if succeeded >= self.config.success_threshold {
                    self.close(Reason::HalfOpenSucceeded(succeeded), now);
                }
            }
            (Phase::HalfOpen { .. }, _) => self.open(Reason::HalfOpenFailed, now),
            // No admission carries the epoch of an Open.
            (Phase::Open { .. }, _) => self.stale += 1,
        }
    }

    /// The probe will ask the server again at `at`: what callers are told.
    pub fn probe_scheduled(&mut self, at: Instant) {
        if let Phase::Open { probe_at, .. } = &mut self.phase {
            *probe_at = Some(at);
        }
    }

    /// The server answered a probe that was begun in `epoch`. Closes if the
    /// breaker has been open since.
    pub fn probe_answered(&mut self, epoch: u64, now: Instant) {
        if epoch == self.epoch && self.state() == State::Open {
            self.close(Reason::ProbeAnswered, now);
        }
    }

    fn open(&mut self, reason: Reason, now: Instant) {
        let until = now + self.config.recovery_timeout;
        self.change(
            Phase::Open {
                until,
                probe_at: None,
            },
            reason,
            now,
        );
    }

    fn close(&mut self, reason: Reason, now: Instant) {
        let window = Window::new(self.config.window, now);
        self.change(
            Phase::Closed {
                consecutive: 0,
                window,
            },
            reason,
            now,
        );
    }

    fn change(&mut self, phase: Phase, reason: Reason, at: Instant) {
        let from = self.state();
        self.phase = phase;
        self.epoch += 1;
        self.transitions += 1;
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Transition {
            at,
            from,
            to: self.state(),
            reason,
            epoch: self.epoch,
        });
    }
}

#[cfg(test)]
mod tests;
