//! What its report says: what to ship first, then what it was chosen by, and what the time
//! was spent on.

use super::{Data, Findings, block::FILE, plot, table, words::WORDS};
use crate::{
    experiments::{
        batch_sweep::{self, MARKS, speedups},
        breaker_sweep::{cells, scale_in_full},
    },
    injections::skipped,
    page::{Block, File, Page, Section, Ship, Summary, listed, operations, sentence},
    run::Run,
};

/// What tries the file out.
const TRIED_BY: &str = "scenarios failure-sim --config";

pub(super) fn page(run: &Run, data: &Data, findings: &Findings) -> Page {
    let found = findings.choices.len();
    let keys = found + findings.missing.len();
    let files = (found > 0).then(|| File {
        name: FILE.to_owned(),
        text: findings.toml.clone(),
        tried_by: TRIED_BY.to_owned(),
    });
    Page {
        title: "Which configuration to ship".to_owned(),
        finding: finding(findings),
        intro: "Pools of different sizes, batches of different sizes and circuit breakers with \
                different settings were measured on one server, one after another, within a given \
                time. This page says which configuration follows, what speaks for each line of it, \
                and what it would cost if that were wrong."
            .to_owned(),
        carried_out: format!("{found} of {keys} settings found"),
        summary: Summary {
            name: "TUNE".to_owned(),
            blocks: vec![
                Block::Table(table::sizes(findings)),
                Block::Table(table::classes(findings)),
                Block::Table(table::spent(data)),
            ],
            ..Summary::default()
        },
        ship: vec![to_ship(findings)],
        files: files.into_iter().collect(),
        sections: sections(run, data, findings),
        measured: vec![Block::text(load(run, data)), Block::Definitions(&WORDS)],
        repeats: "The same seed and flags draw the same outages and take candidates in the same \
                  order; how many rounds there are follows from the budget."
            .to_owned(),
        ..Page::default()
    }
}

/// The settings, and those that were not found.
fn finding(findings: &Findings) -> String {
    let choices = findings.choices.iter();
    let choices = choices.map(|choice| format!("{} = {}", choice.key, choice.value));
    let missing = findings.missing.iter().map(|missing| missing.key.clone());
    let (choices, missing): (Vec<_>, Vec<_>) = (choices.collect(), missing.collect());
    let found = match choices.len() {
        0 => "No setting was found".to_owned(),
        _ => format!("Ship {}", listed(&choices)),
    };
    match missing.len() {
        0 => format!("{found}."),
        _ => format!("{found}; not found: {}.", missing.join(", ")),
    }
}

fn to_ship(findings: &Findings) -> Ship {
    if findings.choices.is_empty() {
        return Ship {
            name: "nothing: no setting was found".to_owned(),
            ..Ship::default()
        };
    }
    let close = findings.choices.iter().filter_map(|choice| {
        let close = choice.too_close()?;
        Some(format!("{}: {close}", choice.key))
    });
    Ship {
        name: format!("{FILE}, {} settings", findings.choices.len()),
        says: close.collect(),
        settings: findings.toml.clone(),
    }
}

fn shipped(findings: &Findings) -> Section {
    let mut blocks = vec![Block::Table(table::settings(findings))];
    for choice in &findings.choices {
        if let Some(close) = choice.too_close() {
            blocks.push(Block::finding(format!("{}: {close}.", choice.key)));
        }
    }
    for missing in &findings.missing {
        blocks.push(Block::finding(format!(
            "{}: {}.",
            missing.key, missing.reason
        )));
    }
    blocks.extend([
        Block::Code("toml", findings.toml.clone()),
        Block::text(format!(
            "It is written beside this page as {FILE}. Try it out:"
        )),
        Block::Code("sh", format!("{TRIED_BY} FOLDER/{FILE}")),
    ]);
    Section::new("ship", "What to ship", blocks)
}

fn sections(run: &Run, data: &Data, findings: &Findings) -> Vec<Section> {
    let mut sizes = vec![Block::Table(table::sizes(findings))];
    sizes.splice(0..0, plot::rates(findings).map(Block::Plot));
    if let Some(most) = data.pool.most {
        sizes.push(Block::muted(format!(
            "The server leaves {most} connections to pools; larger candidates had no turn."
        )));
    }
    let mut batches = vec![Block::Table(table::classes(findings))];
    batches.extend(
        data.batch
            .unmeasured
            .iter()
            .map(|of| Block::text(format!("{}: not measured: {}.", of.script, of.reason))),
    );
    let found = &findings.batch;
    let first = grid(&found.coarse);
    let then = found.refined.iter().flat_map(grid).collect();
    batches.push(Block::Details("First run: all sizes".to_owned(), first));
    batches.push(Block::Details(
        "Second run: the better half, on a fresh seed".to_owned(),
        then,
    ));
    let mut breaker = vec![
        Block::text(scale_in_full(&findings.breaker.found)),
        Block::text(sentence(&findings.breaker.confirmed)),
        Block::Table(cells(&findings.breaker.found)),
    ];
    breaker.extend(skipped(&run.skipped));
    vec![
        shipped(findings),
        Section::claims(),
        Section::new("pool-size", "How many connections", sizes),
        Section::new("batch-size", "How many queries a batch", batches),
        Section::new("breaker", "Which circuit breaker", breaker),
        Section::new(
            "spent",
            "What the time was spent on",
            vec![Block::Table(table::spent(data))],
        ),
    ]
}

/// Times as fast as one at a time, for each class.
fn grid(found: &batch_sweep::Findings) -> Vec<Block> {
    let tables = found.classes.iter().map(|class| {
        let mut table = speedups(found, class);
        table.heading.clone_from(&class.name);
        Block::Table(table)
    });
    let marks = Block::muted(format!("Times as fast as one at a time. {MARKS}."));
    tables.chain([marks]).collect()
}

fn load(run: &Run, data: &Data) -> String {
    let load = &data.pool.load;
    let what = match operations(run) {
        Some(own) => own,
        None => format!("{:.0} % of them writes", load.write_share * 100.0),
    };
    format!(
        "Pool sizes: {} callers, each of which asks again as soon as it is answered, {what}; each is \
         to be answered within {} ms; windows of {} ms. Circuit breakers: {} operations a second \
         and cell.",
        load.clients.unwrap_or(0),
        load.deadline_us / 1_000,
        data.pool.length_us / 1_000,
        data.breaker.load.rate_per_s,
    )
}
