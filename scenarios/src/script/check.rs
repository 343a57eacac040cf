//! What can be seen of a script before it runs: variables that nothing sets, and
//! transactions and pipelines that do not fit.

use std::collections::BTreeSet;

use super::{
    Effect, Variables,
    command::{Event, Prefix},
    error::{Fault, with_nearest},
    expression::Names,
    read::{Parts, Read},
    statement::Statement,
};

/// The variables that pgbench sets for each client.
pub const AUTOMATIC: [&str; 4] = ["client_id", "default_seed", "random_seed", "scale"];

/// What may have been set at a place of a script.
#[derive(Debug, Clone, Default)]
struct Set<'p> {
    slots: BTreeSet<usize>,
    columns: Vec<(&'p Statement, &'p Prefix)>,
}

impl<'p> Set<'p> {
    fn join(&mut self, other: Self) {
        self.slots.extend(other.slots);
        for column in other.columns {
            if !self
                .columns
                .iter()
                .any(|(known, _)| known.at == column.0.at)
            {
                self.columns.push(column);
            }
        }
    }

    fn has(&self, slot: usize, name: &str) -> bool {
        self.slots.contains(&slot)
            || self
                .columns
                .iter()
                .any(|(statement, prefix)| may_give(statement, &prefix.prefix, name))
    }
}

/// Whether a column of a statement may be called so: the columns are known to the server
/// only, but a name is either written in the statement or comes from a `*` or the like.
fn may_give(statement: &Statement, prefix: &str, name: &str) -> bool {
    let Some(column) = name
        .strip_prefix(prefix)
        .filter(|column| !column.is_empty())
    else {
        return false;
    };
    let first = statement.names.first().map_or("", String::as_str);
    matches!(first, "table" | "values" | "show" | "explain")
        || statement.sql.replace("(*)", "").contains('*')
        || statement.names.iter().any(|known| known == column)
        || (statement.sql.contains("::") && TYPES.contains(&column))
}

/// What a column is called that is a constant with a cast.
const TYPES: [&str; 9] = [
    "bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar",
];

