//! The verdict in one sentence.

use super::view::{Record, Verdict};
use std::path::Path;

use crate::{
    claim::{Claim, Decision},
    run::Ended,
    verdict::exit,
};

/// What the run came to, and in one word how well.
pub(super) struct Headline {
    pub(super) mood: Decision,
    pub(super) sentence: String,
}

pub(super) fn headline(record: &Record, verdict: &Verdict) -> Headline {
    let done = match (&record.sweep, &record.batches) {
        (None, Some(batches)) => format!("{} conditions measured", batches.conditions.len()),
        // The stall is no outage.
        (Some(sweep), _) => format!(
            "{} of {} outages carried out",
            sweep
                .stretches
                .iter()
                .map(|s| s.outages.len())
                .sum::<usize>(),
            record.schedule.len().saturating_sub(1)
        ),
        (None, None) => format!(
            "{} of {} injections carried out",
            record.injections.len(),
            record.schedule.iter().map(|p| p.arms.len()).sum::<usize>()
        ),
    };
    let ended = match &record.ended {
        Ended::Complete => None,
        Ended::Interrupted => Some(format!("The run was interrupted: {done}")),
        Ended::NoSteadyState { reason } => Some(format!(
            "The load was not served well enough to inject a fault: {reason}; {done}"
        )),
        Ended::Failed { reason } => Some(format!("The run failed: {reason}; {done}")),
    };
    let gating: Vec<&Claim> = verdict.claims.iter().filter(|c| c.gating).collect();
    let mut arms: Vec<&str> = gating.iter().map(|c| c.arm.as_str()).collect();
    arms.dedup();
    let of = |decision| gating.iter().filter(move |c| c.is(decision));
    let list = |decision| {
        of(decision)
            .map(|c| format!("{} {}", c.arm, c.id))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let refuted = || {
        format!(
            "{} of {} claims refuted: {}",
            of(Decision::Refuted).count(),
            gating.len(),
            list(Decision::Refuted)
        )
    };
    let (mood, sentence) = match (ended, verdict.exit_code) {
        (Some(ended), _) => (Decision::Inconclusive, ended),
        (None, exit::HOLDS) => (
            Decision::Holds,
            match gating.len() {
                1 => format!("The claim about {} holds", arms.join(" and ")),
                n => format!("All {n} claims about {} hold", arms.join(" and ")),
            },
        ),
        (None, exit::DATA_LOST) => (
            Decision::Refuted,
            format!("Data were lost, duplicated or made up. {}", refuted()),
        ),
        (None, exit::REFUTED) => (Decision::Refuted, refuted()),
        _ if gating.is_empty() => (
            Decision::Inconclusive,
            "Nothing was claimed of the arms of this run".to_owned(),
        ),
        _ => (
            Decision::Inconclusive,
            format!(
                "{} of {} claims inconclusive: {}",
                of(Decision::Inconclusive).count(),
                gating.len(),
                list(Decision::Inconclusive)
            ),
        ),
    };
    Headline { mood, sentence }
}

/// The command that does the same run again. `folder` is where it is, if that is
/// known.
pub(super) fn again(record: &Record, folder: Option<&Path>) -> String {
    // The user's own queries are in the record; where their files are is not.
    let batches = record.batches.as_ref();
    let own = batches.is_some_and(|b| b.classes.iter().any(|c| c.guide_batch.is_none()));
    if record.plan.is_some() || own {
        let folder = folder.map_or("FOLDER-OF-THIS-RUN".into(), Path::to_string_lossy);
        return format!("cargo run -p scenarios -- replay {folder}");
    }
    let size = match record.settings.size.as_str() {
        "default" => String::new(),
        size => format!(" --{size}"),
    };
    let url = if record.environment.kind == "external" {
        " --database-url URL"
    } else {
        ""
    };
    format!(
        "cargo run -p scenarios -- {}{size} --seed {} --env {}{url}{}",
        record.command,
        record.seed,
        record.environment.kind,
        load(record)
    )
}

/// The flags of the load, where it was not the usual one.
fn load(record: &Record) -> String {
    if record.batches.is_some() {
        // As fast as it goes: there is no rate, and no deadline.
        return String::new();
    }
    let settings = &record.settings;
    let usual_rate = if record.sweep.is_some() { 40 } else { 400 };
    let mut flags = String::new();
    if settings.rate_per_s != usual_rate {
        flags += &format!(" --rate {}", settings.rate_per_s);
    }
    if settings.deadline_us != 500_000 {
        flags += &format!(" --deadline-ms {}", settings.deadline_us / 1_000);
    }
    flags
}

/// `PostgreSQL 15.18 (local), proxy embedded, 2 CPUs, dev profile`.
pub(super) fn environment(record: &Record) -> String {
    let e = &record.environment;
    format!(
        "PostgreSQL {} ({}), proxy {}, {} CPUs, {} profile",
        e.server_version, e.kind, e.proxy, e.cpus, e.profile
    )
}

/// `failure-sim, quick, seed 7, 2026-01-02T03:04:05Z`.
pub(super) fn run(record: &Record) -> String {
    format!(
        "{}, {}, seed {}, {}",
        record.command, record.settings.size, record.seed, record.started_utc
    )
}
