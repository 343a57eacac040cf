//! What its report says: what came out, what was claimed, how fast which arm recovered,
//! and what happened under each fault.

use crate::{
    injections::{self, Injected, no_loss},
    numbers::seconds,
    page::{Block, Page, Section, Summary, Watched, operations, worst},
    run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL, Ledger, Load, Run},
    stats::median,
};

use super::{Data, Findings, words::WORDS};

pub(super) fn page(run: &Run, data: &Data, findings: &Findings) -> Page {
    let subject = super::injected(run, data, findings);
    let recovery = injections::summary(&subject);
    let as_good = as_good(run, findings).map(Block::text);
    let lead = as_good.into_iter().chain([Block::Arms(run.arms.clone())]);
    let lead: Vec<Block> = lead.collect();
    let planned: usize = run.schedule.iter().map(|entry| entry.arms.len()).sum();
    Page {
        title: "What database failures do to a service, by client".to_owned(),
        finding: injections::finding(run, &findings.effects),
        intro: "A service under a steady load was given database failures, one after another, \
                once with each of the clients below. This page says what its callers saw, and \
                which claims about it hold."
            .to_owned(),
        carried_out: format!(
            "{} of {planned} injections carried out",
            data.injections.len()
        ),
        lead,
        summary: summary(&subject, findings),
        sections: [Section::claims()]
            .into_iter()
            .chain(recovery.map(|plot| {
                let blocks = vec![Block::Plot(plot)];
                Section::new("recovery", "How long recovery took", blocks)
            }))
            .chain([numbers(run, findings)])
            .chain(faults(&subject))
            .collect(),
        measured: vec![Block::text(load(run, data)), Block::Definitions(&WORDS)],
        repeats: "The same seed and flags draw the same faults, phases and lengths.".to_owned(),
        details: vec![writes(&data.injections.iter().map(no_loss::known).sum())],
        ..Page::default()
    }
}

/// Where a pool without the engine costs its callers no more than ours does.
fn as_good(run: &Run, findings: &Findings) -> Option<String> {
    let without = [ARM_CAREFUL, ARM_BARE].map(|other| {
        let kinds = run.entries().filter_map(|entry| {
            let lost = |arm: &str| {
                let of = findings.effects.iter();
                let of = of.filter(|e| e.fault == entry.name && e.arm == arm);
                median(of.filter_map(|e| e.outage_equivalent_s))
            };
            let (ours, others) = (lost(ARM_SEAWALL)?, lost(other)?);
            let said = format!(
                "{} ({} against {})",
                entry.name,
                seconds(others),
                seconds(ours)
            );
            (others <= ours).then_some(said)
        });
        let kinds: Vec<String> = kinds.collect();
        (!kinds.is_empty()).then(|| format!("{other} under {}", kinds.join(", ")))
    });
    let without: Vec<String> = without.into_iter().flatten().collect();
    (!without.is_empty()).then(|| {
        format!(
            "As good as {ARM_SEAWALL} or better, by goodput that was missing in seconds of a full \
             outage: {}.",
            without.join("; ")
        )
    })
}

fn summary(subject: &Injected<'_>, findings: &Findings) -> Summary {
    let mut blocks = vec![Block::Table(injections::table(&findings.effects))];
    if findings.effects.iter().any(|effect| effect.censored) {
        blocks.push(Block::muted(
            "> not back when the load ended, so longer than this",
        ));
    }
    blocks.extend(as_good(subject.run, findings).map(Block::muted));
    blocks.extend(injections::sparks(subject));
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
    let injections = subject.injections.iter();
    let watched: Vec<Watched<'_>> = injections
        .map(|injection| Watched {
            arm: &injection.arm,
            during: injection.fault.clone(),
            operations: &injection.operations,
            rate_per_s: subject.load.rate_per_s,
            from_us: injection.steady_us,
            zero_us: injection.injected_us,
        })
        .collect();
    let slowest = worst(subject.run, &watched, ("fault", "since it"));
    let plots: Vec<Block> = plots.into_iter().chain(slowest).collect();
    (!plots.is_empty()).then(|| Section::new("faults", title, plots))
}

/// What the arms of an entry share, where several are under load at once.
fn shared(run: &Run) -> &'static str {
    if run.schedule.iter().any(|entry| entry.arms.len() > 1) {
        " The arms of a fault were under load side by side: they had rows and sessions of their \
         own, and shared the server, the proxy and this machine's processors, so that what one \
         does to a server that is in trouble meets the others as well. No margin below what that \
         may cost is judged."
    } else {
        ""
    }
}

fn mix(run: &Run, load: &Load) -> String {
    if let Some(own) = operations(run) {
        return format!("{own}.");
    }
    let mix = &load.mix;
    let shares = [
        ("plain writes", load.write_share),
        ("transactions of several statements", mix.transactions),
        ("transactions that are not committed", mix.rollbacks),
        ("savepoints after a failed statement", mix.savepoints),
        ("updates of one hot row", mix.hot_rows),
        ("mistakes of the caller's, eight in a row", mix.mistakes),
    ];
    let shares = shares.iter().filter(|(_, share)| *share > 0.0);
    let shares = shares.map(|(what, share)| format!("{:.0} % {what}", share * 100.0));
    let mut all: Vec<String> = shares.collect();
    all.push("the rest reads, whose rows prove what is in them".to_owned());
    let beside = if mix.beside {
        " Beside them: bursts of slow queries over all connections, callers that give up in the \
         middle, imports batch by batch, and a second pool that is mostly idle."
    } else {
        ""
    };
    format!("{}.{beside}", all.join(", "))
}

fn load(run: &Run, data: &Data) -> String {
    let load = &data.load;
    format!(
        "{} operations per second, each to be answered within {} ms; at most {} under way at \
         once: {}{} Availability and outage run from the fault to {} after it; a \
         recovery was waited for {} at most.",
        load.rate_per_s,
        load.deadline_us / 1000,
        load.max_in_flight,
        mix(run, load),
        shared(run),
        seconds(data.horizon_us as f64 / 1e6),
        seconds(data.patience_us as f64 / 1e6),
    )
}

fn writes(ledger: &Ledger) -> Block {
    let text = format!(
        "{} sent, {} acknowledged, {} found; {} without an answer, of which {} found and {} not; \
         {} lost, {} duplicate, {} unexpected, {} out of order. Of {} rows that were read, {} were \
         stale, {} foreign, {} missing.",
        ledger.sent,
        ledger.acked,
        ledger.committed,
        ledger.unknown,
        ledger.unknown_committed,
        ledger.unknown_absent,
        ledger.lost,
        ledger.duplicate,
        ledger.unexpected,
        ledger.out_of_order,
        ledger.reads,
        ledger.stale_reads,
        ledger.foreign_reads,
        ledger.missing_reads
    );
    Block::Details(
        "What was written and read in all injections".to_owned(),
        vec![Block::text(text)],
    )
}
