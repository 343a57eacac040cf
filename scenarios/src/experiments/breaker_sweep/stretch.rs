//! All cells under load at once, through one outage after another, and then the best of
//! them through fresh ones.
//!
//! The load goes on between the outages: the next one comes as soon as every cell is
//! back, so that half a minute holds half a dozen of them. False alarms come first,
//! while nothing is wrong with the server.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use futures_util::future::join_all;
use reports::{
    experiments::breaker_sweep::{Alarm, AlarmSpan, CellRun, Columns, Data, Outage, Stretch, find},
    run::{Attempts, Operations, What},
};
use seawall::clock::{self, Instant};

use super::alarms;
use crate::stage::{Interrupted, Loaded, LoadedArm, Moments, Stage, Step, Stop};

/// How long the outages of the grid may take, of all the time that there is, in hundredths:
/// the rest is for the fresh ones.
const SEARCHING: u32 = 58;

/// How a grid is carried out beside what is in it.
pub(crate) struct Course<'a> {
    /// No outage is begun that may not be over by this moment.
    pub(crate) until: Option<Instant>,
    /// Writes the record after each stretch.
    pub(crate) save: &'a (dyn Fn(&Stage<'_>, &Data) + Sync),
}

/// Carries the whole of it out. What was measured is in `data`, also where this is an
/// error.
pub(crate) async fn carry_out(
    stage: &mut Stage<'_>,
    data: &mut Data,
    course: &Course<'_>,
) -> Result<(), Stop> {
    let all: Vec<String> = data.cells.iter().map(|cell| cell.arm.clone()).collect();
    let now = clock::now();
    let searching = Course {
        until: course
            .until
            .map(|until| now + until.saturating_duration_since(now) * SEARCHING / 100),
        save: course.save,
    };
    stretch(stage, data, false, all, 0..data.outages, &searching).await?;
    let Some(chosen) = find(data).recommended else {
        return Ok(());
    };
    let arm = chosen.arm;
    let what = What::Recommended { arm: arm.clone() };
    stage.events.all(None, clock::now(), what);
    let mut two = vec![arm];
    let of_guide = data.cells.iter().find(|cell| cell.week == Some(2));
    two.extend(of_guide.map(|cell| cell.arm.clone()));
    two.dedup();
    let fresh = data.outages + 1..stage.run.schedule.len();
    for planned in fresh.clone() {
        stage.run.schedule[planned].arms.clone_from(&two);
    }
    stretch(stage, data, true, two, fresh, course).await
}

async fn stretch(
    stage: &mut Stage<'_>,
    data: &mut Data,
    fresh: bool,
    arms: Vec<String>,
    planned: Range<usize>,
    course: &Course<'_>,
) -> Result<(), Stop> {
    let first = planned.start;
    let possible = stage.possible(planned);
    let one = possible
        .first()
        .map(|one| BEFORE_OUTAGES + at_most(stage, data, *one));
    let late = course
        .until
        .zip(one)
        .is_some_and(|(until, one)| clock::now() + one > until);
    if first >= stage.run.schedule.len() || (fresh && late) {
        return Ok(());
    }
    let mut loaded = Loaded::start(stage, &data.load, Some(first), &arms).await?;
    let mut done = Stretch {
        fresh,
        started_us: loaded.started_us(),
        steady_us: 0,
        ended_us: 0,
        alarms: Vec::new(),
        outages: Vec::new(),
        runs: arms.iter().map(|arm| empty(arm)).collect(),
    };
    let carried_out = through(stage, data, possible, course.until, &mut loaded, &mut done).await;
    let ended = clock::now();
    done.ended_us = loaded.us(ended);
    for (finished, run) in loaded.finish(ended).await?.into_iter().zip(&mut done.runs) {
        run.ledger = stage.check(Some(first), &data.load, &finished).await.ledger;
        run.attempts = finished.attempts;
        run.operations = finished.operations;
        run.breaker = finished.breaker;
    }
    data.stretches.push(done);
    (course.save)(stage, data);
    carried_out
}

/// What comes before the first outage of a stretch: a load that is served, and false alarms.
const BEFORE_OUTAGES: Duration = Duration::from_secs(6);

