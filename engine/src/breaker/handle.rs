//! [`Breaker`]: the core with a clock, and with those who wait for its changes.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{
    changes::Changes,
    config::{Config, ns},
    core::Core,
    events::{Events, Transition},
    machine::Machine,
    permit::{OwnedPermit, Permit},
    state::{Evidence, Mode, Reason, State},
    ticket::{Refusal, Ticket},
};
use crate::{
    clock::{self, Instant},
    shard::{SHARDS, shard},
};

/// A circuit breaker, shared. Cheap to clone.
#[derive(Clone)]
pub struct Breaker(pub(super) Arc<Inner>);

pub(super) struct Inner {
    config: Config,
    /// The moment that the core counts time from.
    zero: Instant,
    pub(super) core: Core,
    changed: Arc<Notify>,
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breaker")
            .field("state", &self.state())
            .field("mode", &self.mode())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

/// A moment on the clock of one breaker: nanoseconds since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub(super) u64);

impl Tick {
    /// Nanoseconds since the breaker was made.
    pub(crate) fn ns(self) -> u64 {
        self.0
    }
}

/// A refusal: the circuit is open, or half-open with all its permits out.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("circuit open, retry after {} ms{}", .retry_after.as_millis(), because(.reason.as_ref()))]
#[non_exhaustive]
pub struct Refused {
    /// How long to wait before asking again.
    pub retry_after: Duration,
    /// When the breaker last changed.
    pub since: Instant,
    /// Why the breaker last changed. `None` if it is changing at this moment.
    pub reason: Option<Reason>,
}

pub(crate) fn because(reason: Option<&Reason>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason})"))
}

