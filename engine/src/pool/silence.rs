//! [`Silence`]: notices that a server has stopped to answer before the first deadline passes.
//!
//! Where statements are under way and none is answered for many times what answers usually
//! take, the server is asked on a connection of its own. It may be that all of them wait for
//! one lock, or are reports: then the connection is made, and nothing is wrong. If it is not
//! made either, and still nobody was answered, the server is silent, and the circuit opens.
//!
//! Not before a fifth of a second has passed, and some answers more: TCP sends a packet that
//! was lost again after 200 ms at the earliest (Linux, `TCP_RTO_MIN`), so a shorter silence is
//! no sign of an outage.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::runtime::Handle;

use super::{acquire::Inner, connector::Unreachable, typical::Usual};
use crate::{
    breaker::{Mode, State},
    clock::{self, Instant},
    metrics::Counter,
};

/// How often it is looked at while statements are under way.
const TICK: Duration = Duration::from_millis(10);
/// Looks without a statement under way until the task ends.
const IDLE: u32 = 100;
/// Answers that have to be known before a silence can be told from what is usual.
const KNOWN: u64 = 20;
/// Statements that have to wait.
const SEVERAL: u32 = 2;
/// How long nobody is answered before the server is asked: at least this, and so many times
/// what an answer usually takes.
const SUSPICIOUS: Duration = Duration::from_millis(40);
const SUSPICIOUS_TIMES: u32 = 10;
/// How long nobody is answered before the server is taken for silent: at least this, and so
/// many times more what an answer usually takes.
const SILENT: Duration = Duration::from_millis(200);
const SILENT_TIMES: u32 = 4;
/// What a connection may take, in times of what it usually does.
const CONNECT_TIMES: u32 = 4;
/// First and longest wait until a server that answered is asked again.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(60);

/// What is under way, and when the server was last heard, of all sessions of a pool.
#[derive(Debug, Default)]
pub(super) struct Silence {
    under_way: AtomicU32,
    /// When an answer came, or the first or second of those under way began, whichever is
    /// later; on the breaker's clock.
    heard_ns: AtomicU64,
    /// A task looks.
    watched: AtomicBool,
}

/// A statement, or some, under way on a session. Dropped, it is no more.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Silence>);

/// How long a silence has to be. Pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    suspicious: Duration,
    silent: Duration,
}

impl Bounds {
    fn of(usual: &Usual) -> Self {
        let suspicious = SUSPICIOUS.max(usual.query * SUSPICIOUS_TIMES);
        let answered = SILENT + usual.query * SILENT_TIMES;
        Self {
            suspicious,
            silent: answered.max(suspicious + usual.connect * CONNECT_TIMES),
        }
    }
}

impl Silence {
    /// Notes that a session has something under way.
    pub(super) fn begins(self: &Arc<Self>, now_ns: u64) -> UnderWay {
        if self.under_way.fetch_add(1, Ordering::Relaxed) < SEVERAL {
            self.heard_ns.fetch_max(now_ns, Ordering::Relaxed);
        }
        UnderWay(self.clone())
    }

    /// Notes an answer of the server, whatever it was.
    pub(super) fn heard(&self, now_ns: u64) {
        self.heard_ns.store(now_ns, Ordering::Relaxed);
    }

    fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    fn heard_ns(&self) -> u64 {
        self.heard_ns.load(Ordering::Relaxed)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    /// Notes that a session has something under way, and sees to it that somebody looks.
    pub(super) fn begins(self: &Arc<Self>, now: Instant) -> UnderWay {
        let under_way = self.silence.begins(self.breaker.tick(now).ns());
        if self.detects_early && !self.silence.watched.load(Ordering::Relaxed) {
            self.watch();
        }
        under_way
    }

    /// Notes an answer of the server, whatever it was.
    pub(super) fn hears(&self, now: Instant) {
        self.silence.heard(self.breaker.tick(now).ns());
    }

    fn watch(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.silence.watched.swap(true, Ordering::AcqRel) {
            let watching = Watching(self.silence.clone());
            drop(runtime.spawn(watch(Arc::downgrade(self), watching)));
        }
    }

    /// Whether several wait for an answer, or for a session that others have.
    fn several_wait(&self) -> bool {
        let (under_way, waiting) = (self.silence.under_way(), self.slots.waiting());
        under_way > 0 && under_way as usize + waiting >= SEVERAL as usize
    }

    /// Since when nobody was answered although several wait; `None` if that cannot be said.
    fn silent_since(&self) -> Option<(Instant, u64)> {
        let (state, mode, epoch) = self.breaker.met();
        let decides = matches!(mode, Mode::Active | Mode::Shadow);
        if !decides || state != State::Closed || !self.several_wait() {
            return None;
        }
        // What began before the last change waits for what may never come.
        let since = self.breaker.at(self.silence.heard_ns());
        Some((since.max(self.breaker.since()), epoch))
    }

    /// Looks once. True if the server was asked and answered.
    async fn look(&self) -> bool {
        let now = clock::now();
        let Some((since, epoch)) = self.silent_since() else {
            return false;
        };
        if now - since < SUSPICIOUS {
            return false;
        }
        let usual = self
            .typical
            .usual(&self.metrics, self.breaker.tick(now).ns());
        let bounds = Bounds::of(&usual);
        if usual.queries < KNOWN || now - since < bounds.suspicious {
            return false;
        }
        self.metrics.count(Counter::Suspicions);
        // From now on, as long as it would have had from the first suspicious moment on.
        let by = (since + bounds.silent).max(now + (bounds.silent - bounds.suspicious));
        let answered = tokio::select! {
            biased;
            answered = self.connector.connect(by) => !matches!(answered, Err(Unreachable::Mute)),
            () = self.heard_since(since) => return false,
        };
        let again = self.silent_since();
        if !answered && again.is_some_and(|(again, e)| e == epoch && again == since) {
            self.breaker.silent(epoch, clock::now() - since);
        }
        answered
    }

    async fn heard_since(&self, since: Instant) {
        let heard = || self.breaker.at(self.silence.heard_ns()) > since;
        while !heard() && !self.stopped() {
            clock::sleep(TICK).await;
        }
    }
}

/// The only task. Dropped, another may begin.
struct Watching(Arc<Silence>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Release);
    }
}

async fn watch(pool: Weak<Inner>, watching: Watching) {
    let (mut idle, mut wait) = (0, AGAIN);
    let mut quiet_until = clock::now();
    loop {
        clock::sleep(TICK).await;
        let Some(pool) = pool.upgrade().filter(|pool| !pool.stopped()) else {
            return;
        };
        idle = if watching.0.under_way() == 0 {
            idle + 1
        } else {
            0
        };
        if idle > IDLE {
            return;
        }
        let now = clock::now();
        if now < quiet_until {
            continue;
        }
        if pool.look().await {
            // It is well, and all that are under way take long.
            quiet_until = clock::now() + wait;
            wait = (wait * 2).min(AGAIN_MOST);
        } else if now > quiet_until + AGAIN_MOST {
            wait = AGAIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_longer_than_a_lost_packet_and_many_answers() {
        let ms = Duration::from_millis;
        for (query, connect, suspicious, silent) in [
            (0, 0, 40, 200),
            (1, 5, 40, 204),
            (10, 5, 100, 240),
            (100, 5, 1_000, 1_020),
            (1, 100, 40, 440),
        ] {
            let usual = Usual {
                queries: 100,
                query: ms(query),
                connect: ms(connect),
            };
            let bounds = Bounds::of(&usual);
            assert_eq!(bounds.suspicious, ms(suspicious), "{usual:?}");
            assert_eq!(bounds.silent, ms(silent), "{usual:?}");
        }
    }
}
