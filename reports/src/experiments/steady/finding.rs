//! What an arm's stretches come to together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Data, ServerCounts, Stretch};
use crate::{
    run::{Kind, Outcome, Run},
    sample::rank,
    stats::micro,
};

/// The quantiles of latency that are reported.
pub const QUANTILES: [f64; 7] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0];

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Of each arm that had a turn, in the order of the record.
    pub arms: Vec<ArmFinding>,
}

/// What an arm did, over all its stretches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmFinding {
    /// The arm.
    pub arm: String,
    /// Stretches that entered.
    pub stretches: usize,
    /// Operations that were scheduled after the warm-up.
    pub operations: u64,
    /// Of these: answered without error within the deadline.
    pub good: u64,
    /// Of these: not answered without error, by the name of their outcome.
    pub failed: BTreeMap<String, u64>,
    /// Good operations per second.
    pub goodput_per_s: Option<f64>,
    /// Latency of what was answered without error, in seconds, at [`QUANTILES`]; empty
    /// if nothing was.
    pub latency_s: Vec<f64>,
    /// Each of the user's own scripts by itself. Empty where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<ScriptFinding>,
    /// Statements handed to a connection, per operation, over whole stretches.
    pub statements: Option<f64>,
    /// Connections that were tried.
    pub connects: u64,
    /// What the pool itself counted, by name.
    pub pool: BTreeMap<String, u64>,
    /// What the server counted, where it could be asked each time.
    pub server: Option<ServerCounts>,
}

/// What became of the runs of one of the user's scripts, after the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScriptFinding {
    /// Its name.
    pub script: String,
    /// Runs that were answered without error.
    pub ok: u64,
    /// Runs that were not.
    pub failed: u64,
    /// Median latency of those that were answered, in seconds.
    pub p50_s: Option<f64>,
    /// Their 99th percentile.
    pub p99_s: Option<f64>,
}

/// Measures every arm.
#[must_use]
pub fn find(run: &Run, data: &Data) -> Findings {
    let arms = run.arms.iter().filter_map(|arm| {
        let of_arm = data.stretches.iter().filter(|s| s.arm == arm.name);
        let stretches: Vec<&Stretch> = of_arm.collect();
        (!stretches.is_empty()).then(|| of(run, data, &arm.name, &stretches))
    });
    Findings {
        arms: arms.collect(),
    }
}

fn of(run: &Run, data: &Data, arm: &str, stretches: &[&Stretch]) -> ArmFinding {
    let rate = data.load.rate_per_s;
    let mut failed = BTreeMap::new();
    let mut latencies = Vec::new();
    let mut by_script: Vec<(u64, Vec<u64>)> = vec![(0, Vec::new()); run.scripts.len()];
    let (mut operations, mut good, mut scheduled, mut measured_us) = (0_u64, 0_u64, 0_u64, 0_u64);
    for stretch in stretches {
        scheduled += stretch.operations.latencies_us.len() as u64;
        let answers = stretch.operations.answers(rate);
        let mut last_us = stretch.steady_us;
        for answer in answers.filter(|answer| answer.due_us >= stretch.steady_us) {
            operations += 1;
            last_us = last_us.max(answer.due_us);
            let script = match answer.kind {
                Kind::Script(place) => by_script.get_mut(usize::from(place)),
                _ => None,
            };
            let latency_us = answer.end_us - answer.due_us;
            if answer.outcome == Outcome::Ok {
                latencies.push(latency_us);
                good += u64::from(latency_us <= data.load.deadline_us);
                script.into_iter().for_each(|(_, of)| of.push(latency_us));
            } else {
                *failed.entry(answer.outcome.name().to_owned()).or_insert(0) += 1;
                script.into_iter().for_each(|(failed, _)| *failed += 1);
            }
        }
        measured_us += last_us - stretch.steady_us;
    }
    // In an open loop, of the scheduled rate the share that was good: no clock enters twice.
    let goodput_per_s = match data.load.clients {
        None => (operations > 0).then(|| good as f64 / operations as f64 * f64::from(rate)),
        Some(_) => (measured_us > 0).then(|| good as f64 / (measured_us as f64 / 1e6)),
    };
    let scripts = run.scripts.iter().zip(by_script);
    let scripts = scripts.map(|(script, (failed, mut latencies_us))| {
        let quantiles = quantiles(&mut latencies_us);
        let at = |q: f64| {
            let i = QUANTILES.iter().position(|known| *known == q)?;
            quantiles.get(i).copied()
        };
        ScriptFinding {
            script: script.name.clone(),
            ok: latencies_us.len() as u64,
            failed,
            p50_s: at(0.5),
            p99_s: at(0.99),
        }
    });
    let scripts = scripts.collect();
    let statements: u64 = stretches.iter().map(|s| s.attempts.statements).sum();
    let mut pool = BTreeMap::new();
    for (name, count) in stretches.iter().flat_map(|s| &s.pool) {
        *pool.entry(name.clone()).or_insert(0) += count;
    }
    ArmFinding {
        arm: arm.to_owned(),
        stretches: stretches.len(),
        operations,
        good,
        failed,
        goodput_per_s: goodput_per_s.map(micro),
        latency_s: quantiles(&mut latencies),
        scripts,
        statements: (scheduled > 0).then(|| micro(statements as f64 / scheduled as f64)),
        connects: stretches.iter().map(|s| s.attempts.connects).sum(),
        pool,
        server: server(stretches),
    }
}

/// By nearest rank: the smallest value that at least so many do not exceed. Hyndman and
/// Fan (1996), definition 1.
fn quantiles(latencies_us: &mut [u64]) -> Vec<f64> {
    latencies_us.sort_unstable();
    let n = latencies_us.len();
    let at = |q: f64| {
        let us = latencies_us.get(rank(n, q).checked_sub(1)?)?;
        Some(micro(*us as f64 / 1e6))
    };
    QUANTILES.iter().filter_map(|q| at(*q)).collect()
}

fn server(stretches: &[&Stretch]) -> Option<ServerCounts> {
    let mut sum = ServerCounts::default();
    for stretch in stretches {
        let counts = stretch.server?;
        sum.commits += counts.commits;
        sum.rollbacks += counts.rollbacks;
        sum.blocks_hit += counts.blocks_hit;
        sum.blocks_read += counts.blocks_read;
        sum.sessions = sum.sessions.max(counts.sessions);
    }
    Some(sum)
}
