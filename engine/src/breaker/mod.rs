//! A circuit breaker: refuse at once while the server is gone, instead of
//! letting every caller find out by itself.
//!
//! The decisions are in [`state`] (pure); this file shares one state machine
//! between tasks. An admission is a [`Permit`], and dropping it is a neutral
//! release, so that no cancelled or panicking caller can wedge half-open.
//!
//! Nothing happens under the lock but the decision: whoever waits for a change
//! is woken after it, and what a change sets off (eviction, probing) is done by
//! the one whose outcome made it.

pub mod config;
mod probe;
pub mod state;
pub mod window;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

pub use self::{
    config::{Backoff, Config, Probe},
    state::{Outcome, Reason, State, Transition},
};
pub(crate) use probe::run as run_probe;

use self::state::{Admission, Machine};
use crate::clock::{self, Instant};

/// A circuit breaker, shared. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Breaker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    machine: Mutex<Machine>,
    changed: Notify,
}

/// The right to do one thing, and the duty to say what came of it.
///
/// Dropped without a word it is a neutral release.
#[derive(Debug)]
#[must_use = "dropping a permit is a neutral release"]
pub struct Permit {
    breaker: Breaker,
    epoch: u64,
    settled: bool,
}

/// Refused; ask again after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("circuit open, retry after {} ms", .retry_after.as_millis())]
pub struct Refused {
    /// How long until it may be worth it.
    pub retry_after: Duration,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Shared {
            machine: Mutex::new(Machine::new(config.clone(), clock::now())),
            config,
            changed: Notify::new(),
        }))
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Asks to be admitted. Never waits.
    ///
    /// # Errors
    /// [`Refused`] while the circuit is open, or half-open with all its permits out.
    pub fn admit(&self, now: Instant) -> Result<Permit, Refused> {
        match self.update(|machine| machine.admit(now)).0 {
            Admission::Admitted { epoch } => Ok(Permit {
                breaker: self.clone(),
                epoch,
                settled: false,
            }),
            Admission::Refused { retry_after } => Err(Refused { retry_after }),
        }
    }

    /// The current state.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state()
    }

    /// How long until it may be worth asking again.
    #[must_use]
    pub fn retry_after(&self, now: Instant) -> Duration {
        self.lock().retry_after(now)
    }

    /// The last changes of state (at most [`state::HISTORY`]), oldest first, that
    /// began an epoch after `epoch`.
    #[must_use]
    pub fn history_since(&self, epoch: u64) -> Vec<Transition> {
        let machine = self.lock();
        let newer = machine.history().iter().filter(|t| t.epoch > epoch);
        newer.copied().collect()
    }

    /// Outcomes that came from before the last change of state, and so decided
    /// nothing.
    #[must_use]
    pub fn stale_outcomes(&self) -> u64 {
        self.lock().stale()
    }

    /// Changes of state so far.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.lock().transitions()
    }

    /// Waits until the circuit is open, and says since which epoch.
    ///
    /// Cancel safe: dropping it leaves nothing behind.
    pub async fn opened(&self) -> u64 {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let machine = self.lock();
                if machine.state() == State::Open {
                    return machine.epoch();
                }
            }
            changed.await;
        }
    }

    pub(crate) fn probe_scheduled(&self, at: Instant) {
        self.update(|machine| machine.probe_scheduled(at));
    }

    pub(crate) fn probe_answered(&self, epoch: u64, now: Instant) {
        self.update(|machine| machine.probe_answered(epoch, now));
    }

    /// The epoch, if the circuit is open.
    pub(crate) fn open_epoch(&self) -> Option<u64> {
        let machine = self.lock();
        (machine.state() == State::Open).then(|| machine.epoch())
    }

    /// Runs a decision, then wakes who waits for a change. Returns the state that
    /// this very decision led to, if it changed it: one winner for each change.
    fn update<T>(&self, decide: impl FnOnce(&mut Machine) -> T) -> (T, Option<State>) {
        let mut machine = self.lock();
        let before = machine.epoch();
        let decision = decide(&mut machine);
        let changed = (machine.epoch() != before).then(|| machine.state());
        drop(machine);
        if changed.is_some() {
            self.0.changed.notify_waiters();
        }
        (decision, changed)
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        // The machine is only ever left between two decisions.
        self.0
            .machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Says what came of it; may be said again for further statements on the
    /// same connection. Returns the state that this outcome led to, if it
    /// changed it.
    pub fn record(&mut self, outcome: Outcome, now: Instant) -> Option<State> {
        let (epoch, settled) = (self.epoch, self.settled);
        self.settled = true;
        let decide = |machine: &mut Machine| {
            if settled {
                machine.observe(epoch, outcome, now);
            } else {
                machine.settle(epoch, outcome, now);
            }
        };
        self.breaker.update(decide).1
    }

    /// Whether the state has changed since the permit was given.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.breaker.lock().epoch() != self.epoch
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            let epoch = self.epoch;
            let now = clock::now();
            self.breaker
                .update(|machine| machine.settle(epoch, Outcome::Neutral, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(Config {
            failure_threshold: Some(1),
            recovery_timeout: Duration::from_secs(1),
            half_open_permits: 1,
            success_threshold: 1,
            ..Config::default()
        })
    }

    fn fail(breaker: &Breaker) -> Option<State> {
        let now = clock::now();
        breaker.admit(now).ok()?.record(Outcome::Failure, now)
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_permit_gives_half_open_its_place_back() {
        let breaker = breaker();
        assert_eq!(fail(&breaker), Some(State::Open));
        tokio::time::advance(Duration::from_secs(1)).await;
        let first = breaker.admit(clock::now());
        assert!(first.is_ok());
        assert!(breaker.admit(clock::now()).is_err(), "one permit only");
        drop(first);
        assert_eq!(breaker.state(), State::HalfOpen, "neutral is not success");
        let mut second = breaker.admit(clock::now()).expect("the place is free");
        let closed = second.record(Outcome::Success, clock::now());
        assert_eq!(closed, Some(State::Closed));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_open_wakes_on_the_trip() {
        let breaker = breaker();
        let waiting = tokio::spawn({
            let breaker = breaker.clone();
            async move { breaker.opened().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        fail(&breaker);
        assert_eq!(waiting.await.expect("woken"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_many_failures_wins_the_transition() {
        let breaker = breaker();
        let now = clock::now();
        let mut permits: Vec<_> = (0..5)
            .map(|_| breaker.admit(now).expect("closed"))
            .collect();
        let changes: Vec<_> = permits
            .iter_mut()
            .filter_map(|p| p.record(Outcome::Failure, now))
            .collect();
        assert_eq!(changes, [State::Open]);
        assert_eq!(breaker.stale_outcomes(), 4);
    }
}
