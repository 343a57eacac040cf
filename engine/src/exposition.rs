//! The metrics of pools as Prometheus and OpenMetrics read them.
//!
//! All names begin with `connection_pool_`, all values are in base units (seconds, bytes), and
//! all series have the labels `pool` and `role`. Where two pools have the same name and role,
//! the later ones are told apart by a number behind it. How many series a pool has is fixed:
//! labels come from enums.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text as open_metrics,
    },
    metrics::MetricType,
    registry::Registry,
};

use crate::{
    error::ErrorClass,
    metrics::{
        Counter, Histogram, OutcomeLabel, QueryKind, ResultLabel, SQLSTATE_CLASSES, STATES, Sample,
        SampleValue, Snapshot, Timing,
    },
    status::{ComprehensiveStatus, Watched},
};

const PREFIX: &str = "connection_pool";

/// Upper bounds of the buckets of times, in microseconds.
const BOUNDS_US: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
/// Upper bounds of the buckets of batches, in queries.
const BOUNDS_QUERIES: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The one that a reader asks for with this `Accept` header: OpenMetrics if it takes it, and
    /// at least as gladly as text.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut best = [0.0_f32; 2];
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = match parts.next() {
                Some("application/openmetrics-text") => 0,
                Some("text/plain" | "text/*" | "*/*") => 1,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(Some(1.0), |weight| weight.parse().ok());
            best[kind] = best[kind].max(weight.unwrap_or(0.0));
        }
        if best[0] > 0.0 && best[0] >= best[1] {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes the metrics of pools.
#[must_use]
pub fn text(pools: &[Arc<dyn Watched>], format: Format) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Scrape::of(pools)));
    let mut out = String::with_capacity(16_384 * pools.len());
    let written = match format {
        Format::Text => prometheus_text::encode(&mut out, &registry),
        Format::OpenMetrics => open_metrics::encode(&mut out, &registry),
    };
    if written.is_err() {
        // Writing to a string fails only if a name is not one.
        tracing::error!("metrics could not be written");
        return String::new();
    }
    out
}

/// A pool as it stood when it was scraped.
struct Scraped {
    pool: String,
    role: &'static str,
    status: ComprehensiveStatus,
    snapshot: Snapshot,
    samples: Vec<Sample>,
}

struct Scrape(Vec<Scraped>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scrape").field(&self.0.len()).finish()
    }
}

impl Scrape {
    fn of(pools: &[Arc<dyn Watched>]) -> Self {
        let mut all: Vec<Scraped> = Vec::new();
        for pool in pools {
            let (name, role) = (pool.name(), pool.role());
            let same = |pool: &str| all.iter().any(|s| s.pool == pool && s.role == role);
            let mut unique = name.to_owned();
            for n in 2.. {
                if !same(&unique) {
                    break;
                }
                unique = format!("{name}#{n}");
            }
            all.push(Scraped {
                pool: unique,
                role,
                status: pool.comprehensive_status(),
                snapshot: pool.snapshot(),
                samples: pool.samples(),
            });
        }
        Self(all)
    }
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// The series of one metric.
struct Family<'a, 'b>(&'a Scrape, MetricEncoder<'b>);

impl Family<'_, '_> {
    /// Writes what `each` has of a pool: labels beside its own, and a value.
    fn write<V>(
        &mut self,
        each: impl Fn(&Scraped) -> Vec<(Label, V)>,
        write: impl Fn(&mut MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        for scraped in &self.0.0 {
            for (more, value) in each(scraped) {
                let mut labels: Labels<'_> = vec![("pool", &scraped.pool), ("role", scraped.role)];
                let more: Option<(&str, &str)> = more;
                labels.extend(more);
                write(&mut self.1.encode_family(&labels)?, &value)?;
            }
        }
        Ok(())
    }
}

type Label = Option<(&'static str, &'static str)>;

struct Writer<'a, 'b> {
    scrape: &'a Scrape,
    to: DescriptorEncoder<'b>,
}

impl Writer<'_, '_> {
    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        write: impl FnOnce(&mut Family<'_, '_>) -> fmt::Result,
    ) -> fmt::Result {
        let encoder = self.to.encode_descriptor(name, help, None, kind)?;
        write(&mut Family(self.scrape, encoder))
    }

