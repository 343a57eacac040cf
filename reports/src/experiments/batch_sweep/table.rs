//! The tables of a class: what to ship, speed-up by condition and size, and one row of
//! numbers for each way of running its queries.

use crate::{
    numbers::{latency, times},
    page::{self, Column, Row, Table, maybe},
    stats::Ratio,
};

use super::{
    Cell, ClassFinding, ConditionFinding, Curve, Findings, PerQuery, Recommendation, Sequential,
    Size, plots::speedup_name, round_trip, ship,
};

/// What the marks in a speed-up mean.
pub(crate) const MARKS: &str = "> to ship, * knee (the smallest size with 0.9 of the row's best; \
                                none where only the largest has), ! queries failed";

/// What to ship, by class.
pub(super) fn overview(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("class"),
        Column::text("sent"),
        Column::number("pipeline_batch_size"),
        Column::number("the guide"),
        Column::number("speed-up"),
        Column::number("p50").about("median latency, where it is longest"),
        Column::number("p99").about("99th percentile, of the round where it is longest"),
    ];
    let rows = findings.classes.iter().map(|class| {
        let name = page::Cell {
            link: format!("of-{}", speedup_name(&class.name)),
            ..class.name.as_str().into()
        };
        let Some(recommended) = &class.recommended else {
            return Row::first(vec![name, ship::NOTHING.into()]);
        };
        let sent = [name, ship::sent(recommended.mode).into()];
        let guide = maybe(class.guide_batch, |batch| batch.to_string());
        let [batch, speed, p50, p99] = shipped(recommended);
        let rest = [batch, guide.into(), speed, p50, p99];
        Row::first(sent.into_iter().chain(rest).collect())
    });
    Table {
        columns,
        rows: rows.collect(),
        empty: "Nothing: no class was measured.",
        ..Table::default()
    }
}

/// What to ship of a class, at each round-trip time.
pub(super) fn by_rtt(class: &ClassFinding) -> Table {
    let columns = vec![
        Column::head("if your round trip is"),
        Column::number("pipeline_batch_size"),
        Column::number("speed-up"),
        Column::number("p50").about("median latency, where it is longest"),
        Column::number("p99").about("99th percentile, of the round where it is longest"),
    ];
    let rows = class.by_rtt.iter().map(|at| {
        let rtt = page::Cell::from(ship::round_trip(at));
        let numbers = match &at.recommended {
            Some(recommended) => shipped(recommended).to_vec(),
            None => vec!["-".into()],
        };
        Row::first([rtt].into_iter().chain(numbers).collect())
    });
    Table {
        columns,
        rows: rows.collect(),
        ..Table::default()
    }
}

fn shipped(recommended: &Recommendation) -> [page::Cell; 4] {
    let batch = page::Cell {
        strong: true,
        ..recommended.batch.to_string().into()
    };
    [
        batch,
        ship::speed(recommended).into(),
        maybe(recommended.p50_s, latency).into(),
        maybe(recommended.p99_s, latency).into(),
    ]
}

/// Speed-up by condition and size, the pipeline's own choice last.
pub(crate) fn speedups(findings: &Findings, class: &ClassFinding) -> Table {
    let curves = || {
        let conditions = findings.of_class(&class.name);
        conditions.flat_map(|condition| condition.curves.iter().map(move |c| (condition, c)))
    };
    let mut sizes: Vec<Size> = curves()
        .flat_map(|(_, curve)| curve.cells.iter().map(|cell| cell.size))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut columns = vec![
        Column::head("mode"),
        Column::number("rtt").about("round trip that was added"),
        Column::text("commit"),
    ];
    columns.extend(sizes.iter().map(|of| Column::number(size(*of))));
    columns
        .push(Column::number("A/A").about("what all is compared with, over itself: 95 % interval"));
    columns.push(Column::number("s").about("what one more statement costs, by the model"));
    columns.push(Column::number("measured rtt").about("round trip that was there"));
    let mut rows: Vec<Row> = Vec::new();
    let mut last = None;
    for (condition, curve) in curves() {
        let mut cells: Vec<page::Cell> = vec![
            curve.mode.name().into(),
            round_trip(condition.rtt_s).into(),
            commit(condition).into(),
        ];
        cells.extend(sizes.iter().map(|size| speedup(class, curve, *size)));
        cells.push(noise(condition).into());
        cells.push(maybe(curve.statement_us, |us| format!("{us:.0} µs")).into());
        cells.push(latency(condition.measured_rtt_s).into());
        rows.push(Row {
            first: last != Some(condition.rtt_s),
            cells,
            ..Row::default()
        });
        last = Some(condition.rtt_s);
    }
    Table {
        columns,
        rows,
        empty: "It was not measured.",
        ..Table::default()
    }
}

/// `6.25x`, with `*` behind it at the knee and `>` before it where it would be shipped.
/// `-` where it was not tried.
fn speedup(class: &ClassFinding, curve: &Curve, size: Size) -> page::Cell {
    let Some(cell) = curve.cell(size) else {
        return "-".into();
    };
    let shipped = class.recommended.as_ref();
    let shipped = shipped.is_some_and(|r| (r.mode, Size::Fixed(r.batch)) == (curve.mode, size));
    let knee = curve.knee.map(Size::Fixed) == Some(size);
    let mark = |there: bool, mark: &'static str| if there { mark } else { "" };
    page::Cell {
        mark: format!("{}{}", mark(knee, "*"), mark(cell.failed > 0, "!")),
        ..format!(
            "{}{}",
            mark(shipped, ">"),
            maybe(cell.speedup.median, times)
        )
        .into()
    }
}

