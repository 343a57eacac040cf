//! Which breaker settings: outages for a grid of them, and fresh ones for the best.

use reports::experiments::{breaker_sweep, tune::Data};
use seawall::clock::Instant;

use crate::{
    experiments::breaker_sweep::{Course, carry_out as through_outages},
    stage::{Stage, Stop},
};

/// As many outages as there is time for. `fitted`: the rate is fitted to what scripts cost.
pub(super) async fn carry_out(
    stage: &mut Stage<'_>,
    data: &mut Data,
    until: Instant,
    fitted: bool,
) -> Result<(), Stop> {
    if fitted {
        let cells = data.breaker.cells.iter();
        let all: Vec<String> = cells.map(|cell| cell.arm.clone()).collect();
        stage.fit(&mut data.breaker.load, &all).await?;
    }
    let before = data.clone();
    let save = |stage: &Stage<'_>, breaker: &breaker_sweep::Data| {
        stage.save(&Data {
            breaker: Box::new(breaker.clone()),
            ..before.clone()
        });
    };
    let course = Course {
        until: Some(until),
        save: &save,
    };
    through_outages(stage, &mut data.breaker, &course).await
}
