//! A sweep of breaker settings: all cells under load at once, through one outage
//! after another, and then the best of them through fresh ones.
//!
//! The load goes on between the outages: the next one comes as soon as every cell
//! is back, so that half a minute holds half a dozen of them. False alarms come
//! first, while nothing is wrong with the server.

use std::{ops::Range, time::Duration};

use futures_util::future::join_all;
use reports::{
    record::{Alarm, AlarmSpan, Ended, Outage, Planned, Run, Skipped, Stretch, Sweep, What},
    sweep::{Columns, find},
};
use seawall::clock::{self, Instant};

use super::{
    Interrupted, Stage, Stop,
    events::micros,
    injection::{Arm, Moments, look, start_load, through_fault, until_steady, watch_until},
};
use crate::load::alarms;

const FIRST_OPERATION: Duration = Duration::from_millis(20);
/// How often it is asked whether all cells are back.
const TICK: Duration = Duration::from_millis(50);

/// Carries the whole of it out. What was measured is in the record, also where
/// this is an error.
pub(super) async fn carry_out(stage: &mut Stage<'_>, sweep: &Sweep) -> Result<(), Stop> {
    stage.save()?;
    let all: Vec<String> = sweep.cells.iter().map(|cell| cell.arm.clone()).collect();
    stretch(stage, sweep, false, all, 0..sweep.outages).await?;
    let chosen = stage
        .record
        .sweep
        .as_ref()
        .and_then(|so_far| find(&stage.record, so_far).recommended);
    if let Some(chosen) = chosen {
        let arm = chosen.arm;
        let what = What::Recommended { arm: arm.clone() };
        stage.events.all(None, clock::now(), what);
        let mut two = vec![arm];
        let of_guide = sweep.cells.iter().find(|cell| cell.week == Some(2));
        two.extend(of_guide.map(|cell| cell.arm.clone()));
        two.dedup();
        let fresh = sweep.outages + 1..stage.record.schedule.len();
        for planned in fresh.clone() {
            stage.record.schedule[planned].arms.clone_from(&two);
        }
        stretch(stage, sweep, true, two, fresh).await?;
    }
    stage.record.ended = Ended::Complete;
    Ok(())
}

async fn stretch(
    stage: &mut Stage<'_>,
    sweep: &Sweep,
    fresh: bool,
    arms: Vec<String>,
    planned: Range<usize>,
) -> Result<(), Stop> {
    let (first, start) = (planned.start, clock::now() + FIRST_OPERATION);
    let Some(plan) = stage.record.schedule.get(first) else {
        return Ok(());
    };
    let plan = Planned {
        arms,
        ..plan.clone()
    };
    let mut arms = start_load(stage, first, &plan, start)?;
    stage.events.all(Some(first), start, What::LoadStarted);
    let mut done = Stretch {
        fresh,
        started_us: stage.events.us(start),
        steady_us: 0,
        ended_us: 0,
        alarms: Vec::new(),
        outages: Vec::new(),
        runs: arms.iter().map(|arm| empty(&arm.name)).collect(),
    };
    let carried_out = through(stage, sweep, planned, start, &mut arms, &mut done).await;
    let ended = clock::now();
    arms.iter().for_each(|arm| arm.load.stop());
    stage.events.all(Some(first), ended, What::LoadEnded);
    done.ended_us = micros(ended, start);
    let drain = Duration::from_micros(stage.scenario.settings.deadline_us);
    for (mut arm, run) in arms.into_iter().zip(&mut done.runs) {
        look(stage, first, start, std::slice::from_mut(&mut arm));
        run.attempts = arm.load.client().attempts();
        run.operations = arm.load.finish(drain).await?;
        run.breaker = arm.breaker;
    }
    if let Some(so_far) = &mut stage.record.sweep {
        so_far.stretches.push(done);
    }
    stage.save()?;
    carried_out
}

fn empty(arm: &str) -> Run {
    Run {
        arm: arm.to_owned(),
        operations: reports::record::Operations::default(),
        breaker: Vec::new(),
        attempts: reports::record::Attempts::default(),
        alarms: std::collections::BTreeMap::new(),
    }
}

