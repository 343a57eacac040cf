//! The part of a terminal's summary that is about batch sizes.

use std::fmt::Write;

use crate::{
    experiments::batch_sweep::Mode,
    experiments::batch_sweep::{ClassFinding, Findings},
};

use super::{
    super::terminal::{Ink, WIDTH, line, wrapped},
    ship,
    table::{MARKS, Speedups, commit, size, speedups},
};

/// By class: speed-up by condition and size. Then what to ship.
pub(in super::super) fn swept(out: &mut String, findings: &Findings, ink: Ink) {
    let head = format!("{:<12}times as fast as one at a time; {MARKS}", "BATCHES");
    for (i, part) in wrapped(&head, WIDTH).iter().enumerate() {
        match i {
            0 => line(out, &ink.bold(part)),
            _ => line(out, &ink.dim(&format!("  {part}"))),
        }
    }
    for class in &findings.classes {
        line(out, &format!("  {} ({})", class.name, ship::guide(class)));
        table(out, &speedups(findings, class), ink);
    }
    for class in &findings.classes {
        line(out, "");
        shipped(out, class, ink);
    }
}

fn table(out: &mut String, speedups: &Speedups<'_>, ink: Ink) {
    if speedups.rows.is_empty() {
        line(out, "    not measured");
        return;
    }
    let widths: Vec<usize> = (0..speedups.sizes.len())
        .map(|i| {
            let cells = speedups.rows.iter().map(|row| marked(&row.cells[i]).len());
            cells.fold(size(speedups.sizes[i]).len(), usize::max)
        })
        .collect();
    let modes = speedups.rows.iter().map(|row| row.curve.mode.name().len());
    let mode = modes.fold(Mode::Reads.name().len(), usize::max);
    let mut head = format!("    {:<mode$} {:>7} {:<6}", "", "rtt", "commit");
    for (of, width) in speedups.sizes.iter().zip(&widths) {
        let _ = write!(head, " {:>width$}", format!("{} ", size(*of)));
    }
    line(out, &ink.dim(&head));
    let mut rows: Vec<_> = speedups.rows.iter().collect();
    rows.sort_by_key(|row| row.curve.mode);
    for row in rows {
        let mut text = format!(
            "    {:<mode$} {:>7} {:<6}",
            row.curve.mode.name(),
            crate::experiments::batch_sweep::round_trip(row.condition.rtt_s),
            commit(row.condition)
        );
        for (cell, width) in row.cells.iter().zip(&widths) {
            let _ = write!(text, " {:>width$}", marked(cell));
        }
        line(out, &text);
    }
}

/// With room for a mark, so that numbers stand below each other.
fn marked(cell: &str) -> String {
    let bare = cell.ends_with('x');
    format!("{cell}{}", if bare { " " } else { "" })
}

fn shipped(out: &mut String, class: &ClassFinding, ink: Ink) {
    let Some(recommended) = &class.recommended else {
        let text = format!("ship     {}: {}", class.name, ship::NOTHING);
        line(out, &text);
        return;
    };
    line(out, &format!("ship     {}", ink.bold(&class.name)));
    let texts = [
        Some(ship::what(recommended)),
        Some(recommended.reason.clone()),
        Some(format!(
            "{}; {}",
            ship::cost(recommended),
            ship::auto(recommended)
        )),
        ship::by_rtt(class),
    ];
    for text in texts.into_iter().flatten() {
        for part in wrapped(&text, WIDTH - 9) {
            line(out, &ink.dim(&format!("         {part}")));
        }
    }
    for setting in ship::settings(recommended).lines() {
        line(out, &format!("         {setting}"));
    }
}
