//! The command line: flags into a scenario and a place, errors into exit codes.

mod files;
mod folder;
mod options;

use std::{io, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use seawall::config::{ConfigError, Secret};

use crate::{
    environment::{EnvironmentError, Kind},
    faults::plan::PlanError,
    load::workload::WorkloadError,
    runner::RunError,
};

/// Exit codes beside those of a verdict (`reports::Verdict::exit_code`).
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

/// See what a database failure does to a service, before production does.
///
/// Starts a real PostgreSQL, puts a fault proxy in front, drives load, injects
/// faults, and says which claims hold.
#[derive(Debug, Parser)]
#[command(name = "scenarios", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Failures of a database: what they do with a bare pool, and with the engine
    FailureSim,
    /// Which settings of the circuit breaker to ship: a grid of them under real outages
    BreakerSweep,
    /// Which batch size to ship, for each class of queries, and what pipelining brings
    BatchSweep,
    /// What an earlier run did, exactly, once more
    Replay {
        /// Folder of that run
        #[arg(value_name = "DIR")]
        run: PathBuf,
    },
    /// What there is to choose from
    List {
        /// Which list
        #[arg(value_enum, default_value = "experiments")]
        what: Listing,
    },
    /// A proxy that speaks Toxiproxy's API, alone, until it is stopped
    FaultProxy {
        /// Address of its API: who reaches it can make this process connect anywhere
        #[arg(long, default_value = "127.0.0.1:8474", value_name = "HOST:PORT")]
        listen: String,
        /// Answer GET /metrics, in Prometheus' format
        #[arg(long)]
        metrics: bool,
    },
    /// What is here to run on, and what would be used
    Doctor,
    /// Remove what a killed run left: containers, servers, folders
    Reap {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
}

/// Deadline of an operation, if the user does not say.
const DEADLINE_MS: u32 = 500;

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// The commands that run one.
    Experiments,
    /// The faults that a plan may hold, and what can be set of each.
    Faults,
}

/// Flags of all commands.
#[derive(Debug, Args)]
struct Global {
    /// Where the PostgreSQL comes from
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "KIND"
    )]
    env: Kind,
    /// Container image [default: postgres:15, or seawall-postgres:15 as built by scenarios/image/build]
    #[arg(long, global = true, value_name = "NAME[:TAG]")]
    image: Option<String>,
    /// A PostgreSQL of this machine that is already running and that nobody else uses (its tables are left alone)
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<Secret>,
    /// The database of --database-url is mine to break, also on another machine (it must have a table seawall_marker)
    #[arg(long, global = true, value_name = "NAME")]
    i_own_this_database: Option<String>,
    /// Folder of initdb and postgres
    #[arg(long, global = true, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// A Toxiproxy of this machine to use instead of the embedded proxy
    #[arg(long, global = true, value_name = "URL")]
    toxiproxy: Option<String>,
    /// Configuration of the seawall arm: the guide's keys, in TOML
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Fault plan, in TOML, instead of the usual six faults
    #[arg(long, global = true, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// A fault, as in a plan: see `scenarios list faults`. Can be repeated
    #[arg(long, global = true, value_name = "KIND[,KEY=VALUE]...")]
    fault: Vec<String>,
    /// For batch-sweep: statements to measure instead of the guide's, separated by `;`, without parameters; each file by itself, so a weight is refused. They are run as they stand, thousands of times. Can be repeated
    #[arg(short, long = "file", global = true, value_name = "FILE.sql")]
    file: Vec<String>,
    /// How often each entry of the plan is carried out [default: what the plan says, or 1]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: Option<u32>,
    /// Operations per second and arm [default: 400; for each cell of breaker-sweep 40]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=20_000))]
    rate: Option<u32>,
    /// Deadline of an operation, in milliseconds
    #[arg(long, global = true, default_value_t = DEADLINE_MS, value_name = "MS", value_parser = clap::value_parser!(u32).range(20..=30_000))]
    deadline_ms: u32,
    /// Draws the plan: same seed and flags, same plan
    #[arg(long, global = true, default_value = "1", value_name = "N")]
    seed: u64,
    /// About 45 s
    #[arg(long, global = true, conflicts_with = "full")]
    quick: bool,
    /// As long as the guide's own time-outs need, with an arm configured like the guide
    #[arg(long, global = true)]
    full: bool,
    /// Folder of the run [default: reports/runs/<UTC>-<command>-<seed>]
    #[arg(long, global = true, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
    /// No progress on stderr
    #[arg(short, long, global = true)]
    quiet: bool,
}

/// What is printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for people.
    Text,
    /// `verdict.json`.
    Json,
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
    #[error("replay: {path}: {reason}, allowed: {allowed}")]
    Replay {
        /// Its folder.
        path: String,
        /// Why not.
        reason: String,
        /// What would do.
        allowed: &'static str,
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
    /// Two flags contradict each other.
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

/// The exit code for a run that could not begin.
#[must_use]
pub fn exit_code(error: &RunError) -> u8 {
    match error {
        RunError::Environment(EnvironmentError::Refused { .. }) => exit::REFUSED,
        RunError::Environment(EnvironmentError::Invalid { .. })
        | RunError::Workload(WorkloadError::Refused { .. }) => exit::USAGE,
        RunError::Environment(EnvironmentError::Cancelled) => exit::INTERRUPTED,
        RunError::Environment(_) | RunError::Toxics(_) | RunError::Workload(_) => exit::ENVIRONMENT,
        RunError::Record(_) | RunError::Events(_) => exit::BUG,
        RunError::Interrupted(_) => exit::INTERRUPTED,
    }
}

impl Cli {
    /// What to print on stdout.
    #[must_use]
    pub fn format(&self) -> Format {
        self.global.format
    }

    /// What decides whatever is random.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.global.seed
    }

    /// Deadline of an operation.
    #[must_use]
    pub fn deadline_ms(&self) -> u32 {
        self.global.deadline_ms
    }

    /// Whether progress is not wanted.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.global.quiet
    }
}
