//! What pages are told: everything that is known of all pools, alerts, and the server itself.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;

use super::{
    alerts::{AlertStatus, Event},
    counts::CountsStatus,
    pools::Shown,
    routes::App,
};
use crate::status::ComprehensiveStatus;

/// What the charts of the page show, in the order in which it is sent.
pub(super) const CHARTED: &[&str] = &[
    "queries_ok_per_second",
    "queries_given_up_per_second",
    "queries_rolled_back_per_second",
    "queries_skipped_per_second",
    "queries_network_per_second",
    "queries_timeout_per_second",
    "queries_unavailable_per_second",
    "queries_overload_per_second",
    "queries_read_only_per_second",
    "queries_configuration_per_second",
    "queries_conflict_per_second",
    "queries_statement_per_second",
    "queries_circuit_open_per_second",
    "queries_exhausted_per_second",
    "query_p50_seconds",
    "query_p90_seconds",
    "query_p99_seconds",
    "query_max_seconds",
    "acquire_p50_seconds",
    "acquire_p99_seconds",
    "active_connections",
    "idle_connections",
    "max_connections",
    "queue_depth",
    "waiting_for_circuit",
    "circuit_breaker_state",
    "pipeline_batches_total",
    "pipeline_syncs_total",
];
/// How long the steps are that pages are sent.
pub(super) const STEP_MS: u64 = 1_000;
/// Most steps that are sent at once; who misses more asks for them.
const STEPS: u64 = 5;
/// The shortest span that the history answers of full seconds.
const SPAN: u64 = 3;
/// Changes of alerts that are sent.
const EVENTS: usize = 50;

/// A step of the history: the values of [`CHARTED`].
#[derive(Debug, Clone, Serialize)]
struct Step {
    unix_ms: u64,
    values: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct PoolMessage {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Step>>,
    #[serde(flatten)]
    status: ComprehensiveStatus,
}

#[derive(Serialize)]
struct ServerMessage {
    /// A token is needed.
    locked: bool,
    dashboard: CountsStatus,
    metrics: Option<CountsStatus>,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    unix_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    charted: Option<&'a [&'a str]>,
    pools: Vec<PoolMessage>,
    alerts: Vec<AlertStatus>,
    events: Vec<Event>,
    server: ServerMessage,
}

/// Up to where each pool's steps were sent.
#[derive(Debug, Default)]
pub(super) struct Sent(BTreeMap<Arc<str>, u64>);

/// Writes what is known now. `sent` adds the steps of the history that have ended since.
pub(super) async fn write(app: &App, seq: Option<u64>, mut sent: Option<&mut Sent>) -> Utf8Bytes {
    let mut pools = Vec::new();
    for shown in app.pools.all() {
        let steps = sent.as_deref_mut().map(|sent| steps(&shown, sent));
        pools.push(PoolMessage {
            id: shown.id.to_string(),
            steps,
            status: shown.pool.comprehensive_status(),
        });
        // Many pools hold up nobody who runs here.
        tokio::task::yield_now().await;
    }
    if let Some(sent) = sent.as_deref_mut() {
        sent.0
            .retain(|id, _| pools.iter().any(|pool| *pool.id == **id));
    }
    let (alerts, events) = app.with_alerts(|alerts| (alerts.status(), alerts.events(EVENTS)));
    let message = Message {
        seq,
        unix_ms: app.unix_ms(),
        charted: sent.is_some().then_some(CHARTED),
        pools,
        alerts,
        events,
        server: ServerMessage {
            locked: app.door.is_locked(),
            dashboard: app.counts.status(),
            metrics: app.other_counts().map(|counts| counts.status()),
        },
    };
    let text = serde_json::to_string(&message);
    text.unwrap_or_else(|error| {
        tracing::error!(%error, "the status could not be written");
        "{}".to_owned()
    })
    .into()
}

/// The steps of a pool that have ended since they were sent last.
fn steps(shown: &Shown, sent: &mut Sent) -> Vec<Step> {
    let end = shown.step_end(shown.pool.unix_ms(), STEP_MS);
    let last = sent.0.insert(shown.id.clone(), end);
    let last = last.unwrap_or(end.saturating_sub(STEP_MS));
    let new = end.saturating_sub(last) / STEP_MS;
    let new = new.min(STEPS);
    let mut steps: Vec<Step> = (0..new)
        .map(|i| Step {
            unix_ms: end - (new - 1 - i) * STEP_MS,
            values: vec![None; CHARTED.len()],
        })
        .collect();
    if new == 0 {
        return steps;
    }
    let from = end.saturating_sub(new.max(SPAN) * STEP_MS);
    for (place, metric) in CHARTED.iter().enumerate() {
        let points = shown.pool.history(metric, from, end, STEP_MS);
        for point in points.into_iter().flatten() {
            let step = steps.iter_mut().find(|step| step.unix_ms == point.unix_ms);
            if let Some(value) = step.and_then(|step| step.values.get_mut(place)) {
                *value = point.value;
            }
        }
    }
    steps
}
