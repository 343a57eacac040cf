//! [`Holders`]: which sessions are open, who of them is lent, and since when.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use crate::metrics::{Counter, Metrics};

/// The sessions of a pool that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Holders(Arc<All>);

#[derive(Debug, Default)]
struct All {
    /// The pool's name.
    name: String,
    last: AtomicU64,
    sessions: Mutex<Vec<Weak<Shown>>>,
}

/// What is shown of a session.
#[derive(Debug)]
struct Shown {
    id: u64,
    /// Since when it is lent, in nanoseconds on the pool's clock; 0 if it is not.
    lent_ns: AtomicU64,
    doing: AtomicU8,
}

/// What the borrower of a session does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Nothing,
    InTransaction,
    Running,
}

/// Someone who has a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) connection: u64,
    pub(super) lent_ns: u64,
    pub(super) doing: Doing,
}

/// A session that is open. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Open {
    shown: Arc<Shown>,
    of: Arc<All>,
    metrics: Arc<Metrics>,
}

impl Holders {
    /// Of a pool of that name.
    pub(super) fn new(name: &str) -> Self {
        Self(Arc::new(All {
            name: name.to_owned(),
            ..All::default()
        }))
    }

    /// Counts a session that has been made.
    pub(super) fn open(&self, metrics: Arc<Metrics>) -> Open {
        metrics.count(Counter::Created);
        let shown = Arc::new(Shown {
            id: self.0.last.fetch_add(1, Ordering::Relaxed) + 1,
            lent_ns: AtomicU64::new(0),
            doing: AtomicU8::new(Doing::Nothing as u8),
        });
        let mut sessions = self.0.lock();
        sessions.retain(|session| session.strong_count() > 0);
        sessions.push(Arc::downgrade(&shown));
        drop(sessions);
        let (pool, connection) = (&*self.0.name, shown.id);
        tracing::debug!(pool, connection, "connected");
        Open {
            shown,
            of: self.0.clone(),
            metrics,
        }
    }

    /// Those who have had one the longest, the longest first.
    pub(super) fn longest(&self, most: usize) -> Vec<Holder> {
        let shown: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        let mut all: Vec<_> = shown.iter().filter_map(|shown| shown.holder()).collect();
        all.sort_by_key(|holder| holder.lent_ns);
        all.truncate(most);
        all
    }
}

impl All {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Shown>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn holder(&self) -> Option<Holder> {
        let lent_ns = self.lent_ns.load(Ordering::Relaxed);
        let doing = match self.doing.load(Ordering::Relaxed) {
            n if n == Doing::Running as u8 => Doing::Running,
            n if n == Doing::InTransaction as u8 => Doing::InTransaction,
            _ => Doing::Nothing,
        };
        (lent_ns > 0).then_some(Holder {
            connection: self.id,
            lent_ns,
            doing,
        })
    }
}

impl Open {
    /// Its number, from 1 on, among all sessions of the pool.
    pub(super) fn id(&self) -> u64 {
        self.shown.id
    }

    /// Says since when it is lent; 0 if it is not.
    pub(super) fn lend(&self, lent_ns: u64) {
        self.shown.lent_ns.store(lent_ns, Ordering::Relaxed);
    }

    pub(super) fn does(&self, doing: Doing) {
        self.shown.doing.store(doing as u8, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.count(Counter::Closed);
        tracing::debug!(pool = %self.of.name, connection = self.shown.id, "closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_had_a_session_the_longest_is_shown_first() {
        let (holders, metrics) = (Holders::default(), Arc::<Metrics>::default());
        let sessions: Vec<_> = (0..3).map(|_| holders.open(metrics.clone())).collect();
        assert_eq!(holders.longest(9), []);
        sessions[0].lend(20);
        sessions[2].lend(10);
        sessions[2].does(Doing::Running);
        let longest = holders.longest(9);
        assert_eq!(longest.len(), 2);
        assert_eq!(
            (longest[0].connection, longest[0].doing),
            (3, Doing::Running)
        );
        assert_eq!(holders.longest(1).len(), 1);
        drop(sessions);
        assert_eq!(holders.longest(9), []);
        assert_eq!(metrics.counter(Counter::Created), 3);
        assert_eq!(metrics.counter(Counter::Closed), 3);
    }
}
