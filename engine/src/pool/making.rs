//! Making sessions: for a caller that has a slot and found none idle.
//!
//! While few may be made at once, it takes one that comes back meanwhile instead, whichever is
//! there first: what is made after an outage is made because it is needed.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use deadpool::managed::{Object, PoolError};
use futures_util::FutureExt as _;
use tokio::runtime::Handle;

use super::{
    Link,
    acquire::Inner,
    connector::Unreachable,
    manager::{DEADLINE, Manager},
    slots::Slot,
    waiting::Turn,
};
use crate::{
    breaker::{CallOutcome, OwnedPermit},
    clock::{self, Elapsed, Instant},
    error::{AcquireStage, Error},
    metrics::Metrics,
};

impl Inner {
    /// Makes a session, for a caller that has a slot.
    pub(super) async fn make(
        self: Arc<Self>,
        mut permit: OwnedPermit,
        slot: Slot,
        turn: Turn,
    ) -> Result<Link, Error> {
        let deadline = turn.deadline;
        let connecting = clock::now();
        let under_way = self.begins(connecting);
        let session = match self.until_open(deadline, self.session(deadline)).await? {
            Ok(Ok(session)) => session,
            Ok(Err(PoolError::Backend(Unreachable::Failed(error)))) => {
                let (outcome, cause) = self.rules.judge(&error);
                permit.record(outcome, Some(cause), connecting, clock::now());
                return Err(error);
            }
            Ok(Err(PoolError::Backend(Unreachable::Mute))) | Err(Elapsed) => {
                let error = Error::AcquireTimeout {
                    stage: AcquireStage::Connecting,
                    waited: turn.waited_until(clock::now()),
                };
                let cause = Some(error.cause());
                permit.record(CallOutcome::Failure, cause, connecting, clock::now());
                return Err(error);
            }
            // Closed; the others cannot be: there are no hooks and no time-outs.
            Ok(Err(_)) => return Err(Error::Closed),
        };
        drop(under_way);
        self.hears(clock::now());
        // Those that were found closed are missing as well.
        self.refill();
        self.lend(session, permit, slot, &turn)
    }

    /// A session that came back, or one that is made until `deadline`.
    async fn session(&self, deadline: Instant) -> Result<Object<Manager>, PoolError<Unreachable>> {
        let place = loop {
            let mut returned = pin!(self.returned.notified());
            returned.as_mut().enable();
            if let Some(session) = self.sessions.get().now_or_never() {
                return session;
            }
            if self.spare.len() > 0 {
                // It is made already.
                break None;
            }
            tokio::select! {
                biased;
                () = returned => {}
                place = self.ramp.enter() => break Some(place),
            }
        };
        let status = self.sessions.status();
        if status.size >= status.max_size {
            // The others are those of which it is not known whether they are dead.
            self.give_up_one();
        }
        let session = DEADLINE.scope(deadline, self.sessions.get()).await?;
        if let Some(place) = place.filter(|_| Object::metrics(&session).recycle_count == 0) {
            place.made();
        }
        Ok(session)
    }
}

pub(super) type Lending = Pin<Box<dyn Future<Output = Result<Link, Error>> + Send>>;

/// A session that is being made for a caller. If the caller goes away, or its time is over, it
/// is made all the same, within a time-out of its own: callers in a hurry would else have the
/// server begin session after session, of which none is ever used, and nobody would learn
/// that it does not answer.
pub(super) struct Making {
    pub(super) making: Option<Lending>,
    /// `None` if what comes of it is counted already.
    pub(super) metrics: Option<Arc<Metrics>>,
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
                if let (Err(error), Some(metrics)) = (made, metrics) {
                    metrics.error(&error, clock::now());
                }
            });
            drop(runtime.spawn(made));
        }
    }
}