    /// `name` without `_total`, or with it.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        each: impl Fn(&Scraped) -> Vec<(Label, u64)>,
    ) -> fmt::Result {
        let name = name.strip_suffix("_total").unwrap_or(name);
        self.family(name, help, MetricType::Counter, |family| {
            family.write(each, |to, n| {
                to.encode_counter::<NoLabelSet, _, u64>(n, None)
            })
        })
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        each: impl Fn(&Scraped) -> Vec<(Label, f64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, |family| {
            family.write(each, |to, value| to.encode_gauge(value))
        })
    }

    /// `unit`: how many of what was recorded are one.
    fn histograms(
        &mut self,
        (name, help): (&str, &str),
        (bounds, unit): (&[u64], f64),
        each: impl Fn(&Scraped) -> Vec<(Label, Histogram)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Histogram, |family| {
            family.write(each, |to, histogram| {
                let mut below = 0;
                let mut buckets: Vec<(f64, u64)> = Vec::with_capacity(bounds.len() + 1);
                // Each bucket without those below it: they are added up as they are written.
                let up_to = bounds.iter().map(|bound| {
                    let up_to = histogram.count_up_to(*bound);
                    (*bound as f64 / unit, up_to)
                });
                for (bound, up_to) in up_to.chain([(f64::INFINITY, histogram.count())]) {
                    buckets.push((bound, up_to - below));
                    below = up_to;
                }
                let sum = histogram.sum() as f64 / unit;
                to.encode_histogram::<NoLabelSet>(sum, histogram.count(), &buckets, None)
            })
        })
    }
}

fn one<V>(value: V) -> Vec<(Label, V)> {
    vec![(None, value)]
}

fn each<K: Copy, V>(
    label: &'static str,
    keys: impl IntoIterator<Item = K>,
    name: impl Fn(K) -> &'static str,
    value: impl Fn(K) -> V,
) -> Vec<(Label, V)> {
    let all = keys.into_iter();
    all.map(|key| (Some((label, name(key))), value(key)))
        .collect()
}

impl Collector for Scrape {
    fn encode(&self, to: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer { scrape: self, to };
        queries(&mut writer)?;
        for counter in Counter::ALL {
            writer.counters(counter.name(), counter.help(), |s| {
                one(s.snapshot.counter(*counter))
            })?;
        }
        circuit(&mut writer)?;
        connections(&mut writer)?;
        times(&mut writer)?;
        others(&mut writer)
    }
}

fn queries(writer: &mut Writer<'_, '_>) -> fmt::Result {
    writer.counters(
        "queries",
        "Queries that are over, also those that were not sent",
        |s| one(s.snapshot.queries()),
    )?;
    writer.counters("query_errors", "Queries that failed", |s| {
        one(s.snapshot.query_errors())
    })?;
    writer.counters("query_results", "Queries by what became of them", |s| {
        each("result", ResultLabel::all(), ResultLabel::name, |result| {
            s.snapshot.results(result)
        })
    })?;
    writer.counters("queries_by_kind", "Queries by kind of statement", |s| {
        each(
            "kind",
            QueryKind::ALL.iter().copied(),
            QueryKind::name,
            |kind| s.snapshot.kinds(kind),
        )
    })?;
    let help = "Failed operations: queries, borrowing, and what the pool does for itself";
    writer.counters("errors", help, |s| {
        let classes = ErrorClass::ALL.iter().copied();
        each("class", classes, ErrorClass::name, |class| {
            s.snapshot.errors(class)
        })
    })?;
    let help = "Failed operations by the first two characters of the server's SQLSTATE";
    writer.counters("sqlstate_errors", help, |s| {
        let of = |class: &str| s.snapshot.sqlstates().find(|(known, _)| *known == class);
        let all = SQLSTATE_CLASSES.iter().copied();
        each(
            "sqlstate_class",
            all,
            |class| class,
            |class| of(class).map_or(0, |(_, n)| n),
        )
    })?;
    let help = "Queries of pipelines by what became of them";
    writer.counters("pipeline_outcomes", help, |s| {
        let all = OutcomeLabel::ALL.iter().copied();
        each("outcome", all, OutcomeLabel::name, |of| {
            s.snapshot.outcomes(of)
        })
    })
}

