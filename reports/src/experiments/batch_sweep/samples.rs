//! What it is measured by, number by number: a value for each slice.

use crate::{
    injections::samples::{LEDGER, of_ledgers},
    run::{ARM_BARE, ARM_SEAWALL, Run},
    sample::{Measure, Sample},
};

use super::{
    Condition, Data, Findings, How, Size, Slice,
    measure::{PerQuery, rate_per_s, slices, speedups},
};

const THROUGHPUT: Measure = Measure::number(
    "throughput",
    "queries a second that did not fail",
    "queries/s",
)
.exact_to(1.0)
.higher()
.shared();
const SPEEDUP: Measure = Measure::times(
    "speedup",
    "rate over that of a bare client one query at a time",
)
.higher();
const P50: Measure = Measure::time(
    "latency.p50",
    "median time from adding a query to its result",
)
.exact_to(2e-5)
.shared();
const P99: Measure = Measure::time(
    "latency.p99",
    "99th percentile of the time from adding a query to its result",
)
.exact_to(5e-4)
.shared();
const FAILED: Measure = Measure::count("failed", "queries that failed", "queries").summed();
const ROUND_TRIPS: Measure = Measure::count(
    "round-trips",
    "times that the server was asked for an answer, per query",
    "round trips",
);
const COMMITS: Measure = Measure::count("commits", "transactions committed, per query", "commits");
const WAL: Measure =
    Measure::count("wal", "bytes of WAL written, per query", "bytes").exact_to(2.0);
const FSYNCS: Measure =
    Measure::count("fsyncs", "times that WAL was flushed, per query", "flushes");

const OWN: [Measure; 9] = [
    THROUGHPUT,
    SPEEDUP,
    P50,
    P99,
    FAILED,
    ROUND_TRIPS,
    COMMITS,
    WAL,
    FSYNCS,
];

pub(super) fn measures() -> Vec<Measure> {
    OWN.into_iter().chain(LEDGER).collect()
}

/// Of the bare client and of the engine; what they did is told by the labels `class`, `rtt`,
/// `commit`, `mode` and `batch`.
pub(super) fn samples(_run: &Run, data: &Data, _findings: &Findings) -> Vec<Sample> {
    let mut samples = Vec::new();
    for condition in &data.conditions {
        let mut ways: Vec<How> = Vec::new();
        for slice in condition.rounds.iter().flat_map(|round| &round.slices) {
            if !ways.contains(&slice.how) {
                ways.push(slice.how);
            }
        }
        for how in ways {
            samples.extend(of_way(condition, how));
        }
        let ledgers: Vec<_> = condition.ledger.iter().copied().collect();
        let ledgers = of_ledgers(ARM_SEAWALL, &ledgers).into_iter();
        samples.extend(ledgers.map(|sample| at(sample, condition)));
    }
    samples.retain(|sample| !sample.values.is_empty());
    samples
}

fn of_way(condition: &Condition, how: How) -> Vec<Sample> {
    let (arm, mode, batch) = match how {
        How::Bare => (ARM_BARE, "one at a time", None),
        How::Sequential => (ARM_SEAWALL, "one at a time", None),
        How::Pipelined { mode, size } => (ARM_SEAWALL, mode.name(), Some(size)),
    };
    let exact = |measure: &Measure, of: fn(&Slice) -> f64| {
        Sample::exact(measure, arm, slices(condition, how).map(of))
    };
    let truth = PerQuery::of(condition, how);
    let counted = |measure: &Measure, of: fn(PerQuery) -> Option<f64>| {
        Sample::exact(measure, arm, truth.and_then(of))
    };
    let here = vec![
        exact(&THROUGHPUT, rate_per_s),
        Sample::exact(&SPEEDUP, arm, speedups(condition, how)),
        exact(&P50, |slice| slice.p50_us as f64 / 1e6),
        exact(&P99, |slice| slice.p99_us as f64 / 1e6),
        exact(&FAILED, |slice| slice.failed as f64),
        counted(&ROUND_TRIPS, |truth| Some(truth.syncs)),
        counted(&COMMITS, |truth| truth.commits),
        counted(&WAL, |truth| truth.wal_bytes),
        counted(&FSYNCS, |truth| truth.fsyncs),
    ];
    let placed = here.into_iter().map(|sample| {
        let sample = at(sample, condition).at("mode", mode);
        match batch {
            None => sample,
            Some(Size::Fixed(size)) => sample.at("batch", size.to_string()),
            Some(Size::Auto) => sample.at("batch", "auto"),
        }
    });
    placed.collect()
}

fn at(sample: Sample, condition: &Condition) -> Sample {
    let commit = if condition.synchronous_commit {
        "on"
    } else {
        "off"
    };
    sample
        .at("class", condition.class.as_str())
        .at("rtt", format!("{} ms", condition.rtt_us as f64 / 1e3))
        .at("commit", commit)
}
