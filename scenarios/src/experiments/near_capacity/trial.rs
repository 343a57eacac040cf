//! One condition: load close to the capacity, a fault, and whether goodput comes back.

use std::time::Duration;

use reports::{
    experiments::near_capacity::{Data, SoFar, Trial},
    measure::{Back, PERSISTENCE, RecoveryWatch, WINDOW_US},
    run::{Callers, Injection, Load, Mix},
};
use seawall::clock::{self, Instant};

use crate::stage::{Finished, Loaded, LoadedArm, Moments, Stage, Stop};

/// From one moment to the next at which it is recorded what was done so far.
const RECORDED: Duration = Duration::from_millis(100);
/// The last operations that are counted are scheduled when their time is over.
const LATE: Duration = Duration::from_millis(100);
/// Places for operations beyond those that callers can have under way.
const SPARE: f64 = 64.0;

/// What each arm is given to do in a condition. `None` until the capacity is known.
pub(super) fn load(data: &Data, condition: usize) -> Option<Load> {
    let (condition, capacity) = (data.conditions.get(condition)?, data.capacity.as_ref()?);
    let rate_per_s = whole(capacity.per_s()? * condition.utilisation).max(1);
    // As long as callers can keep an operation alive: a bound below that would be a limit to
    // retries of the load generator's own.
    let tries = f64::from(condition.retries + 1);
    let alive = f64::from(rate_per_s) * tries * data.patience_us as f64 / 1e6;
    Some(Load {
        rate_per_s,
        clients: None,
        deadline_us: data.deadline_us,
        max_in_flight: whole(alive * 1.25 + SPARE).min(20_000),
        write_share: 0.0,
        mix: Mix {
            holds: 1.0,
            ..Mix::default()
        },
        callers: Callers {
            retries: condition.retries,
            patience_us: Some(data.patience_us),
        },
        steady_ok_share: 0.97,
        // What is good is in time; more cannot be asked so close to the capacity.
        steady_p99_us: data.deadline_us,
    })
}

/// To the next whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole(value: f64) -> u32 {
    value.round().clamp(0.0, f64::from(u32::MAX)) as u32
}

/// Carries an entry of the schedule out, with the arms that it names.
///
/// # Errors
/// If the load is not served before the fault, or the fault could not be done, undone
/// or seen. An interrupted wait for recovery is a shorter one: what was measured counts.
pub(super) async fn carry_out(
    stage: &Stage<'_>,
    data: &Data,
    planned: usize,
    condition: usize,
) -> Result<Vec<Trial>, Stop> {
    let Some(load) = load(data, condition) else {
        let reason = "the capacity was not measured".to_owned();
        return Err(Stop::NoSteadyState(reason));
    };
    let arms = &stage.run.schedule[planned].arms;
    let mut loaded = Loaded::start(stage, &load, Some(planned), arms).await?;
    let steady = loaded.until_steady().await?;
    let moments = loaded.through(planned).await?;
    let waited = until_back(&mut loaded, data, &load, steady, &moments).await;
    let trials = finish(&load, planned, condition, loaded, steady, &moments).await?;
    match waited {
        Ok(()) | Err(Stop::Interrupted(_)) => Ok(trials),
        Err(stop) => Err(stop),
    }
}

/// Waits until every arm is back, or the horizon is over.
async fn until_back(
    loaded: &mut Loaded<'_, '_>,
    data: &Data,
    load: &Load,
    steady: Instant,
    moments: &Moments,
) -> Result<(), Stop> {
    let deadline = Duration::from_micros(load.deadline_us);
    let lasting = Duration::from_micros(PERSISTENCE * WINDOW_US);
    // The last windows are known a deadline later.
    let until = |horizon_us| moments.ready + Duration::from_micros(horizon_us) + lasting + deadline;
    let (at_most, others_at_most) = (until(data.horizon_us), until(data.others_us));
    let counted = Duration::from_micros(data.counted_us) + LATE;
    let watch = |arm: &LoadedArm| loaded.watch(arm, steady, moments).of(Back::Goodput);
    let mut watches: Vec<RecoveryWatch> = loaded.arms().iter().map(watch).collect();
    loaded
        .until((moments.cleared + counted).min(at_most))
        .await?;
    let back = |i: usize, arm: &LoadedArm| {
        let watch = &mut watches[i];
        let given_up = arm.client().engine().is_none() && clock::now() >= others_at_most;
        watch.recovered(&arm.since(watch.next(), deadline)) || given_up
    };
    loaded.until_all(at_most, back).await?;
    Ok(())
}

/// Ends the load, and says what the fault did to each arm.
async fn finish(
    load: &Load,
    planned: usize,
    condition: usize,
    loaded: Loaded<'_, '_>,
    steady: Instant,
    moments: &Moments,
) -> Result<Vec<Trial>, Stop> {
    let ended = clock::now();
    let zero = loaded.zero();
    let blank = loaded.injection(planned, steady, moments, ended);
    let mut trials = Vec::new();
    for finished in loaded.finish(ended).await? {
        let so_far = so_far(&finished, zero, ended);
        let down = finished.attempts_between(moments.injected, moments.cleared);
        trials.push(Trial {
            condition,
            load: load.clone(),
            injection: Injection {
                arm: finished.name,
                operations: finished.operations,
                breaker: finished.breaker,
                attempts: finished.attempts,
                attempts_down: Some(down),
                // Nothing is written. What was read is checked as it comes.
                ledger: Some(finished.pool.proofs().counted()),
                ..blank.clone()
            },
            so_far,
        });
    }
    Ok(trials)
}

/// What was done by moments that are [`RECORDED`] apart, until the load ended.
fn so_far(finished: &Finished, zero: Instant, ended: Instant) -> Vec<SoFar> {
    let mut recorded = Vec::new();
    let mut next = zero;
    let all = finished.so_far();
    for (i, seen) in all.iter().enumerate().filter(|(_, seen)| seen.at >= zero) {
        let last = all.get(i + 1).is_none_or(|after| after.at > ended);
        if seen.at < next && !last {
            continue;
        }
        next = seen.at + RECORDED;
        recorded.push(SoFar {
            at_us: u64::try_from((seen.at - zero).as_micros()).unwrap_or(u64::MAX),
            tries: seen.tries,
            statements: seen.attempts.statements,
            connects: seen.attempts.connects,
        });
        if last {
            break;
        }
    }
    recorded
}

#[cfg(test)]
mod tests {
    use reports::experiments::near_capacity::{Capacity, Condition};

    use super::*;

    #[test]
    fn the_load_is_a_share_of_what_was_measured_and_no_bound_holds_callers_back() {
        let mut data = Data {
            conditions: vec![Condition::new(0.95, 5)],
            deadline_us: 250_000,
            patience_us: 500_000,
            hold_us: 50_000,
            calibration_us: 1_500_000,
            horizon_us: 7_000_000,
            others_us: 7_000_000,
            counted_us: 3_000_000,
            capacity: None,
            trials: Vec::new(),
            unserved: Vec::new(),
        };
        assert_eq!(load(&data, 0), None);
        data.capacity = Some(Capacity {
            pools: 1,
            connections: 10,
            operations: 1_000,
            took_us: 50_000_000,
            open_share: 1.0,
        });
        let load = load(&data, 0).expect("it is known");
        assert_eq!((load.rate_per_s, load.callers.retries), (190, 5));
        // Six tries of half a second: 570 operations.
        assert!(load.max_in_flight > 700, "{}", load.max_in_flight);
    }
}
