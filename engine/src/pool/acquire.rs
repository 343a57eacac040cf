//! Acquiring: a slot, then a session, within one deadline.

use std::sync::{Arc, Weak};

use deadpool::managed::{self, PoolError};
use tokio::sync::Semaphore;

use super::{
    Link, Shapes,
    connector::Connector,
    manager::{HostEpoch, Manager},
    ramp::Ramp,
};
use crate::{
    breaker::{Breaker, CallOutcome},
    clock::{self, Elapsed, Instant},
    config::{ConfigError, PoolConfig},
    error::{AcquireStage, Error, Rules},
    metrics::{Counter, Metrics, Timing},
};

/// What handles and loans of a pool share.
pub(super) struct Inner {
    pub(super) sessions: managed::Pool<Manager>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) breaker: Breaker,
    pub(super) rules: Rules,
    pub(super) epoch: HostEpoch,
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
        rng: fastrand::Rng,
    ) -> Result<Arc<Self>, ConfigError> {
        let max = config.max_connections as usize;
        let (epoch, ramp) = (HostEpoch::default(), Ramp::new(max));
        let metrics = connector.metrics.clone();
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
            // A handle on the breaker that outlives the pool keeps no connection open.
            breaker: Breaker::with_on_open(config.breaker(), rng, {
                let pool = pool.clone();
                move || pool.upgrade().iter().for_each(|pool| pool.circuit_opened())
            }),
            rules: config.rules(),
            epoch,
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
        let mut permit = self.breaker.admit_owned(started)?;
        let mut connecting = started;
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
                connecting = clock::now();
                if permit.is_stale() {
                    permit = self.breaker.admit_owned(connecting)?;
                }
                slot
            }
        };
        let session = match self.until_open(deadline, self.sessions.get()).await? {
            Ok(Ok(session)) => session,
            Ok(Err(PoolError::Backend(error))) => {
                let (outcome, cause) = self.rules.judge(&error);
                permit.record(outcome, Some(cause), connecting, clock::now());
                return Err(error);
            }
            // Closed; the others cannot be: there are no hooks and no time-outs.
            Ok(Err(_)) => return Err(Error::Closed),
            Err(Elapsed) => {
                let error = Error::AcquireTimeout {
                    stage: AcquireStage::Connecting,
                    waited: timeout,
                };
                let cause = Some(error.cause());
                permit.record(CallOutcome::Failure, cause, connecting, clock::now());
                return Err(error);
            }
        };
        if session.wire.is_none() && !self.config.names_statements() {
            return Err(Error::NamesRequired);
        }
        self.metrics.time(Timing::Acquire, clock::now() - started);
        Ok(Link::new(session, self, permit, slot))
    }

    /// Runs `future` until it is done, `deadline` has passed, or the circuit is
    /// open.
    async fn until_open<F: Future>(
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
    fn circuit_opened(&self) {
        self.ramp.start();
        self.evict(self.epoch.current());
    }

    /// Drops every idle connection that was made in `epoch` or before; those on
    /// loan are closed on their return. True for the one that ended the epoch.
    pub(super) fn evict(&self, epoch: u64) -> bool {
        let ended = self.epoch.end(epoch);
        if ended {
            let kept = self.sessions.retain(|session, _| session.epoch > epoch);
            self.metrics
                .add(Counter::Evicted, kept.removed.len() as u64);
        }
        ended
    }
}
