//! Doing a fault and undoing it, with a probe beside it that says when it is in
//! effect and when it is gone.

use std::time::Duration;

use engine::clock;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reports::record::Fault;

use super::{Stage, Stop};
use crate::{
    environment::Endpoint,
    faults::probe::{Met, Probed, probe},
};

/// Longest wait for a fault to be in effect, or gone.
const EFFECT: Duration = Duration::from_secs(20);
/// A probe begins this long after the one before, answered or not.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Probes under way at once, at most: each costs the server a process, and a
/// hundred a second kept one that was just coming back from coming back.
const PROBES: usize = 6;
/// No answer for this long is no answer; a healthy server takes a few milliseconds.
const PROBE_PATIENCE: Duration = Duration::from_millis(300);
/// Does the fault, and returns the first probe that met it.
pub(super) async fn inject(stage: &mut Stage<'_>, fault: Fault) -> Result<Probed, Stop> {
    let (endpoint, patience) = asked_at(stage, fault);
    let doing = async {
        match fault {
            Fault::Crash => stage.environment.kill().await.map_err(Stop::from),
            Fault::Pause => stage.environment.pause().await.map_err(Stop::from),
            _ => stage.toxics.inject(fault).await.map_err(Stop::from),
        }
    };
    let asking = async {
        let met = first(&endpoint, patience, |met| is(fault, met)).await;
        met.map_err(|met| Stop::NotEffective {
            fault,
            met,
            within: EFFECT,
        })
    };
    let ((), probed) = tokio::try_join!(doing, asking)?;
    Ok(probed)
}

/// Takes the fault back. Where it was not done, nothing changes.
pub(super) async fn undo(stage: &mut Stage<'_>, fault: Fault) -> Result<(), Stop> {
    match fault {
        Fault::Crash => stage.environment.restart().await?,
        Fault::Pause => stage.environment.resume().await?,
        _ => stage.toxics.rollback().await?,
    }
    Ok(())
}

/// Takes the fault back, and returns the first probe that met a server again, and
/// the first that met one that takes sessions.
pub(super) async fn roll_back(
    stage: &mut Stage<'_>,
    fault: Fault,
) -> Result<(Probed, Probed), Stop> {
    let (endpoint, _) = asked_at(stage, fault);
    let asking = async {
        let answers = |met| matches!(met, Met::Ready | Met::Starting);
        let gone = first(&endpoint, PROBE_PATIENCE, answers).await?;
        if gone.met == Met::Ready {
            return Ok((gone, gone));
        }
        let ready = first(&endpoint, PROBE_PATIENCE, |met| met == Met::Ready).await?;
        Ok((gone, ready))
    };
    // A failed undoing says more than what is met after it, so it ends the wait.
    let undone = async { undo(stage, fault).await.map_err(Err) };
    let asked = async { asking.await.map_err(Ok) };
    match tokio::try_join!(undone, asked) {
        Ok(((), probed)) => Ok(probed),
        Err(Err(stop)) => Err(stop),
        Err(Ok(met)) => Err(Stop::NotCleared {
            fault,
            met,
            within: EFFECT,
            log: stage.environment.log_tail().await,
        }),
    }
}

/// Where a fault shows, and how long a probe waits there.
fn asked_at(stage: &Stage<'_>, fault: Fault) -> (Endpoint, Duration) {
    let direct = stage.environment.endpoint();
    match fault {
        Fault::Crash | Fault::Pause => (direct.clone(), PROBE_PATIENCE),
        Fault::Latency => {
            let deadline = Duration::from_micros(stage.scenario.settings.deadline_us);
            (direct.through(stage.toxics.port()), deadline)
        }
        _ => (direct.through(stage.toxics.port()), PROBE_PATIENCE),
    }
}

/// Whether what a probe met is the fault.
fn is(fault: Fault, met: Met) -> bool {
    match fault {
        Fault::Refused => met == Met::Refused,
        Fault::Reset => met == Met::Reset,
        Fault::Blackhole | Fault::Latency | Fault::Pause => met == Met::NoAnswer,
        // Behind Docker's port the kernel still accepts for a moment.
        Fault::Crash => matches!(met, Met::Refused | Met::Reset),
    }
}

/// Probes until one meets what is wanted: a new one every [`PROBE_EVERY`], whether
/// the last was answered or not, so that one that hangs hides nothing.
///
/// # Errors
/// What the last one met, if none did within [`EFFECT`].
async fn first(
    endpoint: &Endpoint,
    patience: Duration,
    wanted: impl Fn(Met) -> bool,
) -> Result<Probed, &'static str> {
    let give_up = clock::now() + EFFECT;
    let mut next = clock::now();
    let mut under_way = FuturesUnordered::new();
    let mut last = "nothing";
    loop {
        tokio::select! {
            biased;
            Some(probed) = under_way.next() => {
                let probed: Probed = probed;
                if wanted(probed.met) {
                    return Ok(probed);
                }
                last = probed.met.name();
            }
            () = clock::sleep_until(next), if under_way.len() < PROBES => {
                if clock::now() >= give_up {
                    return Err(last);
                }
                under_way.push(probe(endpoint, patience));
                next = clock::now() + PROBE_EVERY;
            }
        }
    }
}
