//! [`Metrics`]: what a pool counts and times.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Histogram, Quantiles};
use crate::error::ErrorClass;

/// What is counted. All counters only go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Statements handed to a connection.
    Queries,
    /// Connections handed to callers.
    Acquired,
    /// Connections that came back fit for use.
    Released,
    /// Connections closed on return: broken, in a transaction, or of an evicted host.
    Discarded,
    /// Idle connections dropped because they were found closed, or their host dead.
    Evicted,
    /// Connections tried, by the pool and by the probe.
    ConnectAttempts,
    /// Connections made by the pool.
    Created,
    /// Probes of an open breaker.
    Probes,
    /// Probes without an answer.
    ProbesFailed,
}

impl Counter {
    /// All counters.
    pub const ALL: [Self; 9] = [
        Self::Queries,
        Self::Acquired,
        Self::Released,
        Self::Discarded,
        Self::Evicted,
        Self::ConnectAttempts,
        Self::Created,
        Self::Probes,
        Self::ProbesFailed,
    ];

    /// Its name in an exposition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queries => "queries_total",
            Self::Acquired => "connections_acquired_total",
            Self::Released => "connections_released_total",
            Self::Discarded => "connections_discarded_total",
            Self::Evicted => "connections_evicted_total",
            Self::ConnectAttempts => "connect_attempts_total",
            Self::Created => "connections_created_total",
            Self::Probes => "breaker_probes_total",
            Self::ProbesFailed => "breaker_probes_failed_total",
        }
    }
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timing {
    /// From asking for a connection to having one; successes only.
    Acquire,
    /// Making a connection; successes only.
    Connect,
    /// A statement, whatever came of it.
    Query,
}

impl Timing {
    /// All timings.
    pub const ALL: [Self; 3] = [Self::Acquire, Self::Connect, Self::Query];
}

/// The counters and histograms of one pool.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: [AtomicU64; Counter::ALL.len()],
    errors: [AtomicU64; ErrorClass::ALL.len()],
    timings: [Histogram; Timing::ALL.len()],
}

/// All values at one moment (each is exact; they are not read at one instant).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// In the order of [`Counter::ALL`].
    pub counters: Vec<(Counter, u64)>,
    /// Failed operations by class, in the order of [`ErrorClass::ALL`].
    pub errors: Vec<(ErrorClass, u64)>,
    /// In the order of [`Timing::ALL`].
    pub timings: Vec<(Timing, Quantiles)>,
}

impl Metrics {
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    pub(crate) fn add(&self, counter: Counter, n: u64) {
        self.counters[counter as usize].fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn error(&self, class: ErrorClass) {
        self.errors[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn time(&self, timing: Timing, took: Duration) {
        self.timings[timing as usize].record(took);
    }

    /// The value of a counter.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }

    /// Failed operations of a class.
    #[must_use]
    pub fn errors(&self, class: ErrorClass) -> u64 {
        self.errors[class as usize].load(Ordering::Relaxed)
    }

    /// All values.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            counters: Counter::ALL.map(|c| (c, self.counter(c))).to_vec(),
            errors: ErrorClass::ALL.map(|c| (c, self.errors(c))).to_vec(),
            timings: Timing::ALL
                .map(|t| (t, self.timings[t as usize].quantiles()))
                .to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_place_and_a_name_of_its_own() {
        let metrics = Metrics::default();
        for (i, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, i);
            metrics.add(counter, i as u64 + 1);
        }
        for (i, class) in ErrorClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, i);
            metrics.error(class);
        }
        let snapshot = metrics.snapshot();
        for (i, (counter, n)) in snapshot.counters.iter().enumerate() {
            assert_eq!((*counter, *n), (Counter::ALL[i], i as u64 + 1));
            let same = Counter::ALL.iter().filter(|c| c.name() == counter.name());
            assert_eq!(same.count(), 1);
        }
        assert!(snapshot.errors.iter().all(|(_, n)| *n == 1));
    }
}
