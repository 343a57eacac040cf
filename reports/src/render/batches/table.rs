//! The tables of a class, as every renderer shows them: speed-up by condition and
//! size, and one line of numbers for each way of running its queries.

use crate::{
    experiments::batch_sweep::Size,
    experiments::batch_sweep::{Cell, ClassFinding, ConditionFinding, Curve, Findings, PerQuery},
};

use super::super::figures::{latency, times};

/// Speed-up by condition and size.
pub(in super::super) struct Speedups<'a> {
    /// The sizes, of all conditions; the pipeline's own choice last.
    pub(in super::super) sizes: Vec<Size>,
    pub(in super::super) rows: Vec<Row<'a>>,
}

/// A mode under a condition.
pub(in super::super) struct Row<'a> {
    pub(in super::super) condition: &'a ConditionFinding,
    pub(in super::super) curve: &'a Curve,
    /// One for each size: `6.25x`, with `*` behind it at the knee and `>` before it
    /// where it would be shipped. `-` where it was not tried.
    pub(in super::super) cells: Vec<String>,
}

/// What the marks in a cell mean.
pub(in super::super) const MARKS: &str = "> to ship, * knee (the smallest size with 0.9 of the \
                                          row's best; none where only the largest has), \
                                          ! queries failed";

/// Of a class, by condition and mode.
pub(in super::super) fn speedups<'a>(
    findings: &'a Findings,
    class: &'a ClassFinding,
) -> Speedups<'a> {
    let of: Vec<(&ConditionFinding, &Curve)> = findings
        .of_class(&class.name)
        .flat_map(|condition| condition.curves.iter().map(move |curve| (condition, curve)))
        .collect();
    let mut sizes: Vec<Size> = of
        .iter()
        .flat_map(|(_, curve)| curve.cells.iter().map(|cell| cell.size))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let shipped = class.recommended.as_ref();
    let shipped = shipped.map(|r| (r.mode, Size::Fixed(r.batch)));
    let rows = of.into_iter().map(|(condition, curve)| {
        let cells = sizes.iter().map(|size| {
            let Some(cell) = curve.cell(*size) else {
                return "-".to_owned();
            };
            let ship = shipped == Some((curve.mode, *size));
            let knee = curve.knee.map(Size::Fixed) == Some(*size);
            let mark = |there: bool, mark: &'static str| if there { mark } else { "" };
            format!(
                "{}{}{}{}",
                mark(ship, ">"),
                maybe(cell.speedup.mean, times),
                mark(knee, "*"),
                mark(cell.failed > 0, "!")
            )
        });
        Row {
            condition,
            curve,
            cells: cells.collect(),
        }
    });
    Speedups {
        rows: rows.collect(),
        sizes,
    }
}

/// `20`, `auto`.
pub(in super::super) fn size(size: Size) -> String {
    match size {
        Size::Fixed(size) => size.to_string(),
        Size::Auto => "auto".to_owned(),
    }
}

/// `on`, `off`, or nothing for a class that only reads.
pub(in super::super) fn commit(condition: &ConditionFinding) -> &'static str {
    match condition.synchronous_commit {
        Some(true) => "on",
        Some(false) => "off",
        None => "-",
    }
}

/// One at a time over itself: `0.99 to 1.04`.
pub(in super::super) fn noise(condition: &ConditionFinding) -> String {
    match (condition.noise.low, condition.noise.high) {
        (Some(low), Some(high)) => format!("{low:.2} to {high:.2}"),
        _ => "-".to_owned(),
    }
}

/// A column of numbers: its name, and what it holds.
pub(in super::super) struct Column {
    pub(in super::super) name: &'static str,
    pub(in super::super) about: &'static str,
    cell: fn(&Way<'_>) -> String,
}

/// A way of running queries, and what it came to.
struct Way<'a> {
    cell: Option<&'a Cell>,
    p50_s: Option<f64>,
    p99_s: Option<f64>,
    failed: u64,
    truth: Option<PerQuery>,
    /// Queries a second, of one at a time.
    rate_per_s: Option<f64>,
}

