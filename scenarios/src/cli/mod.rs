//! The command line: what is typed into what is wanted, errors into exit codes.
//!
//! Every command has its own flags: what means nothing to it is no flag of it. Flags that
//! several have in common stand in [`crate::flags`], once. [`arguments`] keeps what was
//! typed for the record, and [`folder`] makes the folder of a run.

pub mod arguments;
pub mod exit;
pub mod folder;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    experiment::{Experiment, with_experiments},
    flags::{
        self, DrawArgs, FillArgs, Format, OutputArgs, ProxyArgs, ScriptArgs, ServerArgs,
        TargetArgs, ThresholdArgs,
    },
    load::DEADLINE_MS,
};

/// See what a database failure does to a service, before production does.
///
/// Starts a real PostgreSQL, puts a fault proxy in front, drives load, injects
/// faults, and says which claims hold.
#[derive(Debug, Parser)]
#[command(name = "scenarios", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Log more on stderr than warnings; twice or thrice: still more. RUST_LOG says it finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// An experiment.
    #[command(flatten)]
    Experiment(Chosen),
    /// Whether a build is worse than the one that a baseline was recorded of, for CI
    Gate(Gate),
    /// What differs between two runs
    Compare(Compare),
    /// A measure over many runs
    History(History),
    /// The report of an earlier run, judged and drawn again without running
    Report(Redraw),
    /// What an earlier run did, exactly, once more
    Replay(Replay),
    /// Server, proxy, load and dashboard together, with a button for each fault
    Serve(Serve),
    /// What there is to choose from
    List(List),
    /// A proxy that speaks Toxiproxy's API, alone, until it is stopped
    FaultProxy(FaultProxy),
    /// What is here to run on, and what would be used
    Doctor(Doctor),
    /// Remove what a killed run left: containers, servers, folders
    Reap(Reap),
}

macro_rules! chosen {
    ($($variant:ident => $experiment:ty,)+) => {
        /// The commands that run an experiment.
        #[derive(Debug, Clone, Subcommand)]
        pub enum Chosen {
            $(
                #[doc = concat!("Runs [`", stringify!($experiment), "`].")]
                #[command(
                    name = <<$experiment as Experiment>::Recorded
                        as reports::experiment::Experiment>::COMMAND,
                    about = <$experiment as Experiment>::ABOUT
                )]
                $variant(Invocation<<$experiment as Experiment>::Options>),
            )+
        }

        /// Name and purpose of each experiment.
        pub static EXPERIMENTS: &[(&str, &str)] = &[
            $((
                <<$experiment as Experiment>::Recorded
                    as reports::experiment::Experiment>::COMMAND,
                <$experiment as Experiment>::ABOUT,
            ),)+
        ];
    };
}

with_experiments!(chosen);

/// An experiment: its own flags, and those of every run.
#[derive(Debug, Clone, Args)]
pub struct Invocation<O: Args> {
    #[command(flatten)]
    pub(crate) options: O,
    #[command(flatten)]
    pub(crate) scripts: ScriptArgs,
    #[command(flatten)]
    pub(crate) draw: DrawArgs,
    #[command(flatten)]
    pub(crate) thresholds: ThresholdArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) fill: FillArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Runs that are compared with a baseline, or become one.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = false)]
pub struct Gate {
    /// Baseline to compare with: a file of --save-baseline
    #[arg(long, value_name = "FILE", required_unless_present = "save_baseline")]
    pub(crate) baseline: Option<PathBuf>,
    /// File to write a baseline to: of the build that later ones are not to be worse than
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub(crate) save_baseline: Option<PathBuf>,
    /// Runs, at most [default: as many as can tell a change of any measure; twice as many where the first do not tell]
    #[arg(long, value_name = "N", value_parser = runs)]
    pub(crate) runs: Option<usize>,
    /// Longest time for all runs together, in seconds (90s), minutes (30m) or hours (1h)
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = flags::budget)]
    pub(crate) budget: Duration,
    #[command(subcommand)]
    pub(crate) experiment: Chosen,
}

fn runs(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok();
    let number = number.filter(|number| (3..=100).contains(number));
    number.ok_or_else(|| "allowed: 3 to 100".to_owned())
}

/// Two runs.
#[derive(Debug, Clone, Args)]
pub struct Compare {
    /// Folder of the first run, or of a gate: then each of its runs is one value
    #[arg(value_name = "DIR")]
    pub(crate) a: PathBuf,
    /// Folder of the second run, or of a gate
    #[arg(value_name = "DIR")]
    pub(crate) b: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Many runs.
#[derive(Debug, Clone, Args)]
pub struct History {
    /// Folder with the folders of the runs
    #[arg(value_name = "DIR", default_value = "reports/runs")]
    pub(crate) runs: PathBuf,
    /// Experiment, where there are runs of several [default: the one with the most runs]
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Measure to draw, of all arms [default: those that gates judge, of the arm seawall]
    #[arg(long = "measure", value_name = "NAME")]
    pub(crate) measures: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A run whose report is made again.
#[derive(Debug, Clone, Args)]
pub struct Redraw {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Bound to judge in place of those of the run, as in 'recovery.p95 < 2s'
    #[command(flatten)]
    pub(crate) thresholds: ThresholdArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A run that is done again.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// Folder of that run
    #[arg(value_name = "DIR")]
    pub(crate) run: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) fill: FillArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What is listed.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Which list
    #[arg(value_enum, default_value = "experiments")]
    pub(crate) what: Listing,
    /// Deadline of an operation, which some parameters of faults are usually taken from
    #[arg(long, default_value_t = DEADLINE_MS, value_name = "MS", value_parser = flags::deadlines())]
    pub(crate) deadline_ms: u32,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// The commands that run one.
    Experiments,
    /// The faults that a plan may hold, and what can be set of each.
    Faults,
    /// What each experiment measures: what thresholds may name.
    Measures,
}

/// What is served.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Address of the dashboard. Any but a loopback one needs a token, in SEAWALL_MONITORING_TOKEN
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "IP:PORT")]
    pub(crate) monitoring: SocketAddr,
    /// Address of the metrics, for Prometheus
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "IP:PORT")]
    pub(crate) metrics: SocketAddr,
    /// For how long, in seconds (60s), minutes (5m) or hours (1h) [default: until it is stopped]
    #[arg(long = "for", value_name = "TIME", value_parser = flags::time)]
    pub(crate) length: Option<Duration>,
    /// Operations per second
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = flags::rates())]
    pub(crate) rate: u32,
    /// Draws what is random
    #[arg(long, default_value = "1", value_name = "N")]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) fill: FillArgs,
}

/// A proxy that runs alone.
#[derive(Debug, Clone, Args)]
pub struct FaultProxy {
    /// Address of its API: who reaches it can make this process connect anywhere
    #[arg(long, default_value = "127.0.0.1:8474", value_name = "HOST:PORT")]
    pub(crate) listen: String,
    /// Answer GET /metrics, in Prometheus' format
    #[arg(long)]
    pub(crate) metrics: bool,
    /// Proxies to begin with: a start-up file of Toxiproxy's, in JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Draws what is random in toxics: jitter, toxicity, sizes of pieces
    #[arg(long, default_value = "1", value_name = "N")]
    pub(crate) seed: u64,
}

/// What is looked at.
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What is removed.
#[derive(Debug, Clone, Args)]
pub struct Reap {
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}