fn circuit(writer: &mut Writer<'_, '_>) -> fmt::Result {
    let states = || STATES.iter().enumerate();
    let help = "Changes of the circuit, by the state that they led to";
    writer.counters("circuit_breaker_transitions", help, |s| {
        each(
            "to",
            states(),
            |(_, name)| name,
            |(i, _)| s.snapshot.transitions(i),
        )
    })?;
    let state = |s: &Scraped| {
        STATES
            .iter()
            .position(|of| *of == s.status.circuit_breaker.state)
    };
    let help = "The state of the circuit: 0 closed, 1 half-open, 2 open";
    writer.gauges("circuit_breaker_state", help, |s| {
        one(state(s).unwrap_or_default() as f64)
    })?;
    let help = "1 for the state that the circuit is in, 0 for the others";
    writer.gauges("circuit_breaker_in_state", help, |s| {
        let is = |i: usize| f64::from(u8::from(state(s) == Some(i)));
        each("state", states(), |(_, name)| name, |(i, _)| is(i))
    })?;
    let help = "Time until an open circuit lets callers through or probes; 0 if it is not open";
    writer.gauges("circuit_breaker_time_until_recovery_seconds", help, |s| {
        one(s
            .status
            .circuit_breaker
            .time_until_recovery
            .unwrap_or_default())
    })
}

fn connections(writer: &mut Writer<'_, '_>) -> fmt::Result {
    writer.gauges(
        "connections",
        "Connections by whether they are on loan",
        |s| {
            let of = |state, n: u64| (Some(("state", state)), n as f64);
            vec![
                of("active", s.status.active_connections),
                of("idle", s.status.idle_connections),
            ]
        },
    )?;
    writer.gauges(
        "connections_max",
        "The most connections that there can be",
        |s| one(s.status.max_connections as f64),
    )?;
    writer.gauges(
        "waiting_callers",
        "Callers that wait, by what they wait for",
        |s| {
            let of = |what, n: u64| (Some(("for", what)), n as f64);
            vec![
                of("slot", s.status.queue_depth),
                of("circuit", s.status.waiting_for_circuit),
            ]
        },
    )?;
    writer.gauges(
        "utilization_ratio",
        "Connections on loan of the most that there can be",
        |s| one(s.status.utilization_rate),
    )?;
    writer.gauges("history_bytes", "Memory that the history takes", |s| {
        one(s.status.history.bytes as f64)
    })
}

fn times(writer: &mut Writer<'_, '_>) -> fmt::Result {
    let bounds = (&BOUNDS_US[..], 1e6);
    for timing in Timing::ALL.iter().copied() {
        writer.histograms((timing.name(), timing.help()), bounds, |s| match timing {
            Timing::Query => each(
                "kind",
                QueryKind::ALL.iter().copied(),
                QueryKind::name,
                |kind| s.snapshot.queries_of(kind).clone(),
            ),
            _ => one(s.snapshot.histogram(timing)),
        })?;
    }
    let sizes = ("pipeline_batch_size", "Queries in each batch of a pipeline");
    writer.histograms(sizes, (&BOUNDS_QUERIES, 1.0), |s| {
        one(s.snapshot.batch_sizes().clone())
    })
}

/// What others than the pool itself have added.
fn others(writer: &mut Writer<'_, '_>) -> fmt::Result {
    let mut known: Vec<Sample> = Vec::new();
    for sample in writer.scrape.0.iter().flat_map(|s| &s.samples) {
        if !known.iter().any(|other| other.name == sample.name) {
            known.push(*sample);
        }
    }
    for Sample {
        name, help, value, ..
    } in known
    {
        let of = |s: &Scraped| {
            let all = s.samples.iter().filter(|sample| sample.name == name);
            all.copied().collect::<Vec<_>>()
        };
        match value {
            SampleValue::Counter(_) => writer.counters(name, help, |s| {
                let some = of(s).into_iter().filter_map(|sample| match sample.value {
                    SampleValue::Counter(n) => Some((sample.label, n)),
                    SampleValue::Gauge(_) => None,
                });
                some.collect()
            })?,
            SampleValue::Gauge(_) => writer.gauges(name, help, |s| {
                let some = of(s).into_iter().filter_map(|sample| match sample.value {
                    SampleValue::Gauge(value) => Some((sample.label, value)),
                    SampleValue::Counter(_) => None,
                });
                some.collect()
            })?,
        }
    }
    Ok(())
}
