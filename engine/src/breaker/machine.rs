//! The breaker's state machine. Pure: time is an argument, in nanoseconds since the
//! breaker was made.
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
//! Beside it stands a [`Mode`]: what is done with what the machine decides.
//!
//! Invariants:
//! - The epoch goes up on a change of state or mode and at no other time. What was
//!   admitted in an older epoch decides nothing any more; it is counted as stale.
//! - In `HalfOpen` at most `half_open_permits` are out at once, and it lasts at
//!   most `half_open_lease`: a permit that never comes back cannot wedge it.
//! - In `Open`, somebody is admitted at the latest when the wait that was drawn at
//!   the trip is over, whatever the probe says.
//! - Counts start from nothing after each change of state, so a breaker that
//!   has just closed does not trip on failures from before the outage.

use std::collections::VecDeque;

use super::{
    changes::{Change, HISTORY},
    config::Config,
    outcome::Cause,
    state::{Evidence, Mode, Reason, State},
};

/// The machine's answer to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Go on, and report the outcome.
    Admitted,
    /// Go on; what comes of it decides nothing.
    Unwatched,
    /// Do not; ask again after this time.
    Refused { retry_after_ns: u64 },
}

/// The answer to the next callers, as long as nothing changes: all that the way without a
/// lock needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Admitted, and watched.
    Admit,
    /// Admitted, and not watched.
    Pass,
    /// Refused until then; may ask again then, which is no later.
    Refuse { until_ns: u64, retry_ns: u64 },
    /// The machine has to be asked for each caller.
    Ask,
}

#[derive(Debug)]
enum Phase {
    Closed {
        ramp_until_ns: u64,
    },
    Open {
        until_ns: u64,
        probe_ns: Option<u64>,
    },
    HalfOpen {
        out: u32,
        succeeded: u32,
        until_ns: u64,
    },
}

/// The state machine.
#[derive(Debug)]
pub(super) struct Machine {
    config: Config,
    rng: fastrand::Rng,
    mode: Mode,
    phase: Phase,
    epoch: u64,
    /// Since when it is in this state.
    since_ns: u64,
    /// Trips since it was last closed: what the wait grows with.
    trips: u32,
    /// Callers that came since the ramp began, admitted or not.
    offered: u64,
    causes: VecDeque<Cause>,
    history: VecDeque<Change>,
    changes: u64,
}

/// How many causes a piece of evidence keeps.
const CAUSES: usize = 8;

impl Machine {
    /// Makes a closed machine, with its jitter drawn from `rng`.
    pub(super) fn new(config: Config, rng: fastrand::Rng) -> Self {
        Self {
            mode: config.mode,
            config,
            rng,
            phase: Phase::Closed { ramp_until_ns: 0 },
            epoch: 0,
            since_ns: 0,
            trips: 0,
            offered: 0,
            causes: VecDeque::with_capacity(CAUSES),
            history: VecDeque::with_capacity(HISTORY),
            changes: 0,
        }
    }

