//! How large a batch is to be: a few rounds of all sizes, and then more of the better half, on
//! a fresh seed.

use std::time::Duration;

use reports::experiments::{
    batch_sweep,
    tune::{Batch, Data, better_half},
};
use seawall::clock::{self, Instant};

use super::{FRESH, size_of_grids};
use crate::{
    experiments::batch_sweep::{Course, carry_out, plan::Plan, plan_of},
    stage::{Stage, Stop},
};

/// Rounds of all sizes: enough to tell the better half.
const COARSE_ROUNDS: u32 = 3;
/// The fewest rounds that bound a median.
const REFINED_ROUNDS: u32 = 6;

/// No size is left out for its length: of those that are taken, each was short enough before,
/// under every condition.
const KNOWN: Duration = Duration::from_secs(60);

/// All sizes under all conditions, for a few rounds.
pub(super) async fn coarse(stage: &Stage<'_>, data: &mut Data, until: Instant) -> Result<(), Stop> {
    let plan = Plan {
        rounds: COARSE_ROUNDS,
        ..plan(data, until)
    };
    let (before, seed) = (data.clone(), stage.run.seed);
    let save = |stage: &Stage<'_>, coarse: &batch_sweep::Data| {
        stage.save(&Data {
            batch: Batch {
                coarse: coarse.clone(),
                ..before.batch.clone()
            },
            ..before.clone()
        });
    };
    let course = Course {
        seed,
        until: Some(until),
        save: &save,
    };
    let done = carry_out(stage, &plan, &mut data.batch.coarse, &course).await;
    on_loopback(stage, done).await
}

/// The better half of them, on a fresh seed.
pub(super) async fn refined(
    stage: &Stage<'_>,
    data: &mut Data,
    until: Instant,
) -> Result<(), Stop> {
    let better = better_half(&stage.run, &data.batch.coarse);
    if better.is_empty() {
        return Ok(());
    }
    let plan = Plan {
        rounds: REFINED_ROUNDS,
        longest_batch: KNOWN,
        ..plan(data, until)
    };
    let plan = plan.only(&better);
    let mut measured = batch_sweep::Data {
        classes: plan.classes.clone(),
        conditions: Vec::new(),
    };
    let before = data.clone();
    let save = |stage: &Stage<'_>, refined: &batch_sweep::Data| {
        stage.save(&Data {
            batch: Batch {
                refined: Some(refined.clone()),
                ..before.batch.clone()
            },
            ..before.clone()
        });
    };
    let course = Course {
        seed: stage.run.seed ^ FRESH,
        until: Some(until),
        save: &save,
    };
    let done = carry_out(stage, &plan, &mut measured, &course).await;
    data.batch.refined = Some(measured);
    on_loopback(stage, done).await
}

fn plan(data: &Data, until: Instant) -> Plan {
    let size = size_of_grids(Duration::from_micros(data.budget_us));
    Plan {
        budget: until.saturating_duration_since(clock::now()),
        ..plan_of(data.batch.coarse.classes.clone(), size)
    }
}

/// Takes back what was added to the round trip. The first error is the one to tell.
async fn on_loopback(stage: &Stage<'_>, done: Result<(), Stop>) -> Result<(), Stop> {
    let shortened = stage.toxics.lengthen(Duration::ZERO).await;
    done?;
    shortened.map_err(Stop::from)
}
