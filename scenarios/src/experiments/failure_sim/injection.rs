//! One entry of the plan: load, steady state, fault, recovery, ledger.

use std::time::Duration;

use reports::{
    experiments::failure_sim::Data,
    measure::{RecoveryWatch, SteadyState, steady},
    run::{Injection, What},
};
use seawall::clock::{self, Instant};

use crate::stage::{Loaded, LoadedArm, Moments, STEADY_SPAN, Stage, Stop};

/// Carries an entry of the schedule out, with the arms that it names.
///
/// # Errors
/// If the load is not served before the fault, or the fault could not be done, undone
/// or seen. An interrupted wait for recovery is a shorter one: what was measured counts.
pub(super) async fn carry_out(
    stage: &Stage<'_>,
    data: &Data,
    planned: usize,
) -> Result<Vec<Injection>, Stop> {
    let arms = &stage.run.schedule[planned].arms;
    let mut loaded = Loaded::start(stage, &data.load, Some(planned), arms).await?;
    let steady = loaded.until_steady().await?;
    let moments = loaded.through(planned).await?;
    let waited = until_recovered(&mut loaded, data, steady, &moments).await;
    let injections = finish(stage, data, planned, loaded, steady, &moments).await?;
    match waited {
        Ok(()) | Err(Stop::Interrupted(_)) => Ok(injections),
        Err(stop) => Err(stop),
    }
}

/// Waits until every arm has recovered and the horizon is over, or patience is.
async fn until_recovered(
    loaded: &mut Loaded<'_, '_>,
    data: &Data,
    steady: Instant,
    moments: &Moments,
) -> Result<(), Stop> {
    let deadline = Duration::from_micros(data.load.deadline_us);
    let horizon = moments.cleared + Duration::from_micros(data.horizon_us);
    // What the server needs to come back is no fault of an arm's.
    let patience = moments.ready + Duration::from_micros(data.patience_us);
    let mut watches: Vec<RecoveryWatch> = loaded
        .arms()
        .iter()
        .map(|arm| loaded.watch(arm, steady, moments))
        .collect();
    loaded.until(horizon.min(patience)).await?;
    let recovered = |i: usize, arm: &LoadedArm| {
        let watch = &mut watches[i];
        watch.recovered(&arm.since(watch.next(), deadline))
    };
    loaded.until_all(patience, recovered).await?;
    Ok(())
}

/// Ends the load, and says what the fault did to each arm.
async fn finish(
    stage: &Stage<'_>,
    data: &Data,
    planned: usize,
    loaded: Loaded<'_, '_>,
    steady_since: Instant,
    moments: &Moments,
) -> Result<Vec<Injection>, Stop> {
    let ended = clock::now();
    let blank = loaded.injection(planned, steady_since, moments, ended);
    let span_us = u64::try_from(STEADY_SPAN.as_micros()).unwrap_or(u64::MAX);
    let mut injections = Vec::new();
    for finished in loaded.finish(ended).await? {
        let until_us = blank.ended_us;
        let span = until_us.saturating_sub(span_us)..until_us;
        let after = steady(&data.load, 0, &finished.operations, span);
        let (what, not_steady_after) = match after {
            Ok(SteadyState { ok_share, p99_us }) => (What::SteadyState { ok_share, p99_us }, None),
            Err(not) => {
                let reason = not.to_string();
                (
                    What::NotSteady {
                        reason: reason.clone(),
                    },
                    Some(reason),
                )
            }
        };
        stage.events.arm(Some(planned), &finished.name, ended, what);
        let down = finished.attempts_between(moments.injected, moments.cleared);
        let found = stage.check(Some(planned), &data.load, &finished).await;
        injections.push(Injection {
            arm: finished.name,
            not_steady_after,
            operations: finished.operations,
            breaker: finished.breaker,
            attempts: finished.attempts,
            attempts_down: Some(down),
            sessions: finished.sessions,
            beside: found.beside,
            ledger: found.ledger,
            ..blank.clone()
        });
    }
    Ok(injections)
}
