//! A scenario on an environment, into a record.
//!
//! The order is always: server, proxy, tables; then for each entry of the plan
//! load, steady state, faults, recovery, ledger; then everything is taken down in
//! reverse. However it ends - done, interrupted, failed - faults are rolled back,
//! server and proxy are gone, and the record holds what was measured.

mod batches;
mod events;
mod injection;
mod interrupt;
mod nemesis;
mod stage;
mod sweep;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use reports::Record;
use reports::record::{self, Arm, Ended, Event, Fault, Planned, RecordError, Settings};

use self::stage::Stage;
pub use self::{
    events::Events,
    interrupt::{Interrupt, Interrupted},
};
use crate::{
    environment::{Environment, EnvironmentError, Wanted, chain},
    faults::{sessions::SessionsError, toxics::ToxicsError},
    load::{
        batch::{BatchError, plan},
        client::Setup,
        worker::Panicked,
        workload::WorkloadError,
    },
};

/// What is to be found out, and how.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The command that it belongs to.
    pub command: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// The load, and the definitions of the measures.
    pub settings: Settings,
    /// The configurations under test.
    pub arms: Vec<(Arm, Setup)>,
    /// The fault plan as the user gave it, if not the usual one.
    pub plan: Option<String>,
    /// What is done, and when.
    pub schedule: Vec<Planned>,
    /// Longest wait for the load to be served before a fault.
    pub steady_patience: Duration,
    /// The grid, if breaker settings are swept. Nothing is carried out yet in it.
    pub sweep: Option<record::Sweep>,
    /// The grid, if batch sizes are swept.
    pub batches: Option<plan::Plan>,
}

impl Scenario {
    /// Whether a disk is to be filled.
    #[must_use]
    pub fn fills_disk(&self) -> bool {
        let mut steps = self.schedule.iter().flat_map(|planned| &planned.faults);
        steps.any(|step| step.kind == Fault::DiskFull)
    }
}

/// Where it is to be found out.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server.
    pub wanted: Wanted,
    /// The API of a Toxiproxy of the user's, instead of the embedded one.
    pub toxiproxy: Option<SocketAddr>,
    /// The folder for the record. Must exist.
    pub folder: PathBuf,
}

/// Why nothing could be measured at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No server.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// No proxy.
    #[error(transparent)]
    Toxics(#[from] ToxicsError),
    /// No tables.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The events could not be written.
    #[error("writing events.jsonl")]
    Events(#[source] std::io::Error),
    /// Stopped by the user before anything was measured.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Why a plan was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("{0}")]
    NoSteadyState(String),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Toxics(#[from] ToxicsError),
    #[error(transparent)]
    Sessions(#[from] SessionsError),
    #[error(transparent)]
    Load(#[from] Panicked),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    #[error("a bug: the runner panicked in the middle of a fault, which was taken back")]
    Panicked,
    #[error("arm {arm}")]
    Config {
        arm: String,
        #[source]
        source: seawall::config::ConfigError,
    },
    #[error("{fault} was injected, and after {} s a direct probe still meets: {met}", within.as_secs())]
    NotEffective {
        fault: Fault,
        met: &'static str,
        within: Duration,
    },
    #[error("{fault} was rolled back, and after {} s a direct probe still meets: {met}; the server's last words: {log}", within.as_secs())]
    NotCleared {
        fault: Fault,
        met: &'static str,
        within: Duration,
        log: String,
    },
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted(_) => Self::Interrupted,
            Stop::NoSteadyState(reason) => Self::NoSteadyState { reason },
            other => Self::Failed {
                reason: chain(&other),
            },
        }
    }
}

/// Carries a scenario out. Returns when everything is taken down again; the
/// record is in the folder.
///
/// Not cancel safe: raise the interrupt instead.
///
/// # Errors
/// If nothing could be measured. What goes wrong later is in [`Record::ended`].
pub async fn run(
    scenario: &Scenario,
    place: &Place,
    interrupt: &Interrupt,
    listener: &(dyn Fn(&Event) + Sync),
) -> Result<Record, RunError> {
    let environment = Environment::start(&place.wanted, interrupt.raised()).await?;
    let mut stage = match Stage::set(scenario, place, interrupt, listener, environment).await {
        Ok(stage) => stage,
        Err((error, environment)) => {
            // The first error is the one to tell.
            if let Err(error) = environment.stop().await {
                tracing::error!(%error, "taking the server down");
            }
            return Err(error);
        }
    };
    let carried_out = match (&scenario.sweep, &scenario.batches) {
        (Some(sweep), _) => sweep::carry_out(&mut stage, sweep).await,
        (_, Some(plan)) => batches::carry_out(&mut stage, plan).await,
        _ => stage.carry_out().await,
    };
    if let Err(stop) = carried_out {
        stage.record.ended = stop.into();
    }
    stage.take_down(&place.folder).await
}

/// The wall clock, for a label: nothing is computed from it.
#[must_use]
pub fn utc_now() -> String {
    let now = time::OffsetDateTime::now_utc();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    )
}
