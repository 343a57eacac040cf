//! What is wrong with a command line.

use std::io;

use seawall::config::ConfigError;

use crate::{faults::plan::PlanError, script::ScriptError};

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
    /// A configuration is not valid.
    #[error("--config: {0}")]
    Config(#[from] ConfigError),
    /// A script has an error.
    #[error("-f: {0}")]
    Script(#[from] ScriptError),
    /// A threshold is malformed.
    #[error("--threshold: {0}")]
    Threshold(#[from] reports::threshold::Malformed),
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
