//! What its report says: what came out, what was claimed, how fast which arm recovered,
//! and what happened under each fault.

use crate::{
    injections::{self, Injected},
    numbers::seconds,
    page::{Block, Page, Section, Summary, sentence},
    run::{Ledger, Run},
};

use super::{Data, Findings, words::WORDS};

pub(super) fn page(run: &Run, data: &Data, findings: &Findings) -> Page {
    let subject = super::injected(run, data, findings);
    let recovery = injections::summary(&subject);
    let title = recovery
        .iter()
        .map(|plot| Block::finding(sentence(&plot.title)));
    let lead: Vec<Block> = title.chain([Block::Arms(run.arms.clone())]).collect();
    let planned: usize = run.schedule.iter().map(|entry| entry.arms.len()).sum();
    Page {
        title: "What database failures do to a service, by client".to_owned(),
        intro: "A service under a steady load was given database failures, one after another, \
                once with each of the clients below. This page says what its callers saw, and \
                which claims about it hold."
            .to_owned(),
        carried_out: format!(
            "{} of {planned} injections carried out",
            data.injections.len()
        ),
        lead,
        summary: summary(findings),
        sections: [Section::claims()]
            .into_iter()
            .chain(recovery.map(|plot| {
                let blocks = vec![Block::Plot(plot)];
                Section::new("recovery", "How long recovery took", blocks)
            }))
            .chain([numbers(run, findings)])
            .chain(faults(&subject))
            .collect(),
        measured: vec![Block::text(load(data)), Block::Definitions(&WORDS)],
        repeats: "The same seed and flags draw the same faults, phases and lengths.".to_owned(),
        details: vec![writes(
            &data.injections.iter().filter_map(|i| i.ledger).sum(),
        )],
        ..Page::default()
    }
}

fn summary(findings: &Findings) -> Summary {
    let mut blocks = vec![Block::Table(injections::table(&findings.effects))];
    if findings.effects.iter().any(|effect| effect.censored) {
        blocks.push(Block::muted(
            "> not back when the load ended, so longer than this",
        ));
    }
    Summary {
        name: "FAULTS".to_owned(),
        blocks,
        ..Summary::default()
    }
}

fn numbers(run: &Run, findings: &Findings) -> Section {
    let mut blocks = vec![Block::Table(injections::table(&findings.effects))];
    blocks.extend(injections::notes(&findings.effects));
    blocks.extend(injections::skipped(&run.skipped));
    Section::new("table", "All faults in numbers", blocks)
}

fn faults(subject: &Injected<'_>) -> Option<Section> {
    let plots: Vec<Block> = injections::by_fault(subject)
        .into_iter()
        .map(Block::Plot)
        .collect();
    let title = "What happened under each fault";
    (!plots.is_empty()).then(|| Section::new("faults", title, plots))
}

fn load(data: &Data) -> String {
    let load = &data.load;
    format!(
        "{} operations per second, {:.0} % of them writes, each to be answered within {} ms; at \
         most {} under way at once. Availability and outage run from the fault to {} after it; a \
         recovery was waited for {} at most.",
        load.rate_per_s,
        load.write_share * 100.0,
        load.deadline_us / 1000,
        load.max_in_flight,
        seconds(data.horizon_us as f64 / 1e6),
        seconds(data.patience_us as f64 / 1e6),
    )
}

fn writes(ledger: &Ledger) -> Block {
    let text = format!(
        "{} sent, {} acknowledged, {} found; {} without an answer, of which {} found and {} not; \
         {} lost, {} duplicate, {} unexpected, {} out of order.",
        ledger.sent,
        ledger.acked,
        ledger.committed,
        ledger.unknown,
        ledger.unknown_committed,
        ledger.unknown_absent,
        ledger.lost,
        ledger.duplicate,
        ledger.unexpected,
        ledger.out_of_order
    );
    Block::Details(
        "Writes of all injections".to_owned(),
        vec![Block::text(text)],
    )
}