/// How long an outage may take until all cells are back.
fn at_most(stage: &Stage<'_>, data: &Data, planned: usize) -> Duration {
    let faults = stage.run.schedule.get(planned).map(|entry| &entry.faults);
    let ends = faults.into_iter().flatten();
    let longest = ends.map(|step| step.phase_us + step.length_us).max();
    Duration::from_micros(longest.unwrap_or(0) + data.patience_us)
}

fn empty(arm: &str) -> CellRun {
    CellRun {
        arm: arm.to_owned(),
        operations: Operations::default(),
        breaker: Vec::new(),
        attempts: Attempts::default(),
        ledger: None,
        alarms: BTreeMap::new(),
    }
}

async fn through(
    stage: &Stage<'_>,
    data: &Data,
    planned: Vec<usize>,
    until: Option<Instant>,
    loaded: &mut Loaded<'_, '_>,
    done: &mut Stretch,
) -> Result<(), Stop> {
    let steady = loaded.until_steady().await?;
    done.steady_us = loaded.us(steady);
    for alarm in Alarm::ALL {
        raise(stage, data, alarm, loaded, done).await?;
    }
    let unit = if done.fresh { "fresh outage" } else { "outage" };
    let of = planned.len();
    for (number, planned) in planned.into_iter().enumerate() {
        let over = clock::now() + at_most(stage, data, planned);
        if until.is_some_and(|until| over > until) {
            break;
        }
        stage.step(Step {
            unit,
            done: number,
            of,
            subject: &stage.run.schedule[planned].name,
            left: None,
        });
        let Moments {
            requested,
            injected,
            cleared,
            ready,
            ..
        } = loaded.through(planned).await?;
        let waited = all_back(data, cleared, loaded).await;
        done.outages.push(Outage {
            planned,
            requested_us: loaded.us(requested),
            injected_us: loaded.us(injected),
            cleared_us: loaded.us(cleared),
            ready_us: loaded.us(ready),
            until_us: loaded.us(clock::now()),
        });
        waited?;
    }
    stage.steps_over(unit);
    Ok(())
}

/// Waits until every cell is back, or patience is over.
async fn all_back(
    data: &Data,
    since: Instant,
    loaded: &mut Loaded<'_, '_>,
) -> Result<(), Interrupted> {
    let load = &data.load;
    let deadline = Duration::from_micros(load.deadline_us);
    let patience = since + Duration::from_micros(data.patience_us);
    let (start, since_us) = (loaded.zero(), loaded.us(since));
    let first = loaded.first_at(since_us);
    let back = |_: usize, arm: &LoadedArm| {
        let so_far = arm.since(first, deadline);
        let columns = Columns {
            rate_per_s: load.rate_per_s,
            deadline_us: load.deadline_us,
            first,
            outcomes: &so_far.outcomes,
            latencies_us: &so_far.latencies_us,
        };
        let now_us = crate::stage::micros(clock::now(), start);
        columns.back_us(since_us, now_us, data.settled_us).is_some()
    };
    loaded.until_all(patience, back).await
}

/// Raises an alarm with all cells at once, and waits for what it leaves behind.
async fn raise(
    stage: &Stage<'_>,
    data: &Data,
    alarm: Alarm,
    loaded: &mut Loaded<'_, '_>,
    done: &mut Stretch,
) -> Result<(), Stop> {
    let began = clock::now();
    let what = What::AlarmRaised {
        alarm: alarm.about().to_owned(),
    };
    stage.events.all(None, began, what);
    let deadline = Duration::from_micros(data.load.deadline_us);
    if alarm == Alarm::Stall {
        // It stands in the schedule behind the outages.
        loaded.through(data.outages).await?;
    } else {
        let raising = loaded.arms().iter().map(|arm| async move {
            let row = arm.client().number();
            match arm.client().engine() {
                Some(pool) => alarms::raise(pool, &stage.workload, alarm, row, deadline).await,
                None => 0,
            }
        });
        let met = tokio::select! {
            biased;
            () = stage.interrupt.raised() => return Err(Interrupted.into()),
            met = join_all(raising) => met,
        };
        for (run, met) in done.runs.iter_mut().zip(met) {
            run.alarms.insert(alarm, met);
        }
    }
    all_back(data, clock::now(), loaded).await?;
    done.alarms.push(AlarmSpan {
        kind: alarm,
        began_us: loaded.us(began),
        ended_us: loaded.us(clock::now()),
    });
    Ok(())
}
