//! [`Abandoned`]: a session whose borrower went away in the middle of something.
//!
//! What was begun goes on on the server, whoever waits for it: closing the socket does not
//! stop it. A pool that counts such a session as gone has more of them than it may have. So
//! it keeps its slot until the server has said that it is idle again, and is then lent
//! again; or until it is closed, if the server does not say so in time.
//!
//! Most statements end by themselves at once. One that does not is cancelled. A cancel is
//! aimed at a session, whatever runs on it when it arrives: so the session is not lent again
//! before the server has confirmed that the cancel was delivered.
//!
//! This also tells a caller in a hurry from a server that does not answer, which look the
//! same to a caller with a time-out of its own: if the server says nothing for as long as a
//! probe may take, neither on the session nor to the cancel's effect, that is a failure of
//! the server. If it does, nobody is to blame.

use std::{pin::pin, sync::Arc, time::Duration};

use deadpool::managed::Object;
use deadpool_postgres::ClientWrapper;
use tokio::runtime::Handle;

use super::{
    acquire::Inner, manager::Manager, quarantine::Quarantined, silence::UnderWay, slots::Slot,
};
use crate::{
    breaker::{CallOutcome, Cause, OwnedPermit},
    clock::{self, Elapsed, Instant},
    error::{ErrorClass, ends_session},
    metrics::Counter,
    wire::Wire,
};

/// How long a statement may take to end by itself before it is cancelled; doubles from one
/// cancel to the next. A cancel costs the server a process, a statement that is nearly done
/// costs less.
const GRACE: Duration = Duration::from_millis(10);

/// What is left of a loan. Dropped, its session is closed and its slot is free.
pub(super) struct Abandoned {
    // `None` once it is clear what becomes of it. It goes before the slot does.
    session: Option<Object<Manager>>,
    pool: Arc<Inner>,
    permit: OwnedPermit,
    /// The breaker was told of the failure that this came from.
    pub(super) told: bool,
    /// It may be lent again, once it is idle.
    pub(super) fit: bool,
    /// For those who notice that nobody is answered.
    pub(super) under_way: Option<UnderWay>,
    /// A cancel may be on its way to the session.
    cancelled: bool,
    slot: Option<Slot>,
}

/// What the server did about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freed {
    /// It is idle, and no cancel is on its way to it.
    Idle,
    /// It answers, and cannot be lent again.
    Unfit,
    /// The connection is lost.
    Lost,
    /// It said nothing.
    Silent,
}

impl Abandoned {
    pub(super) fn new(
        session: Object<Manager>,
        pool: Arc<Inner>,
        permit: OwnedPermit,
        slot: Slot,
    ) -> Self {
        Self {
            session: Some(session),
            pool,
            permit,
            told: false,
            fit: true,
            under_way: None,
            cancelled: false,
            slot: Some(slot),
        }
    }

    /// Frees the session in the background, in the runtime of the caller. Closes it at once
    /// if there is none.
    pub(super) fn reclaim(mut self) {
        let closed = self.session.as_ref().is_none_or(|s| s.client.is_closed());
        if closed {
            return;
        }
        if self.pool.breaker.refuses() {
            return self.set_aside();
        }
        if let Ok(runtime) = Handle::try_current() {
            let task = runtime.spawn(self.run());
            drop(task);
        }
    }

    async fn run(mut self) {
        let breaker = self.pool.breaker.clone();
        let began = clock::now();
        let freed = tokio::select! {
            biased;
            freed = self.free(began + breaker.config().probe_timeout) => freed,
            // The server is being probed.
            _ = breaker.opened() => return self.set_aside(),
        };
        if matches!(freed, Freed::Idle | Freed::Unfit) {
            self.pool.hears(clock::now());
        }
        match freed {
            Freed::Idle if self.fit => self.give_back(),
            Freed::Idle | Freed::Unfit => {}
            Freed::Lost => self.lost(began),
            Freed::Silent => self.silent(began),
        }
    }

    /// Leaves the session to those who find out whether it is dead, unless a cancel could hit
    /// who borrows it next.
    fn set_aside(&mut self) {
        let session = self.session.take_if(|_| self.fit && !self.cancelled);
        if let (Some(session), Some(slot)) = (session, self.slot.take()) {
            let aside = Quarantined::new(session, self.pool.clone(), Some(slot));
            aside.unclean().watch();
        }
    }

