//! One entry of the plan: load, steady state, fault, recovery, ledger.
//!
//! The fault's clock starts when a direct probe sees it in effect and stops when
//! one sees it gone; probing goes on while the fault is being done and undone, so
//! that neither moment is hidden behind an API's answer.

use std::{collections::HashMap, sync::Arc, time::Duration};

use engine::{
    breaker::{State, Transition as EngineTransition},
    clock::{self, Instant},
};
use reports::{
    measure::{recovered, steady},
    record::{self, BreakerState, Injection, Planned, What},
};

use super::{
    Interrupted, Stage, Stop,
    events::micros,
    fault::{inject, roll_back, undo},
};
use crate::{
    environment::chain,
    faults::probe::Probed,
    load::{
        client::{Client, Setup},
        ledger,
        worker::{Load, told},
    },
};

/// How often states and recovery are looked at.
const TICK: Duration = Duration::from_millis(25);
/// Four windows, and a little for the last answers to come in.
const STEADY_SPAN: Duration = Duration::from_millis(1_030);
const FIRST_OPERATION: Duration = Duration::from_millis(20);

/// An arm under load, and what its breaker did so far.
struct Arm {
    name: String,
    load: Load,
    breaker: Vec<record::Transition>,
    seen_epoch: u64,
}

/// The moments of an injection, on the load's clock.
#[derive(Debug, Clone, Copy)]
struct Moments {
    steady: Instant,
    requested: Instant,
    injected: Instant,
    cleared: Instant,
    ready: Instant,
}

pub(super) async fn carry_out(
    stage: &mut Stage<'_>,
    planned: usize,
) -> Result<Vec<Injection>, Stop> {
    let plan = stage.record.schedule[planned].clone();
    let start = clock::now() + FIRST_OPERATION;
    let mut arms = start_load(stage, planned, &plan, start)?;
    stage.events.all(Some(planned), start, What::LoadStarted);
    let moments = through_fault(stage, planned, &plan, start, &mut arms).await;
    if moments.is_err() {
        // However far it got. What this meets, the error that led here says better.
        let _best_effort = undo(stage, plan.fault).await;
    }
    let moments = moments?;
    let waited = until_recovered(stage, planned, start, &moments, &mut arms).await;
    let ended = clock::now();
    arms.iter().for_each(|arm| arm.load.stop());
    stage.events.all(Some(planned), ended, What::LoadEnded);
    let finished = finish(stage, planned, start, ended, &moments, arms).await?;
    match waited {
        // An interrupted wait is a shorter one: what was measured counts.
        Ok(()) | Err(Stop::Interrupted(_)) => Ok(finished),
        Err(stop) => Err(stop),
    }
}

fn start_load(
    stage: &Stage<'_>,
    planned: usize,
    plan: &Planned,
    start: Instant,
) -> Result<Vec<Arm>, Stop> {
    let endpoint = stage.environment.endpoint().through(stage.toxics.port());
    let setups: HashMap<&str, &Setup> = stage
        .scenario
        .arms
        .iter()
        .map(|(arm, setup)| (arm.name.as_str(), setup))
        .collect();
    let mut arms = Vec::new();
    for (i, name) in plan.arms.iter().enumerate() {
        let Some(setup) = setups.get(name.as_str()) else {
            continue;
        };
        let number = i32::try_from(planned * plan.arms.len() + i).unwrap_or(i32::MAX);
        let rng = fastrand::Rng::with_seed(
            stage.scenario.seed ^ (u64::from(number.unsigned_abs()) << 32),
        );
        let client =
            Client::new(setup, &endpoint, &stage.workload, number, rng).map_err(|source| {
                Stop::Config {
                    arm: name.clone(),
                    source,
                }
            })?;
        let breaker = match client.engine() {
            Some(_) => vec![record::Transition {
                at_us: 0,
                state: BreakerState::Closed,
                reason: "start".to_owned(),
            }],
            None => Vec::new(),
        };
        let in_flight = stage.scenario.settings.max_in_flight;
        let load = Load::start(Arc::new(client), stage.arrivals(), in_flight, start);
        arms.push(Arm {
            name: name.clone(),
            load,
            breaker,
            seen_epoch: 0,
        });
    }
    Ok(arms)
}

