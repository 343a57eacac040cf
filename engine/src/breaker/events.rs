//! [`Events`]: follows the changes of a breaker.

use std::collections::VecDeque;

use super::{
    Breaker,
    state::{Evidence, Mode, Reason, State},
};
use crate::clock::Instant;

/// A change of state or mode.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// When it changed.
    pub at: Instant,
    /// The state before.
    pub from: State,
    /// The state from then on.
    pub to: State,
    /// The mode from then on.
    pub mode: Mode,
    /// Why it changed.
    pub reason: Reason,
    /// The epoch that began.
    pub epoch: u64,
    /// The counts that a trip was decided by; empty for other changes.
    pub evidence: Evidence,
}

/// Yields the changes of a breaker as they come, in order. A reader that is slow misses the
/// oldest and is told how many; it holds up nobody.
#[derive(Debug)]
pub struct Events {
    breaker: Breaker,
    seen: u64,
    waiting: VecDeque<Transition>,
}

/// A change, or the news that changes were missed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "changes are rare, and nearly every event is one"
)]
#[non_exhaustive]
pub enum Event {
    /// The next change.
    Changed(Transition),
    /// So many changes were missed.
    Missed(u64),
}

impl Events {
    pub(super) fn new(breaker: Breaker) -> Self {
        let seen = breaker.epoch();
        Self {
            breaker,
            seen,
            waiting: VecDeque::new(),
        }
    }

    /// Waits for the next change.
    ///
    /// Cancel safe: a dropped future loses no event.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(next) = self.waiting.pop_front() {
                self.seen = next.epoch;
                return Event::Changed(next);
            }
            self.breaker.changed_since(self.seen).await;
            self.waiting.extend(self.breaker.history_since(self.seen));
            let missed = self.waiting.front().map_or(0, |t| t.epoch - self.seen - 1);
            if missed > 0 {
                self.seen += missed;
                return Event::Missed(missed);
            }
        }
    }
}
