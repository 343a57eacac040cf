//! Keeps the pool at its `min_connections`, once it was warmed up to them: makes anew what was
//! lost.
//!
//! One task at most, which is begun when a session is lost or the circuit closes, and ends
//! when there are enough or the circuit is not closed. It makes one session at a time, with
//! jittered backoff between, and takes a slot only where no caller needs it.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;

use super::{acquire::Inner, waiting::Turn};
use crate::{
    breaker::{Backoff, State},
    clock,
};

/// First wait before a session is made; doubles up to the longest. Half of them, on average,
/// is how long a session is missing; the inverse of the longest, times the number of clients,
/// is what a server that refuses meets in connects a second.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(10);

impl Inner {
    /// Makes sessions in the background, in the runtime of the caller, if some are missing.
    pub(super) fn refill(self: &Arc<Self>) {
        if !self.lacks() || self.refilling.swap(true, Ordering::AcqRel) {
            return;
        }
        let guard = Refilling(Arc::downgrade(self));
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(run(guard, self.rng())));
        }
    }

    /// Whether sessions are missing, and the server may be asked for some.
    fn lacks(&self) -> bool {
        let least = self.config.min_connections as usize;
        self.warm.load(Ordering::Acquire)
            && !self.stopped()
            && self.sessions.status().size < least
            && self.breaker.state() == State::Closed
    }

    /// Makes one more session, if a slot is free. True if it was made.
    async fn make_one(self: Arc<Self>) -> bool {
        let started = clock::now();
        let Some(slot) = self.slots.try_take() else {
            return false;
        };
        let Ok(permit) = self.breaker.admit_owned(started) else {
            return false;
        };
        // deadpool makes one only if none is idle: for the moment in which it is asked, none
        // is.
        let mut idle = Vec::new();
        while let Some(Ok(session)) = self.sessions.get().now_or_never() {
            idle.push(session);
        }
        let metrics = self.metrics.clone();
        let turn = Turn::new(started, self.config.acquire_timeout, None);
        let mut making = Box::pin(self.make(permit, slot, turn));
        let begun = making.as_mut().now_or_never();
        drop(idle);
        let made = match begun {
            Some(made) => made,
            None => making.await,
        };
        if let Err(error) = &made {
            metrics.error(error, clock::now());
        }
        made.is_ok()
    }
}

/// The only task. Dropped, another may begin.
struct Refilling(Weak<Inner>);

impl Drop for Refilling {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.refilling.store(false, Ordering::Release);
        }
    }
}

async fn run(refilling: Refilling, mut rng: fastrand::Rng) {
    let mut backoff = Backoff::new(FIRST, LONGEST);
    loop {
        clock::sleep(backoff.next(&mut rng)).await;
        // Not held while it waits: the pool may go away.
        let Some(pool) = refilling.0.upgrade().filter(|pool| pool.lacks()) else {
            return;
        };
        if pool.make_one().await {
            backoff = Backoff::new(FIRST, LONGEST);
        }
    }
}
