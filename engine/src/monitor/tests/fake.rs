//! [`Fake`]: a pool that says what a test wants.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::{
    clock::{self, Instant, Wall},
    metrics::{
        Heatmap, HeatmapColumn, Memory, Metric, Metrics, Point, Sample, Snapshot, UnknownMetric,
    },
    status::{
        BreakerMetrics, BreakerStatus, ComprehensiveStatus, DetailedMetrics, Health, HealthState,
        MonitoringStatus, PipelineStatus, QuerySummary, Watched,
    },
};

pub(super) struct Fake {
    name: String,
    wall: Wall,
    began: Instant,
    pub(super) health: Mutex<HealthState>,
    /// What metrics are now; others are not known.
    pub(super) values: Mutex<BTreeMap<String, f64>>,
}

impl Fake {
    pub(super) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            wall: Wall::now(),
            began: clock::now(),
            health: Mutex::new(HealthState::Healthy),
            values: Mutex::default(),
        })
    }

    pub(super) fn set(&self, metric: &str, value: f64) {
        self.values.lock().unwrap().insert(metric.to_owned(), value);
    }
}

impl Watched for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn role(&self) -> &'static str {
        "any"
    }

    fn comprehensive_status(&self) -> ComprehensiveStatus {
        let state = *self.health.lock().unwrap();
        ComprehensiveStatus {
            pool_name: self.name.clone(),
            role: "any",
            unix_ms: self.unix_ms(),
            uptime_s: (clock::now() - self.began).as_secs_f64(),
            health: Health {
                state,
                reasons: vec!["because".to_owned()],
            },
            total_connections: 3,
            active_connections: 2,
            idle_connections: 1,
            max_connections: 4,
            queue_depth: 0,
            waiting_for_circuit: 0,
            utilization_rate: 0.5,
            avg_acquisition_time_ms: None,
            avg_query_time_ms: None,
            queries_per_second: 0.0,
            error_rate: None,
            circuit_breaker: BreakerStatus {
                state: "closed",
                mode: "active".to_owned(),
                time_until_recovery: None,
                metrics: BreakerMetrics {
                    opened: 0,
                    half_opened: 0,
                    closed: 0,
                    refused: 0,
                    shadow_refused: 0,
                    stale_outcomes: 0,
                    probes: 0,
                    probes_failed: 0,
                },
                transitions: Vec::new(),
            },
            detailed_metrics: DetailedMetrics {
                counters: BTreeMap::new(),
                gauges: BTreeMap::new(),
                histograms: BTreeMap::new(),
                errors: BTreeMap::new(),
                sqlstate_classes: BTreeMap::new(),
                results: BTreeMap::new(),
                query_summary: QuerySummary {
                    total: 0,
                    failed: 0,
                    given_up: 0,
                    by_kind: BTreeMap::new(),
                },
            },
            error_examples: Vec::new(),
            longest_holders: Vec::new(),
            pipeline: PipelineStatus {
                total_batches: 0,
                total_queries: 0,
                total_failures: 0,
                success_rate: None,
                outcomes: BTreeMap::new(),
            },
            history: Memory {
                retention_minutes: 60,
                ..Memory::default()
            },
            monitoring: MonitoringStatus::default(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        Metrics::default().snapshot()
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }

    fn history_names(&self) -> Vec<String> {
        Metric::all().into_iter().map(|(name, _)| name).collect()
    }

    fn history(
        &self,
        metric: &str,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> Result<Vec<Point>, UnknownMetric> {
        let value = self.value(metric, step_ms)?;
        let steps = to_ms.saturating_sub(from_ms).div_ceil(step_ms).min(11_000);
        let point = |i: u64| Point {
            unix_ms: (from_ms + i * step_ms).min(to_ms),
            value,
        };
        Ok((1..=steps).map(point).collect())
    }

    fn heatmap(&self, _: u64, to_ms: u64, _: u64) -> Heatmap {
        Heatmap {
            bounds_s: vec![0.1],
            columns: vec![HeatmapColumn {
                unix_ms: to_ms,
                counts: vec![7, 1],
            }],
        }
    }

    fn value(&self, metric: &str, _: u64) -> Result<Option<f64>, UnknownMetric> {
        Metric::named(metric)?;
        Ok(self.values.lock().unwrap().get(metric).copied())
    }

    fn unix_ms(&self) -> u64 {
        self.wall.unix_ms(clock::now())
    }
}
