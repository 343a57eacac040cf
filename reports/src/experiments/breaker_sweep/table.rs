//! The tables of cells and of the guide's weeks.

use crate::{
    numbers::seconds,
    page::{Cell, Column, Measure, Row, Table, maybe},
};

use super::{CellFinding, Findings, Recovered};

/// The columns after the cell's name.
const MEASURES: [Measure<CellFinding>; 8] = [
    (
        "week",
        "which of the guide's weeks has these settings",
        |c| c.week.map_or_else(String::new, |w| w.to_string()).into(),
    ),
    ("detect", "until the breaker opened, median", |c| {
        maybe(c.detect_s, seconds).into()
    }),
    (
        "recover",
        "from when the server took sessions again until the cell was back: Kaplan-Meier median",
        |c| recovery(&c.recover, c.recover.median_s),
    ),
    ("p95", "the same, 95th percentile", |c| {
        recovery(&c.recover, c.recover.p95_s)
    }),
    (
        "outage-eq",
        "missing goodput of an outage, as seconds of a full one, median",
        |c| maybe(c.outage_equivalent_s, seconds).into(),
    ),
    (
        "false opens",
        "opens on constraint violations, conflicts, a saturated pool and a stall",
        |c| maybe(c.false_opens, |n| n.to_string()).into(),
    ),
    (
        "wasted",
        "operations an outage that went to the server and came to nothing",
        |c| maybe(c.wasted, |wasted| format!("{wasted:.1}")).into(),
    ),
    (
        "front",
        "no other cell is better in outage or false opens and as good in the other",
        |c| if c.on_front { "*" } else { "" }.into(),
    ),
];

/// A row for each cell of the grid, in its order.
pub(crate) fn cells(findings: &Findings) -> Table {
    let measures = MEASURES.map(|(name, about, _)| Column::number(name).about(about));
    let shipped = findings.recommended.as_ref().map(|r| &*r.arm);
    let rows = findings.cells.iter().map(|cell| {
        let cells = MEASURES.map(|(.., of)| of(cell));
        Row {
            chosen: if shipped == Some(&*cell.arm) {
                "to ship"
            } else {
                ""
            },
            ..Row::first(
                [cell.arm.as_str().into()]
                    .into_iter()
                    .chain(cells)
                    .collect(),
            )
        }
    });
    Table {
        columns: [Column::head("cell")].into_iter().chain(measures).collect(),
        rows: rows.collect(),
        empty: "No cell was measured.",
        ..Table::default()
    }
}

fn recovery(of: &Recovered, value: Option<f64>) -> Cell {
    match value {
        None if of.n > 0 => Cell::more_than(&seconds(of.longest_s)),
        value => maybe(value, seconds).into(),
    }
}

/// How many of each week's recoveries were within the guide's bound.
pub(super) fn weeks(findings: &Findings) -> Table {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let columns = vec![
        Column::head("week"),
        Column::text("cell"),
        Column::number("within 30 s"),
        Column::number("of"),
        Column::number("share"),
        Column::number("95 % interval"),
        Column::number("to expect").about("if the wait is uniform on (0, timeout)"),
    ];
    let rows = findings.weeks.iter().map(|week| {
        let share = (week.n > 0).then(|| week.within as f64 / week.n as f64);
        let interval = week.low.zip(week.high);
        Row::first(vec![
            week.week.to_string().into(),
            week.arm.as_str().into(),
            week.within.to_string().into(),
            week.n.to_string().into(),
            maybe(share, percent).into(),
            maybe(interval, |(low, high)| {
                format!("{} to {}", percent(low), percent(high))
            })
            .into(),
            percent(week.expected).into(),
        ])
    });
    Table {
        columns,
        rows: rows.collect(),
        empty: "None of the guide's weeks was in the grid.",
        ..Table::default()
    }
}