async fn through_fault(
    stage: &mut Stage<'_>,
    planned: usize,
    plan: &Planned,
    start: Instant,
    arms: &mut [Arm],
) -> Result<Moments, Stop> {
    let fault = plan.fault;
    let now = Some(planned);
    let steady = until_steady(stage, planned, start, arms).await?;
    let phase_over = clock::now() + Duration::from_micros(plan.phase_us);
    watch_until(stage, planned, start, arms, phase_over).await?;

    let requested = clock::now();
    stage
        .events
        .all(now, requested, What::FaultRequested { fault });
    let interrupt = stage.interrupt;
    let probed = tokio::select! {
        biased;
        () = interrupt.raised() => return Err(Interrupted.into()),
        probed = inject(stage, fault) => probed?,
    };
    let injected = probed.began.max(requested);
    stage
        .events
        .all(now, injected, What::FaultEffective { fault });
    note(stage, planned, &probed);
    let length_over = injected + Duration::from_micros(plan.length_us);
    watch_until(stage, planned, start, arms, length_over).await?;

    stage
        .events
        .all(now, clock::now(), What::FaultRollback { fault });
    let (gone, ready) = roll_back(stage, fault).await?;
    stage
        .events
        .all(now, gone.ended, What::FaultCleared { fault });
    note(stage, planned, &gone);
    stage.events.all(now, ready.ended, What::ServerReady);
    Ok(Moments {
        steady,
        requested,
        injected,
        cleared: gone.ended,
        ready: ready.ended,
    })
}

fn note(stage: &Stage<'_>, planned: usize, probed: &Probed) {
    let took_us = u64::try_from(probed.took().as_micros()).unwrap_or(u64::MAX);
    let met = probed.met.name().to_owned();
    stage
        .events
        .all(Some(planned), probed.ended, What::Probe { met, took_us });
}

/// Waits until every arm is served as it should be; returns since when.
async fn until_steady(
    stage: &Stage<'_>,
    planned: usize,
    start: Instant,
    arms: &mut [Arm],
) -> Result<Instant, Stop> {
    let give_up = start + stage.scenario.steady_patience;
    let settings = &stage.scenario.settings;
    let deadline = Duration::from_micros(settings.deadline_us);
    let mut next = start + STEADY_SPAN;
    loop {
        watch_until(stage, planned, start, arms, next).await?;
        let now = clock::now();
        let from = now - STEADY_SPAN;
        let span = micros(from, start)..micros(now, start);
        let mut all = Vec::new();
        for arm in arms.iter() {
            let served = steady(settings, &arm.load.so_far(deadline), span.clone());
            all.push((arm.name.as_str(), served));
        }
        if all.iter().all(|(_, served)| served.is_ok()) {
            for (arm, served) in all {
                if let Ok(served) = served {
                    let (ok_share, p99_us) = (served.ok_share, served.p99_us);
                    let what = What::SteadyState { ok_share, p99_us };
                    stage.events.arm(planned, arm, now, what);
                }
            }
            return Ok(from.max(start));
        }
        if now >= give_up {
            let not: Vec<String> = all
                .into_iter()
                .filter_map(|(arm, served)| Some(format!("{arm}: {}", served.err()?)))
                .collect();
            return Err(Stop::NoSteadyState(not.join("; ")));
        }
        next = now + Duration::from_millis(100);
    }
}

