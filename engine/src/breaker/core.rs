//! [`Core`]: the state machine, shared between threads.
//!
//! A call that goes well takes no lock and writes nothing that another thread reads:
//! it reads one word for its admission, and counts itself in a shard of its own
//! thread. Everything else - failures, slow calls, half-open, changes - goes through
//! the machine under its lock, and publishes what it led to in that word.
//!
//! The word holds the epoch and the gate. An outcome brings the epoch of its
//! admission with it; one of another epoch is stale. Counters carry the epoch too, so
//! an outcome that is overtaken by a change between reading the word and counting
//! itself counts in its own, dead epoch.
//!
//! Time is an argument: nanoseconds since the breaker was made.
//!
//! Readers and writers of the word stand in one file, since each is only right with the
//! others.

use super::{
    ages::Ages,
    changes::{Changes, OnChange},
    config::{Config, ns},
    machine::{Admission, Gate, Machine},
    state::{Evidence, Mode, Reason, State},
    sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, RwLock, fence},
    ticket::{Observation, Refusal, Ticket, UNWATCHED},
    window::{CountWindow, Tally, TimeWindow},
};

const GATE_BITS: u32 = 2;
const GATE_MASK: u64 = (1 << GATE_BITS) - 1;
const ADMIT: u64 = 0;
const PASS: u64 = 1;
const REFUSE: u64 = 2;
const ASK: u64 = 3;

pub(super) struct Core {
    published: Published,
    window: TimeWindow,
    last: Option<CountWindow>,
    ages: Option<Ages>,
    slow_ns: u64,
    locked: Mutex<Machine>,
    /// The reason of the last change. Beside the lock, so that a refusal waits for no
    /// decision.
    reason: RwLock<Option<Reason>>,
    stale: AtomicU64,
    shadowed: AtomicU64,
    on_change: OnChange,
}

/// What every call reads and few write: the machine's decisions as the way without a lock
/// needs them. On cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Published {
    /// Epoch and gate.
    word: AtomicU64,
    /// Failures in a row (low 32 bits) and the low 32 bits of their epoch.
    consecutive: AtomicU64,
    since_ns: AtomicU64,
    until_ns: AtomicU64,
    retry_ns: AtomicU64,
    /// When to check next whether calls hang.
    check_ns: AtomicU64,
}

impl Core {
    /// Makes a closed breaker that counts in `shards` shards, and hands its changes to
    /// `on_change`.
    pub(super) fn new(
        config: Config,
        rng: fastrand::Rng,
        shards: usize,
        on_change: OnChange,
    ) -> Self {
        let machine = Machine::new(config.clone(), rng);
        let core = Self {
            published: Published {
                word: AtomicU64::new(0),
                consecutive: AtomicU64::new(0),
                since_ns: AtomicU64::new(0),
                until_ns: AtomicU64::new(0),
                retry_ns: AtomicU64::new(0),
                check_ns: AtomicU64::new(0),
            },
            window: TimeWindow::new(ns(config.window), shards),
            last: config.count_window.map(|n| CountWindow::new(n as usize)),
            ages: config.hanging.map(|age| Ages::new(ns(age), shards)),
            slow_ns: config.slow_rate.map_or(u64::MAX, |_| ns(config.slow_call)),
            locked: Mutex::new(machine),
            reason: RwLock::new(None),
            stale: AtomicU64::new(0),
            shadowed: AtomicU64::new(0),
            on_change,
        };
        core.begin_epoch(&core.lock());
        core.publish(&core.lock());
        core
    }

    /// Asks to be admitted. Never waits, and does not ask for the time unless it has
    /// to.
    #[inline]
    pub(super) fn admit(
        &self,
        shard: impl FnOnce() -> usize,
        now_ns: impl FnOnce() -> u64,
    ) -> Result<Ticket, Refusal> {
        let word = self.published.word.load(Ordering::Acquire);
        if word & GATE_MASK == ADMIT && self.ages.is_none() {
            return Ok(Ticket {
                epoch: word >> GATE_BITS,
                slice: 0,
                shard: 0,
                settled: false,
            });
        }
        self.admit_slowly(shard(), now_ns())
    }

    fn admit_slowly(&self, shard: usize, now_ns: u64) -> Result<Ticket, Refusal> {
        let mut word = self.published.word.load(Ordering::Acquire);
        // Before it is admitted: a caller that finds a trip is the first to be refused.
        if word & GATE_MASK == ADMIT
            && now_ns >= self.published.check_ns.load(Ordering::Relaxed)
            && self.check_hanging(now_ns)
        {
            word = self.published.word.load(Ordering::Acquire);
        }
        let epoch = match word & GATE_MASK {
            ADMIT => word >> GATE_BITS,
            PASS => UNWATCHED,
            REFUSE if now_ns < self.published.until_ns.load(Ordering::Relaxed) => {
                if let Some(refusal) = self.refuse(word, now_ns) {
                    return Err(refusal);
                }
                self.ask(now_ns)?
            }
            _ => self.ask(now_ns)?,
        };
        let slice = match &self.ages {
            Some(ages) if epoch != UNWATCHED => ages.begin(shard, now_ns),
            _ => 0,
        };
        Ok(Ticket {
            epoch,
            slice,
            shard: u32::try_from(shard).unwrap_or(u32::MAX),
            settled: false,
        })
    }