impl Breaker {
    /// Makes a closed breaker, in the mode of its [`Config::mode`].
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_rng(config, fastrand::Rng::new())
    }

    /// Makes a breaker as [`new`](Self::new) does, and draws its jitter from `rng`.
    #[must_use]
    pub fn with_rng(config: Config, rng: fastrand::Rng) -> Self {
        Self::with_on_change(config, rng, |_| {})
    }

    /// Makes a breaker that calls `on_change` whenever it changes, before those who wait for the change are woken. `on_change` runs on the thread that
    /// found it, which may be that of any caller: it must not wait.
    pub(crate) fn with_on_change(
        config: Config,
        rng: fastrand::Rng,
        on_change: impl Fn(&Changes) + Send + Sync + 'static,
    ) -> Self {
        let changed = Arc::new(Notify::new());
        let waiters = changed.clone();
        let on_change = move |changes: Changes| {
            on_change(&changes);
            waiters.notify_waiters();
        };
        Self(Arc::new(Inner {
            core: Core::new(config.clone(), rng, SHARDS, Box::new(on_change)),
            config,
            zero: clock::now(),
            changed,
        }))
    }

    /// The settings that the breaker was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Asks to be admitted. Never waits.
    ///
    /// # Errors
    /// [`Refused`] while the circuit is open, or half-open with all its permits out.
    #[inline]
    pub fn admit(&self, now: Instant) -> Result<Permit<'_>, Refused> {
        self.ticket(now)
            .map(|ticket| Permit::new(self, ticket, now))
    }

    /// Asks to be admitted, for a permit that outlives the borrow. Never waits.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn admit_owned(&self, now: Instant) -> Result<OwnedPermit, Refused> {
        self.ticket(now)
            .map(|ticket| OwnedPermit::new(self.clone(), ticket, now))
    }

    /// Converts a moment to the breaker's own clock.
    #[must_use]
    pub fn tick(&self, at: Instant) -> Tick {
        Tick(self.ns(at))
    }

    /// The moment that is so many nanoseconds after the breaker was made.
    pub(crate) fn at(&self, ns: u64) -> Instant {
        self.0.zero + Duration::from_nanos(ns)
    }

    #[inline]
    fn ticket(&self, now: Instant) -> Result<Ticket, Refused> {
        if planted!(OpensByItself, one in 2_000) {
            self.update(|machine, now| machine.hangs(0, Evidence::default(), now));
        }
        let admitted = self.0.core.admit(shard, || self.ns(now));
        admitted.map_err(|refusal| self.refused(refusal))
    }

    fn refused(&self, refusal: Refusal) -> Refused {
        Refused {
            retry_after: Duration::from_nanos(refusal.retry_after_ns),
            since: self.at(refusal.since_ns),
            reason: refusal.reason,
        }
    }

    /// The state that callers meet now; in [`Mode::Shadow`], the one that they would meet.
    #[must_use]
    pub fn state(&self) -> State {
        let state = self.0.core.read(Machine::state);
        planted!(OpenShownAsClosed, state => State::Closed)
    }

    /// Whether its decisions are obeyed: see [`Mode`].
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.core.read(Machine::mode)
    }

    /// The number of the epoch, which goes up with every change of state or mode.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.core.read(Machine::epoch)
    }

    /// How long to wait before asking again.
    #[must_use]
    pub fn retry_after(&self, now: Instant) -> Duration {
        let now = self.ns(now);
        let retry_after_ns = self.0.core.read(|machine| machine.retry_after_ns(now));
        Duration::from_nanos(retry_after_ns)
    }

    /// The refusal that a caller would get now.
    #[must_use]
    pub fn refusal(&self, now: Instant) -> Refused {
        let now = self.ns(now);
        self.refused(self.0.core.read(|machine| Refusal {
            retry_after_ns: machine.retry_after_ns(now),
            since_ns: machine.since_ns(),
            reason: machine.reason(),
        }))
    }

    /// The last changes (at most [`HISTORY`](super::HISTORY)), oldest first, that began an epoch
    /// after `epoch`.
    #[must_use]
    pub fn history_since(&self, epoch: u64) -> Vec<Transition> {
        let changes = self.0.core.read(|machine| machine.changes_since(epoch));
        changes
            .into_iter()
            .map(|change| Transition {
                at: self.at(change.at_ns),
                from: change.from,
                to: planted!(OpenShownAsClosed, change.to => State::Closed),
                mode: change.mode,
                reason: change.reason,
                epoch: change.epoch,
                evidence: change.evidence,
            })
            .collect()
    }

    /// Follows the changes of the breaker from now on. As many readers as you like: none
    /// holds up another, or a caller.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.clone())
    }

    /// Counts the outcomes of calls that were admitted before the last change, and so
    /// decided nothing.
    #[must_use]
    pub fn stale_outcomes(&self) -> u64 {
        self.0.core.stale()
    }

    /// Counts the callers that were admitted in [`Mode::Shadow`] and would have been
    /// refused in [`Mode::Active`].
    #[must_use]
    pub fn shadow_refusals(&self) -> u64 {
        self.0.core.shadowed()
    }

    /// Counts the changes of state or mode so far.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.0.core.read(Machine::changes)
    }

    /// Refuses all callers, until it is set to another mode.
    pub fn force_open(&self) {
        self.set_mode(Mode::ForcedOpen);
    }

    /// Closes the circuit, and goes on deciding.
    pub fn force_close(&self) {
        self.set_mode(Mode::Active);
        self.update(|machine, now| machine.force_close(now));
    }

    /// Closes the circuit, in the mode that the breaker was made in.
    pub fn reset(&self) {
        let mode = self.0.config.mode;
        self.set_mode(mode);
        self.update(|machine, now| machine.force_close(now));
    }

    /// Admits all callers and counts nothing, until it is set to another mode.
    pub fn disable(&self) {
        self.set_mode(Mode::Disabled);
    }

    /// Sets the mode. If it is another one, the circuit closes and counts from nothing.
    pub fn set_mode(&self, mode: Mode) {
        self.update(|machine, now| machine.set_mode(mode, now));
    }

    /// Opens the circuit if a call hangs, as [`Config::hanging`] says. Callers check this
    /// as they are admitted; where there are none for a while, somebody should. True if it
    /// opened.
    pub fn check_hanging(&self, now: Instant) -> bool {
        self.0.core.check_hanging(self.ns(now))
    }

    /// Waits until callers are refused, and returns the epoch that this began.
    ///
    /// Cancel safe: dropping it leaves nothing behind.
    pub async fn opened(&self) -> u64 {
        self.until(|machine| refuses(machine).then(|| machine.epoch()))
            .await
    }

    /// Waits until callers are not refused any more, as far as the state goes.
    ///
    /// Cancel safe: dropping it leaves nothing behind.
    pub(crate) async fn admits(&self) {
        self.until(|machine| (!refuses(machine)).then_some(()))
            .await;
    }

    /// Waits until somebody has set it to refuse all.
    ///
    /// Cancel safe: dropping it leaves nothing behind.
    pub(crate) async fn forced(&self) {
        self.until(|machine| (machine.mode() == Mode::ForcedOpen).then_some(()))
            .await;
    }

    /// What callers meet: state, mode and epoch of one moment.
    pub(crate) fn met(&self) -> (State, Mode, u64) {
        self.0
            .core
            .read(|machine| (machine.state(), machine.mode(), machine.epoch()))
    }

    /// Whether somebody has set it to refuse all.
    pub(crate) fn is_forced(&self) -> bool {
        self.mode() == Mode::ForcedOpen
    }

    /// When the last change was.
    pub(crate) fn since(&self) -> Instant {
        self.at(self.0.core.read(Machine::since_ns))
    }

    /// Opens, if the epoch is this one still, because nobody had an answer for `age`, nor had
    /// a probe.
    pub(crate) fn silent(&self, epoch: u64, age: Duration) {
        self.update(|machine, now| machine.silent(epoch, ns(age), Evidence::default(), now));
    }

    /// Whether callers are refused, as far as the state goes.
    pub(crate) fn refuses(&self) -> bool {
        self.0.core.read(refuses)
    }

    pub(crate) async fn changed_since(&self, epoch: u64) {
        self.until(|machine| (machine.epoch() > epoch).then_some(()))
            .await;
    }

    async fn until<T>(&self, reached: impl Fn(&Machine) -> Option<T>) -> T {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = self.0.core.read(&reached) {
                return found;
            }
            changed.await;
        }
    }

    pub(crate) fn probe_scheduled(&self, at: Instant) {
        let at = self.ns(at);
        self.update(|machine, _| machine.probe_scheduled(at));
    }

    pub(crate) fn probe_answered(&self, epoch: u64, now: Instant) {
        let now = self.ns(now);
        self.update(|machine, _| machine.probe_answered(epoch, now));
    }

    /// The epoch, if the breaker itself opened the circuit.
    pub(crate) fn open_epoch(&self) -> Option<u64> {
        self.0.core.read(open_epoch)
    }

    fn update(&self, decide: impl FnOnce(&mut Machine, u64)) {
        let now = self.ns(clock::now());
        self.0.core.update(|machine| decide(machine, now));
    }

    #[inline]
    pub(super) fn ns(&self, at: Instant) -> u64 {
        ns(at.saturating_duration_since(self.0.zero))
    }
}

fn refuses(machine: &Machine) -> bool {
    machine.state() == State::Open && machine.mode() != Mode::Shadow
}

fn open_epoch(machine: &Machine) -> Option<u64> {
    let decides = matches!(machine.mode(), Mode::Active | Mode::Shadow);
    (decides && machine.state() == State::Open).then(|| machine.epoch())
}
