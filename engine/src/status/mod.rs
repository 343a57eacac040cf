//! [`ComprehensiveStatus`]: everything that is known of a pool at a moment, under the names of
//! the migration guide; and [`Watched`], through which a monitor sees a pool.
//!
//! `health` says in words whether a pool is well, and why not. Pure.

mod health;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::health::{Health, HealthState};
pub(crate) use self::health::{Lately, Signs};
use crate::metrics::{Heatmap, Memory, Point, Quantiles, Sample, Snapshot, UnknownMetric};

/// Everything that is known of a pool at a moment. Fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComprehensiveStatus {
    /// The pool's `name`.
    pub pool_name: String,
    /// What its server has to be: `any`, `primary` or `replica`.
    pub role: &'static str,
    /// When it was, in milliseconds since 1970. Later statuses have later times, also if the
    /// system's clock is set.
    pub unix_ms: u64,
    /// Seconds since the pool was made.
    pub uptime_s: f64,
    /// Whether it is well, in words.
    pub health: Health,
    /// Connections that are open, or being opened.
    pub total_connections: u64,
    /// Of these: connections on loan.
    pub active_connections: u64,
    /// Of these: connections that wait for a caller.
    pub idle_connections: u64,
    /// The most that there can be.
    pub max_connections: u64,
    /// Callers that wait for a connection.
    pub queue_depth: u64,
    /// Callers that wait for the circuit to close.
    pub waiting_for_circuit: u64,
    /// Active of the most that there can be, 0..=1.
    pub utilization_rate: f64,
    /// Milliseconds to get a connection, over the last minute. `None` if nobody asked.
    pub avg_acquisition_time_ms: Option<f64>,
    /// Milliseconds that a query took, over the last minute. `None` if there was none.
    pub avg_query_time_ms: Option<f64>,
    /// Queries that were over, per second, over the last minute.
    pub queries_per_second: f64,
    /// The share of these that failed, 0..=1. `None` if there was none.
    pub error_rate: Option<f64>,
    /// The circuit breaker.
    pub circuit_breaker: BreakerStatus,
    /// All counters, gauges and histograms, since the pool was made.
    pub detailed_metrics: DetailedMetrics,
    /// The last error of each class, without anything that a caller typed.
    pub error_examples: Vec<ErrorExample>,
    /// Those who have had a connection the longest, the longest first; ten at most.
    pub longest_holders: Vec<HolderStatus>,
    /// The pool's pipelines.
    pub pipeline: PipelineStatus,
    /// What the history takes; zeros if none is kept.
    pub history: Memory,
    /// Where it can be seen.
    pub monitoring: MonitoringStatus,
}

/// A circuit breaker at a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BreakerStatus {
    /// `closed`, `half_open` or `open`.
    pub state: &'static str,
    /// `active`, `shadow`, `forced-open` or `disabled`.
    pub mode: String,
    /// Seconds until callers are let through, or the next probe is due. `None` unless the
    /// circuit is open.
    pub time_until_recovery: Option<f64>,
    /// What it has counted.
    pub metrics: BreakerMetrics,
    /// Its last changes, the newest last; twenty at most.
    pub transitions: Vec<TransitionStatus>,
}

/// What a circuit breaker has counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakerMetrics {
    /// Times that it opened.
    pub opened: u64,
    /// Times that it went half-open.
    pub half_opened: u64,
    /// Times that it closed.
    pub closed: u64,
    /// Queries and callers that it refused.
    pub refused: u64,
    /// Callers that it would have refused, in the mode `shadow`.
    pub shadow_refused: u64,
    /// Outcomes of calls from before a change, which decided nothing.
    pub stale_outcomes: u64,
    /// Probes.
    pub probes: u64,
    /// Probes without an answer.
    pub probes_failed: u64,
}

/// A change of a circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TransitionStatus {
    /// The state before.
    pub from: &'static str,
    /// The state after.
    pub to: &'static str,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Why, in words.
    pub reason: String,
    /// Its number.
    pub epoch: u64,
}

/// All counters, gauges and histograms.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DetailedMetrics {
    /// By name, with the unit last; `queries_total` and `query_errors_total` among them.
    pub counters: BTreeMap<String, u64>,
    /// By name.
    pub gauges: BTreeMap<String, f64>,
    /// By name, in seconds; `pipeline_batch_size` in queries.
    pub histograms: BTreeMap<String, HistogramStatus>,
    /// Failed operations by class: queries, borrowing, and what the pool does for itself.
    pub errors: BTreeMap<String, u64>,
    /// The same by the class of the server's SQLSTATE, those that there were.
    pub sqlstate_classes: BTreeMap<String, u64>,
    /// Queries by what became of them.
    pub results: BTreeMap<String, u64>,
    /// Queries, all in all.
    pub query_summary: QuerySummary,
}