    /// Refuses without the lock, if the circuit is still as it was when the word was
    /// read.
    fn refuse(&self, word: u64, now_ns: u64) -> Option<Refusal> {
        let retry_ns = self.published.retry_ns.load(Ordering::Relaxed);
        let since_ns = self.published.since_ns.load(Ordering::Relaxed);
        let reason = *self.reason.read().unwrap_or_else(PoisonError::into_inner);
        fence(Ordering::Acquire);
        let unchanged = self.published.word.load(Ordering::Relaxed) == word;
        // A probe that is late is due at any moment: the machine says how to put it.
        (unchanged && retry_ns != u64::MAX && retry_ns > now_ns).then(|| Refusal {
            retry_after_ns: retry_ns - now_ns,
            since_ns,
            reason,
        })
    }

    fn ask(&self, now_ns: u64) -> Result<u64, Refusal> {
        self.update(|machine| match machine.admit(now_ns) {
            Admission::Admitted => Ok(machine.epoch()),
            Admission::Unwatched => {
                if machine.mode() == Mode::Shadow {
                    self.shadowed.fetch_add(1, Ordering::Relaxed);
                }
                Ok(UNWATCHED)
            }
            Admission::Refused { retry_after_ns } => Err(Refusal {
                retry_after_ns,
                since_ns: machine.since_ns(),
                reason: machine.reason(),
            }),
        })
    }

