//! Acquiring: a slot, then a session, within one deadline.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use deadpool::managed::{self, Object};
use futures_util::FutureExt as _;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
};

use super::{
    Link, Shapes,
    connector::Connector,
    holders::Holders,
    making::{Lending, Making},
    manager::{HostEpoch, Manager},
    monitoring::Monitoring,
    past::Past,
    probe::Prober,
    quarantine::Quarantined,
    ramp::Ramp,
    silence::Silence,
    slots::{Closed, Slot, Slots},
    spare::{KEPT, Kept, Spare},
    typical::Typical,
    waiting::{Turn, Waiters},
};
use crate::{
    breaker::{Breaker, OwnedPermit, Probe},
    clock::{self, Elapsed, Instant},
    config::{ConfigError, PoolConfig, WaitOrder, WhenOpen},
    error::{AcquireStage, Error, Rules},
    metrics::{Counter, Metrics, Timing},
};

/// The most cancels under way at once: each is a connection beside the pool's own.
const CANCELS: usize = 4;

/// What handles and loans of a pool share.
pub(super) struct Inner {
    pub(super) sessions: managed::Pool<Manager>,
    pub(super) slots: Arc<Slots>,
    /// Places for those who cancel what was given up.
    pub(super) cancels: Semaphore,
    pub(super) breaker: Breaker,
    /// `None` if callers find out by themselves that the server is back.
    pub(super) prober: Option<Arc<Prober>>,
    pub(super) connector: Connector,
    pub(super) silence: Arc<Silence>,
    /// Whether it is looked for a server that says nothing before deadlines pass.
    pub(super) detects_early: bool,
    pub(super) typical: Typical,
    /// Those who wait for the circuit.
    pub(super) waiters: Waiters,
    pub(super) rules: Rules,
    /// It has had `min_connections` sessions, and is to be kept at that.
    pub(super) warm: AtomicBool,
    /// A task makes the sessions that are missing.
    pub(super) refilling: AtomicBool,
    /// Nothing is to be begun in the background any more.
    stopped: AtomicBool,
    /// Tells those who wait for the circuit.
    pub(super) stopping: Notify,
    rng: Mutex<fastrand::Rng>,
    pub(super) epoch: HostEpoch,
    /// Sessions that were last heard before this, on the breaker's clock, are asked before
    /// they are lent.
    pub(super) doubted_ns: AtomicU64,
    pub(super) ramp: Ramp,
    pub(super) spare: Spare,
    /// Tells those who are about to make a session that one has come back.
    pub(super) returned: Notify,
    /// Has one session of which it is not known whether it is dead given up.
    pub(super) give_up: Notify,
    /// How many of these there are.
    pub(super) quarantined: AtomicUsize,
    pub(super) metrics: Arc<Metrics>,
    /// Who has a session, and since when.
    pub(super) holders: Holders,
    /// What is kept of the past.
    pub(super) past: Past,
    /// Where it is shown.
    pub(super) monitoring: Monitoring,
    pub(super) shapes: Shapes,
    pub(super) config: PoolConfig,
}

