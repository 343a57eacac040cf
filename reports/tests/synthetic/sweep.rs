//! A sweep that looks like one: each cell is out for the outage, and then for what
//! its way of finding out takes.

use std::collections::BTreeMap;

use reports::{
    Record,
    experiments::breaker_sweep::{
        Alarm, AlarmSpan, Cell, CellRun, Data, Outage, ProbeMode, Stretch,
    },
    run::{Arm, Attempts, BreakerState, Ledger, Operations, Outcome, Transition},
};

use super::{Fault, entry, load, record};

const SCALE: u32 = 60;
const RATE_PER_S: u32 = 40;
const SETTLED_US: u64 = 500_000;

fn cell(failure_threshold: u32, timeout_s: u64, probe: ProbeMode) -> Cell {
    Cell {
        arm: format!("{failure_threshold}/{timeout_s}s-{}", probe.name()),
        failure_threshold,
        recovery_timeout_us: timeout_s * 1_000_000,
        error_rate: 0.5,
        probe,
        week: match (failure_threshold, timeout_s) {
            (3, 120) => Some(1),
            (5, 60) => Some(2),
            (8, 45) => Some(3),
            _ => None,
        },
    }
}

/// `outages` outages for the guide's weeks, passive and active, and half as many
/// fresh ones. `wait_us` says how long a cell is out after the server is back.
pub(crate) fn sweep(outages: usize, wait_us: impl Fn(&Cell, usize) -> u64) -> Record {
    let cells: Vec<Cell> = [ProbeMode::Passive, ProbeMode::Active]
        .into_iter()
        .flat_map(|probe| [(3, 120), (5, 60), (8, 45)].map(|(n, s)| cell(n, s, probe)))
        .collect();
    let fresh = outages.div_ceil(2);
    let mut record = record(7, 0, &[]);
    record.run.command = "breaker-sweep".to_owned();
    record.run.arms = cells
        .iter()
        .map(|cell| Arm {
            name: cell.arm.clone(),
            about: "made up".to_owned(),
            config: BTreeMap::new(),
        })
        .collect();
    for _ in 0..=outages + fresh {
        record.run.schedule.push(entry(Fault::Refused));
    }
    let chosen = [cells[1].clone(), cells[3].clone()];
    let mut load = load();
    load.rate_per_s = RATE_PER_S;
    record.data = Data {
        load,
        patience_us: 5_000_000,
        scale: SCALE,
        settled_us: SETTLED_US,
        stretches: vec![
            stretch(false, &cells, 0..outages, &wait_us),
            stretch(true, &chosen, outages + 1..outages + 1 + fresh, &wait_us),
        ],
        cells,
        outages,
    }
    .into();
    record
}

/// What was recorded of its cells.
pub(crate) fn swept(record: &mut Record) -> &mut Data {
    match &mut record.data {
        reports::Data::BreakerSweep(data) => data,
        other => panic!("{}", other.command()),
    }
}

fn stretch(
    fresh: bool,
    cells: &[Cell],
    planned: std::ops::Range<usize>,
    wait_us: &impl Fn(&Cell, usize) -> u64,
) -> Stretch {
    let alarms: Vec<AlarmSpan> = (1..)
        .zip(Alarm::ALL)
        .map(|(i, kind)| AlarmSpan {
            kind,
            began_us: i * 1_000_000,
            ended_us: i * 1_000_000 + 900_000,
        })
        .collect();
    let mut at = 6_000_000;
    let mut outages = Vec::new();
    for planned in planned {
        let cleared_us = at + 1_000_000;
        let longest = cells.iter().map(|cell| wait_us(cell, planned)).max();
        let until_us = cleared_us + longest.unwrap_or(0).min(2_500_000) + SETTLED_US + 60_000;
        outages.push(Outage {
            planned,
            requested_us: at,
            injected_us: at,
            cleared_us,
            ready_us: cleared_us,
            until_us,
        });
        at = until_us + 300_000;
    }
    let runs = cells
        .iter()
        .map(|cell| run(cell, at, &alarms, &outages, wait_us))
        .collect();
    Stretch {
        fresh,
        started_us: 0,
        steady_us: 0,
        ended_us: at,
        alarms,
        outages,
        runs,
    }
}

fn run(
    cell: &Cell,
    ended_us: u64,
    alarms: &[AlarmSpan],
    outages: &[Outage],
    wait_us: &impl Fn(&Cell, usize) -> u64,
) -> CellRun {
    let mut operations = Operations::default();
    let mut failures = 0;
    for i in 0..ended_us * u64::from(RATE_PER_S) / 1_000_000 {
        let at = i * 1_000_000 / u64::from(RATE_PER_S);
        let out = outages.iter().any(|outage| {
            let back = outage.cleared_us + wait_us(cell, outage.planned);
            (outage.injected_us..back).contains(&at)
        });
        let stalled = alarms
            .iter()
            .any(|span| span.kind == Alarm::Stall && (span.began_us..span.ended_us).contains(&at));
        failures = if out { failures + 1 } else { 0 };
        let (outcome, latency_us) = match (out, stalled) {
            (true, _) if failures <= cell.failure_threshold => (Outcome::Failed, 400),
            (true, _) => (Outcome::Rejected, 20),
            (false, true) => (Outcome::Ok, 210_000),
            (false, false) => (Outcome::Ok, 900),
        };
        operations.kinds.push('r');
        operations.outcomes.push(outcome.letter());
        operations.latencies_us.push(latency_us);
        operations.lags_us.push(0);
    }
    let change = |at_us, state| Transition {
        at_us,
        state,
        reason: "made up".to_owned(),
    };
    let spacing_us = 1_000_000 / u64::from(RATE_PER_S);
    let mut breaker = vec![change(0, BreakerState::Closed)];
    for outage in outages {
        let opened = outage.injected_us + u64::from(cell.failure_threshold) * spacing_us;
        breaker.push(change(opened, BreakerState::Open));
        let closed = outage.cleared_us + wait_us(cell, outage.planned);
        breaker.push(change(closed, BreakerState::Closed));
    }
    let told = [Alarm::Constraint, Alarm::Conflict, Alarm::Saturation];
    CellRun {
        arm: cell.arm.clone(),
        operations,
        breaker,
        attempts: Attempts::default(),
        ledger: Some(Ledger {
            sent: 40,
            acked: 40,
            committed: 40,
            ..Ledger::default()
        }),
        alarms: told.map(|kind| (kind, 20)).into(),
    }
}
