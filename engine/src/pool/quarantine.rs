//! [`Quarantined`]: a session from before an outage, which may be dead or only slow.
//!
//! A server that stood still for a moment has kept its sessions, and answers on them when it
//! goes on; one whose host is gone, or that somebody has cut off, never answers on them again.
//! Nobody can tell which of the two it is while it lasts. So each session is asked something
//! while the circuit is open, and those that answer are lent again once the probe was answered.
//! The others have a moment more, in which they give way to sessions that are made anew: one for
//! each that is needed.
//!
//! An answer alone is not enough: after a failover the old server may come back to life behind
//! its old connections. So the answer says which server gave it, and has to be the one that
//! the probe met.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use deadpool::managed::Object;
use deadpool_postgres::ClientWrapper;
use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{acquire::Inner, manager::Manager, slots::Slot};
use crate::{clock, metrics::Counter};

/// Tells servers, and runs of one, apart: nobody needs a right to ask this, and no setting of
/// a session changes the answer.
const SERVER: &str = "SELECT extract(epoch FROM pg_postmaster_start_time())";
/// How much later than the probe a session may answer, if nobody needs its place sooner.
const GRACE: Duration = Duration::from_secs(1);
/// The longest that a session is kept for: a server that stood still for longer has most
/// likely lost it.
const MOST: Duration = Duration::from_secs(60);

/// A session that is not lent before it is clear that its server is the one that came back.
/// Dropped, it is closed.
pub(super) struct Quarantined {
    // `None` once it is clear what becomes of it. It goes before the slot does.
    session: Option<Object<Manager>>,
    pool: Arc<Inner>,
    /// Something is under way on it, which a caller has begun and given up.
    unclean: bool,
    /// It was on loan.
    lent: bool,
    slot: Option<Slot>,
}

/// Asks on a session which server it is with. `None` if it does not say so.
pub(super) async fn server(client: &Client) -> Option<String> {
    let messages = client.simple_query(SERVER).await.ok()?;
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
        _ => None,
    })
}

impl Quarantined {
    pub(super) fn new(session: Object<Manager>, pool: Arc<Inner>, slot: Option<Slot>) -> Self {
        pool.quarantined.fetch_add(1, Ordering::Relaxed);
        Self {
            session: Some(session),
            pool,
            unclean: false,
            lent: slot.is_some(),
            slot,
        }
    }

    /// Ends what is under way on it first.
    pub(super) fn unclean(mut self) -> Self {
        self.unclean = true;
        self
    }

    /// Finds out in the background, in the runtime of the caller. Closes it at once if there
    /// is none, and where no probe will say which server is back.
    pub(super) fn watch(self) {
        if !self.pool.probes() || self.pool.breaker.is_forced() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(self.run()));
        }
    }

    async fn run(mut self) {
        let began = clock::now();
        let breaker = self.pool.breaker.clone();
        let Some(client) = self
            .session
            .as_deref()
            .map(|session| session.client.clone())
        else {
            return;
        };
        let answered = {
            let unclean = self.unclean;
            let mut asked = Box::pin(async move {
                if unclean && super::abandoned::reset(&client).await.is_err() {
                    return None;
                }
                let client: &ClientWrapper = &client;
                server(client).await
            });
            let answered = tokio::select! {
                biased;
                answered = &mut asked => Some(answered),
                () = breaker.admits() => None,
                () = clock::sleep_until(began + MOST) => return,
            };
            match answered {
                Some(answered) => answered,
                None => {
                    // From now on others need its slot, and perhaps its place.
                    self.slot = None;
                    tokio::select! {
                        biased;
                        answered = asked => answered,
                        () = self.pool.give_up.notified() => return,
                        () = clock::sleep(GRACE) => return,
                    }
                }
            }
        };
        let until_back = clock::timeout_at(began + MOST, breaker.admits());
        if answered.is_some() && until_back.await.is_ok() && self.pool.met() == answered {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(mut session) = self.session.take_if(|session| !session.client.is_closed()) {
            session.heard = clock::now();
            session.epoch = self.pool.epoch.current();
            self.pool.metrics.count(Counter::Kept);
            if self.lent {
                self.pool.metrics.count(Counter::Released);
            }
            drop(session);
            self.pool.returned.notify_one();
        }
    }
}

impl Drop for Quarantined {
    fn drop(&mut self) {
        self.pool.quarantined.fetch_sub(1, Ordering::Relaxed);
        if let Some(session) = self.session.take() {
            self.pool.metrics.count(if self.lent {
                Counter::Discarded
            } else {
                Counter::Evicted
            });
            drop(Object::take(session));
            self.pool.refill();
        }
    }
}

impl Inner {
    /// Takes the idle sessions out of the pool, so that nobody borrows them. Where no probe
    /// runs none: they are dropped.
    pub(super) fn take_aside(self: &Arc<Self>) -> Vec<Quarantined> {
        let mut aside = Vec::new();
        // Asked for in the last outage, and not needed.
        let _asked = self.give_up.notified().now_or_never();
        if !self.probes() || self.breaker.is_forced() || planted!(NoEviction) {
            return aside;
        }
        while let Some(Ok(session)) = self.sessions.get().now_or_never() {
            aside.push(Quarantined::new(session, self.clone(), None));
        }
        aside
    }

    /// Gives one of these up, if there are any: somebody needs its place.
    pub(super) fn give_up_one(&self) {
        if self.quarantined.load(Ordering::Relaxed) > 0 {
            self.give_up.notify_one();
        }
    }

    /// The server that the last probe met.
    fn met(&self) -> Option<String> {
        self.prober.as_ref().and_then(|prober| prober.met())
    }
}
