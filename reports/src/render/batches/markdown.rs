//! The part of `report.md` that is about batch sizes.

use std::fmt::Write;

use crate::experiments::batch_sweep::{Findings, round_trip};

use super::{
    super::markdown::escape,
    ship,
    table::{COLUMNS, MARKS, commit, lines, noise, size, speedups},
};

/// What to ship first, then speed-up by condition and size, then all numbers.
pub(in super::super) fn swept(out: &mut String, findings: &Findings) {
    out.push_str("\n## What to ship\n");
    for class in &findings.classes {
        let _ = writeln!(
            out,
            "\n### {} ({})\n\n{}\n",
            escape(&class.name),
            ship::guide(class),
            escape(&class.about)
        );
        let Some(recommended) = &class.recommended else {
            let _ = writeln!(out, "{}.", ship::NOTHING);
            continue;
        };
        let texts = [
            Some(ship::what(recommended)),
            Some(recommended.reason.clone()),
            Some(ship::cost(recommended)),
            Some(ship::auto(recommended)),
            ship::by_rtt(class),
        ];
        for text in texts.into_iter().flatten() {
            let _ = writeln!(out, "- {}", escape(&text));
        }
        let _ = writeln!(out, "\n```toml\n{}```", ship::settings(recommended));
    }
    let _ = writeln!(
        out,
        "\n## Times as fast as one at a time\n\n{}; A/A: one at a time over itself.",
        escape(MARKS)
    );
    for class in &findings.classes {
        let speedups = speedups(findings, class);
        let _ = write!(
            out,
            "\n### {} by batch size\n\n| mode | rtt | commit |",
            escape(&class.name)
        );
        for of in &speedups.sizes {
            let _ = write!(out, " {} |", size(*of));
        }
        out.push_str(" A/A |\n| --- | ---: | --- |");
        out.push_str(&" ---: |".repeat(speedups.sizes.len() + 1));
        out.push('\n');
        for row in &speedups.rows {
            let _ = write!(
                out,
                "| {} | {} | {} |",
                row.curve.mode.name(),
                round_trip(row.condition.rtt_s),
                commit(row.condition)
            );
            for cell in &row.cells {
                let _ = write!(out, " {} |", escape(cell));
            }
            let _ = writeln!(out, " {} |", noise(row.condition));
        }
    }
    numbers(out, findings);
}

fn numbers(out: &mut String, findings: &Findings) {
    out.push_str("\n## All numbers\n");
    for class in &findings.classes {
        let _ = write!(
            out,
            "\n### {} in numbers\n\n| condition | mode | size |",
            escape(&class.name)
        );
        for column in &COLUMNS {
            let _ = write!(out, " {} |", column.name);
        }
        out.push_str("\n| --- | --- | --- |");
        out.push_str(&" ---: |".repeat(COLUMNS.len()));
        out.push('\n');
        for line in lines(findings, class) {
            let _ = write!(out, "| {} | {} | {} |", line.place, line.mode, line.size);
            for cell in &line.cells {
                let _ = write!(out, " {cell} |");
            }
            out.push('\n');
        }
    }
}