/// Queries, all in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuerySummary {
    /// Queries that are over.
    pub total: u64,
    /// Of these: queries that failed.
    pub failed: u64,
    /// Of these: queries whose callers went away.
    pub given_up: u64,
    /// Queries that are over by kind of statement.
    pub by_kind: BTreeMap<String, u64>,
}

/// A histogram: seconds, or queries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HistogramStatus {
    /// How many were recorded.
    pub count: u64,
    /// All of them together.
    pub sum: f64,
    /// `None` if nothing was recorded; so are those below.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// 999 of 1000 were no higher.
    pub p999: Option<f64>,
    /// The highest.
    pub max: Option<f64>,
}

impl HistogramStatus {
    /// `unit`: how many of what was recorded are one.
    pub(crate) fn of(q: &Quantiles, unit: f64) -> Self {
        let some = |value: f64| (q.count > 0).then_some(value / unit);
        Self {
            count: q.count,
            sum: q.sum as f64 / unit,
            mean: some(q.sum as f64 / q.count as f64),
            p50: some(q.p50 as f64),
            p90: some(q.p90 as f64),
            p95: some(q.p95 as f64),
            p99: some(q.p99 as f64),
            p999: some(q.p999 as f64),
            max: some(q.max as f64),
        }
    }
}

/// The last error of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorExample {
    /// Its class.
    pub class: &'static str,
    /// What the server said, if it did.
    pub sqlstate: Option<String>,
    /// What happened, in our own words: the server's may hold what a caller typed.
    pub text: String,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// How many of the class there were.
    pub count: u64,
}

/// Someone who has a connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HolderStatus {
    /// The number of the connection, from 1 on, among all of the pool; spans name it too.
    pub connection: u64,
    /// For how long, in seconds.
    pub held_s: f64,
    /// `running` a statement, `in_transaction` and running none, or `idle`.
    pub doing: &'static str,
}

/// The pipelines of a pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PipelineStatus {
    /// Batches that were answered.
    pub total_batches: u64,
    /// Queries of which it is known what became of them.
    pub total_queries: u64,
    /// Of these: queries that are not done.
    pub total_failures: u64,
    /// The share that is done, 0..=1. `None` if there was none.
    pub success_rate: Option<f64>,
    /// Queries by what became of them.
    pub outcomes: BTreeMap<String, u64>,
}

/// Where a pool can be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MonitoringStatus {
    /// Whether a dashboard is served.
    pub dashboard_enabled: bool,
    /// Its address.
    pub dashboard_url: Option<String>,
    /// Where the metrics can be scraped.
    pub metrics_url: Option<String>,
    /// Why neither is served, though they should be.
    pub error: Option<String>,
}

/// A pool, as a monitor and an exposition see it.
pub trait Watched: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// What its server has to be: `any`, `primary` or `replica`.
    fn role(&self) -> &'static str;

    /// Everything that is known of it now.
    fn comprehensive_status(&self) -> ComprehensiveStatus;

    /// All counters and histograms now.
    fn snapshot(&self) -> Snapshot;

    /// What other parts of the service have added to its metrics.
    fn samples(&self) -> Vec<Sample>;

    /// The names of what there is a history of.
    fn history_names(&self) -> Vec<String>;

    /// The values of a metric from one moment to another, in milliseconds since 1970, one for
    /// each step; at most some 11 000. Empty if no history is kept.
    ///
    /// # Errors
    /// [`UnknownMetric`], with the nearest name.
    fn history(
        &self,
        metric: &str,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> Result<Vec<Point>, UnknownMetric>;

    /// How often queries took how long, in steps as of [`history`](Self::history).
    fn heatmap(&self, from_ms: u64, to_ms: u64, step_ms: u64) -> Heatmap;

    /// The value of a metric over the last milliseconds, for whoever watches it. `None` if
    /// nothing is known, or nothing happened that it could be of.
    ///
    /// # Errors
    /// [`UnknownMetric`], with the nearest name.
    fn value(&self, metric: &str, over_ms: u64) -> Result<Option<f64>, UnknownMetric>;

    /// The time of day now, in milliseconds since 1970, on the clock of its history.
    fn unix_ms(&self) -> u64;
}