    /// The state that callers meet; in shadow mode, the one that they would meet. An Open
    /// whose wait is over stays Open until a caller comes.
    pub(super) fn state(&self) -> State {
        match (self.mode, &self.phase) {
            (Mode::ForcedOpen, _) | (_, Phase::Open { .. }) => State::Open,
            (_, Phase::Closed { .. }) => State::Closed,
            (_, Phase::HalfOpen { .. }) => State::HalfOpen,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn since_ns(&self) -> u64 {
        self.since_ns
    }

    /// The changes after `epoch`, oldest first, of the last [`HISTORY`].
    pub(super) fn changes_since(&self, epoch: u64) -> Vec<Change> {
        let newer = self.history.iter().filter(|change| change.epoch > epoch);
        newer.copied().collect()
    }

    /// Counts all changes, also those that the history no longer holds.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The reason of the last change; `None` before the first.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.history.back().map(|change| change.reason)
    }

    pub(super) fn gate(&self) -> Gate {
        match (self.mode, &self.phase) {
            (Mode::Disabled, _) => Gate::Pass,
            (Mode::ForcedOpen, _) => Gate::Refuse {
                until_ns: u64::MAX,
                retry_ns: u64::MAX,
            },
            (_, Phase::Closed { ramp_until_ns: 0 }) => Gate::Admit,
            // Shadow admits also whom it would refuse, so it has to be asked.
            (Mode::Active, Phase::Open { until_ns, probe_ns }) => Gate::Refuse {
                until_ns: *until_ns,
                retry_ns: probe_ns.map_or(*until_ns, |at| at.min(*until_ns)),
            },
            _ => Gate::Ask,
        }
    }

    /// Asks to be admitted. What is admitted must be answered by exactly one
    /// [`settled`](Self::settled).
    pub(super) fn admit(&mut self, now_ns: u64) -> Admission {
        match self.mode {
            Mode::Disabled => return Admission::Unwatched,
            Mode::ForcedOpen => {
                return Admission::Refused {
                    retry_after_ns: self.config.recovery_timeout_ns(),
                };
            }
            Mode::Active | Mode::Shadow => {}
        }
        if let Phase::HalfOpen { until_ns, .. } = self.phase
            && now_ns >= until_ns
        {
            self.open(Reason::LeaseExpired, Evidence::default(), now_ns);
        }
        if let Phase::Open { until_ns, .. } = self.phase
            && now_ns >= until_ns
        {
            let phase = Phase::HalfOpen {
                out: 0,
                succeeded: 0,
                until_ns: now_ns.saturating_add(self.config.half_open_lease_ns()),
            };
            self.change(phase, Reason::RecoveryTimeout, Evidence::default(), now_ns);
        }
        let (since_ns, permits) = (self.since_ns, self.config.half_open_permits);
        let admitted = match &mut self.phase {
            Phase::Closed { ramp_until_ns } => {
                if *ramp_until_ns > 0 && now_ns >= *ramp_until_ns {
                    *ramp_until_ns = 0;
                }
                let (until_ns, offered) = (*ramp_until_ns, &mut self.offered);
                until_ns == 0 || ramp(offered, now_ns - since_ns, until_ns - since_ns)
            }
            Phase::HalfOpen { out, .. } if *out < permits || planted!(HalfOpenAdmitsAll) => {
                *out += 1;
                true
            }
            Phase::HalfOpen { .. } | Phase::Open { .. } => false,
        };
        if admitted {
            Admission::Admitted
        } else if self.mode == Mode::Shadow {
            Admission::Unwatched
        } else {
            Admission::Refused {
                retry_after_ns: self.retry_after_ns(now_ns),
            }
        }
    }

    /// How long until it may be worth asking again, at least the shortest wait of
    /// a probe: nobody should be told to come back at once.
    pub(super) fn retry_after_ns(&self, now_ns: u64) -> u64 {
        let least = self.config.probe_interval_min_ns();
        match (self.mode, &self.phase) {
            (Mode::ForcedOpen, _) => self.config.recovery_timeout_ns(),
            (_, Phase::Open { until_ns, probe_ns }) => {
                let next = probe_ns.map_or(*until_ns, |at| at.min(*until_ns));
                next.saturating_sub(now_ns).max(least)
            }
            _ => least,
        }
    }

    /// Ends an admission of this epoch, whatever came of it.
    pub(super) fn settled(&mut self) {
        if let Phase::HalfOpen { out, .. } = &mut self.phase {
            *out = out.saturating_sub(1);
        }
    }

    /// Takes a success of this epoch.
    pub(super) fn succeeded(&mut self, now_ns: u64) {
        if let Phase::HalfOpen { succeeded, .. } = &mut self.phase {
            *succeeded += 1;
            let succeeded = *succeeded;
            if succeeded >= self.config.success_threshold {
                let reason = Reason::HalfOpenSucceeded(succeeded);
                self.close(reason, now_ns);
            }
        }
    }

    /// Takes a failure or a slow call of this epoch, with the counts to decide by, that
    /// call included.
    pub(super) fn failed(
        &mut self,
        failed: bool,
        cause: Option<Cause>,
        evidence: Evidence,
        now_ns: u64,
    ) {
        if let Some(cause) = cause {
            if self.causes.len() == CAUSES {
                self.causes.pop_front();
            }
            self.causes.push_back(cause);
        }
        match self.phase {
            Phase::Closed { .. } => {
                let decisive = cause.filter(|cause| cause.decisive);
                let reason = decisive.map(Reason::Decisive);
                if let Some(reason) = reason.or_else(|| self.config.trips(&evidence)) {
                    self.open(reason, evidence, now_ns);
                }
            }
            // A slow success is a success.
            Phase::HalfOpen { .. } if failed => {
                self.open(Reason::HalfOpenFailed, evidence, now_ns);
            }
            Phase::HalfOpen { .. } | Phase::Open { .. } => {}
        }
    }

    /// Opens for a call that has been under way for `age_ns` while none has gone well
    /// since.
    pub(super) fn hangs(&mut self, age_ns: u64, evidence: Evidence, now_ns: u64) {
        if matches!(self.phase, Phase::Closed { .. }) {
            let age = std::time::Duration::from_nanos(age_ns);
            self.open(Reason::Hanging(age), evidence, now_ns);
        }
    }

    /// Opens, if the epoch is this one still, because nobody had an answer for `age_ns`.
    pub(super) fn silent(&mut self, epoch: u64, age_ns: u64, evidence: Evidence, now_ns: u64) {
        if epoch == self.epoch && matches!(self.phase, Phase::Closed { .. }) {
            let age = std::time::Duration::from_nanos(age_ns);
            self.open(Reason::Silent(age), evidence, now_ns);
        }
    }

    /// Notes when the server will be asked next, for those who ask when to come back.
    pub(super) fn probe_scheduled(&mut self, at_ns: u64) {
        if let Phase::Open { probe_ns, .. } = &mut self.phase {
            *probe_ns = Some(at_ns);
        }
    }

    /// Closes for a probe that was begun in `epoch` and answered.
    pub(super) fn probe_answered(&mut self, epoch: u64, now_ns: u64) {
        if epoch == self.epoch && matches!(self.phase, Phase::Open { .. }) {
            self.close(Reason::ProbeAnswered, now_ns);
        }
    }

    /// Sets the mode. If it is another one, the machine closes.
    pub(super) fn set_mode(&mut self, mode: Mode, now_ns: u64) {
        if mode != self.mode {
            let from = self.state();
            self.mode = mode;
            self.trips = 0;
            self.phase = Phase::Closed { ramp_until_ns: 0 };
            self.changed(from, Reason::Manual, Evidence::default(), now_ns);
        }
    }

    /// Closes, whatever the state.
    pub(super) fn force_close(&mut self, now_ns: u64) {
        if !matches!(self.phase, Phase::Closed { ramp_until_ns: 0 }) {
            self.trips = 0;
            let phase = Phase::Closed { ramp_until_ns: 0 };
            self.change(phase, Reason::Manual, Evidence::default(), now_ns);
        }
    }

    fn open(&mut self, reason: Reason, mut evidence: Evidence, now_ns: u64) {
        if planted!(NeverOpens) {
            return;
        }
        for (kept, cause) in evidence.causes.iter_mut().zip(self.causes.iter().rev()) {
            *kept = Some(*cause);
        }
        let wait_ns = self.config.open_wait_ns(self.trips, &mut self.rng);
        self.trips = self.trips.saturating_add(1);
        let phase = Phase::Open {
            until_ns: now_ns.saturating_add(wait_ns),
            probe_ns: None,
        };
        self.change(phase, reason, evidence, now_ns);
    }

    fn close(&mut self, reason: Reason, now_ns: u64) {
        if planted!(NeverCloses) {
            return;
        }
        self.trips = 0;
        let ramp_ns = self.config.ramp_ns();
        let ramp_until_ns = if ramp_ns == 0 { 0 } else { now_ns + ramp_ns };
        let phase = Phase::Closed { ramp_until_ns };
        self.change(phase, reason, Evidence::default(), now_ns);
    }

    fn change(&mut self, phase: Phase, reason: Reason, evidence: Evidence, at_ns: u64) {
        let from = self.state();
        self.phase = phase;
        self.changed(from, reason, evidence, at_ns);
    }

    /// Begins an epoch, in the mode and phase that were set.
    fn changed(&mut self, from: State, reason: Reason, evidence: Evidence, at_ns: u64) {
        self.epoch += 1;
        self.since_ns = at_ns;
        self.offered = 0;
        self.changes += 1;
        self.causes.clear();
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Change {
            at_ns,
            from,
            to: self.state(),
            mode: self.mode,
            reason,
            epoch: self.epoch,
            evidence,
        });
    }
}

/// Whether the next caller is one of the share that a ramp lets through so far:
/// from a tenth of them to all, evenly spread.
fn ramp(offered: &mut u64, past_ns: u64, ramp_ns: u64) -> bool {
    let past = u128::from(past_ns.min(ramp_ns));
    // In thousandths, so that it stays exact.
    let share = 100 + past * 900 / u128::from(ramp_ns.max(1));
    let before = u128::from(*offered) * share / 1_000;
    *offered += 1;
    u128::from(*offered) * share / 1_000 > before
}
