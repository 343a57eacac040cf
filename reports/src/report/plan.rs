//! What was planned, for who asks for it.

use crate::{
    numbers::seconds,
    page::{Block, Cell, Column, Row, Table},
    run::{Run, Step},
};

/// The schedule, and the plan of the user's that it was drawn from.
pub(super) fn blocks(run: &Run) -> Vec<Block> {
    let scheduled = (!run.schedule.is_empty()).then(|| {
        let table = Block::Table(schedule(run));
        Block::Details("Schedule, as drawn from the seed".to_owned(), vec![table])
    });
    let given = run.plan.iter().map(|plan| {
        let code = Block::Code("toml", plan.clone());
        Block::Details("Plan, as it was given".to_owned(), vec![code])
    });
    scheduled.into_iter().chain(given).collect()
}

/// A row for each fault, those of an entry together.
fn schedule(run: &Run) -> Table {
    let columns = vec![
        Column::text("#").once(),
        Column::head("entry").once(),
        Column::text("arms").once(),
        Column::text("fault"),
        Column::number("steady before"),
        Column::number("lasts"),
        Column::text("set"),
    ];
    let entries = run.schedule.iter().enumerate();
    let rows = entries.flat_map(|(i, entry)| {
        let steps = entry.faults.iter().enumerate();
        steps.map(move |(n, step)| Row {
            first: n == 0,
            cells: [
                i.to_string(),
                entry.name.clone(),
                names(&entry.arms),
                step.kind.clone(),
                seconds(step.phase_us as f64 / 1e6),
                seconds(step.length_us as f64 / 1e6),
                set(step),
            ]
            .map(Cell::from)
            .to_vec(),
            ..Row::default()
        })
    });
    Table {
        columns,
        rows: rows.collect(),
        ..Table::default()
    }
}

/// `latency_ms = 750, stream = downstream`.
fn set(step: &Step) -> String {
    let parameters = step.parameters.iter().map(|(k, v)| format!("{k} = {v}"));
    let stream = step.stream.map(|of| format!("stream = {}", of.name()));
    let toxicity = step.toxicity.map(|share| format!("toxicity = {share}"));
    let all: Vec<String> = parameters.chain(stream).chain(toxicity).collect();
    all.join(", ")
}

/// Of two dozen arms, their number will do.
fn names(arms: &[String]) -> String {
    match arms.len() {
        0..=4 => arms.join(", "),
        n => format!("all {n}"),
    }
}
