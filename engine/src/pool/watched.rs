//! What is shown of a pool: its [`ComprehensiveStatus`], and its past.

use std::{collections::BTreeMap, sync::Arc};

use super::{Pool, acquire::Inner, holders::Doing, past::place};
use crate::{
    breaker::{Mode, State},
    clock::{self, Instant},
    error::ErrorClass,
    metrics::{
        Counter, Gauges, Heatmap, Metric, OutcomeLabel, Point, QueryKind, ResultLabel, STATES,
        Sample, SampleValue, Snapshot, Timing, UnknownMetric,
    },
    status::{
        BreakerMetrics, BreakerStatus, ComprehensiveStatus, DetailedMetrics, ErrorExample,
        HistogramStatus, HolderStatus, Lately, PipelineStatus, QuerySummary, Signs,
        TransitionStatus, Watched,
    },
};

/// Over how long averages are, in milliseconds.
const MINUTE_MS: u64 = 60_000;
/// What counts as lately, in milliseconds.
const LATELY_MS: u64 = 10_000;
/// Most changes of the circuit that are shown.
const TRANSITIONS: usize = 20;
/// Most holders that are shown.
const HOLDERS: usize = 10;
const MICROS: f64 = 1e6;

impl Pool {
    /// Everything that is known of the pool now, under the names of the migration guide. It
    /// costs some hundred microseconds, and holds up no caller.
    #[must_use]
    pub fn comprehensive_status(&self) -> ComprehensiveStatus {
        self.inner.comprehensive_status()
    }

    /// The pool as a monitor sees it. It keeps the pool's handles from nothing: the last
    /// [`Pool`] still closes it.
    #[must_use]
    pub fn watched(&self) -> Arc<dyn Watched> {
        self.inner.clone()
    }

    /// Keeps a history of so many minutes from now on, 0..=10080, and forgets what there was.
    /// 0 keeps none, and frees what it took.
    pub fn set_metrics_retention(&self, minutes: u32) {
        let minutes = minutes.min(10_080);
        self.inner.past.retain(minutes, &self.inner.metrics);
        self.inner.keep_past();
    }
}

impl Inner {
    /// The average of a metric over the last milliseconds, and as long as there is no history,
    /// since the pool was made.
    fn lately(&self, metric: Metric, over_ms: u64, now: Instant) -> Option<f64> {
        let to = self.past.ms(now) + 1;
        let from = to.saturating_sub(over_ms);
        let part = self.past.look(|history| history.part(from, to, over_ms));
        part?.value(&metric)
    }

    fn signs(&self, gauges: &Gauges, now: Instant) -> Signs {
        let (state, mode, _) = self.breaker.met();
        let refusal = self.breaker.refusal(now);
        let why = refusal
            .reason
            .map_or_else(String::new, |why| why.to_string());
        let to = self.past.ms(now) + 1;
        let from = to.saturating_sub(LATELY_MS);
        let part = self.past.look(|history| history.part(from, to, LATELY_MS));
        let lately = part.and_then(|part| part.added());
        Signs {
            open: (state == State::Open).then_some(why),
            half_open: state == State::HalfOpen,
            forced: mode == Mode::ForcedOpen,
            passive: match mode {
                Mode::Shadow => Some("shadow"),
                Mode::Disabled => Some("disabled"),
                _ => None,
            },
            since: now.saturating_duration_since(refusal.since),
            waiting_for_circuit: gauges.waiting_for_circuit,
            waiting_for_slot: gauges.waiting_for_slot,
            active: gauges.active,
            max: gauges.max,
            lately: lately.map(|added| {
                let own = [ErrorClass::Statement, ErrorClass::Conflict];
                let own = own.map(|class| added.results(ResultLabel::Failed(class)));
                Lately {
                    queries: added.queries(),
                    failed: added.query_errors().saturating_sub(own.iter().sum()),
                    exhausted: added.counter(Counter::Exhaustions),
                }
            }),
        }
    }

