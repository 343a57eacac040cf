//! The table of cells, as every renderer shows it.

use crate::experiments::breaker_sweep::{CellFinding, Findings, Recovered};

use super::super::figures::seconds;

/// A column: its name, and what it holds.
pub(in super::super) struct Column {
    pub(in super::super) name: &'static str,
    pub(in super::super) about: &'static str,
    cell: fn(&CellFinding) -> String,
}

/// The columns after the cell's name.
pub(in super::super) const COLUMNS: [Column; 8] = [
    Column {
        name: "week",
        about: "which of the guide's weeks has these settings",
        cell: |c| c.week.map_or_else(String::new, |week| week.to_string()),
    },
    Column {
        name: "detect",
        about: "until the breaker opened, median",
        cell: |c| maybe(c.detect_s, seconds),
    },
    Column {
        name: "recover",
        about: "from when the server took sessions again until the cell was back: \
                Kaplan-Meier median",
        cell: |c| recovery(&c.recover, c.recover.median_s),
    },
    Column {
        name: "p95",
        about: "the same, 95th percentile",
        cell: |c| recovery(&c.recover, c.recover.p95_s),
    },
    Column {
        name: "outage-eq",
        about: "missing goodput of an outage, as seconds of a full one, median",
        cell: |c| maybe(c.outage_equivalent_s, seconds),
    },
    Column {
        name: "false opens",
        about: "opens on constraint violations, conflicts, a saturated pool and a stall",
        cell: |c| {
            c.false_opens
                .map_or_else(|| "-".to_owned(), |n| n.to_string())
        },
    },
    Column {
        name: "wasted",
        about: "operations an outage that went to the server and came to nothing",
        cell: |c| maybe(c.wasted, |wasted| format!("{wasted:.1}")),
    },
    Column {
        name: "front",
        about: "no other cell is better in outage or false opens and as good in the other",
        cell: |c| if c.on_front { "*" } else { "" }.to_owned(),
    },
];

/// A line: a cell, and what it came to.
pub(in super::super) struct Line<'a> {
    pub(in super::super) cell: &'a CellFinding,
    pub(in super::super) cells: [String; COLUMNS.len()],
    pub(in super::super) shipped: bool,
}

/// The lines, in the order of the grid.
pub(in super::super) fn lines(findings: &Findings) -> Vec<Line<'_>> {
    let shipped = findings.recommended.as_ref().map(|r| &*r.arm);
    findings
        .cells
        .iter()
        .map(|cell| Line {
            cell,
            cells: std::array::from_fn(|i| (COLUMNS[i].cell)(cell)),
            shipped: shipped == Some(&*cell.arm),
        })
        .collect()
}

fn maybe(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn recovery(of: &Recovered, value: Option<f64>) -> String {
    match value {
        Some(value) => seconds(value),
        None if of.n > 0 => format!("> {}", seconds(of.longest_s)),
        None => "-".to_owned(),
    }
}
