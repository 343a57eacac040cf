//! Waiting for the circuit to close, instead of being refused.
//!
//! Who waits has no connection and no slot. A change of the circuit wakes all of them; they
//! are admitted like anybody, and wait for a slot in the order they came in. Who could not be
//! answered in time any more is refused before the time is over, and who would be one too many
//! at once.

use std::{
    pin::pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use super::{acquire::Inner, link::MOST};
use crate::{
    breaker::{Mode, State},
    clock::{self, Instant},
    error::Error,
    metrics::{Counter, Metrics, Timing},
};

/// How often it is looked whether the server is still being asked: the task that does may have
/// ended with its runtime.
const LOOK: Duration = Duration::from_millis(250);

/// A caller's way to a session.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// When it came.
    pub(super) began: Instant,
    /// Until when it is to have a session.
    pub(super) deadline: Instant,
    /// Longest wait for a session, from any moment on.
    timeout: Duration,
    /// Until when it is to have its answers, if it said so.
    pub(super) answer_by: Option<Instant>,
    /// Its place among those who wait for a slot.
    pub(super) place: Option<u64>,
    /// It was counted as one that waits for the circuit.
    waited: bool,
}

impl Turn {
    pub(super) fn new(began: Instant, timeout: Duration, answer_by: Option<Instant>) -> Self {
        let by = began + timeout;
        let by = answer_by.map_or(by, |answer| answer.min(by));
        Self {
            began,
            deadline: planted!(AcquireTimeoutNotKept, by => began + timeout * 10),
            timeout,
            answer_by,
            place: None,
            waited: false,
        }
    }

    /// The same for the session that is made for it: one that has little time left is no
    /// measure for how long the server may take.
    pub(super) fn making(&self, now: Instant) -> Self {
        let left = self.deadline.saturating_duration_since(now);
        let deadline = if left < self.timeout.mul_f64(MOST) {
            now + self.timeout
        } else {
            self.deadline
        };
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// How long it has waited, up to its deadline.
    pub(super) fn waited_until(&self, now: Instant) -> Duration {
        now.min(self.deadline).saturating_duration_since(self.began)
    }
}

/// Counts those who wait for the circuit, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Waiters(AtomicU32);

/// One who waits. Dropping it makes room for another.
struct Waiter<'a>(&'a AtomicU32);

impl Waiters {
    /// How many wait.
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self, most: u32) -> Option<Waiter<'_>> {
        let one_more = |n: u32| (n < most).then_some(n + 1);
        let entered = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        entered.is_ok().then(|| Waiter(&self.0))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Times a wait until it is dropped, however it ends.
struct TimedWait<'a>(&'a Metrics, Instant);

impl Drop for TimedWait<'_> {
    fn drop(&mut self) {
        self.0.time(Timing::Wait, clock::now() - self.1);
    }
}

impl Inner {
    /// The moment from which on a session would come too late: what is left then is twice what an
    /// answer usually takes, and at most half of the caller's time. What a connection takes is
    /// not in it: most get one that is there.
    pub(super) fn latest(&self, turn: &Turn, now: Instant) -> Instant {
        let usual = self
            .typical
            .usual(&self.metrics, self.breaker.tick(now).ns());
        let answer = turn.answer_by.map_or(Duration::ZERO, |_| usual.query * 2);
        let most = turn.deadline.saturating_duration_since(turn.began) / 2;
        turn.deadline - answer.min(most)
    }

    /// Waits until it is worth to ask the breaker again.
    ///
    /// Cancel safe: dropping it leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::CircuitOpen`] if that would be too late, or nobody knows when it will be;
    /// [`Error::WaitingFull`].
    pub(super) async fn wait_for_circuit(&self, turn: &mut Turn) -> Result<(), Error> {
        let now = clock::now();
        let latest = self.latest(turn, now);
        let (state, mode, epoch) = self.breaker.met();
        if state == State::Closed {
            return Ok(());
        }
        // Without a probe of our own, and in half-open, it is callers who find out.
        let asks = state == State::HalfOpen || !self.probes();
        let again = asks.then(|| now + self.breaker.retry_after(now));
        let wake = again.unwrap_or(latest);
        if mode == Mode::ForcedOpen || wake > latest || latest <= now {
            return Err(self.breaker.refusal(now).into());
        }
        let most = self.config.circuit_breaker_max_waiting;
        let Some(_waiter) = self.waiters.enter(most) else {
            self.metrics.count(Counter::WaitingFull);
            return Err(Error::WaitingFull { waiting: most });
        };
        turn.place.get_or_insert_with(|| self.slots.place());
        if !std::mem::replace(&mut turn.waited, true) {
            self.metrics.count(Counter::Waited);
        }
        let mut stopping = pin!(self.stopping.notified());
        stopping.as_mut().enable();
        if self.stopped() {
            return Err(Error::Closed);
        }
        let _timed = TimedWait(&self.metrics, now);
        let mut changed = pin!(self.breaker.changed_since(epoch));
        loop {
            let look = wake.min(clock::now() + LOOK);
            tokio::select! {
                biased;
                () = &mut stopping => return Err(Error::Closed),
                () = &mut changed => return Ok(()),
                () = clock::sleep_until(look) => {}
            }
            let now = clock::now();
            match again {
                _ if now < wake => self.probe(now),
                Some(_) => return Ok(()),
                None => return Err(self.breaker.refusal(now).into()),
            }
        }
    }
}