    fn breaker_status(&self, snapshot: &Snapshot, now: Instant) -> BreakerStatus {
        let (state, mode, epoch) = self.breaker.met();
        let transitions = self
            .breaker
            .history_since(epoch.saturating_sub(TRANSITIONS as u64));
        let shown = transitions.into_iter().map(|t| TransitionStatus {
            from: STATES[place(t.from)],
            to: STATES[place(t.to)],
            unix_ms: self.past.unix_ms(t.at),
            reason: t.reason.to_string(),
            epoch: t.epoch,
        });
        BreakerStatus {
            state: STATES[place(state)],
            mode: mode_name(mode).to_owned(),
            time_until_recovery: (state == State::Open)
                .then(|| self.breaker.retry_after(now).as_secs_f64()),
            metrics: BreakerMetrics {
                opened: snapshot.transitions(place(State::Open)),
                half_opened: snapshot.transitions(place(State::HalfOpen)),
                closed: snapshot.transitions(place(State::Closed)),
                refused: snapshot.errors(ErrorClass::CircuitOpen),
                shadow_refused: self.breaker.shadow_refusals(),
                stale_outcomes: self.breaker.stale_outcomes(),
                probes: snapshot.counter(Counter::Probes),
                probes_failed: snapshot.counter(Counter::ProbesFailed),
            },
            transitions: shown.collect(),
        }
    }

    fn error_examples(&self, snapshot: &Snapshot) -> Vec<ErrorExample> {
        let kept = self.metrics.examples().all().into_iter();
        kept.map(|example| ErrorExample {
            class: example.class.name(),
            sqlstate: example.sqlstate,
            text: example.text,
            unix_ms: self.past.unix_ms(example.at),
            count: snapshot.errors(example.class),
        })
        .collect()
    }

    fn longest_holders(&self, now: Instant) -> Vec<HolderStatus> {
        let now_ns = self.past.ns(now);
        let longest = self.holders.longest(HOLDERS).into_iter();
        longest
            .map(|holder| HolderStatus {
                connection: holder.connection,
                held_s: now_ns.saturating_sub(holder.lent_ns) as f64 / 1e9,
                doing: match holder.doing {
                    Doing::Running => "running",
                    Doing::InTransaction => "in_transaction",
                    Doing::Nothing => "idle",
                },
            })
            .collect()
    }
}

/// The name of a mode, as the configuration has it.
fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Active => "active",
        Mode::Shadow => "shadow",
        Mode::ForcedOpen => "forced-open",
        Mode::Disabled => "disabled",
    }
}

fn named<K: Copy>(
    keys: impl IntoIterator<Item = K>,
    name: impl Fn(K) -> &'static str,
    value: impl Fn(K) -> u64,
) -> BTreeMap<String, u64> {
    let all = keys
        .into_iter()
        .map(|key| (name(key).to_owned(), value(key)));
    all.collect()
}

fn detailed(snapshot: &Snapshot, gauges: &Gauges, samples: &[Sample]) -> DetailedMetrics {
    let mut counters = named(Counter::ALL.iter().copied(), Counter::name, |counter| {
        snapshot.counter(counter)
    });
    let (total, failed) = (snapshot.queries(), snapshot.query_errors());
    counters.insert("queries_total".to_owned(), total);
    counters.insert("query_errors_total".to_owned(), failed);
    let mut histograms: BTreeMap<_, _> = Timing::ALL
        .iter()
        .map(|timing| {
            let q = snapshot.histogram(*timing).quantiles();
            (timing.name().to_owned(), HistogramStatus::of(&q, MICROS))
        })
        .collect();
    for kind in QueryKind::ALL {
        let q = snapshot.queries_of(*kind).quantiles();
        let name = format!("query_duration_seconds_{}", kind.name());
        histograms.insert(name, HistogramStatus::of(&q, MICROS));
    }
    let sizes = snapshot.batch_sizes().quantiles();
    let sizes = HistogramStatus::of(&sizes, 1.0);
    histograms.insert("pipeline_batch_size".to_owned(), sizes);
    let gauge = |name: &str, value: u64| (name.to_owned(), value as f64);
    let own = [
        gauge("pool_connections_active", gauges.active),
        gauge("pool_connections_idle", gauges.idle),
        gauge("pool_connections_total", gauges.active + gauges.idle),
        gauge("pool_connections_max", gauges.max),
        gauge("queue_depth", gauges.waiting_for_slot),
        gauge("waiting_for_circuit", gauges.waiting_for_circuit),
        gauge("circuit_breaker_state", gauges.state),
        ("pool_utilization".to_owned(), utilization(gauges)),
    ];
    let mut gauges = BTreeMap::from(own);
    for sample in samples {
        let name = match sample.label {
            Some((_, value)) => format!("{}_{value}", sample.name),
            None => sample.name.to_owned(),
        };
        match sample.value {
            SampleValue::Counter(n) => drop(counters.insert(name, n)),
            SampleValue::Gauge(value) => drop(gauges.insert(name, value)),
        }
    }
    DetailedMetrics {
        counters,
        gauges,
        histograms,
        errors: named(ErrorClass::ALL.iter().copied(), ErrorClass::name, |class| {
            snapshot.errors(class)
        }),
        sqlstate_classes: snapshot
            .sqlstates()
            .map(|(class, n)| (class.to_owned(), n))
            .collect(),
        results: named(ResultLabel::all(), ResultLabel::name, |result| {
            snapshot.results(result)
        }),
        query_summary: QuerySummary {
            total,
            failed,
            given_up: snapshot.results(ResultLabel::GivenUp),
            by_kind: named(QueryKind::ALL.iter().copied(), QueryKind::name, |kind| {
                snapshot.kinds(kind)
            }),
        },
    }
}

