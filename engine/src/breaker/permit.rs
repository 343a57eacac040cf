//! [`Permit`] and [`OwnedPermit`]: an admission, to be settled with an outcome.

use super::{
    handle::{Breaker, Tick},
    outcome::{CallOutcome, Cause},
    state::State,
    ticket::{Observation, Ticket},
};
use crate::{clock::Instant, shard::shard};

/// The right to make one call, and the duty to report what came of it.
///
/// Dropped without a word it is a neutral release.
#[derive(Debug)]
#[must_use = "dropping a permit is a neutral release"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    ticket: Ticket,
    began: Instant,
}

/// A [`Permit`] that owns its breaker.
#[derive(Debug)]
#[must_use = "dropping a permit is a neutral release"]
pub struct OwnedPermit {
    breaker: Breaker,
    ticket: Ticket,
    began: Instant,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(breaker: &'a Breaker, ticket: Ticket, began: Instant) -> Self {
        Self {
            breaker,
            ticket,
            began,
        }
    }

    /// Reports what came of the call, at a moment of the breaker's own clock. For callers
    /// that have taken the time for something else already: the subtraction that this
    /// spares costs as much as all the rest. Returns the state that this outcome led to, if
    /// it changed it.
    #[inline]
    pub fn record_at(mut self, outcome: CallOutcome, at: Tick) -> Option<State> {
        record(
            self.breaker,
            &mut self.ticket,
            outcome,
            None,
            self.began,
            at,
        )
    }

    /// Reports what came of the call. Returns the state that this outcome led to, if it
    /// changed it.
    #[inline]
    pub fn record(self, outcome: CallOutcome, now: Instant) -> Option<State> {
        let at = self.breaker.tick(now);
        self.record_at(outcome, at)
    }

    /// Reports that the call failed, and how. Returns the state that this led to, if it
    /// changed it.
    pub fn fail(mut self, cause: Cause, now: Instant) -> Option<State> {
        let (failure, cause) = (CallOutcome::Failure, Some(cause));
        let (began, at) = (self.began, self.breaker.tick(now));
        record(self.breaker, &mut self.ticket, failure, cause, began, at)
    }
}

impl OwnedPermit {
    pub(super) fn new(breaker: Breaker, ticket: Ticket, began: Instant) -> Self {
        Self {
            breaker,
            ticket,
            began,
        }
    }

    /// Reports what came of a call that began at `began`, and the kind of its failure. May
    /// be called again for further calls under the same permit. Returns the state that this
    /// outcome led to, if it changed it.
    pub fn record(
        &mut self,
        outcome: CallOutcome,
        cause: Option<Cause>,
        began: Instant,
        now: Instant,
    ) -> Option<State> {
        let at = self.breaker.tick(now);
        record(&self.breaker, &mut self.ticket, outcome, cause, began, at)
    }

    /// Hands the permit over to whoever learns what comes of the call. This one is settled.
    pub(crate) fn hand_over(&mut self) -> Self {
        let ticket = self.ticket;
        self.ticket.settled = true;
        Self::new(self.breaker.clone(), ticket, self.began)
    }

    /// The moment that the permit was given.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether the breaker has changed since the permit was given.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !self.breaker.0.core.is_current(&self.ticket)
    }
}

#[inline]
fn record(
    breaker: &Breaker,
    ticket: &mut Ticket,
    outcome: CallOutcome,
    cause: Option<Cause>,
    began: Instant,
    Tick(now_ns): Tick,
) -> Option<State> {
    let core = &breaker.0.core;
    let ok = match outcome {
        CallOutcome::Neutral => {
            core.release(ticket);
            return None;
        }
        CallOutcome::Success => true,
        CallOutcome::Failure => false,
    };
    let took_ns = || now_ns.saturating_sub(breaker.ns(began));
    let observed = Observation {
        ok,
        // What nobody asks for is not worth another subtraction of times.
        took_ns: if !ok || core.counts_slow() {
            took_ns()
        } else {
            0
        },
        cause,
    };
    let changed = core.record(shard(), ticket, observed, now_ns);
    changed.then(|| breaker.state())
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.breaker.0.core.release(&mut self.ticket);
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.breaker.0.core.release(&mut self.ticket);
    }
}