impl Inner {
    /// A pool without sessions, of a configuration that was checked.
    pub(super) fn new(
        config: PoolConfig,
        connector: Connector,
        mut rng: fastrand::Rng,
    ) -> Result<Arc<Self>, ConfigError> {
        let max = config.max_connections;
        let max = planted!(MaxConnectionsNotKept, max => max + 5) as usize;
        let (epoch, ramp) = (HostEpoch::default(), Ramp::new(max));
        let metrics = connector.metrics.clone();
        let active = config.circuit_breaker_probe == Probe::Active;
        let spare = Spare::new(epoch.clone());
        let holders = Holders::new(&config.name);
        let manager = Manager::new(
            &config,
            connector.clone(),
            epoch.clone(),
            spare.clone(),
            holders.clone(),
        );
        let sessions = managed::Pool::builder(manager)
            .config(managed::PoolConfig {
                max_size: max,
                ..managed::PoolConfig::default()
            })
            .build()
            .map_err(|_| ConfigError::NoRuntime)?;
        Ok(Arc::new_cyclic(|pool: &Weak<Self>| Self {
            sessions,
            slots: Slots::new(
                max,
                config.circuit_breaker_wait_order == WaitOrder::NewestFirst,
            ),
            cancels: Semaphore::new(CANCELS),
            // A handle on the breaker that outlives the pool keeps no connection open.
            prober: active.then(|| {
                let (role, pool) = (config.circuit_breaker_role, pool.clone());
                let probes = Prober::new(connector.clone(), role, spare.clone(), pool, rng.fork());
                Arc::new(probes)
            }),
            rng: Mutex::new(rng.fork()),
            breaker: Breaker::with_on_change(config.breaker(), rng, {
                let pool = pool.clone();
                move |changes| {
                    let Some(pool) = pool.upgrade() else {
                        return;
                    };
                    pool.circuit_changed(changes.states());
                    if changes.opened() {
                        pool.circuit_opened();
                    } else {
                        pool.circuit_closed();
                    }
                }
            }),
            warm: AtomicBool::new(false),
            refilling: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            stopping: Notify::new(),
            detects_early: active && config.detects_early(),
            connector,
            silence: Arc::default(),
            typical: Typical::default(),
            waiters: Waiters::default(),
            rules: config.rules(),
            epoch,
            doubted_ns: AtomicU64::new(0),
            ramp,
            spare,
            returned: Notify::new(),
            give_up: Notify::new(),
            quarantined: AtomicUsize::new(0),
            past: Past::new(config.metrics_retention_minutes, &metrics),
            monitoring: Monitoring::new(&config),
            metrics,
            holders,
            shapes: Shapes::new(config.known_statements()),
            config,
        }))
    }

    /// Borrows a session, whose statements are to be answered by `answer_by` if that is said.
    pub(super) async fn acquire(
        self: Arc<Self>,
        answer_by: Option<Instant>,
    ) -> Result<Link, Error> {
        self.keep_past();
        self.keep_shown();
        let began = clock::now();
        let mut turn = Turn::new(began, self.config.acquire_timeout, answer_by);
        if !self.waits() {
            return self.take_turn(&turn, began).await;
        }
        let (mut now, mut own) = (began, None);
        loop {
            match self.clone().take_turn(&turn, now).await {
                Err(Error::CircuitOpen { .. }) => {}
                // Nothing was sent: what a caller may do in its time, the pool does for it.
                Err(error @ Error::Connect(_)) if self.breaker.refuses() => own = Some(error),
                done => return done,
            }
            if let Err(refused) = self.wait_for_circuit(&mut turn).await {
                // What it met itself says more than that others have failed.
                let own = own.filter(|_| matches!(refused, Error::CircuitOpen { .. }));
                return Err(own.unwrap_or(refused));
            }
            now = clock::now();
        }
    }

    /// Whether callers wait for the circuit to close.
    fn waits(&self) -> bool {
        self.config.circuit_breaker_when_open == WhenOpen::Wait
    }

    /// Takes a session once the breaker and then the slots allow it.
    async fn take_turn(self: Arc<Self>, turn: &Turn, now: Instant) -> Result<Link, Error> {
        let mut permit = self.admit(now)?;
        let slot = match self.slots.try_take() {
            Some(slot) => slot,
            None => {
                let slot = self.wait_for_slot(turn).await;
                self.metrics.time(Timing::Wait, clock::now() - now);
                let slot = slot?;
                if permit.is_stale() {
                    permit = self.admit(clock::now())?;
                }
                slot
            }
        };
        let doubtful = match self.sessions.get().now_or_never() {
            Some(Ok(session)) if self.is_doubtful(&session, now) => Some(session),
            Some(Ok(session)) => return self.lend(session, permit, slot, turn),
            // Closed: there are no hooks and no time-outs, and making one takes longer.
            Some(Err(_)) => return Err(Error::Closed),
            None => None,
        };
        let metrics = Some(self.metrics.clone());
        let (turn, caller) = (turn.making(clock::now()), turn);
        let deadline = turn.deadline;
        let making: Lending = match doubtful {
            Some(session) => Box::pin(self.lend_checked(session, permit, slot, turn)),
            None => Box::pin(self.make(permit, slot, turn)),
        };
        let making = Some(making);
        let mut making = Making { making, metrics };
        if deadline == caller.deadline {
            return making.await;
        }
        match clock::timeout_at(caller.deadline, &mut making).await {
            Ok(made) => made,
            Err(Elapsed) => {
                // The caller counts it.
                making.metrics = None;
                Err(Error::AcquireTimeout {
                    stage: AcquireStage::Connecting,
                    waited: caller.waited_until(clock::now()),
                })
            }
        }
    }

