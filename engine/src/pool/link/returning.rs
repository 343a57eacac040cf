//! How a session goes back: to the pool, to those who free it, or not at all.

use deadpool::managed::Object;

use super::{
    super::{abandoned::Abandoned, quarantine::Quarantined, session::PooledSession},
    Link,
};
use crate::{
    clock,
    metrics::{Counter, ResultLabel, Timing},
};

impl Link {
    /// Gives up the session if statements are under way on it: nobody waits for them any
    /// more.
    pub(in crate::pool) fn give_up_if_busy(&mut self) {
        if self.busy {
            self.give_up();
        }
    }

    /// Leaves the session, with what is under way on it, to those who free it.
    pub(super) fn give_up(&mut self) {
        if let (Some(session), Some(slot)) = (self.session.take(), self.slot.take()) {
            self.pool.metrics.count(Counter::Abandoned);
            self.ends_loan(&session);
            if let Some((kind, began)) = self.asked.take() {
                let took = Some(clock::now() - began);
                self.pool.metrics.query(kind, ResultLabel::GivenUp, took);
            }
            if planted!(AbandonedSlotsLeak) {
                return std::mem::forget((session, slot));
            }
            if self.busy || self.timed_out || self.cut_short {
                self.pool.doubt(session.heard, clock::now());
            }
            let permit = self.permit.hand_over();
            let mut given_up = Abandoned::new(session, self.pool.clone(), permit, slot);
            given_up.under_way = self.under_way.take();
            given_up.told = self.timed_out;
            given_up.fit = !(self.broken || self.retired);
            given_up.reclaim();
        }
    }

    /// Counts a loan that ends.
    fn ends_loan(&self, session: &PooledSession) {
        session.open.lend(0);
        let held = clock::now() - self.lent;
        self.pool.metrics.time(Timing::Hold, held);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A block that is open ends with the session as well, if it is closed anyway.
        let open = self.in_block() && !planted!(OpenTransactionLent);
        if self.busy || (open && !self.is_broken()) {
            return self.give_up();
        }
        let Some(session) = self.session.take() else {
            return;
        };
        self.ends_loan(&session);
        let fit = !(self.broken || self.retired || session.client.is_closed());
        let old = session.epoch != self.pool.epoch.current();
        if old
            && fit
            && let Some(slot) = self.slot.take()
        {
            return Quarantined::new(session, self.pool.clone(), Some(slot)).watch();
        }
        if old || !fit || planted!(ConnectionsUsedOnce) {
            self.pool.metrics.count(Counter::Discarded);
            drop(Object::take(session));
            self.pool.refill();
        } else {
            self.pool.metrics.count(Counter::Released);
            drop(session);
            self.pool.returned.notify_one();
        }
    }
}
