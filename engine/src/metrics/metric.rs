//! [`Metric`]: what of a history is asked for, by name. Pure.

use super::{
    Counter, ResultLabel, STATES, Snapshot, Timing,
    history::{Span, UnknownMetric},
};
use crate::error::ErrorClass;

/// Something that a history knows at every moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    /// Queries that are over, per second.
    Queries,
    /// Of these: those that failed.
    QueryErrors,
    /// The share of them that failed.
    ErrorRate,
    Result(ResultLabel),
    /// Failed operations of a class, per second.
    Error(ErrorClass),
    Counter(Counter),
    /// Changes of the circuit to a state, per second.
    Transition(usize),
    /// Seconds.
    Quantile(Timing, f64),
    /// Seconds.
    Mean(Timing),
    Active,
    Idle,
    Total,
    Max,
    WaitingForSlot,
    WaitingForCircuit,
    Utilization,
    /// 0 closed, 1 half-open, 2 open.
    State,
}

const QUANTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p999", 0.999),
    ("max", 1.0),
];

impl Metric {
    /// All of them, with their names.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let mut all: Vec<(String, Self)> = [
            ("queries_per_second", Self::Queries),
            ("errors_per_second", Self::QueryErrors),
            ("error_rate", Self::ErrorRate),
            ("active_connections", Self::Active),
            ("idle_connections", Self::Idle),
            ("total_connections", Self::Total),
            ("max_connections", Self::Max),
            ("queue_depth", Self::WaitingForSlot),
            ("waiting_for_circuit", Self::WaitingForCircuit),
            ("utilization_rate", Self::Utilization),
            ("circuit_breaker_state", Self::State),
        ]
        .map(|(name, metric)| (name.to_owned(), metric))
        .into();
        all.extend(ResultLabel::all().map(|result| {
            let name = format!("queries_{}_per_second", result.name());
            (name, Self::Result(result))
        }));
        all.extend(ErrorClass::ALL.iter().map(|class| {
            let name = format!("errors_{}_per_second", class.name());
            (name, Self::Error(*class))
        }));
        for timing in Timing::ALL.iter().copied() {
            let of = timing.short();
            all.extend(QUANTILES.map(|(name, share)| {
                let name = format!("{of}_{name}_seconds");
                (name, Self::Quantile(timing, share))
            }));
            all.push((format!("{of}_mean_seconds"), Self::Mean(timing)));
        }
        all.extend(STATES.iter().enumerate().map(|(i, state)| {
            let name = format!("circuit_breaker_transitions_to_{state}_per_second");
            (name, Self::Transition(i))
        }));
        let counters = Counter::ALL.iter();
        all.extend(counters.map(|counter| (counter.name().to_owned(), Self::Counter(*counter))));
        all
    }

    /// The one of that name.
    pub(crate) fn named(name: &str) -> Result<Self, UnknownMetric> {
        let all = Self::all();
        if let Some((_, metric)) = all.iter().find(|(known, _)| known == name) {
            return Ok(*metric);
        }
        let like = |known: &str| strsim::normalized_damerau_levenshtein(known, name);
        let nearest = all
            .into_iter()
            .map(|(known, _)| (like(&known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.5);
        Err(UnknownMetric {
            name: name.chars().take(80).collect(),
            nearest: nearest.map(|(_, known)| known),
        })
    }

    pub(super) fn needs_histograms(&self) -> bool {
        matches!(self, Self::Quantile(..) | Self::Mean(_))
    }

    /// Its value over a span. `None` if nothing happened that it could be of.
    pub(super) fn value(&self, span: &Span) -> Option<f64> {
        let added: &Snapshot = &span.added;
        let per_second = |n: u64| Some(n as f64 * 1_000.0 / span.ms as f64);
        let [active, idle, max, for_slot, for_circuit] = span.gauges;
        match *self {
            Self::Queries => per_second(added.queries()),
            Self::QueryErrors => per_second(added.query_errors()),
            Self::ErrorRate => {
                let queries = added.queries();
                (queries > 0).then(|| added.query_errors() as f64 / queries as f64)
            }
            Self::Result(result) => per_second(added.results(result)),
            Self::Error(class) => per_second(added.errors(class)),
            Self::Counter(counter) => per_second(added.counter(counter)),
            Self::Transition(to) => per_second(added.transitions(to)),
            Self::Quantile(timing, share) => {
                let us = added.histogram(timing).quantile(share)?;
                Some(us as f64 / 1e6)
            }
            Self::Mean(timing) => {
                let times = added.histogram(timing);
                let n = times.count();
                (n > 0).then(|| times.sum() as f64 / n as f64 / 1e6)
            }
            Self::Active => Some(active),
            Self::Idle => Some(idle),
            Self::Total => Some(active + idle),
            Self::Max => Some(max),
            Self::WaitingForSlot => Some(for_slot),
            Self::WaitingForCircuit => Some(for_circuit),
            Self::Utilization => (max > 0.0).then(|| active / max),
            Self::State => Some(span.state as f64),
        }
    }
}