/// The columns after condition, mode and size.
pub(in super::super) const COLUMNS: [Column; 11] = [
    Column {
        name: "speed-up",
        about: "rate, in times of one at a time; of that itself, queries a second",
        cell: |w| match w.rate_per_s {
            Some(rate) => format!("{rate:.0}/s"),
            None => maybe(w.cell.and_then(|c| c.speedup.mean), times),
        },
    },
    Column {
        name: "95 % interval",
        about: "of the geometric mean over rounds",
        cell: |w| {
            let of = w.cell.map(|c| c.speedup);
            let both = of.and_then(|ratio| ratio.low.zip(ratio.high));
            maybe(both, |(low, high)| {
                format!("{} to {}", times(low), times(high))
            })
        },
    },
    Column {
        name: "model",
        about: "B RTT / (RTT + B s), with one s for the curve",
        cell: |w| maybe(w.cell.and_then(|c| c.model), times),
    },
    Column {
        name: "p50",
        about: "median latency of a query",
        cell: |w| maybe(w.p50_s, latency),
    },
    Column {
        name: "p99",
        about: "99th percentile of it",
        cell: |w| maybe(w.p99_s, latency),
    },
    Column {
        name: "sent",
        about: "queries a batch, as sent",
        cell: |w| maybe(w.cell.and_then(|c| c.mean_batch), |b| format!("{b:.0}")),
    },
    Column {
        name: "failed",
        about: "queries that failed",
        cell: |w| w.failed.to_string(),
    },
    Column {
        name: "syncs",
        about: "Sync messages a query",
        cell: |w| maybe(w.truth, |t| each(t.syncs)),
    },
    Column {
        name: "commits",
        about: "transactions committed a query",
        cell: |w| maybe(w.truth.and_then(|t| t.commits), each),
    },
    Column {
        name: "WAL",
        about: "bytes of WAL a query",
        cell: |w| maybe(w.truth.and_then(|t| t.wal_bytes), |b| format!("{b:.0} B")),
    },
    Column {
        name: "fsyncs",
        about: "flushes of the WAL to disk a query",
        cell: |w| maybe(w.truth.and_then(|t| t.fsyncs), each),
    },
];

/// A line: where, how, and the numbers.
pub(in super::super) struct Line {
    pub(in super::super) place: String,
    pub(in super::super) mode: &'static str,
    pub(in super::super) size: String,
    pub(in super::super) cells: [String; COLUMNS.len()],
    /// The first of its condition.
    pub(in super::super) first: bool,
}

/// One at a time, and then every way, for each condition of a class.
pub(in super::super) fn lines(findings: &Findings, class: &ClassFinding) -> Vec<Line> {
    let numbers = |way: &Way<'_>| std::array::from_fn(|i| (COLUMNS[i].cell)(way));
    let mut lines = Vec::new();
    for condition in findings.of_class(&class.name) {
        let one = &condition.sequential;
        lines.push(Line {
            place: condition.place(),
            mode: "one at a time",
            size: "1".to_owned(),
            cells: numbers(&Way {
                cell: None,
                p50_s: one.p50_s,
                p99_s: one.p99_s,
                failed: one.failed,
                truth: one.truth,
                rate_per_s: one.rate_per_s,
            }),
            first: true,
        });
        for curve in &condition.curves {
            lines.extend(curve.cells.iter().map(|cell| Line {
                place: condition.place(),
                mode: curve.mode.name(),
                size: size(cell.size),
                cells: numbers(&Way {
                    cell: Some(cell),
                    p50_s: cell.p50_s,
                    p99_s: cell.p99_s,
                    failed: cell.failed,
                    truth: cell.truth,
                    rate_per_s: None,
                }),
                first: false,
            }));
        }
    }
    lines
}

fn each(count: f64) -> String {
    if count == 0.0 || count >= 0.01 {
        format!("{count:.2}")
    } else {
        format!("{count:.4}")
    }
}

fn maybe<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}