/// `20`, `auto`.
pub(super) fn size(size: Size) -> String {
    match size {
        Size::Fixed(size) => size.to_string(),
        Size::Auto => "auto".to_owned(),
    }
}

/// `on`, `off`, or nothing for a class that only reads.
fn commit(condition: &ConditionFinding) -> &'static str {
    match condition.synchronous_commit {
        Some(true) => "on",
        Some(false) => "off",
        None => "-",
    }
}

/// The baseline over itself: `0.99 to 1.04`.
fn noise(condition: &ConditionFinding) -> String {
    let both = condition.noise.low.zip(condition.noise.high);
    maybe(both, |(low, high)| format!("{low:.2} to {high:.2}"))
}

/// A way of running queries, and what it came to.
struct Way<'a> {
    cell: Option<&'a Cell>,
    /// In times of the baseline. `None` of that itself.
    speedup: Option<&'a Ratio>,
    p50_s: Option<f64>,
    p99_s: Option<f64>,
    failed: u64,
    truth: Option<PerQuery>,
    /// Queries a second, of what all is compared with.
    rate_per_s: Option<f64>,
}

/// A column of numbers: its name, what it holds, and its cell.
type Numbers = (&'static str, &'static str, fn(&Way<'_>) -> String);

/// The columns after condition, mode and size.
const NUMBERS: [Numbers; 11] = [
    (
        "speed-up",
        "rate, in times of the bare client one at a time; of that itself, queries a second",
        |w| match w.rate_per_s {
            Some(rate) => format!("{rate:.0}/s"),
            None => maybe(w.speedup.and_then(|s| s.median), times),
        },
    ),
    ("95 % interval", "of the median over rounds", |w| {
        let both = w.speedup.and_then(|ratio| ratio.low.zip(ratio.high));
        maybe(both, |(low, high)| {
            format!("{} to {}", times(low), times(high))
        })
    }),
    (
        "model",
        "B RTT / (RTT + B s), with one s for the curve",
        |w| maybe(w.cell.and_then(|c| c.model), times),
    ),
    ("p50", "median latency of a query", |w| {
        maybe(w.p50_s, latency)
    }),
    ("p99", "99th percentile of it", |w| maybe(w.p99_s, latency)),
    ("sent", "queries a batch, as sent", |w| {
        maybe(w.cell.and_then(|c| c.mean_batch), |b| format!("{b:.0}"))
    }),
    ("failed", "queries that failed", |w| w.failed.to_string()),
    ("syncs", "Sync messages a query", |w| {
        maybe(w.truth, |t| each(t.syncs))
    }),
    ("commits", "transactions committed a query", |w| {
        maybe(w.truth.and_then(|t| t.commits), each)
    }),
    ("WAL", "bytes of WAL a query", |w| {
        maybe(w.truth.and_then(|t| t.wal_bytes), |b| format!("{b:.0} B"))
    }),
    ("fsyncs", "flushes of the WAL to disk a query", |w| {
        maybe(w.truth.and_then(|t| t.fsyncs), each)
    }),
];

/// One at a time, and then every way, for each condition of a class.
pub(super) fn numbers(findings: &Findings, class: &ClassFinding) -> Table {
    let names = [
        Column::head("condition").once(),
        Column::text("mode"),
        Column::number("size"),
    ];
    let measures = NUMBERS.map(|(name, about, _)| Column::number(name).about(about));
    let mut rows = Vec::new();
    for condition in findings.of_class(&class.name) {
        let mut row = |mode: &str, size: String, way: &Way<'_>| {
            let names = [condition.place(), mode.to_owned(), size];
            let numbers = NUMBERS.map(|(.., cell)| cell(way));
            let cells = names.into_iter().chain(numbers).map(page::Cell::from);
            rows.push(Row {
                first: way.rate_per_s.is_some(),
                cells: cells.collect(),
                ..Row::default()
            });
        };
        let alone = |one: &Sequential| Way {
            cell: None,
            speedup: None,
            p50_s: one.p50_s,
            p99_s: one.p99_s,
            failed: one.failed,
            truth: one.truth,
            rate_per_s: one.rate_per_s,
        };
        let ours = alone(&condition.sequential);
        match &condition.bare {
            Some(bare) => {
                row("bare client, one at a time", "1".to_owned(), &alone(bare));
                let faster: Vec<f64> = condition.cost.pairs.iter().map(|x| x.recip()).collect();
                let faster = Ratio::of(&faster);
                let faster = match condition.cost_doubt {
                    Some(_) => faster.unbounded(),
                    None => faster,
                };
                let ours = Way {
                    speedup: Some(&faster),
                    rate_per_s: None,
                    ..ours
                };
                row("ours, one at a time", "1".to_owned(), &ours);
            }
            None => row("one at a time", "1".to_owned(), &ours),
        }
        for curve in &condition.curves {
            for cell in &curve.cells {
                let way = Way {
                    cell: Some(cell),
                    speedup: Some(&cell.speedup),
                    p50_s: cell.p50_s,
                    p99_s: cell.p99_s,
                    failed: cell.failed,
                    truth: cell.truth,
                    rate_per_s: None,
                };
                row(curve.mode.name(), size(cell.size), &way);
            }
        }
    }
    Table {
        columns: names.into_iter().chain(measures).collect(),
        rows,
        empty: "It was not measured.",
        ..Table::default()
    }
}

fn each(count: f64) -> String {
    if count == 0.0 || count >= 0.01 {
        format!("{count:.2}")
    } else {
        format!("{count:.4}")
    }
}