    /// Takes an outcome: of the admission if it is the first, else of a further call
    /// that it was good for. `shard` is that of the thread that brings it. True if it
    /// changed the state.
    #[inline]
    pub(super) fn record(
        &self,
        shard: usize,
        ticket: &mut Ticket,
        observed: Observation,
        now_ns: u64,
    ) -> bool {
        let first = !ticket.settled;
        ticket.settled = true;
        if ticket.epoch == UNWATCHED {
            return false;
        }
        if first {
            self.end(ticket);
        }
        let slow = observed.took_ns >= self.slow_ns;
        let word = self.published.word.load(Ordering::Acquire);
        if word >> GATE_BITS != ticket.epoch {
            self.stale.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if observed.ok && !slow && word & GATE_MASK == ADMIT {
            self.succeeded(shard, ticket.epoch, now_ns);
            return false;
        }
        self.decide(ticket.epoch, shard, first, slow, observed, now_ns)
    }

    /// Ends an admission without an outcome.
    #[inline]
    pub(super) fn release(&self, ticket: &mut Ticket) {
        if ticket.settled || ticket.epoch == UNWATCHED {
            return;
        }
        ticket.settled = true;
        self.end(ticket);
        let word = self.published.word.load(Ordering::Acquire);
        if word >> GATE_BITS == ticket.epoch && word & GATE_MASK != ADMIT {
            self.update(|machine| {
                if machine.epoch() == ticket.epoch {
                    machine.settled();
                }
            });
        }
    }

    #[inline]
    fn end(&self, ticket: &Ticket) {
        if let Some(ages) = &self.ages {
            ages.end(ticket.shard as usize, ticket.slice);
        }
    }

    /// Counts a call that went well.
    #[inline]
    fn succeeded(&self, shard: usize, epoch: u64, now_ns: u64) {
        self.forget_failures(epoch);
        let tally = Tally {
            ok: true,
            slow: false,
        };
        self.count(shard, epoch, tally, now_ns);
        if let Some(ages) = &self.ages {
            ages.answered(shard, now_ns);
        }
    }

    #[inline]
    fn count(&self, shard: usize, epoch: u64, tally: Tally, now_ns: u64) {
        let since_ns = self.published.since_ns.load(Ordering::Relaxed);
        self.window.record(shard, epoch, since_ns, tally, now_ns);
        if let Some(last) = &self.last {
            last.record(epoch, tally);
        }
    }

    /// Ends a row of failures, if there is one in this epoch.
    #[inline]
    fn forget_failures(&self, epoch: u64) {
        let consecutive = &self.published.consecutive;
        let row = consecutive.load(Ordering::Relaxed);
        if row & u64::from(u32::MAX) == 0 || row >> 32 != epoch & u64::from(u32::MAX) {
            return;
        }
        // Lost to a failure that came at the same time: then that one came later.
        let none = row & !u64::from(u32::MAX);
        let _lost = consecutive.compare_exchange(row, none, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Counts an outcome under the lock, and lets the machine decide. True if the state
    /// changed.
    fn decide(
        &self,
        epoch: u64,
        shard: usize,
        first: bool,
        slow: bool,
        observed: Observation,
        now_ns: u64,
    ) -> bool {
        self.update(|machine| {
            // It may have changed while the lock was waited for.
            if machine.epoch() != epoch {
                self.stale.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            if first {
                machine.settled();
            }
            let tally = Tally {
                ok: observed.ok,
                slow,
            };
            self.count(shard, epoch, tally, now_ns);
            if observed.ok {
                self.forget_failures(epoch);
                if let Some(ages) = &self.ages {
                    ages.answered(shard, now_ns);
                }
                machine.succeeded(now_ns);
            } else if !self.served_beside(observed.took_ns, now_ns) {
                self.published.consecutive.fetch_add(1, Ordering::Relaxed);
            }
            if machine.epoch() == epoch && (slow || !observed.ok) {
                machine.failed(
                    !observed.ok,
                    observed.cause,
                    self.evidence(epoch, now_ns),
                    now_ns,
                );
            }
            machine.epoch() != epoch
        })
    }

    /// Whether another call went well in the latter half of one that has failed. Then the
    /// failure is in no row, however many end at the same moment: the server answers. Not in
    /// all of that time, since a server that stops answers until then, and calls that began
    /// shortly before are the first to tell.
    fn served_beside(&self, took_ns: u64, now_ns: u64) -> bool {
        let well = self.window.last_well_ns();
        well.is_some_and(|well_ns| well_ns + took_ns / 2 > now_ns)
    }

    fn evidence(&self, epoch: u64, now_ns: u64) -> Evidence {
        let since_ns = self.published.since_ns.load(Ordering::Relaxed);
        let row = self.published.consecutive.load(Ordering::Relaxed);
        Evidence {
            consecutive: u32::try_from(row & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            span: self.window.counts(epoch, since_ns, now_ns),
            last: self.last.as_ref().map(|last| last.counts(epoch)),
            causes: Default::default(),
        }
    }

    /// Opens if a call has been under way for too long. True if it did.
    pub(super) fn check_hanging(&self, now_ns: u64) -> bool {
        let Some(ages) = &self.ages else {
            return false;
        };
        self.update(|machine| {
            let next_ns = now_ns.saturating_add(ages.slice_ns());
            self.published.check_ns.store(next_ns, Ordering::Relaxed);
            let epoch = machine.epoch();
            if machine.state() == State::Closed
                && let Some(age_ns) = ages.hanging(now_ns)
            {
                machine.hangs(age_ns, self.evidence(epoch, now_ns), now_ns);
            }
            machine.epoch() != epoch
        })
    }

    /// Runs a decision, publishes what it led to, and has changes acted on.
    pub(super) fn update<T>(&self, decide: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.lock();
        let before = machine.epoch();
        let decision = decide(&mut machine);
        self.publish(&machine);
        // A decision that changes nothing allocates nothing.
        let changes = (machine.epoch() != before).then(|| machine.changes_since(before));
        drop(machine);
        if let Some(changes) = changes {
            (self.on_change)(Changes(changes));
        }
        decision
    }

    /// Reads the machine.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Machine) -> T) -> T {
        read(&self.lock())
    }

    /// Publishes the machine's epoch and gate; only called under the lock. Who reads the
    /// parts of an epoch without it reads the word before and after: so the word is changed
    /// first, then the parts, and a part that was seen makes the change seen too.
    fn publish(&self, machine: &Machine) {
        let (epoch, published) = (machine.epoch(), &self.published);
        let old = published.word.load(Ordering::Relaxed);
        if old >> GATE_BITS != epoch {
            let changing = epoch << GATE_BITS | ASK;
            published.word.store(changing, Ordering::Relaxed);
            fence(Ordering::Release);
            self.begin_epoch(machine);
        }
        let gate = match machine.gate() {
            Gate::Admit => ADMIT,
            Gate::Pass => PASS,
            Gate::Ask => ASK,
            Gate::Refuse { until_ns, retry_ns } => {
                published.until_ns.store(until_ns, Ordering::Relaxed);
                published.retry_ns.store(retry_ns, Ordering::Relaxed);
                REFUSE
            }
        };
        let word = epoch << GATE_BITS | gate;
        if old != word {
            published.word.store(word, Ordering::Release);
        }
    }

    /// Begins an epoch, in which nothing counts that was counted before.
    fn begin_epoch(&self, machine: &Machine) {
        let published = &self.published;
        let row = (machine.epoch() & u64::from(u32::MAX)) << 32;
        published.consecutive.store(row, Ordering::Relaxed);
        if let Some(last) = &self.last {
            last.clear();
        }
        if let Some(ages) = &self.ages {
            ages.forget(machine.since_ns());
        }
        published
            .since_ns
            .store(machine.since_ns(), Ordering::Relaxed);
        *self.reason.write().unwrap_or_else(PoisonError::into_inner) = machine.reason();
    }

    /// Whether it matters how long a call took.
    pub(super) fn counts_slow(&self) -> bool {
        self.slow_ns != u64::MAX
    }

    pub(super) fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    pub(super) fn shadowed(&self) -> u64 {
        self.shadowed.load(Ordering::Relaxed)
    }

    pub(super) fn is_current(&self, ticket: &Ticket) -> bool {
        ticket.epoch == UNWATCHED
            || self.published.word.load(Ordering::Acquire) >> GATE_BITS == ticket.epoch
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        // The machine is only ever left between two decisions.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