/// Waits until every arm has recovered and the horizon is over, or patience is.
async fn until_recovered(
    stage: &Stage<'_>,
    planned: usize,
    start: Instant,
    moments: &Moments,
    arms: &mut [Arm],
) -> Result<(), Stop> {
    let settings = &stage.scenario.settings;
    let deadline = Duration::from_micros(settings.deadline_us);
    let horizon = moments.cleared + Duration::from_micros(settings.horizon_us);
    let patience = moments.cleared + Duration::from_micros(settings.patience_us);
    watch_until(stage, planned, start, arms, horizon.min(patience)).await?;
    loop {
        let now = clock::now();
        let all = arms.iter().all(|arm| {
            let mut so_far = injection(stage, planned, arm, start, now, moments);
            so_far.operations = arm.load.so_far(deadline);
            recovered(settings, &so_far)
        });
        if all || now >= patience {
            return Ok(());
        }
        let next = (now + Duration::from_millis(100)).min(patience);
        watch_until(stage, planned, start, arms, next).await?;
    }
}

async fn finish(
    stage: &Stage<'_>,
    planned: usize,
    start: Instant,
    ended: Instant,
    moments: &Moments,
    arms: Vec<Arm>,
) -> Result<Vec<Injection>, Stop> {
    let drain = Duration::from_micros(stage.scenario.settings.deadline_us);
    let mut injections = Vec::new();
    for mut arm in arms {
        look(stage, planned, start, std::slice::from_mut(&mut arm));
        let mut injection = injection(stage, planned, &arm, start, ended, moments);
        let client = arm.load.client().clone();
        injection.operations = arm.load.finish(drain).await?;
        injection.attempts = client.attempts();
        let direct = stage.environment.endpoint();
        let what = match stage.workload.found(direct, client.number()).await {
            Ok(found) => {
                let ledger = ledger::check(&told(&injection.operations), &found);
                injection.ledger = Some(ledger);
                What::LedgerChecked { ledger }
            }
            // The record says so, and no claim about the writes can hold then.
            Err(error) => What::LedgerUnread {
                reason: chain(&error),
            },
        };
        stage.events.arm(planned, &arm.name, clock::now(), what);
        injections.push(injection);
    }
    Ok(injections)
}

fn injection(
    stage: &Stage<'_>,
    planned: usize,
    arm: &Arm,
    start: Instant,
    ended: Instant,
    moments: &Moments,
) -> Injection {
    let us = |at: Instant| micros(at, start);
    Injection {
        planned,
        fault: stage.record.schedule[planned].fault,
        arm: arm.name.clone(),
        started_us: stage.events.us(start),
        steady_us: us(moments.steady),
        requested_us: us(moments.requested),
        injected_us: us(moments.injected),
        cleared_us: us(moments.cleared),
        ready_us: us(moments.ready),
        ended_us: us(ended),
        operations: record::Operations::default(),
        breaker: arm.breaker.clone(),
        attempts: record::Attempts::default(),
        ledger: None,
    }
}

/// Waits, and passes on what the breakers do meanwhile.
async fn watch_until(
    stage: &Stage<'_>,
    planned: usize,
    start: Instant,
    arms: &mut [Arm],
    until: Instant,
) -> Result<(), Interrupted> {
    loop {
        let next = (clock::now() + TICK).min(until);
        stage.until(next).await?;
        look(stage, planned, start, arms);
        if next >= until {
            return Ok(());
        }
    }
}

fn look(stage: &Stage<'_>, planned: usize, start: Instant, arms: &mut [Arm]) {
    for arm in arms {
        let Some(pool) = arm.load.client().engine() else {
            continue;
        };
        for transition in pool.breaker().history_since(arm.seen_epoch) {
            arm.seen_epoch = transition.epoch;
            let EngineTransition { at, to, reason, .. } = transition;
            let (state, reason) = (state(to), reason.to_string());
            arm.breaker.push(record::Transition {
                at_us: micros(at, start),
                state,
                reason: reason.clone(),
            });
            stage
                .events
                .arm(planned, &arm.name, at, What::Breaker { state, reason });
        }
    }
}

fn state(of: State) -> BreakerState {
    match of {
        State::Closed => BreakerState::Closed,
        State::Open => BreakerState::Open,
        State::HalfOpen => BreakerState::HalfOpen,
    }
}