async fn through(
    stage: &mut Stage<'_>,
    sweep: &Sweep,
    planned: Range<usize>,
    start: Instant,
    arms: &mut [Arm],
    done: &mut Stretch,
) -> Result<(), Stop> {
    let first = planned.start;
    let steady = until_steady(stage, first, start, arms).await?;
    done.steady_us = micros(steady, start);
    for kind in Alarm::ALL {
        raise(stage, sweep, kind, start, arms, done).await?;
    }
    for planned in planned {
        let plan = &stage.record.schedule[planned];
        if let Some(reason) = stage.cannot(plan) {
            let fault = plan.name.clone();
            let skipped = &mut stage.record.skipped;
            if !skipped.iter().any(|skipped| skipped.fault == fault) {
                skipped.push(Skipped { fault, reason });
            }
            continue;
        }
        let moments = through_fault(stage, planned, steady, start, arms).await?;
        let Moments {
            requested,
            injected,
            cleared,
            ready,
            ..
        } = moments;
        let waited = all_back(stage, sweep, planned, start, cleared, arms).await;
        let us = |at: Instant| micros(at, start);
        done.outages.push(Outage {
            planned,
            requested_us: us(requested),
            injected_us: us(injected),
            cleared_us: us(cleared),
            ready_us: us(ready),
            until_us: us(clock::now()),
        });
        waited?;
    }
    Ok(())
}

/// Waits until every cell is back, or patience is over.
async fn all_back(
    stage: &Stage<'_>,
    sweep: &Sweep,
    planned: usize,
    start: Instant,
    since: Instant,
    arms: &mut [Arm],
) -> Result<(), Interrupted> {
    let settings = &stage.scenario.settings;
    let deadline = Duration::from_micros(settings.deadline_us);
    let patience = since + Duration::from_micros(settings.patience_us);
    let since_us = micros(since, start);
    let first = since_us.saturating_mul(u64::from(settings.rate_per_s)) / 1_000_000;
    loop {
        let now = clock::now();
        let all = arms.iter().all(|arm| {
            let so_far = arm.load.since(first, deadline);
            let columns = Columns {
                rate_per_s: settings.rate_per_s,
                deadline_us: settings.deadline_us,
                first,
                outcomes: &so_far.outcomes,
                latencies_us: &so_far.latencies_us,
            };
            let back = columns.back_us(since_us, micros(now, start), sweep.settled_us);
            back.is_some()
        });
        if all || now >= patience {
            return Ok(());
        }
        watch_until(stage, planned, start, arms, now + TICK).await?;
    }
}

/// Raises an alarm with all cells at once, and waits for what it leaves behind.
async fn raise(
    stage: &Stage<'_>,
    sweep: &Sweep,
    kind: Alarm,
    start: Instant,
    arms: &mut [Arm],
    done: &mut Stretch,
) -> Result<(), Stop> {
    let began = clock::now();
    let what = What::AlarmRaised { alarm: kind };
    stage.events.all(None, began, what);
    let deadline = Duration::from_micros(stage.scenario.settings.deadline_us);
    if kind == Alarm::Stall {
        through_fault(stage, sweep.outages, began, start, arms).await?;
    } else {
        let raising = arms.iter().zip(0_i32..).map(|(arm, i)| async move {
            match arm.load.client().engine() {
                Some(pool) => alarms::raise(pool, &stage.workload, kind, 2 * i, deadline).await,
                None => 0,
            }
        });
        let met = tokio::select! {
            biased;
            () = stage.interrupt.raised() => return Err(Interrupted.into()),
            met = join_all(raising) => met,
        };
        for (run, met) in done.runs.iter_mut().zip(met) {
            run.alarms.insert(kind, met);
        }
    }
    all_back(stage, sweep, sweep.outages, start, clock::now(), arms).await?;
    done.alarms.push(AlarmSpan {
        kind,
        began_us: micros(began, start),
        ended_us: micros(clock::now(), start),
    });
    Ok(())
}
