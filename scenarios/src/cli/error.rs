//! Why a command line was not carried out, and the exit codes beside a verdict's.

use std::io;

use seawall::config::ConfigError;

use crate::{
    environment::EnvironmentError,
    experiment::NotRepeatable,
    faults::plan::PlanError,
    stage::{NotPrepared, RunError},
};

/// Exit codes beside those of a verdict (`reports::verdict::exit`).
pub mod exit {
    /// Usage or configuration.
    pub const USAGE: u8 = 64;
    /// Environment missing.
    pub const ENVIRONMENT: u8 = 69;
    /// A bug.
    pub const BUG: u8 = 70;
    /// Refused: the target looks like production.
    pub const REFUSED: u8 = 77;
    /// Stopped by the user.
    pub const INTERRUPTED: u8 = 130;
}

/// Why a command line was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// A file could not be read.
    #[error("{field}: {path}: {reason}, allowed: a readable TOML file")]
    Unreadable {
        /// The flag.
        field: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A plan is not valid.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// An earlier run cannot be run again.
    #[error("replay: {path}: {reason}")]
    Replay {
        /// Its folder.
        path: String,
        /// Why not, and what would do.
        reason: NotRepeatable,
    },
    /// A configuration is not valid.
    #[error("--config: {0}")]
    Config(#[from] ConfigError),
    /// The folder of the run cannot be made.
    #[error("--out: {path}: {reason}, allowed: a folder that can be written")]
    Out {
        /// The folder.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A Toxiproxy on another machine.
    #[error("refusing to use {0}: it is not on this machine")]
    Refused(String),
    /// A flag holds what it must not, or two contradict each other.
    #[error("{field}: {value}, allowed: {allowed}")]
    Flags {
        /// The flag.
        field: &'static str,
        /// What it was given.
        value: String,
        /// What it may be given.
        allowed: &'static str,
    },
}

impl CliError {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => exit::REFUSED,
            _ => exit::USAGE,
        }
    }
}

/// The exit code for a run that could not begin.
#[must_use]
pub fn exit_code(error: &RunError) -> u8 {
    match error {
        RunError::Environment(EnvironmentError::Refused { .. }) => exit::REFUSED,
        RunError::Environment(EnvironmentError::Invalid { .. })
        | RunError::NotPrepared(NotPrepared::Refused(_)) => exit::USAGE,
        RunError::Environment(EnvironmentError::Cancelled) | RunError::Interrupted(_) => {
            exit::INTERRUPTED
        }
        RunError::Environment(_) | RunError::Toxics(_) | RunError::NotPrepared(_) => {
            exit::ENVIRONMENT
        }
        RunError::Record(_) | RunError::Events(_) => exit::BUG,
    }
}
