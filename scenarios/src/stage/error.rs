//! Why nothing was measured, and why a run ended before its end.

use std::time::Duration;

use reports::run::Ended;

use super::Interrupted;
use crate::{
    environment::{EnvironmentError, chain},
    faults::{Kind, strangers::SessionsError, toxics::ToxicsError},
    load::{tried::NotTried, worker::Panicked, workload::WorkloadError},
};

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
    /// No tables, or nothing to measure.
    #[error(transparent)]
    NotPrepared(#[from] NotPrepared),
    /// The events could not be written.
    #[error("writing events.jsonl")]
    Events(#[source] std::io::Error),
    /// The latencies could not be written.
    #[error("writing latency.hlog")]
    Latencies(#[source] std::io::Error),
    /// Stopped by the user before anything was measured.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Why the server does not hold what an experiment needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotPrepared {
    /// The tables of the load could not be made.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// A script of the user's cannot be measured.
    #[error(transparent)]
    Script(#[from] NotTried),
    /// The server refuses what the user wants measured. It names the flag, the value
    /// and what is allowed.
    #[error("{0}")]
    Refused(String),
}

/// Why an experiment was not carried out to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// The user wants to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The load was not served well enough to inject a fault.
    #[error("{0}")]
    NoSteadyState(String),
    /// One arm was not served, while those without the engine were.
    #[error("{arm}: {reason}, and the arms without the engine are served")]
    Unserved {
        /// The arm.
        arm: String,
        /// What was expected, and what was seen.
        reason: String,
        /// How often its circuit opened meanwhile.
        opened: u32,
    },
    /// The server could not be reached, or did not do what it was told.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The proxy did not do what it was told.
    #[error(transparent)]
    Toxics(#[from] ToxicsError),
    /// A fault that sessions do did not work.
    #[error(transparent)]
    Sessions(#[from] SessionsError),
    /// An operation of the load panicked.
    #[error(transparent)]
    Load(#[from] Panicked),
    /// The tables of the load could not be read or changed.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The runner panicked while a fault was in force.
    #[error("a bug: the runner panicked in the middle of a fault, which was taken back")]
    Panicked,
    /// The configuration of an arm is not valid.
    #[error("arm {arm}")]
    Config {
        /// The arm.
        arm: String,
        /// What is not valid.
        #[source]
        source: seawall::config::ConfigError,
    },
    /// The schedule holds a fault that there is not.
    #[error("the schedule has a fault {0}, which there is not")]
    UnknownFault(String),
    /// A fault was done, and no probe saw it.
    #[error("{kind} was injected, and after {} s a direct probe still meets: {met}", within.as_secs())]
    NotEffective {
        /// The fault.
        kind: &'static Kind,
        /// What the last probe met.
        met: &'static str,
        /// How long it was looked for.
        within: Duration,
    },
    /// A fault was undone, and no probe saw it gone.
    #[error("{kind} was rolled back, and after {} s a direct probe still meets: {met}; the server's last words: {log}", within.as_secs())]
    NotCleared {
        /// The fault.
        kind: &'static Kind,
        /// What the last probe met.
        met: &'static str,
        /// How long it was looked for.
        within: Duration,
        /// The last lines of the server's log.
        log: String,
    },
    /// Something that only this experiment does failed.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted(_) => Self::Interrupted,
            Stop::NoSteadyState(reason) => Self::NoSteadyState { reason },
            unserved @ Stop::Unserved { .. } => Self::NoSteadyState {
                reason: unserved.to_string(),
            },
            other => Self::Failed {
                reason: chain(&other),
            },
        }
    }
}
