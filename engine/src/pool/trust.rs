//! Which idle sessions are checked before they are lent, and which are dropped unasked.
//!
//! A firewall that has forgotten a connection tells nobody: what is sent on it is swallowed,
//! and every idle session of a pool may be like that. Found out by their borrowers, they cost
//! a time-out each. So a session that was silent for long is asked first, with a bound; and
//! the first one that does not answer in time, to a check or to a statement, throws doubt on
//! those that were silent about as long.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use deadpool::managed::Object;
use futures_util::FutureExt as _;

use super::{
    Link, acquire::Inner, manager::Manager, session::PooledSession, slots::Slot, waiting::Turn,
};
use crate::{
    breaker::OwnedPermit,
    clock::{self, Elapsed, Instant},
    error::Error,
    metrics::{Counter, Timing},
};

/// The part of the time that a caller has left which a check may take. What is left has to do
/// for a new connection.
const CHECK_SHARE: u32 = 4;

/// A session that was heard within this time throws no doubt on others: nothing forgets a
/// connection that fast, and a statement that takes long is no sign.
const SILENCE: Duration = Duration::from_secs(1);

/// Whether a session that was silent for `silent` is as doubtful as one that was so for
/// `dead` and does not answer. Pure.
fn as_long(dead: Duration, silent: Duration) -> bool {
    silent >= dead / 2
}

impl Inner {
    /// Whether a session has to be asked before it is lent.
    pub(super) fn is_doubtful(&self, session: &PooledSession, now: Instant) -> bool {
        let (most, heard) = (self.config.idle_check, session.heard);
        let long = !most.is_zero() && now.saturating_duration_since(heard) >= most;
        long || self.breaker.tick(heard).ns() < self.doubted_ns.load(Ordering::Relaxed)
    }

    /// Notes that a session, last heard at `heard`, does not answer: those that were silent
    /// about as long are asked before they are lent.
    pub(super) fn doubt(&self, heard: Instant, now: Instant) {
        let silent = now.saturating_duration_since(heard);
        if silent >= SILENCE {
            let from = self.breaker.tick(now - silent / 2).ns();
            self.doubted_ns.fetch_max(from, Ordering::Relaxed);
        }
    }

    /// Drops the idle sessions that were silent about as long as one that was found dead.
    pub(super) fn condemn(self: &Arc<Self>, heard: Instant, now: Instant) {
        let silent = |heard: Instant| now.saturating_duration_since(heard);
        let dead = silent(heard);
        let kept = self
            .sessions
            .retain(|session, _| !as_long(dead, silent(session.heard)));
        let dropped = kept.removed.len() as u64;
        self.metrics.add(Counter::Evicted, dropped);
        self.refill();
    }

    /// Lends a session that answers, or makes one.
    pub(super) async fn lend_checked(
        self: Arc<Self>,
        mut session: Object<Manager>,
        permit: OwnedPermit,
        slot: Slot,
        turn: Turn,
    ) -> Result<Link, Error> {
        while self.is_doubtful(&session, clock::now()) {
            if self.answers(&mut session, turn.deadline).await? {
                break;
            }
            self.metrics.count(Counter::Evicted);
            drop(Object::take(session));
            session = match self.sessions.get().now_or_never() {
                Some(session) => session.map_err(|_| Error::Closed)?,
                None => return self.make(permit, slot, turn).await,
            };
        }
        self.lend(session, permit, slot, &turn)
    }

    /// Asks a session whether its server is there.
    async fn answers(
        self: &Arc<Self>,
        session: &mut Object<Manager>,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let now = clock::now();
        let share = deadline.saturating_duration_since(now) / CHECK_SHARE;
        let until = now + share.min(self.breaker.config().probe_timeout);
        let client = session.client.clone();
        self.metrics.count(Counter::HealthChecks);
        let answer = self.until_open(until, client.check_connection()).await;
        self.metrics.time(Timing::Recycle, clock::now() - now);
        if !matches!(answer, Ok(Ok(Ok(())))) {
            self.metrics.count(Counter::HealthChecksFailed);
        }
        match answer? {
            Ok(Ok(())) => {
                session.heard = clock::now();
                Ok(true)
            }
            // It ended, and said so: that says nothing about others.
            Ok(Err(_)) => Ok(false),
            Err(Elapsed) => {
                self.condemn(session.heard, clock::now());
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_were_silent_half_as_long_are_as_doubtful() {
        let s = Duration::from_secs;
        for (dead, silent, doubtful) in [(600, 600, true), (600, 300, true), (600, 299, false)] {
            assert_eq!(as_long(s(dead), s(silent)), doubtful, "{silent}");
        }
    }
}
