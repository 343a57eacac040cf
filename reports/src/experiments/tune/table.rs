//! Its tables.

use super::{Data, Findings, Part};
use crate::{
    experiments::batch_sweep::{sent, speed},
    numbers::{latency, seconds},
    page::{Cell, Column, Row, Table, maybe},
};

/// The settings.
pub(super) fn settings(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("key"),
        Column::number("value"),
        Column::text("too close to tell"),
    ];
    let found = findings.choices.iter().map(|choice| {
        Row::first(vec![
            choice.key.as_str().into(),
            Cell {
                strong: true,
                ..choice.value.as_str().into()
            },
            choice.close.join(", ").into(),
        ])
    });
    let missing = findings.missing.iter();
    let missing = missing.map(|of| Row::first(vec![of.key.as_str().into(), "-".into(), "".into()]));
    Table {
        columns,
        rows: found.chain(missing).collect(),
        empty: "No setting was found.",
        ..Table::default()
    }
}

/// A row for each pool size.
pub(super) fn sizes(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("connections"),
        Column::number("rate")
            .about("operations a second that were answered: median of its windows"),
        Column::number("of the best").about("in the same round: median"),
        Column::number("95 % interval"),
        Column::number("p50").about("from when the caller asked: median of its windows"),
        Column::number("p99").about("median of its windows"),
        Column::number("failed"),
        Column::number("rounds"),
        Column::text("given up").about("after so many rounds"),
    ];
    let pool = &findings.pool;
    let rows = pool.sizes.iter().map(|of| {
        let interval = of.share.low.zip(of.share.high);
        Row {
            chosen: if pool.chosen == Some(of.connections) {
                "to ship"
            } else {
                ""
            },
            ..Row::first(vec![
                of.connections.to_string().into(),
                format!("{:.0}/s", of.rate_per_s).into(),
                maybe(of.share.median, |share| format!("{share:.2}")).into(),
                maybe(interval, |(low, high)| format!("{low:.2} to {high:.2}")).into(),
                latency(of.p50_s).into(),
                latency(of.p99_s).into(),
                of.failed.to_string().into(),
                of.rounds.to_string().into(),
                maybe(of.dropped_after, |n| format!("after {n}")).into(),
            ])
        }
    });
    Table {
        columns,
        rows: rows.collect(),
        empty: "No pool size was measured.",
        ..Table::default()
    }
}

/// A row for each class: what either run recommended.
pub(super) fn classes(findings: &Findings) -> Table {
    let columns = vec![
        Column::head("class"),
        Column::number("first").about("recommended by the first run, of all sizes"),
        Column::number("then").about("by the second, on a fresh seed: this is shipped"),
        Column::text("sent"),
        Column::number("speed-up").about("over conditions"),
        Column::number("first, again")
            .about("what part of the best the size of the first run reached in the second"),
    ];
    let rows = findings.batch.classes.iter().map(|class| {
        let shipped = class.recommended.as_ref();
        let then = shipped.filter(|_| class.confirmed);
        Row::first(vec![
            class.name.as_str().into(),
            maybe(class.first, |n| n.to_string()).into(),
            maybe(then, |of| of.batch.to_string()).into(),
            maybe(shipped, |of| sent(of.mode).to_owned()).into(),
            maybe(shipped, speed).into(),
            maybe(class.again.as_ref(), |of| format!("{:.2}", of.least)).into(),
        ])
    });
    Table {
        columns,
        rows: rows.collect(),
        empty: "No batches could be made of the scripts.",
        ..Table::default()
    }
}

/// What the time was spent on.
pub(super) fn spent(data: &Data) -> Table {
    let columns = vec![
        Column::head("part"),
        Column::number("given"),
        Column::number("took"),
    ];
    let s = |us: u64| seconds(us as f64 / 1e6);
    let rows = Part::ALL.into_iter().map(|part| {
        let of = data.spent.iter().find(|spent| spent.part == part);
        Row::first(vec![
            part.name().into(),
            maybe(of, |spent| s(spent.share_us)).into(),
            maybe(of, |spent| s(spent.took_us)).into(),
        ])
    });
    let all = Row::first(vec![
        "all, with start and end".into(),
        s(data.budget_us).into(),
        maybe(data.took_us, |us| s(us.saturating_add(data.kept_us))).into(),
    ]);
    Table {
        columns,
        rows: rows.chain([all]).collect(),
        ..Table::default()
    }
}