    /// Brings the session to where it is idle, until `deadline`.
    async fn free(&mut self, deadline: Instant) -> Freed {
        let Some(session) = self.session.as_deref() else {
            return Freed::Unfit;
        };
        let (client, wire) = (session.client.clone(), session.wire.clone());
        let mut reset = pin!(reset(&client));
        let mut patience = GRACE;
        loop {
            let until = deadline.min(clock::now() + patience);
            match clock::timeout_at(until, &mut reset).await {
                Ok(Ok(())) if self.cancelled => return Freed::Unfit,
                Ok(Ok(())) => return Freed::Idle,
                Ok(Err(_)) if wire.as_ref().is_some_and(Wire::is_cut) => {
                    return Freed::Unfit;
                }
                Ok(Err(_)) => return Freed::Lost,
                Err(Elapsed) if clock::now() >= deadline => return Freed::Silent,
                Err(Elapsed) => {}
            }
            // Until it is confirmed, or for good if this is dropped before.
            let before = std::mem::replace(&mut self.cancelled, true);
            self.cancelled = !self.cancel(deadline).await || before;
            patience = patience.saturating_mul(2);
        }
    }

    /// Cancels what runs on the session. True if the server has confirmed that nothing of
    /// the cancel is left on its way.
    async fn cancel(&self, deadline: Instant) -> bool {
        let Some(session) = self.session.as_deref() else {
            return false;
        };
        if planted!(AbandonedNotCancelled) {
            return true;
        }
        let Some(canceller) = &session.cancel else {
            return true;
        };
        let cancel = async {
            // Few at once: one that waits here sees that the statement has ended by itself.
            let _place = self.pool.cancels.acquire().await;
            self.pool.metrics.count(Counter::Cancels);
            canceller.cancel().await
        };
        matches!(clock::timeout_at(deadline, cancel).await, Ok(true))
    }

    fn give_back(&mut self) {
        if let Some(mut session) = self.session.take() {
            session.heard = clock::now();
            if session.client.is_closed() {
                self.close(session);
            } else if session.epoch == self.pool.epoch.current() {
                self.pool.metrics.count(Counter::Released);
                drop(session);
                self.pool.returned.notify_one();
            } else {
                let slot = self.slot.take();
                Quarantined::new(session, self.pool.clone(), slot).watch();
            }
        }
    }

    fn close(&self, session: Object<Manager>) {
        self.pool.metrics.count(Counter::Discarded);
        drop(Object::take(session));
        self.pool.refill();
    }

    /// The connection broke: one dead host breaks many, and that is one failure.
    fn lost(&mut self, began: Instant) {
        let epoch = self.session.as_deref().map(|session| session.epoch);
        if epoch.is_some_and(|epoch| self.pool.evict(epoch)) {
            self.fail(ErrorClass::Network, began);
        }
    }

    /// The server did not answer: neither will others that it has not been heard on since.
    fn silent(&mut self, began: Instant) {
        if let Some(session) = self.session.as_deref() {
            self.pool.condemn(session.heard, clock::now());
        }
        self.fail(ErrorClass::Timeout, began);
    }

    fn fail(&mut self, class: ErrorClass, began: Instant) {
        if !std::mem::replace(&mut self.told, true) {
            let (failure, cause) = (CallOutcome::Failure, Cause::of(class.name()));
            self.permit
                .record(failure, Some(cause), began, clock::now());
        }
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.close(session);
        }
    }
}

/// Waits for all that is under way on a session, ends its transaction, and forgets its
/// prepared statements: one whose preparation was given up has no other owner.
pub(super) async fn reset(client: &ClientWrapper) -> Result<(), tokio_postgres::Error> {
    let end = planted!(GivenUpIsCommitted, "ROLLBACK" => "COMMIT");
    for command in [end, "DEALLOCATE ALL"] {
        // A cancel may hit the command as well. Cancels end.
        while let Err(error) = client.simple_query(command).await {
            if error.code().is_none() || ends_session(&error) {
                return Err(error);
            }
        }
    }
    client.statement_cache.clear();
    Ok(())
}
