//! The command line: flags into a scenario and a place, errors into exit codes.

use std::{
    fs, io,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::{
    PoolConfig,
    config::{ConfigError, Secret},
};

use reports::Record;

use crate::{
    catalog::{
        breaker_sweep,
        failure_sim::{self, Options, Size},
    },
    environment::{EnvironmentError, Kind, Wanted, chain},
    faults::plan::{Plan, PlanError},
    runner::{Place, RunError, Scenario},
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
    /// The faults and the load of an earlier run, exactly, once more
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
    /// How often each entry of the plan is carried out [default: what the plan says, or 1]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: Option<u32>,
    /// Operations per second and arm [default: 400; for each cell of breaker-sweep 40]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=20_000))]
    rate: Option<u32>,
    /// Deadline of an operation, in milliseconds
    #[arg(long, global = true, default_value = "500", value_name = "MS", value_parser = clap::value_parser!(u32).range(20..=30_000))]
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
        RunError::Environment(EnvironmentError::Invalid { .. }) => exit::USAGE,
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

    /// Where the server is to come from.
    ///
    /// # Errors
    /// If flags contradict each other.
    pub fn wanted(&self) -> Result<Wanted, CliError> {
        let Global {
            env,
            image,
            database_url,
            pg_bin,
            i_own_this_database: own_database,
            ..
        } = &self.global;
        let conflict = |field, value: &dyn std::fmt::Debug, allowed| {
            Err(CliError::Flags {
                field,
                value: format!("{value:?}"),
                allowed,
            })
        };
        if database_url.is_some() && !matches!(env, Kind::Auto | Kind::External) {
            return conflict("--env", env, "external, or left out, beside --database-url");
        }
        if database_url.is_none() && *env == Kind::External {
            return conflict("--env", env, "external only beside --database-url");
        }
        if let (None, Some(name)) = (database_url, own_database) {
            return conflict("--i-own-this-database", name, "only beside --database-url");
        }
        Ok(Wanted {
            own_database: own_database.clone(),
            kind: if database_url.is_some() {
                Kind::External
            } else {
                *env
            },
            image: image.clone(),
            pg_bin: pg_bin.clone(),
            database_url: database_url.clone(),
            small_disk: false,
        })
    }

    /// The options of `failure-sim`, and what the user should know of them.
    ///
    /// # Errors
    /// If the configuration cannot be read or is not valid.
    pub fn failure_sim(&self) -> Result<(Options, Vec<String>), CliError> {
        let global = &self.global;
        let deadline = Duration::from_millis(u64::from(global.deadline_ms));
        let (config, remarks) = self.seawall(global.deadline_ms)?;
        let options = Options {
            size: self.size(),
            seed: global.seed,
            rate_per_s: global.rate.unwrap_or(failure_sim::RATE_PER_S),
            deadline,
            config,
            only_network_faults: self.not_ours(),
            plan: self.plan()?,
        };
        Ok((options, remarks))
    }

    /// The options of `breaker-sweep`.
    ///
    /// # Errors
    /// If a flag is given that has no meaning for it.
    pub fn breaker_sweep(&self) -> Result<breaker_sweep::Options, CliError> {
        let global = &self.global;
        let no = |field, value: String| {
            let allowed = "left out: breaker-sweep has its own outages and its own settings";
            Err(CliError::Flags {
                field,
                value,
                allowed,
            })
        };
        if let Some(fault) = global.fault.first() {
            return no("--fault", fault.clone());
        }
        if let Some(repeats) = global.repeats {
            return no("--repeats", repeats.to_string());
        }
        for (field, path) in [("--faults", &global.faults), ("--config", &global.config)] {
            if let Some(path) = path {
                return no(field, path.display().to_string());
            }
        }
        Ok(breaker_sweep::Options {
            size: self.size(),
            seed: global.seed,
            rate_per_s: global.rate.unwrap_or(breaker_sweep::RATE_PER_S),
            deadline: Duration::from_millis(u64::from(global.deadline_ms)),
            only_network_faults: self.not_ours(),
        })
    }

    fn size(&self) -> Size {
        match (self.global.quick, self.global.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Default,
        }
    }

    /// A server that was not started here is neither killed nor paused.
    fn not_ours(&self) -> bool {
        self.global.env == Kind::External || self.global.database_url.is_some()
    }

    /// The user's own plan, and its text.
    fn plan(&self) -> Result<Option<(Plan, String)>, CliError> {
        let Global {
            faults,
            fault,
            repeats,
            ..
        } = &self.global;
        if faults.is_none() && fault.is_empty() {
            return match repeats {
                None => Ok(None),
                Some(repeats) => {
                    let plan = Plan {
                        repeats: *repeats,
                        ..Plan::of(&failure_sim::FAULTS)
                    };
                    Ok(Some((plan, format!("--repeats {repeats}\n"))))
                }
            };
        }
        let file = faults.as_ref().map(|path| read("--faults", path));
        let file = file.transpose()?;
        let mut plan = Plan::parse(file.as_deref(), fault)?;
        let mut text = file.unwrap_or_default();
        for fault in fault {
            text += &format!("--fault {fault}\n");
        }
        if let Some(repeats) = repeats {
            plan.repeats = *repeats;
            text += &format!("--repeats {repeats}\n");
        }
        Ok(Some((plan, text)))
    }

    /// The scenario of an earlier run, and what the user should know of it.
    ///
    /// # Errors
    /// If there is no such run, or its configuration is not given again.
    pub fn replay(&self, run: &Path) -> Result<(Scenario, Vec<String>), CliError> {
        let cannot = |reason: String, allowed| CliError::Replay {
            path: run.display().to_string(),
            reason,
            allowed,
        };
        let record = Record::load(&run.join("record.json"))
            .map_err(|error| cannot(chain(&error), "the folder of a run"))?;
        if record.sweep.is_some() {
            return breaker_sweep::replay(&record)
                .map(|scenario| (scenario, Vec::new()))
                .map_err(|(reason, allowed)| cannot(reason, allowed));
        }
        let deadline_ms = u32::try_from(record.settings.deadline_us / 1_000).unwrap_or(u32::MAX);
        let (config, remarks) = self.seawall(deadline_ms)?;
        failure_sim::replay(&record, config)
            .map(|scenario| (scenario, remarks))
            .map_err(|(reason, allowed)| cannot(reason, allowed))
    }

    /// The configuration of the seawall arm, if one is given.
    fn seawall(&self, deadline_ms: u32) -> Result<(Option<PoolConfig>, Vec<String>), CliError> {
        match &self.global.config {
            None => Ok((None, Vec::new())),
            Some(path) => {
                let (config, remarks) = configuration(path, deadline_ms)?;
                Ok((Some(config), remarks))
            }
        }
    }

    /// Makes the folder of the run, without what an earlier run left in it, and says
    /// where the run is to take place.
    ///
    /// # Errors
    /// If the folder cannot be made, or a flag does not hold.
    pub fn place(&self, scenario: &Scenario, utc: &str) -> Result<Place, CliError> {
        let wanted = Wanted {
            small_disk: scenario.fills_disk(),
            ..self.wanted()?
        };
        let Scenario { command, seed, .. } = scenario;
        let global = &self.global;
        let toxiproxy = global.toxiproxy.as_deref().map(toxiproxy).transpose()?;
        let folder = match &global.out {
            Some(out) => out.clone(),
            None => {
                let label: String = utc.chars().filter(|c| !matches!(c, ':' | '-')).collect();
                Path::new("reports/runs").join(format!("{label}-{command}-{seed}"))
            }
        };
        let out = |reason| CliError::Out {
            path: folder.display().to_string(),
            reason,
        };
        fs::create_dir_all(&folder).map_err(out)?;
        let folder = fs::canonicalize(&folder).map_err(out)?;
        remove_old_results(&folder).map_err(out)?;
        Ok(Place {
            wanted,
            toxiproxy,
            folder,
        })
    }

    /// Ends what [`place`](Self::place) began: with a record in it `latest` points at
    /// the folder, without anything in it the folder goes.
    pub fn conclude(&self, place: &Place) {
        if !place.folder.join("record.json").is_file() {
            // Fails, as it should, unless there is nothing in it.
            let _only_if_empty = fs::remove_dir(&place.folder);
        } else if self.global.out.is_none() {
            point_latest_at(&place.folder);
        }
    }
}

/// What a run writes. An old verdict must not outlive the start of a new run, or a
/// crash would be read as the result of the last one.
const RESULTS: [&str; 6] = [
    "verdict.json",
    "record.json",
    "events.jsonl",
    "junit.xml",
    "report.html",
    "report.md",
];

fn remove_old_results(folder: &Path) -> io::Result<()> {
    for name in RESULTS {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A file that a flag names.
fn read(field: &'static str, path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|reason| CliError::Unreadable {
        field,
        path: path.display().to_string(),
        reason,
    })
}

/// Reads the configuration of the seawall arm. What it leaves open is as in the
/// arm without one: every deadline is the operation's.
fn configuration(path: &Path, deadline_ms: u32) -> Result<(PoolConfig, Vec<String>), CliError> {
    let text = read("--config", path)?;
    let mut table = PoolConfig::table(&text)?;
    let given = [
        "host",
        "port",
        "database",
        "user",
        "password",
        "connection_string",
    ]
    .into_iter()
    .filter(|key| table.contains_key(*key))
    .map(|key| format!("--config: {key} is ignored: a run connects to the server of --env"));
    let mut remarks: Vec<String> = given.collect();
    for key in ["acquire_timeout_ms", "statement_timeout_ms"] {
        table
            .entry(key)
            .or_insert_with(|| i64::from(deadline_ms).into());
    }
    let config = PoolConfig::from_table(table)?;
    let idle = config.without_effect().into_iter();
    remarks.extend(idle.map(|key| format!("--config: {key} has no effect in this version")));
    Ok((config, remarks))
}

/// The address of a Toxiproxy's API on this machine.
fn toxiproxy(url: &str) -> Result<SocketAddr, CliError> {
    let authority = url
        .strip_prefix("http://")
        .unwrap_or(url)
        .trim_end_matches('/');
    let addresses: Vec<SocketAddr> = match authority.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(_) => {
            return Err(CliError::Flags {
                field: "--toxiproxy",
                value: url.to_owned(),
                allowed: "http://host:port of a Toxiproxy on this machine",
            });
        }
    };
    // A name may stand for both families; Toxiproxy listens on IPv4 by default.
    let here = addresses
        .iter()
        .filter(|address| address.ip().is_loopback());
    here.min_by_key(|address| address.is_ipv6())
        .copied()
        .ok_or_else(|| CliError::Refused(url.to_owned()))
}

/// `latest` beside the runs points at the newest. A convenience: where links
/// cannot be made, there is none.
fn point_latest_at(folder: &Path) {
    let (Some(runs), Some(name)) = (folder.parent(), folder.file_name()) else {
        return;
    };
    let latest = runs.join("latest");
    if latest.is_symlink() && fs::remove_file(&latest).is_err() {
        return;
    }
    if let Err(error) = std::os::unix::fs::symlink(name, &latest) {
        tracing::debug!(%error, "no link to the latest run");
    }
}
