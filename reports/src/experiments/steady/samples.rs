//! What it is measured by, number by number: a value for each stretch.

use crate::{
    injections::samples::{LEDGER, of_ledgers},
    run::{Kind, Ledger, Run},
    sample::{Latencies, Measure, OPERATIONS, Sample},
};

use super::{Data, Findings, ServerCounts, Stretch};

const GOODPUT: Measure = Measure::number("goodput", "good operations a second", "operations/s")
    .exact_to(0.5)
    .higher()
    .shared();
const STATEMENTS: Measure = Measure::count(
    "statements",
    "statements handed to a connection, per operation",
    "statements",
);
const CONNECTS: Measure =
    Measure::count("connects", "connections tried", "connections").exact_to(1.0);
const COMMITS: Measure = Measure::count(
    "commits",
    "transactions committed, per operation",
    "commits",
);
const ROLLBACKS: Measure = Measure::count(
    "rollbacks",
    "transactions rolled back, per operation",
    "rollbacks",
);
const BLOCKS: Measure = Measure::count(
    "blocks",
    "blocks that the server looked at, per operation",
    "blocks",
)
.exact_to(0.05);
const SESSIONS: Measure =
    Measure::count("sessions", "sessions on the server at the end", "sessions").exact_to(1.0);

const OWN: [Measure; 7] = [
    GOODPUT, STATEMENTS, CONNECTS, COMMITS, ROLLBACKS, BLOCKS, SESSIONS,
];

/// The label of a script of the user's.
const SCRIPT: &str = "script";

pub(super) fn measures() -> Vec<Measure> {
    OWN.into_iter().chain(OPERATIONS).chain(LEDGER).collect()
}

pub(super) fn samples(run: &Run, data: &Data, _findings: &Findings) -> Vec<Sample> {
    let mut samples = Vec::new();
    for arm in run.arms.iter().map(|arm| arm.name.as_str()) {
        let of_arm = data.stretches.iter().filter(|s| s.arm == arm);
        let stretches: Vec<&Stretch> = of_arm.collect();
        samples.extend(of_operations(run, data, arm, &stretches));
        samples.extend(of_counts(arm, &stretches));
        let ledgers: Vec<Ledger> = stretches.iter().filter_map(|s| s.ledger).collect();
        samples.extend(of_ledgers(arm, &ledgers));
    }
    samples.retain(|sample| !sample.values.is_empty());
    samples
}

fn of_operations(run: &Run, data: &Data, arm: &str, stretches: &[&Stretch]) -> Vec<Sample> {
    let rate = data.load.rate_per_s;
    let mut all = Latencies::default();
    let mut by_script: Vec<Latencies> = run.scripts.iter().map(|_| Latencies::default()).collect();
    let mut goodput = Vec::new();
    for stretch in stretches {
        let measured = || {
            let answers = stretch.operations.answers(rate);
            answers.filter(|answer| answer.due_us >= stretch.steady_us)
        };
        all.add(&data.load, measured());
        for (place, script) in by_script.iter_mut().enumerate() {
            let of = |kind| matches!(kind, Kind::Script(of) if usize::from(of) == place);
            script.add(&data.load, measured().filter(|answer| of(answer.kind)));
        }
        let (mut good, mut scheduled, mut last_us) = (0_u64, 0_u64, stretch.steady_us);
        for answer in measured() {
            let in_time = answer.end_us - answer.due_us <= data.load.deadline_us;
            good += u64::from(in_time && answer.outcome == crate::run::Outcome::Ok);
            scheduled += 1;
            last_us = last_us.max(answer.due_us);
        }
        // In an open loop, of the scheduled rate the share that was good.
        goodput.extend(match data.load.clients {
            None => (scheduled > 0).then(|| good as f64 / scheduled as f64 * f64::from(rate)),
            Some(_) => {
                let measured_us = last_us - stretch.steady_us;
                (measured_us > 0).then(|| good as f64 * 1e6 / measured_us as f64)
            }
        });
    }
    let mut samples = all.samples(arm);
    for (script, latencies) in run.scripts.iter().zip(by_script) {
        let here = latencies.samples(arm).into_iter();
        samples.extend(here.map(|sample| sample.at(SCRIPT, script.name.as_str())));
    }
    samples.push(Sample::exact(&GOODPUT, arm, goodput));
    samples
}

fn of_counts(arm: &str, stretches: &[&Stretch]) -> Vec<Sample> {
    let each = |count: u64, stretch: &Stretch| {
        let operations = stretch.operations.latencies_us.len();
        (operations > 0).then(|| count as f64 / operations as f64)
    };
    let ours = stretches
        .iter()
        .filter_map(|s| each(s.attempts.statements, s));
    let connects = stretches.iter().map(|s| s.attempts.connects as f64);
    let of_server = |measure: &Measure, count: fn(&ServerCounts) -> u64| {
        let known = stretches
            .iter()
            .filter_map(|s| Some((s, s.server.as_ref()?)));
        let values = known.filter_map(|(s, server)| each(count(server), s));
        Sample::exact(measure, arm, values)
    };
    let sessions = stretches.iter().filter_map(|s| s.server);
    vec![
        Sample::exact(&STATEMENTS, arm, ours),
        Sample::exact(&CONNECTS, arm, connects),
        of_server(&COMMITS, |server| server.commits),
        of_server(&ROLLBACKS, |server| server.rollbacks),
        of_server(&BLOCKS, |server| server.blocks_hit + server.blocks_read),
        Sample::exact(
            &SESSIONS,
            arm,
            sessions.map(|server| server.sessions as f64),
        ),
    ]
}
