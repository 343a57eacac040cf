//! The table of faults, and what is to be said below it.

use crate::{
    measure::Effect,
    numbers::{percent, seconds},
    page::{Block, Cell, Column, Measure, Row, Style, Table, Text, maybe},
    run::Skipped,
};

/// The columns after fault and arm.
const MEASURES: [Measure<Effect>; 10] = [
    ("detect", "until the breaker opened", |e| {
        maybe(e.detect_s, seconds).into()
    }),
    (
        "fail-fast",
        "until failing operations took at most 10 ms (p99), for two seconds",
        |e| maybe(e.fail_fast_s, seconds).into(),
    ),
    (
        "recover",
        "from the end of the fault until all is as before, for two seconds",
        |e| recovery(e, e.recover_s),
    ),
    (
        "client",
        "the same, from when the server took sessions again",
        |e| recovery(e, e.recover_client_s),
    ),
    (
        "outage-eq",
        "missing goodput, as seconds of a full outage",
        |e| maybe(e.outage_equivalent_s, seconds).into(),
    ),
    (
        "available",
        "answered well within the deadline, of all scheduled",
        |e| maybe(e.availability, percent).into(),
    ),
    (
        "attempts",
        "statements and connections tried, per operation",
        |e| maybe(e.amplification, |a| format!("{a:.2}")).into(),
    ),
    ("lost", "acknowledged writes that are not there", |e| {
        maybe(e.ledger, |l| l.lost.to_string()).into()
    }),
    ("dup", "rows beyond the first of a write", |e| {
        maybe(e.ledger, |l| l.duplicate.to_string()).into()
    }),
    ("unknown", "writes sent and not answered", |e| {
        maybe(e.ledger, |l| l.unknown.to_string()).into()
    }),
];

/// A row for each fault and arm.
pub(crate) fn table(effects: &[Effect]) -> Table {
    let names = [Column::head("fault").once(), Column::text("arm")];
    let measures = MEASURES.map(|(name, about, _)| Column::number(name).about(about));
    let rows = effects.iter().enumerate().map(|(i, effect)| {
        let names = [effect.fault.as_str(), effect.arm.as_str()].map(Cell::from);
        let cells = MEASURES.map(|(.., cell)| cell(effect));
        Row {
            first: i == 0 || effects[i - 1].fault != effect.fault,
            cells: names.into_iter().chain(cells).collect(),
            ..Row::default()
        }
    });
    Table {
        columns: names.into_iter().chain(measures).collect(),
        rows: rows.collect(),
        empty: "No fault was injected.",
        ..Table::default()
    }
}

/// What a reader must know of some of the rows. `None` if there is nothing.
pub(crate) fn notes(effects: &[Effect]) -> Option<Block> {
    let mut note = Text::new(Style::Muted);
    if effects.iter().any(|effect| effect.censored) {
        note = note.then("> not back when the load ended, so longer than this. ");
    }
    if effects.iter().any(|effect| effect.metastable) {
        note = note.then("Some outages outlived their fault: ");
        for effect in effects.iter().filter(|effect| effect.metastable) {
            note = note
                .strong(&effect.arm)
                .then(format!(" under {}, ", effect.fault));
        }
        note = note.then("goodput stayed down to the end. ");
    }
    if effects.iter().any(|effect| !effect.steady_after) {
        note = note.then(
            "At the end of the load these were not served as they had to be before the fault: ",
        );
        for effect in effects.iter().filter(|effect| !effect.steady_after) {
            note = note
                .strong(&effect.arm)
                .then(format!(" after {}; ", effect.fault));
        }
    }
    if effects.iter().any(|effect| effect.stalled_s.is_some()) {
        note = note.then("The load generator itself stood still, so that this is not the arm's: ");
        for effect in effects {
            if let Some(stalled_s) = effect.stalled_s {
                let (arm, fault) = (&effect.arm, &effect.fault);
                let stalled = seconds(stalled_s);
                note = note
                    .strong(arm)
                    .then(format!(" under {fault}, for {stalled}; "));
            }
        }
    }
    (!note.parts.is_empty()).then_some(Block::Text(note))
}

/// What was planned and not done, and why.
pub(crate) fn skipped(skipped: &[Skipped]) -> impl Iterator<Item = Block> {
    skipped.iter().map(|skipped| {
        let text = Text::new(Style::Plain).strong(&skipped.fault);
        Block::Text(text.then(format!(" was skipped: {}", skipped.reason)))
    })
}

fn recovery(effect: &Effect, value_s: Option<f64>) -> Cell {
    match value_s {
        Some(s) if effect.censored => Cell::more_than(&seconds(s)),
        value_s => maybe(value_s, seconds).into(),
    }
}