/// Finds a variable that no path has set before it is used.
pub(crate) fn variables(parts: &Parts, defined: &Variables) -> Read<()> {
    let names = &parts.names;
    let mut now = Set::default();
    for (slot, name) in names.all().iter().enumerate() {
        if AUTOMATIC.contains(&name.as_str()) || defined.contains_key(name) {
            now.slots.insert(slot);
        }
    }
    // Of each \if: what was set before its branches, and what the ended ones may have set.
    let mut blocks: Vec<(Set<'_>, Set<'_>)> = Vec::new();
    for event in &parts.events {
        match event {
            Event::Uses { slot, at } if !now.has(*slot, names.name(*slot)) => {
                return Err(unknown(*slot, *at, parts, defined));
            }
            Event::Sets { slot } => {
                now.slots.insert(*slot);
            }
            Event::Gets { statement, prefix } => {
                if let Some(statement) = parts.statements.get(*statement) {
                    now.columns.push((statement, prefix));
                }
            }
            Event::If => {
                blocks.push((now.clone(), Set::default()));
            }
            Event::Else => {
                if let Some((before, ended)) = blocks.last_mut() {
                    ended.join(std::mem::replace(&mut now, before.clone()));
                }
            }
            Event::Endif => {
                if let Some((before, ended)) = blocks.pop() {
                    now.join(ended);
                    now.join(before);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn unknown(slot: usize, at: usize, parts: &Parts, defined: &Variables) -> Box<Fault> {
    let names: &Names = &parts.names;
    let name = names.name(slot);
    let set = parts.events.iter().filter_map(|event| match event {
        Event::Sets { slot } => Some(names.name(*slot)),
        _ => None,
    });
    let known: BTreeSet<&str> = set
        .chain(defined.keys().map(String::as_str))
        .chain(AUTOMATIC)
        .filter(|known| *known != name)
        .collect();
    let what = format!("variable {name} is not set before it is used");
    let what = with_nearest(what, name, known.iter().copied());
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    let allowed = format!("{known}, or what \\set, \\gset, \\aset or -D sets before");
    Fault::boxed(at, what, allowed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    No,
    /// Since the statement or command that stands at this byte.
    Since(usize),
    /// It depends on an `\if`.
    Perhaps,
}

/// Finds a transaction or a pipeline that is begun twice, or ended twice, or not ended,
/// where no `\if` is involved.
pub(crate) fn transactions(parts: &Parts) -> Read<()> {
    let (mut transaction, mut pipeline) = (Open::No, Open::No);
    let mut depth = 0_usize;
    for event in &parts.events {
        match event {
            Event::If => depth += 1,
            Event::Endif => depth = depth.saturating_sub(1),
            Event::Statement(index) => {
                if let Some(statement) = parts.statements.get(*index) {
                    transaction = after(statement, transaction, pipeline, depth > 0)?;
                }
            }
            Event::Gets { prefix, .. } if depth == 0 && matches!(pipeline, Open::Since(_)) => {
                let name = if prefix.every { "\\aset" } else { "\\gset" };
                let what = format!("{name} in a pipeline");
                let allowed = format!("{name} after \\endpipeline");
                return Err(Fault::boxed(prefix.at, what, allowed));
            }
            Event::StartPipeline { .. } | Event::EndPipeline { .. } if depth > 0 => {
                pipeline = Open::Perhaps;
            }
            Event::StartPipeline { at } => {
                if matches!(pipeline, Open::Since(_)) {
                    let allowed = "\\endpipeline before it";
                    return Err(Fault::boxed(*at, "\\startpipeline in a pipeline", allowed));
                }
                pipeline = Open::Since(*at);
            }
            Event::SyncPipeline { at } | Event::EndPipeline { at } if pipeline == Open::No => {
                let what = match event {
                    Event::SyncPipeline { .. } => "\\syncpipeline without a pipeline",
                    _ => "\\endpipeline without a pipeline",
                };
                return Err(Fault::boxed(*at, what, "\\startpipeline before it"));
            }
            Event::EndPipeline { .. } => pipeline = Open::No,
            _ => {}
        }
    }
    if let Open::Since(at) = pipeline {
        let allowed = "\\endpipeline before the end of the script";
        return Err(Fault::boxed(at, "a pipeline that does not end", allowed));
    }
    if let Open::Since(at) = transaction {
        let allowed = "COMMIT or ROLLBACK before the end of the script";
        return Err(Fault::boxed(at, "a transaction that does not end", allowed));
    }
    Ok(())
}

fn after(statement: &Statement, before: Open, pipeline: Open, perhaps: bool) -> Read<Open> {
    let mut open = before;
    let at = statement.at;
    for part in &statement.transactions {
        open = match part.effect {
            Effect::Begins | Effect::Commits | Effect::RollsBack if perhaps => Open::Perhaps,
            Effect::Begins if matches!(open, Open::Since(_)) => {
                let allowed = "COMMIT or ROLLBACK before it";
                return Err(Fault::boxed(at, "BEGIN inside a transaction", allowed));
            }
            Effect::Begins => Open::Since(at),
            Effect::Commits | Effect::RollsBack if open == Open::No => {
                let name = if part.effect == Effect::Commits {
                    "COMMIT"
                } else {
                    "ROLLBACK"
                };
                let what = format!("{name} outside of a transaction");
                return Err(Fault::boxed(at, what, "BEGIN before it"));
            }
            Effect::Commits | Effect::RollsBack if part.chain => Open::Since(at),
            Effect::Commits | Effect::RollsBack => Open::No,
            Effect::Savepoint if open == Open::No && pipeline == Open::No && !perhaps => {
                let allowed = "BEGIN before it";
                return Err(Fault::boxed(
                    at,
                    "a savepoint outside of a transaction",
                    allowed,
                ));
            }
            _ => open,
        };
    }
    Ok(open)
}
