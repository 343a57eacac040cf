//! Records of schema 2, which had a field for every experiment.
//!
//! The arguments that they lack are made up from the settings that were not the usual
//! ones.

use serde::Deserialize;

use crate::{
    experiment::Data,
    experiments::{
        batch_sweep,
        breaker_sweep::{self, Cell, Stretch},
        failure_sim,
    },
    run::{Arm, Ended, Environment, Injection, Load, Planned, Run, Skipped},
};

pub(super) const SCHEMA: u32 = 2;

#[derive(Deserialize)]
struct Old {
    command: String,
    seed: u64,
    started_utc: String,
    environment: Environment,
    settings: Settings,
    arms: Vec<Arm>,
    plan: Option<String>,
    schedule: Vec<Planned>,
    injections: Vec<Injection>,
    skipped: Vec<Skipped>,
    sweep: Option<Sweep>,
    batches: Option<batch_sweep::Data>,
    ended: Ended,
}

#[derive(Deserialize)]
struct Settings {
    size: String,
    horizon_us: u64,
    patience_us: u64,
    #[serde(flatten)]
    load: Load,
}

#[derive(Deserialize)]
struct Sweep {
    scale: u32,
    settled_us: u64,
    cells: Vec<Cell>,
    outages: usize,
    stretches: Vec<Stretch>,
}

/// `None` if schema 2 had no such command.
pub(super) fn read(command: &str, text: &[u8]) -> Option<Result<(Run, Data), serde_json::Error>> {
    let known = ["failure-sim", "breaker-sweep", "batch-sweep"].contains(&command);
    known.then(|| serde_json::from_slice(text).and_then(convert))
}

fn convert(old: Old) -> Result<(Run, Data), serde_json::Error> {
    let missing = |field| serde::de::Error::missing_field(field);
    let arguments = arguments(&old);
    let Settings {
        size,
        horizon_us,
        patience_us,
        load,
    } = old.settings;
    let data = match &*old.command {
        "breaker-sweep" => {
            let sweep = old.sweep.ok_or_else(|| missing("sweep"))?;
            Data::BreakerSweep(breaker_sweep::Data {
                load,
                patience_us,
                scale: sweep.scale,
                settled_us: sweep.settled_us,
                cells: sweep.cells,
                outages: sweep.outages,
                stretches: sweep.stretches,
            })
        }
        "batch-sweep" => Data::BatchSweep(old.batches.ok_or_else(|| missing("batches"))?),
        _ => Data::FailureSim(failure_sim::Data {
            load,
            horizon_us,
            patience_us,
            injections: old.injections,
            unserved: Vec::new(),
            rounds: 0,
            windows: Vec::new(),
            window_answers: Vec::new(),
        }),
    };
    let run = Run {
        schema: super::SCHEMA,
        command: old.command,
        arguments,
        seed: old.seed,
        size,
        started_utc: old.started_utc,
        environment: old.environment,
        arms: old.arms,
        plan: old.plan,
        scripts: Vec::new(),
        thresholds: Vec::new(),
        variables: std::collections::BTreeMap::new(),
        schedule: old.schedule,
        skipped: old.skipped,
        tables: Vec::new(),
        ended: old.ended,
    };
    Ok((run, data))
}

/// What was typed, as far as it can be told: where a file was read, its name cannot.
fn arguments(old: &Old) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    if old.settings.size != "default" {
        add(&[&format!("--{}", old.settings.size)]);
    }
    add(&["--seed", &old.seed.to_string()]);
    add(&["--env", &old.environment.kind]);
    if old.environment.kind == "external" {
        add(&["--database-url", "URL"]);
    }
    if old.plan.is_some() {
        add(&["--faults", "FILE"]);
    }
    let classes = old.batches.iter().flat_map(|batches| &batches.classes);
    for own in classes.filter(|class| class.guide_batch.is_none()) {
        add(&["-f", &own.name]);
    }
    if old.batches.is_none() {
        // As fast as it goes has neither.
        let Load {
            rate_per_s,
            deadline_us,
            ..
        } = old.settings.load;
        let usual_rate = if old.sweep.is_some() { 40 } else { 400 };
        if rate_per_s != usual_rate {
            add(&["--rate", &rate_per_s.to_string()]);
        }
        if deadline_us != 500_000 {
            add(&["--deadline-ms", &(deadline_us / 1_000).to_string()]);
        }
    }
    arguments
}
