//! Acquiring: a slot, then a session, within one deadline.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use deadpool::managed::{self, Object, PoolError};
use futures_util::FutureExt as _;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{
    Link, Shapes,
    connector::{Connector, Unreachable},
    manager::{DEADLINE, HostEpoch, Manager},
    probe::Prober,
    ramp::Ramp,
};
use crate::{
    breaker::{Breaker, CallOutcome, OwnedPermit, Probe},
    clock::{self, Elapsed, Instant},
    config::{ConfigError, PoolConfig},
    error::{AcquireStage, Error, Rules},
    metrics::{Counter, Metrics, Timing},
};

/// The most cancels under way at once: each is a connection beside the pool's own.
const CANCELS: usize = 4;

/// What handles and loans of a pool share.
pub(super) struct Inner {
    pub(super) sessions: managed::Pool<Manager>,
    pub(super) slots: Arc<Semaphore>,
    /// Places for those who cancel what was given up.
    pub(super) cancels: Semaphore,
    pub(super) breaker: Breaker,
    /// `None` if callers find out by themselves that the server is back.
    prober: Option<Arc<Prober>>,
    pub(super) rules: Rules,
    /// It has had `min_connections` sessions, and is to be kept at that.
    pub(super) warm: AtomicBool,
    /// A task makes the sessions that are missing.
    pub(super) refilling: AtomicBool,
    /// Nothing is to be begun in the background any more.
    pub(super) stopped: AtomicBool,
    rng: Mutex<fastrand::Rng>,
    pub(super) epoch: HostEpoch,
    /// Sessions that were last heard before this, on the breaker's clock, are asked before
    /// they are lent.
    pub(super) doubted_ns: AtomicU64,
    pub(super) ramp: Ramp,
    pub(super) metrics: Arc<Metrics>,
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
        let max = config.max_connections as usize;
        let (epoch, ramp) = (HostEpoch::default(), Ramp::new(max));
        let metrics = connector.metrics.clone();
        let active = config.circuit_breaker_probe == Probe::Active;
        let prober = active.then(|| {
            let role = config.circuit_breaker_role;
            Arc::new(Prober::new(connector.clone(), role, rng.fork()))
        });
        let manager = Manager::new(&config, connector, epoch.clone(), ramp.clone());
        let sessions = managed::Pool::builder(manager)
            .config(managed::PoolConfig {
                max_size: max,
                ..managed::PoolConfig::default()
            })
            .build()
            .map_err(|_| ConfigError::NoRuntime)?;
        Ok(Arc::new_cyclic(|pool: &Weak<Self>| Self {
            sessions,
            slots: Arc::new(Semaphore::new(max)),
            cancels: Semaphore::new(CANCELS),
            // A handle on the breaker that outlives the pool keeps no connection open.
            rng: Mutex::new(rng.fork()),
            breaker: Breaker::with_on_change(config.breaker(), rng, {
                let pool = pool.clone();
                move |opened| match pool.upgrade() {
                    Some(pool) if opened => pool.circuit_opened(),
                    Some(pool) => pool.refill(),
                    None => {}
                }
            }),
            warm: AtomicBool::new(false),
            refilling: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            prober,
            rules: config.rules(),
            epoch,
            doubted_ns: AtomicU64::new(0),
            ramp,
            metrics,
            shapes: Shapes::new(config.known_statements()),
            config,
        }))
    }

    pub(super) async fn acquire(self: Arc<Self>) -> Result<Link, Error> {
        let started = clock::now();
        let timeout = self.config.acquire_timeout;
        let deadline = started + timeout;
        let mut permit = self.admit(started)?;
        let slot = match self.slots.clone().try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let waiting = self.slots.clone().acquire_owned();
                let slot = match self.until_open(deadline, waiting).await? {
                    Ok(slot) => slot.map_err(|_| Error::Closed)?,
                    Err(Elapsed) => {
                        return Err(Error::AcquireTimeout {
                            stage: AcquireStage::WaitingForSlot,
                            waited: timeout,
                        });
                    }
                };
                if permit.is_stale() {
                    permit = self.admit(clock::now())?;
                }
                slot
            }
        };
        let doubtful = match self.sessions.get().now_or_never() {
            Some(Ok(session)) if self.is_doubtful(&session, started) => Some(session),
            Some(Ok(session)) => return self.lend(session, permit, slot, started),
            // Closed: there are no hooks and no time-outs, and making one takes longer.
            Some(Err(_)) => return Err(Error::Closed),
            None => None,
        };
        let metrics = self.metrics.clone();
        let making: Lending = match doubtful {
            Some(session) => Box::pin(self.lend_checked(session, permit, slot, started, deadline)),
            None => Box::pin(self.make(permit, slot, started, deadline)),
        };
        let making = Some(making);
        Making { making, metrics }.await
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
    fn probe(&self, now: Instant) {
        if let Some(prober) = &self.prober {
            prober.ensure(&self.breaker, now);
        }
    }

    /// Ends what runs in the background.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(prober) = &self.prober {
            prober.stop();
        }
    }

    pub(super) fn lend(
        self: Arc<Self>,
        session: Object<Manager>,
        permit: OwnedPermit,
        slot: OwnedSemaphorePermit,
        started: Instant,
    ) -> Result<Link, Error> {
        if session.wire.is_none() && !self.config.names_statements() {
            return Err(Error::NamesRequired);
        }
        self.metrics.time(Timing::Acquire, clock::now() - started);
        Ok(Link::new(session, self, permit, slot))
    }

    /// Makes a session, for a caller that has a slot.
    pub(super) async fn make(
        self: Arc<Self>,
        mut permit: OwnedPermit,
        slot: OwnedSemaphorePermit,
        started: Instant,
        deadline: Instant,
    ) -> Result<Link, Error> {
        let connecting = clock::now();
        let made = DEADLINE.scope(deadline, self.sessions.get());
        let session = match self.until_open(deadline, made).await? {
            Ok(Ok(session)) => session,
            Ok(Err(PoolError::Backend(Unreachable::Failed(error)))) => {
                let (outcome, cause) = self.rules.judge(&error);
                permit.record(outcome, Some(cause), connecting, clock::now());
                return Err(error);
            }
            Ok(Err(PoolError::Backend(Unreachable::Mute))) | Err(Elapsed) => {
                let error = Error::AcquireTimeout {
                    stage: AcquireStage::Connecting,
                    waited: (clock::now() - started).min(self.config.acquire_timeout),
                };
                let cause = Some(error.cause());
                permit.record(CallOutcome::Failure, cause, connecting, clock::now());
                return Err(error);
            }
            // Closed; the others cannot be: there are no hooks and no time-outs.
            Ok(Err(_)) => return Err(Error::Closed),
        };
        // Those that were found closed are missing as well.
        self.refill();
        self.lend(session, permit, slot, started)
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
            _ = self.breaker.opened() => Err(self.breaker.refusal(clock::now()).into()),
        }
    }

    /// Acts on a circuit that has opened, whoever found the trip: the host may be dead, so
    /// no older connection is lent again, and few are made at once when it is back.
    fn circuit_opened(self: &Arc<Self>) {
        self.ramp.start();
        self.evict(self.epoch.current());
        self.probe(clock::now());
    }

    /// Drops every idle connection that was made in `epoch` or before; those on
    /// loan are closed on their return. True for the one that ended the epoch.
    pub(super) fn evict(self: &Arc<Self>, epoch: u64) -> bool {
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

type Lending = Pin<Box<dyn Future<Output = Result<Link, Error>> + Send>>;

/// A session that is being made for a caller. If the caller goes away, it is made all the
/// same, within the deadline that the caller had: callers in a hurry would else have the
/// server begin session after session, of which none is ever used, and nobody would learn
/// that it does not answer.
struct Making {
    making: Option<Lending>,
    metrics: Arc<Metrics>,
}

impl Future for Making {
    type Output = Result<Link, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(making) = &mut self.making else {
            return Poll::Pending;
        };
        let made = std::task::ready!(making.as_mut().poll(cx));
        self.making = None;
        Poll::Ready(made)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let (Some(making), Ok(runtime)) = (self.making.take(), Handle::try_current()) {
            let metrics = self.metrics.clone();
            let made = making.map(move |made| {
                if let Err(error) = made {
                    metrics.error(error.class());
                }
            });
            drop(runtime.spawn(made));
        }
    }
}
