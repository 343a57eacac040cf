//! [`Metrics`]: what a pool counts and times.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Histogram, Quantiles};
use crate::error::ErrorClass;

/// What is counted. All counters only go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counter {
    /// Callers' queries that were handed to a connection: of a pipeline each one, also
    /// where many share a statement or a transaction, and again if it is sent again.
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
    /// Loans that were given up in the middle of something.
    Abandoned,
    /// Requests to the server to stop what was given up.
    Cancels,
    /// Callers that waited for the circuit to close.
    Waited,
    /// Callers that were refused because too many waited already.
    WaitingFull,
    /// Times that no answer came for suspiciously long, and the server was asked.
    Suspicions,
    /// Connections from before an outage that had only been slow, and are lent again.
    Kept,
}

impl Counter {
    /// All counters.
    pub const ALL: &[Self] = &[
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
        Self::Abandoned,
        Self::Cancels,
        Self::Waited,
        Self::WaitingFull,
        Self::Suspicions,
        Self::Kept,
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
            Self::Abandoned => "connections_abandoned_total",
            Self::Cancels => "cancels_total",
            Self::Waited => "waited_for_circuit_total",
            Self::WaitingFull => "waiting_full_total",
            Self::Suspicions => "breaker_suspicions_total",
            Self::Kept => "connections_kept_total",
        }
    }
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timing {
    /// From asking for a connection to having one; successes only.
    Acquire,
    /// Making a connection; successes only.
    Connect,
    /// From handing a query to a connection to what came of it, whatever that was: of a
    /// pipeline each one, until its answer, or that to its transaction.
    Query,
}

impl Timing {
    /// All timings.
    pub const ALL: &[Self] = &[Self::Acquire, Self::Connect, Self::Query];
}

/// What became of a query of a pipeline, as a label: its
/// [`Outcome`](crate::pipeline::Outcome) without the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutcomeLabel {
    /// It ran, and what it did is committed.
    Ok,
    /// It was refused.
    Failed,
    /// Its transaction was rolled back.
    RolledBack,
    /// It was not run, because one before it failed.
    Skipped,
    /// It changed nothing, because it did not leave.
    NotSent,
    /// It left, and was not answered.
    Unknown,
}

impl OutcomeLabel {
    /// All labels, in the order of their metrics.
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::Failed,
        Self::RolledBack,
        Self::Skipped,
        Self::NotSent,
        Self::Unknown,
    ];

    /// Its name in an exposition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Skipped => "skipped",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

/// The counters and histograms of one pool.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: [AtomicU64; Counter::ALL.len()],
    errors: [AtomicU64; ErrorClass::ALL.len()],
    timings: [Histogram; Timing::ALL.len()],
    outcomes: [AtomicU64; OutcomeLabel::ALL.len()],
    batch_sizes: Histogram,
}

/// All values at one moment (each is exact; they are not read at one instant).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// In the order of [`Counter::ALL`].
    pub counters: Vec<(Counter, u64)>,
    /// Failed operations by class, in the order of [`ErrorClass::ALL`].
    pub errors: Vec<(ErrorClass, u64)>,
    /// Microseconds, in the order of [`Timing::ALL`].
    pub timings_us: Vec<(Timing, Quantiles)>,
    /// Queries of pipelines by what became of them, in the order of [`OutcomeLabel::ALL`].
    pub outcomes: Vec<(OutcomeLabel, u64)>,
    /// Queries in each batch of a pipeline.
    pub batch_sizes: Quantiles,
}

impl Metrics {
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    pub(crate) fn add(&self, counter: Counter, n: u64) {
        self.counters[counter as usize].fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn error(&self, class: ErrorClass) {
        if planted!(FailuresNotCounted) {
            return;
        }
        self.errors[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn time(&self, timing: Timing, took: Duration) {
        self.time_each(timing, took, 1);
    }

    /// Counts what took so long for each of `n`.
    pub(crate) fn time_each(&self, timing: Timing, took: Duration, n: usize) {
        let noted = planted!(TimesTooShort, took => took / 10);
        let us = u64::try_from(noted.as_micros()).unwrap_or(u64::MAX);
        self.timings[timing as usize].record_n(us, n as u64);
    }

    pub(crate) fn outcome(&self, outcome: OutcomeLabel) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn batch(&self, queries: usize) {
        self.batch_sizes.record(queries as u64);
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

    /// Queries of pipelines that this became of.
    #[must_use]
    pub fn outcomes(&self, outcome: OutcomeLabel) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    /// Microseconds of what is timed.
    #[must_use]
    pub fn quantiles_us(&self, timing: Timing) -> Quantiles {
        self.timings[timing as usize].quantiles()
    }

    /// Reads all values.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            counters: each(Counter::ALL, |counter| self.counter(counter)),
            errors: each(ErrorClass::ALL, |class| self.errors(class)),
            timings_us: each(Timing::ALL, |timing| self.quantiles_us(timing)),
            outcomes: each(OutcomeLabel::ALL, |outcome| self.outcomes(outcome)),
            batch_sizes: self.batch_sizes.quantiles(),
        }
    }
}

fn each<K: Copy, V>(keys: &[K], value: impl Fn(K) -> V) -> Vec<(K, V)> {
    keys.iter().map(|key| (*key, value(*key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_place_and_a_name_of_its_own() {
        let metrics = Metrics::default();
        for (i, counter) in Counter::ALL.iter().copied().enumerate() {
            assert_eq!(counter as usize, i);
            metrics.add(counter, i as u64 + 1);
        }
        for (i, class) in ErrorClass::ALL.iter().copied().enumerate() {
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