    async fn wait_for_slot(&self, turn: &Turn) -> Result<Slot, Error> {
        let waiting = self
            .slots
            .wait(turn.place.unwrap_or_else(|| self.slots.place()));
        let got = if self.waits() {
            let latest = self.latest(turn, clock::now());
            tokio::select! {
                biased;
                got = clock::timeout_at(latest, waiting) => got,
                () = self.breaker.forced() => {
                    return Err(self.breaker.refusal(clock::now()).into());
                }
            }
        } else {
            self.until_open(turn.deadline, waiting).await?
        };
        match got {
            Ok(slot) => slot.map_err(|Closed| Error::Closed),
            Err(Elapsed) => Err(Error::AcquireTimeout {
                stage: AcquireStage::WaitingForSlot,
                waited: turn.waited_until(clock::now()),
            }),
        }
    }

    fn admit(&self, now: Instant) -> Result<OwnedPermit, Error> {
        self.breaker.admit_owned(now).map_err(|refused| {
            self.probe(now);
            refused.into()
        })
    }

    /// A source of jitter of one's own.
    pub(super) fn rng(&self) -> fastrand::Rng {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.fork()
    }

    /// Has the server probed, if it is not and should be.
    pub(super) fn probe(&self, now: Instant) {
        if let Some(prober) = &self.prober {
            prober.ensure(&self.breaker, now);
        }
    }

    /// Whether the pool finds out by itself that the server is back.
    pub(super) fn probes(&self) -> bool {
        self.prober.is_some()
    }

    /// Whether nothing is to be begun any more.
    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Ends what runs in the background.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stopping.notify_waiters();
        self.spare.clear();
        if let Some(prober) = &self.prober {
            prober.stop();
        }
        self.monitoring.stop();
    }

    pub(super) fn lend(
        self: Arc<Self>,
        session: Object<Manager>,
        permit: OwnedPermit,
        slot: Slot,
        turn: &Turn,
    ) -> Result<Link, Error> {
        if session.wire.is_none() && !self.config.names_statements() {
            return Err(Error::NamesRequired);
        }
        let now = clock::now();
        self.metrics.time(Timing::Acquire, now - turn.began);
        Ok(Link::new(session, self, permit, slot, turn.answer_by, now))
    }

    /// Runs `future` until it is done, `deadline` has passed, or the circuit is
    /// open.
    pub(super) async fn until_open<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Result<Result<F::Output, Elapsed>, Error> {
        tokio::select! {
            biased;
            done = clock::timeout_at(deadline, future) => Ok(done),
            _ = self.breaker.opened(), if !planted!(WaitersNotRefused) => {
                Err(self.breaker.refusal(clock::now()).into())
            }
        }
    }

    /// Acts on a circuit that has opened, whoever found the trip: the host may be dead, so
    /// no older connection is lent again before it has shown that it is not, and few are made
    /// at once when it is back. Where nobody is refused, nothing changes but that the server is
    /// asked.
    fn circuit_opened(self: &Arc<Self>) {
        if self.breaker.refuses() {
            self.ramp.start();
            let idle = self.take_aside();
            self.evict(self.epoch.current());
            idle.into_iter().for_each(Quarantined::watch);
        }
        self.probe(clock::now());
    }

    /// Acts on a circuit that has closed.
    fn circuit_closed(self: &Arc<Self>) {
        self.slots.recover();
        self.refill();
        let spare = self.spare.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                clock::sleep(KEPT).await;
                spare.clear();
            })),
            Err(_) => spare.clear(),
        }
    }

    /// Keeps the session of a probe for a caller, if the pool may have one more.
    pub(super) fn keep_spare(&self, session: Kept) {
        let status = self.sessions.status();
        if !self.stopped() && status.size + self.spare.len() < status.max_size {
            self.spare.keep(session);
            self.returned.notify_one();
        }
    }

    /// Drops every idle connection that was made in `epoch` or before; those on
    /// loan are closed on their return. True for the one that ended the epoch.
    pub(super) fn evict(self: &Arc<Self>, epoch: u64) -> bool {
        if planted!(NoEviction) {
            return true;
        }
        let ended = self.epoch.end(epoch);
        if ended {
            let kept = self.sessions.retain(|session, _| session.epoch > epoch);
            self.metrics
                .add(Counter::Evicted, kept.removed.len() as u64);
            self.refill();
        }
        ended
    }
}
