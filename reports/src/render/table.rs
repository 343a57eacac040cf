//! The table of faults, as every renderer shows it.

use super::view::Verdict;
use crate::measure::Effect;

use super::figures::{percent, seconds};

/// A column: its name, and what it holds.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    cell: fn(&Effect) -> String,
}

/// The columns after fault and arm.
pub(super) const COLUMNS: [Column; 10] = [
    Column {
        name: "detect",
        about: "until the breaker opened",
        cell: |e| maybe(e.detect_s, seconds),
    },
    Column {
        name: "fail-fast",
        about: "until failing operations took at most 10 ms (p99), for two seconds",
        cell: |e| maybe(e.fail_fast_s, seconds),
    },
    Column {
        name: "recover",
        about: "from the end of the fault until all is as before, for two seconds",
        cell: |e| recovery(e, e.recover_s),
    },
    Column {
        name: "client",
        about: "the same, from when the server took sessions again",
        cell: |e| recovery(e, e.recover_client_s),
    },
    Column {
        name: "outage-eq",
        about: "missing goodput, as seconds of a full outage",
        cell: |e| maybe(e.outage_equivalent_s, seconds),
    },
    Column {
        name: "available",
        about: "answered well within the deadline, of all scheduled",
        cell: |e| maybe(e.availability, percent),
    },
    Column {
        name: "attempts",
        about: "statements and connections tried, per operation",
        cell: |e| maybe(e.amplification, |a| format!("{a:.2}")),
    },
    Column {
        name: "lost",
        about: "acknowledged writes that are not there",
        cell: |e| maybe(e.ledger, |l| l.lost.to_string()),
    },
    Column {
        name: "dup",
        about: "rows beyond the first of a write",
        cell: |e| maybe(e.ledger, |l| l.duplicate.to_string()),
    },
    Column {
        name: "unknown",
        about: "writes sent and not answered",
        cell: |e| maybe(e.ledger, |l| l.unknown.to_string()),
    },
];

/// A line: one fault and one arm.
pub(super) struct Line {
    pub(super) fault: String,
    pub(super) arm: String,
    pub(super) cells: [String; COLUMNS.len()],
    pub(super) metastable: bool,
}

/// The lines, in the order of the run.
pub(super) fn lines(verdict: &Verdict) -> Vec<Line> {
    verdict
        .injections
        .iter()
        .map(|effect| Line {
            fault: effect.fault.clone(),
            arm: effect.arm.clone(),
            cells: std::array::from_fn(|i| (COLUMNS[i].cell)(effect)),
            metastable: effect.metastable,
        })
        .collect()
}

fn maybe<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn recovery(effect: &Effect, value_s: Option<f64>) -> String {
    let more = if effect.censored { "> " } else { "" };
    maybe(value_s, |s| format!("{more}{}", seconds(s)))
}
