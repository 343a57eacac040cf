//! [`Metrics`]: what a pool counts and times.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Histogram, Quantiles};
use crate::{error::ErrorClass, pipeline::Outcome};

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
    /// Batches that a pipeline has sent and got answered.
    PipelineBatches,
    /// Syncs of pipelines: times that the server was asked to answer and wait.
    PipelineSyncs,
    /// Queries without a result in pipelines that were dropped.
    PipelineDropped,
}

impl Counter {
    /// All counters.
    pub const ALL: [Self; 12] = [
        Self::Queries,
        Self::Acquired,
        Self::Released,
        Self::Discarded,
        Self::Evicted,
        Self::ConnectAttempts,
        Self::Created,
        Self::Probes,
        Self::ProbesFailed,
        Self::PipelineBatches,
        Self::PipelineSyncs,
        Self::PipelineDropped,
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
            Self::PipelineBatches => "pipeline_batches_total",
            Self::PipelineSyncs => "pipeline_syncs_total",
            Self::PipelineDropped => "pipeline_dropped_total",
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
    outcomes: [AtomicU64; Outcome::NAMES.len()],
    batches: Histogram,
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
    /// Queries of pipelines by what became of them, in the order of
    /// [`Outcome::NAMES`](crate::pipeline::Outcome::NAMES).
    pub outcomes: Vec<(&'static str, u64)>,
    /// Queries in a batch of a pipeline; in place of microseconds.
    pub batches: Quantiles,
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

    pub(crate) fn outcome(&self, outcome: usize) {
        self.outcomes[outcome].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn batch(&self, queries: usize) {
        let queries = u64::try_from(queries).unwrap_or(u64::MAX);
        self.batches.record(Duration::from_micros(queries));
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
            outcomes: Outcome::NAMES
                .into_iter()
                .zip(&self.outcomes)
                .map(|(name, n)| (name, n.load(Ordering::Relaxed)))
                .collect(),
            batches: self.batches.quantiles(),
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
