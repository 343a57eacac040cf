//! [`Typical`]: what a query and a connection usually take.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::metrics::{Metrics, Timing};

/// How old the figures may be: reading them anew costs some ten microseconds.
const AGE_NS: u64 = 1_000_000_000;

/// The medians of all queries and connections so far, read anew at most once a second.
#[derive(Debug, Default)]
pub(super) struct Typical {
    /// When they are to be read next, in nanoseconds.
    next_ns: AtomicU64,
    queries: AtomicU64,
    query_us: AtomicU64,
    connect_us: AtomicU64,
}

/// What things usually take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    /// How many queries that is known from.
    pub(super) queries: u64,
    pub(super) query: Duration,
    pub(super) connect: Duration,
}

impl Typical {
    /// What things usually take; `now_ns` on any clock that does not change.
    pub(super) fn usual(&self, metrics: &Metrics, now_ns: u64) -> Usual {
        let next_ns = self.next_ns.load(Ordering::Relaxed);
        let due = now_ns >= next_ns;
        let claimed = due && {
            let next = now_ns.saturating_add(AGE_NS);
            let swap =
                self.next_ns
                    .compare_exchange(next_ns, next, Ordering::Relaxed, Ordering::Relaxed);
            swap.is_ok()
        };
        if claimed {
            let query = metrics.quantiles_us(Timing::Query);
            let connect = metrics.quantiles_us(Timing::Connect);
            self.queries.store(query.count, Ordering::Relaxed);
            self.query_us.store(query.p50, Ordering::Relaxed);
            self.connect_us.store(connect.p50, Ordering::Relaxed);
        }
        let us = |of: &AtomicU64| Duration::from_micros(of.load(Ordering::Relaxed));
        Usual {
            queries: self.queries.load(Ordering::Relaxed),
            query: us(&self.query_us),
            connect: us(&self.connect_us),
        }
    }
}