fn pipeline(snapshot: &Snapshot) -> PipelineStatus {
    let outcomes = named(
        OutcomeLabel::ALL.iter().copied(),
        OutcomeLabel::name,
        |of| snapshot.outcomes(of),
    );
    let total: u64 = outcomes.values().sum();
    let ok = snapshot.outcomes(OutcomeLabel::Ok);
    PipelineStatus {
        total_batches: snapshot.counter(Counter::PipelineBatches),
        total_queries: total,
        total_failures: total - ok,
        success_rate: (total > 0).then(|| ok as f64 / total as f64),
        outcomes,
    }
}

fn utilization(gauges: &Gauges) -> f64 {
    gauges.active as f64 / gauges.max.max(1) as f64
}

impl Watched for Inner {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn role(&self) -> &'static str {
        self.config.circuit_breaker_role.name()
    }

    fn comprehensive_status(&self) -> ComprehensiveStatus {
        let now = clock::now();
        let (snapshot, gauges) = (self.metrics.snapshot(), self.gauges());
        let mean_ms = |timing: Timing| {
            let s = self.lately(Metric::Mean(timing), MINUTE_MS, now)?;
            Some(s * 1e3)
        };
        ComprehensiveStatus {
            pool_name: self.config.name.clone(),
            role: self.role(),
            unix_ms: self.past.unix_ms(now),
            uptime_s: self.past.ns(now) as f64 / 1e9,
            health: self.signs(&gauges, now).health(),
            total_connections: gauges.active + gauges.idle,
            active_connections: gauges.active,
            idle_connections: gauges.idle,
            max_connections: gauges.max,
            queue_depth: gauges.waiting_for_slot,
            waiting_for_circuit: gauges.waiting_for_circuit,
            utilization_rate: utilization(&gauges),
            avg_acquisition_time_ms: mean_ms(Timing::Acquire),
            avg_query_time_ms: mean_ms(Timing::Query),
            queries_per_second: self
                .lately(Metric::Queries, MINUTE_MS, now)
                .unwrap_or_default(),
            error_rate: self.lately(Metric::ErrorRate, MINUTE_MS, now),
            circuit_breaker: self.breaker_status(&snapshot, now),
            detailed_metrics: detailed(&snapshot, &gauges, &self.metrics.samples()),
            error_examples: self.error_examples(&snapshot),
            longest_holders: self.longest_holders(now),
            pipeline: pipeline(&snapshot),
            history: self
                .past
                .look(|history| history.memory())
                .unwrap_or_default(),
            monitoring: self.monitoring.status(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    fn samples(&self) -> Vec<Sample> {
        self.metrics.samples()
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
        let metric = Metric::named(metric)?;
        let zero = self.past.began_unix_ms();
        let (from, to) = (from_ms.saturating_sub(zero), to_ms.saturating_sub(zero));
        let part = self.past.look(|history| history.part(from, to, step_ms));
        let mut points = part.map_or_else(Vec::new, |part| part.points(&metric, from, to, step_ms));
        points.iter_mut().for_each(|point| point.unix_ms += zero);
        Ok(points)
    }

    fn heatmap(&self, from_ms: u64, to_ms: u64, step_ms: u64) -> Heatmap {
        let zero = self.past.began_unix_ms();
        let (from, to) = (from_ms.saturating_sub(zero), to_ms.saturating_sub(zero));
        let part = self.past.look(|history| history.part(from, to, step_ms));
        let mut heatmap =
            part.map_or_else(Heatmap::default, |part| part.heatmap(from, to, step_ms));
        let columns = heatmap.columns.iter_mut();
        columns.for_each(|column| column.unix_ms += zero);
        heatmap
    }

    fn value(&self, metric: &str, over_ms: u64) -> Result<Option<f64>, UnknownMetric> {
        let metric = Metric::named(metric)?;
        Ok(self.lately(metric, over_ms, clock::now()))
    }

    fn unix_ms(&self) -> u64 {
        self.past.unix_ms(clock::now())
    }
}
