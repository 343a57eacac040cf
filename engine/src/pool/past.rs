//! [`Past`]: keeps how the pool did, in the background.
//!
//! One task at most, in the runtime of a caller. If that ends, the next caller begins another;
//! the time between is one long slot of the history.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

use tokio::runtime::Handle;

use super::acquire::Inner;
use crate::{
    breaker::State,
    clock::{self, Instant, Wall},
    metrics::{FINE, Gauges, History, Metrics},
};

/// The history of a pool, and the clock that it is shown with.
#[derive(Debug)]
pub(super) struct Past {
    zero: Instant,
    wall: Wall,
    /// A history is kept.
    keeps: AtomicBool,
    /// A task keeps it.
    sampling: AtomicBool,
    history: Mutex<Option<History>>,
}

impl Past {
    pub(super) fn new(retention_minutes: u32, metrics: &Metrics) -> Self {
        let past = Self {
            zero: clock::now(),
            wall: Wall::now(),
            keeps: AtomicBool::new(false),
            sampling: AtomicBool::new(false),
            history: Mutex::default(),
        };
        past.retain(retention_minutes, metrics);
        past
    }

    /// Begins to keep a history of so long, and forgets what there was. 0 keeps none.
    pub(super) fn retain(&self, minutes: u32, metrics: &Metrics) {
        let empty = Metrics::default().snapshot();
        let history = History::new(minutes, &metrics.snapshot(), empty);
        let history = (minutes > 0).then_some(history);
        self.keeps.store(history.is_some(), Ordering::Relaxed);
        let old = std::mem::replace(&mut *self.lock(), history);
        drop(old);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<History>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the history, if one is kept. The lock is held meanwhile.
    pub(super) fn look<T>(&self, at: impl FnOnce(&History) -> T) -> Option<T> {
        self.lock().as_ref().map(at)
    }

    /// Nanoseconds since the pool was made, and at least one.
    pub(super) fn ns(&self, at: Instant) -> u64 {
        let ns = at.saturating_duration_since(self.zero).as_nanos();
        u64::try_from(ns).unwrap_or(u64::MAX).max(1)
    }

    /// Milliseconds since the pool was made: the history's clock.
    pub(super) fn ms(&self, at: Instant) -> u64 {
        self.ns(at) / 1_000_000
    }

    /// The time of day of a moment, in milliseconds since 1970.
    pub(super) fn unix_ms(&self, at: Instant) -> u64 {
        self.wall.unix_ms(at)
    }

    /// The time of day at which the pool was made.
    pub(super) fn began_unix_ms(&self) -> u64 {
        self.wall.unix_ms(self.zero)
    }

    fn is_due(&self) -> bool {
        self.keeps.load(Ordering::Relaxed) && !self.sampling.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// Has the history kept, if it is to be and nobody does. Without a runtime, the next caller
    /// that has one does.
    #[inline]
    pub(super) fn keep_past(self: &Arc<Self>) {
        if self.past.is_due() {
            self.begin_sampling();
        }
    }

    #[cold]
    fn begin_sampling(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.stopped() && !self.past.sampling.swap(true, Ordering::AcqRel) {
            let guard = Sampling(Arc::downgrade(self));
            drop(runtime.spawn(sample(guard)));
        }
    }

    /// How the pool stands.
    pub(super) fn gauges(&self) -> Gauges {
        let status = self.sessions.status();
        let idle = status.available.min(status.size);
        Gauges {
            active: (status.size - idle) as u64,
            idle: idle as u64,
            max: status.max_size as u64,
            waiting_for_slot: self.slots.waiting() as u64,
            waiting_for_circuit: u64::from(self.waiters.count()),
            state: place(self.breaker.state()) as u64,
        }
    }

    /// Adds how things stand to the history.
    pub(super) fn sample(&self) {
        let (snapshot, gauges) = (self.metrics.snapshot(), self.gauges());
        let at_ms = self.past.ms(clock::now());
        if let Some(history) = &mut *self.past.lock() {
            history.push(at_ms, &snapshot, &gauges);
        }
    }

    /// Counts changes of the circuit.
    pub(super) fn circuit_changed(&self, to: impl Iterator<Item = State>) {
        to.for_each(|state| self.metrics.transition(place(state)));
        let pool = &*self.config.name;
        let reason = self.breaker.refusal(clock::now()).reason;
        let reason = reason.map_or_else(String::new, |reason| reason.to_string());
        match self.breaker.state() {
            State::Open => tracing::warn!(pool, reason, "circuit opened"),
            State::HalfOpen => tracing::info!(pool, reason, "circuit half-open"),
            State::Closed => tracing::info!(pool, reason, "circuit closed"),
        }
    }
}

/// The place of a state in [`STATES`](crate::metrics::STATES).
pub(super) fn place(state: State) -> usize {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

/// The only task. Dropped, another may begin.
struct Sampling(Weak<Inner>);

impl Drop for Sampling {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.past.sampling.store(false, Ordering::Release);
        }
    }
}

async fn sample(guard: Sampling) {
    let mut next = clock::now();
    loop {
        // Behind time, the slot is longer; none is made up for.
        next = clock::now().max(next) + FINE;
        clock::sleep_until(next).await;
        let Some(pool) = guard.0.upgrade() else {
            return;
        };
        if pool.stopped() || !pool.past.keeps.load(Ordering::Relaxed) {
            return;
        }
        pool.sample();
    }
}
