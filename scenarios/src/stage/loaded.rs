//! One entry of the plan: load, steady state, fault, recovery, ledger.
//!
//! The fault's clock starts when a direct probe sees it in effect and stops when
//! one sees it gone; probing goes on while the fault is being done and undone, so
//! that neither moment is hidden behind an API's answer.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use reports::{
    measure::{SteadyState, recovered, steady},
    record::{self, BreakerState, Injection, Planned, Span, What},
};
use seawall::{
    breaker::{State, Transition as EngineTransition},
    clock::{self, Instant},
};

use super::{
    Interrupted, Stage, Stop,
    events::micros,
    nemesis::{Nemesis, Seen, undo},
};
use crate::{
    environment::chain,
    load::{
        client::{Client, Setup},
        ledger::Checker,
        worker::Load,
    },
};

/// How often states and recovery are looked at.
const TICK: Duration = Duration::from_millis(25);
/// Four windows, and a little for the last answers to come in.
const STEADY_SPAN: Duration = Duration::from_millis(1_030);
const FIRST_OPERATION: Duration = Duration::from_millis(20);

/// An arm under load, and what its breaker did so far.
pub(super) struct Arm {
    pub(super) name: String,
    pub(super) load: Load,
    pub(super) breaker: Vec<record::Transition>,
    seen_epoch: u64,
}

/// The moments of an injection, on the load's clock.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    steady: Instant,
    pub(super) requested: Instant,
    pub(super) injected: Instant,
    pub(super) cleared: Instant,
    pub(super) ready: Instant,
    /// Each fault by itself.
    seen: Vec<Seen>,
}

pub(super) async fn carry_out(stage: &Stage<'_>, planned: usize) -> Result<Vec<Injection>, Stop> {
    let plan = stage.record.schedule[planned].clone();
    let start = clock::now() + FIRST_OPERATION;
    let mut arms = start_load(stage, planned, &plan, start)?;
    stage.events.all(Some(planned), start, What::LoadStarted);
    let steady = until_steady(stage, planned, start, &mut arms).await?;
    let moments = through_fault(stage, planned, steady, start, &mut arms).await?;
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

/// Puts the arms of an entry of the plan under load.
pub(super) fn start_load(
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

/// Does an entry of the plan and undoes it, also if that fails half-way.
pub(super) async fn through_fault(
    stage: &Stage<'_>,
    planned: usize,
    steady: Instant,
    start: Instant,
    arms: &mut [Arm],
) -> Result<Moments, Stop> {
    let plan = stage.record.schedule[planned].clone();
    let through = through(stage, planned, &plan, steady, start, arms);
    // A panic of ours must not leave the fault in somebody's server.
    let moments = match AssertUnwindSafe(through).catch_unwind().await {
        Ok(moments) => moments,
        Err(_) => Err(Stop::Panicked),
    };
    if moments.is_err()
        && let Err(error) = undo(stage, &plan).await
    {
        // The error that led here says better what is wrong.
        tracing::warn!(error = chain(&error), "taking a fault back");
    }
    moments
}

async fn through(
    stage: &Stage<'_>,
    planned: usize,
    plan: &Planned,
    steady: Instant,
    start: Instant,
    arms: &mut [Arm],
) -> Result<Moments, Stop> {
    let nemesis = Nemesis::new(stage, planned, plan, clock::now());
    let mut seen = {
        let carried_out = nemesis.carry_out();
        let mut carried_out = std::pin::pin!(carried_out);
        loop {
            let tick = clock::now() + TICK;
            tokio::select! {
                biased;
                seen = &mut carried_out => break seen?,
                waited = stage.until(tick) => waited?,
            }
            look(stage, planned, start, arms);
        }
    };
    look(stage, planned, start, arms);
    seen.sort_by_key(|seen| seen.effective);
    let first = |of: fn(&Seen) -> Instant| seen.iter().map(of).min().unwrap_or(steady);
    let last = |of: fn(&Seen) -> Instant| seen.iter().map(of).max().unwrap_or(steady);
    let ready = last(|seen| seen.ready);
    stage.events.all(Some(planned), ready, What::ServerReady);
    Ok(Moments {
        steady,
        requested: first(|seen| seen.requested),
        injected: first(|seen| seen.effective),
        cleared: last(|seen| seen.gone),
        ready,
        seen,
    })
}

/// Waits until every arm is served as it should be; returns since when.
pub(super) async fn until_steady(
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
    // What the server needs to come back is no fault of an arm's.
    let patience = moments.ready + Duration::from_micros(settings.patience_us);
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
    let span_us = u64::try_from(STEADY_SPAN.as_micros()).unwrap_or(u64::MAX);
    let mut injections = Vec::new();
    for mut arm in arms {
        look(stage, planned, start, std::slice::from_mut(&mut arm));
        let mut injection = injection(stage, planned, &arm, start, ended, moments);
        let client = arm.load.client().clone();
        injection.operations = arm.load.finish(drain).await?;
        injection.attempts = client.attempts();
        let until_us = injection.ended_us;
        let span = until_us.saturating_sub(span_us)..until_us;
        let after = steady(&stage.scenario.settings, &injection.operations, span);
        let what = match after {
            Ok(SteadyState { ok_share, p99_us }) => What::SteadyState { ok_share, p99_us },
            Err(not) => {
                let reason = not.to_string();
                injection.not_steady_after = Some(reason.clone());
                What::NotSteady { reason }
            }
        };
        stage.events.arm(planned, &arm.name, ended, what);
        let direct = stage.environment.endpoint();
        let mut checker = Checker::new(&injection.operations, stage.arrivals());
        let read = stage
            .workload
            .read_ledger(direct, client.number(), &mut checker)
            .await;
        let what = match read {
            Ok(()) => {
                let ledger = checker.finish();
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
        fault: stage.record.schedule[planned].name.clone(),
        arm: arm.name.clone(),
        started_us: stage.events.us(start),
        steady_us: us(moments.steady),
        requested_us: us(moments.requested),
        injected_us: us(moments.injected),
        cleared_us: us(moments.cleared),
        ready_us: us(moments.ready),
        ended_us: us(ended),
        spans: moments
            .seen
            .iter()
            .map(|seen| Span {
                kind: seen.kind,
                effective_us: us(seen.effective),
                cleared_us: us(seen.gone),
            })
            .collect(),
        not_steady_after: None,
        operations: record::Operations::default(),
        breaker: arm.breaker.clone(),
        attempts: record::Attempts::default(),
        ledger: None,
    }
}

/// Waits, and passes on what the breakers do meanwhile.
pub(super) async fn watch_until(
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

/// Passes on what the breakers have done since the last look.
pub(super) fn look(stage: &Stage<'_>, planned: usize, start: Instant, arms: &mut [Arm]) {
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
