//! What a report says of the user's own scripts, whatever the experiment.

use crate::run::{Plans, Run, Script};

use super::{Block, Cell, Column, Row, Section, Table};

/// What the operations of a run were, in a few words: `runs of 2 scripts of the user's (orders
/// 3 times in 4, which writes; reports once in 4)`. `None` where the load is the usual one.
#[must_use]
pub fn operations(run: &Run) -> Option<String> {
    let all: u64 = run.scripts.iter().map(|s| u64::from(s.weight)).sum();
    let each = run.scripts.iter().map(|script| {
        let writes = if script.writes { ", which writes" } else { "" };
        match u64::from(script.weight) {
            weight if weight == all => format!("{}{writes}", script.name),
            1 => format!("{} once in {all}{writes}", script.name),
            weight => format!("{} {weight} times in {all}{writes}", script.name),
        }
    });
    let each: Vec<String> = each.collect();
    match each.len() {
        0 => None,
        1 => Some(format!("runs of the user's own script ({})", each[0])),
        n => Some(format!(
            "runs of {n} scripts of the user's ({})",
            each.join("; ")
        )),
    }
}

/// What they are, what they found before anything was measured, and how they are planned.
pub(crate) fn section(run: &Run) -> Option<Section> {
    if run.scripts.is_empty() {
        return None;
    }
    let mut blocks = vec![
        Block::muted(
            "Before anything was measured, each script was run with values of its own drawing, and \
             rolled back. What is prepared is planned as a service's statements are.",
        ),
        Block::Table(table(&run.scripts)),
    ];
    blocks.extend(empty(&run.scripts));
    for script in &run.scripts {
        for statement in &script.statements {
            if let Some(plans) = &statement.plans {
                blocks.push(differing(script, statement.line, plans));
            }
        }
        let summary = format!("{}, as it was run", script.file);
        let text = Block::Code("sql", script.text.clone());
        blocks.push(Block::Details(summary, vec![text]));
    }
    Some(Section::new("scripts", "The user's own scripts", blocks))
}

fn table(scripts: &[Script]) -> Table {
    let rows = scripts.iter().flat_map(|script| {
        let statements = script.statements.iter().enumerate();
        statements.map(move |(i, statement)| {
            let writes = if script.writes { " (writes)" } else { "" };
            Row {
                first: i == 0,
                cells: [
                    format!("{}{writes}", script.name),
                    one_line(&statement.sql),
                    statement.line.to_string(),
                    script.weight.to_string(),
                    statement.done.to_string(),
                    statement.rows.to_string(),
                ]
                .map(Cell::from)
                .to_vec(),
                ..Row::default()
            }
        })
    });
    Table {
        columns: vec![
            Column::head("script").once(),
            Column::text("statement"),
            Column::number("line"),
            Column::number("weight").once(),
            Column::number("tried"),
            Column::number("rows").about("that it returned or changed while it was tried"),
        ],
        rows: rows.collect(),
        empty: "No script was tried.",
        ..Table::default()
    }
}

/// Statements that found nothing: they may measure nothing.
fn empty(scripts: &[Script]) -> Option<Block> {
    let found = scripts.iter().flat_map(|script| {
        let empty = script.statements.iter().filter(|s| s.finds_nothing());
        empty.map(|statement| {
            format!(
                "{}, line {}: no row in {} tries: {}",
                script.file,
                statement.line,
                statement.done,
                one_line(&statement.sql)
            )
        })
    });
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then_some(Block::List(found))
}

fn differing(script: &Script, line: u32, plans: &Plans) -> Block {
    let summary = format!(
        "{}, line {line}: prepared, it is planned in another way than with values written in",
        script.name
    );
    let text = format!(
        "prepared, for any values:\n{}\n\nwith the values of one call written in:\n{}",
        plans.prepared, plans.literal
    );
    Block::Details(summary, vec![Block::Code("text", text)])
}

/// A statement on one line, cut where it gets long.
fn one_line(sql: &str) -> String {
    const MOST: usize = 70;
    let words: Vec<&str> = sql.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= MOST {
        return line;
    }
    let cut: String = line.chars().take(MOST).collect();
    format!("{cut} ...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ScriptStatement;

    fn script(name: &str, weight: u32, writes: bool) -> Script {
        Script {
            file: format!("{name}.sql"),
            name: name.to_owned(),
            text: "SELECT 1;".to_owned(),
            weight,
            writes,
            marked: false,
            alone: true,
            tried: 20,
            statements: vec![ScriptStatement {
                line: 3,
                sql: "SELECT *\n  FROM t WHERE a = $1".to_owned(),
                done: 20,
                rows: 0,
                plans: None,
            }],
        }
    }

    fn run(scripts: Vec<Script>) -> Run {
        Run {
            scripts,
            ..crate::synthetic::record(7, 1, &["bare", "seawall"]).run
        }
    }

    #[test]
    fn what_operations_were_is_said_with_their_shares() {
        assert_eq!(operations(&run(Vec::new())), None);
        let one = run(vec![script("orders", 7, true)]);
        let said = operations(&one).expect("scripts");
        assert_eq!(said, "runs of the user's own script (orders, which writes)");
        let two = run(vec![script("orders", 3, true), script("reports", 1, false)]);
        let said = operations(&two).expect("scripts");
        assert_eq!(
            said,
            "runs of 2 scripts of the user's (orders 3 times in 4, which writes; reports once in 4)"
        );
    }

    #[test]
    fn a_statement_that_found_no_row_is_named() {
        let section = section(&run(vec![script("orders", 1, false)])).expect("a section");
        let lists = section.blocks.iter().filter_map(|block| match block {
            Block::List(lines) => Some(lines.join("\n")),
            _ => None,
        });
        let said: Vec<String> = lists.collect();
        assert_eq!(
            said,
            ["orders.sql, line 3: no row in 20 tries: SELECT * FROM t WHERE a = $1"]
        );
    }
}
