//! What its report says: what to ship first, then the guide's weeks, the grid, and how
//! it was found.

use crate::{
    claim::Claim,
    injections::skipped,
    page::{Block, Page, Section, Ship, Style, Summary, Text, sentence},
    run::Run,
};

use super::{Data, Findings, plots::plots, ship, table, words::WORDS};

pub(super) fn page(run: &Run, data: &Data, findings: &Findings, claims: &[Claim]) -> Page {
    let scale = ship::scale(findings);
    let done: usize = data.stretches.iter().map(|s| s.outages.len()).sum();
    // The stall is no outage.
    let planned = run.schedule.len().saturating_sub(1);
    let plots = plots(findings);
    let plots = plots.map(|(title, plot)| Section::new("", title, vec![Block::Plot(plot)]));
    Page {
        title: format!("Which circuit breaker settings to ship ({scale})"),
        finding: ship::finding(findings, claims),
        intro: "Pools with different breaker settings were under the same load, on one server, \
                through the same outages and false alarms. This page says which of them cost \
                least, and how long the guide's own settings take to recover."
            .to_owned(),
        carried_out: format!("{done} of {planned} outages carried out"),
        lead: vec![Block::text(ship::scale_in_full(findings))],
        summary: Summary {
            name: "CELLS".to_owned(),
            blocks: vec![
                Block::Table(table::cells(findings)),
                Block::muted(ship::scale_in_full(findings)),
            ],
            ..Summary::default()
        },
        ship: vec![to_ship(findings, claims)],
        sections: [
            shipped(findings, claims),
            Section::claims(),
            weeks(findings),
        ]
        .into_iter()
        .chain(plots)
        .chain([cells(run, findings)])
        .collect(),
        measured: vec![Block::text(load(data)), Block::Definitions(&WORDS)],
        repeats: "The same seed and flags draw the same faults, phases and lengths.".to_owned(),
        ..Page::default()
    }
}

fn to_ship(findings: &Findings, claims: &[Claim]) -> Ship {
    match &findings.recommended {
        Some(recommended) => Ship {
            name: recommended.arm.clone(),
            says: vec![recommended.reason.clone(), ship::confirmed(claims)],
            settings: recommended.toml.clone(),
        },
        None => Ship {
            name: ship::NOTHING.to_owned(),
            ..Ship::default()
        },
    }
}

fn shipped(findings: &Findings, claims: &[Claim]) -> Section {
    let blocks = match &findings.recommended {
        Some(recommended) => {
            let finding = Text::new(Style::Finding).strong(&recommended.arm);
            vec![
                Block::Text(finding.then(format!(": {}.", recommended.reason))),
                Block::Code("toml", recommended.toml.clone()),
                Block::text(sentence(&ship::confirmed(claims))),
            ]
        }
        None => vec![Block::text(sentence(ship::NOTHING))],
    };
    Section::new("ship", "What to ship", blocks)
}

fn weeks(findings: &Findings) -> Section {
    let title = format!(
        "The guide's \"10-30 second recovery\", week by week ({})",
        ship::scale(findings)
    );
    let note = "A passive breaker tries again a recovery timeout after it opened, whenever the \
                server is back. At a random moment the wait is uniform on (0, timeout), so 30 s \
                are enough in 30 s / timeout of the outages.";
    let table = Block::Table(table::weeks(findings));
    Section::new("weeks", title, vec![table, Block::muted(note)])
}

fn cells(run: &Run, findings: &Findings) -> Section {
    let title = format!("All cells in numbers ({})", ship::scale(findings));
    let note = "> not seen to recover in half (or 95 of 100) of the outages, so longer than this.";
    let mut blocks = vec![Block::Table(table::cells(findings)), Block::muted(note)];
    blocks.extend(skipped(&run.skipped));
    Section::new("table", title, blocks)
}

fn load(data: &Data) -> String {
    format!(
        "{} cells, each with {} reads per second, to be answered within {} ms, over a pool of its \
         own.",
        data.cells.len(),
        data.load.rate_per_s,
        data.load.deadline_us / 1000,
    )
}
