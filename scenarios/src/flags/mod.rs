//! Flags that several commands have in common, and what they mean.
//!
//! `draw`: what a run is drawn within; `mix`: what a load does; `scripts`: the user's own;
//! `thresholds`: bounds on what is measured; `error`: what is wrong with a flag.

mod draw;
mod error;
mod mix;
mod scripts;
mod thresholds;

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum, builder::RangedI64ValueParser};
use seawall::{PoolConfig, config::Secret};

pub use self::{
    draw::{DrawArgs, Frame, Size},
    error::CliError,
    mix::MixArgs,
    scripts::ScriptArgs,
    thresholds::ThresholdArgs,
};
use crate::{
    environment::{Fill, Kind, Wanted},
    faults::{Kind as Fault, plan::Plan},
    load::DEADLINE_MS,
};

/// Deadlines that an operation may have, in milliseconds.
pub fn deadlines() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(20..=30_000)
}

/// Operations that may be scheduled in a second.
pub fn rates() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(8..=20_000)
}

/// Reads a time of at most a week: `60s`, `5m`, `1h`.
///
/// # Errors
/// What is allowed.
pub fn time(text: &str) -> Result<Duration, String> {
    const WEEK_S: u64 = 7 * 24 * 3_600;
    seconds(text, 1..=WEEK_S).ok_or_else(|| "allowed: 1s to 168h, as in 60s, 5m, 1h".to_owned())
}

/// Reads what a whole run may take, of 60 s to a day: `90s`, `10m`, `1h`.
///
/// # Errors
/// What is allowed.
pub fn budget(text: &str) -> Result<Duration, String> {
    const DAY_S: u64 = 24 * 3_600;
    seconds(text, 60..=DAY_S).ok_or_else(|| "allowed: 60s to 24h, as in 90s, 10m, 1h".to_owned())
}

/// A number of seconds, minutes or hours, if it is within bounds.
fn seconds(text: &str, allowed: RangeInclusive<u64>) -> Option<Duration> {
    let units = [("s", 1), ("m", 60), ("h", 3_600)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
        number.checked_mul(*seconds)
    });
    let read = read.filter(|seconds| allowed.contains(seconds));
    read.map(Duration::from_secs)
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct TargetArgs {
    /// Where the PostgreSQL comes from
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND")]
    env: Kind,
    /// A PostgreSQL of this machine that is already running and that nobody else uses (its tables are left alone)
    #[arg(long, value_name = "URL")]
    database_url: Option<Secret>,
    /// The database of --database-url is mine to break, also on another machine (it must have a table seawall_marker)
    #[arg(long, value_name = "NAME")]
    i_own_this_database: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct ServerArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Container image [default: postgres:15, or seawall-postgres:15 as built by scenarios/image/build]
    #[arg(long, value_name = "NAME[:TAG]")]
    image: Option<String>,
    /// Folder of initdb and postgres
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct FillArgs {
    /// Dump to run on: plain SQL of pg_dump, loaded into a database of the run's own
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Command that fills the run's own database, for sh, with PGHOST, DATABASE_URL and the like set: 'pgbench -i -s 1'
    #[arg(long, value_name = "CMD")]
    setup: Option<String>,
}

impl FillArgs {
    /// The same server, with a database of the run's own that is filled, if it is to be.
    #[must_use]
    pub fn fill(&self, wanted: Wanted) -> Wanted {
        Wanted {
            fill: Fill {
                schema: self.schema.clone(),
                setup: self.setup.clone(),
                ..wanted.fill
            },
            ..wanted
        }
    }
}

impl ServerArgs {
    /// Where the server is to come from, or to be started.
    ///
    /// # Errors
    /// If flags contradict each other.
    pub fn wanted(&self) -> Result<Wanted, CliError> {
        Ok(Wanted {
            image: self.image.clone(),
            pg_bin: self.pg_bin.clone(),
            ..self.target.wanted()?
        })
    }
}

impl TargetArgs {
    /// Where the server is to come from.
    ///
    /// # Errors
    /// If flags contradict each other.
    pub fn wanted(&self) -> Result<Wanted, CliError> {
        let conflict = |field, value: &dyn std::fmt::Debug, allowed| {
            Err(CliError::Flags {
                field,
                value: format!("{value:?}"),
                allowed,
            })
        };
        let (env, url) = (self.env, &self.database_url);
        if url.is_some() && !matches!(env, Kind::Auto | Kind::External) {
            return conflict(
                "--env",
                &env,
                "external, or left out, beside --database-url",
            );
        }
        if url.is_none() && env == Kind::External {
            return conflict("--env", &env, "external only beside --database-url");
        }
        if let (None, Some(name)) = (url, &self.i_own_this_database) {
            return conflict("--i-own-this-database", name, "only beside --database-url");
        }
        Ok(Wanted {
            own_database: self.i_own_this_database.clone(),
            kind: if url.is_some() { Kind::External } else { env },
            image: None,
            pg_bin: None,
            database_url: url.clone(),
            small_disk: false,
            fill: Fill::default(),
        })
    }
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct ProxyArgs {
    /// A Toxiproxy of this machine to use instead of the embedded proxy
    #[arg(long, value_name = "URL")]
    toxiproxy: Option<String>,
}

impl ProxyArgs {
    /// The address of a Toxiproxy's API on this machine, if one is to be used.
    ///
    /// # Errors
    /// If it cannot be an address of this machine.
    pub fn toxiproxy(&self) -> Result<Option<SocketAddr>, CliError> {
        let Some(url) = &self.toxiproxy else {
            return Ok(None);
        };
        let authority = url.strip_prefix("http://").unwrap_or(url);
        let addresses = authority.trim_end_matches('/').to_socket_addrs();
        let Ok(addresses) = addresses else {
            return Err(CliError::Flags {
                field: "--toxiproxy",
                value: url.clone(),
                allowed: "http://host:port of a Toxiproxy on this machine",
            });
        };
        // A name may stand for both families; Toxiproxy listens on IPv4 by default.
        let here = addresses.filter(|address| address.ip().is_loopback());
        let first = here.min_by_key(SocketAddr::is_ipv6);
        first
            .map(Some)
            .ok_or_else(|| CliError::Refused(url.clone()))
    }
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct OutputArgs {
    /// Folder of the run [default: a new one in reports/runs, called by time, command and seed]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// No progress on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What is printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for people.
    Text,
    /// `verdict.json`.
    Json,
}

#[derive(Debug, Clone, Copy, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct DeadlineArgs {
    /// Deadline of an operation, in milliseconds
    #[arg(long, default_value_t = DEADLINE_MS, value_name = "MS", value_parser = deadlines())]
    deadline_ms: u32,
}

impl DeadlineArgs {
    /// Deadline of an operation.
    #[must_use]
    pub fn deadline(self) -> Duration {
        Duration::from_millis(u64::from(self.deadline_ms))
    }
}

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct ConfigArgs {
    /// Configuration of the seawall arm: the guide's keys, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The configuration of the seawall arm, if one is given, and what the user should
    /// know of it. What it leaves open is as in the arm without one: every deadline is
    /// the operation's.
    ///
    /// # Errors
    /// If it cannot be read or is not valid.
    pub fn read(&self, deadline: Duration) -> Result<(Option<PoolConfig>, Vec<String>), CliError> {
        let Some(path) = &self.config else {
            return Ok((None, Vec::new()));
        };
        let mut table = PoolConfig::table(&read("--config", path)?)?;
        let ignored = |key: &&str| table.contains_key(*key);
        let ignored = ELSEWHERE.into_iter().filter(ignored).map(|key| {
            format!("--config: {key} is ignored: a run connects to the server of --env")
        });
        let mut remarks: Vec<String> = ignored.collect();
        for key in ["enable_monitoring", "enable_metrics_endpoint"] {
            if table.get(key) == Some(&true.into()) {
                table.insert(key.to_owned(), false.into());
                remarks.push(format!(
                    "--config: {key} is ignored: pools that are measured show themselves to nobody; \
                     `scenarios serve` does"
                ));
            }
        }
        let breaker = table.keys().any(|key| key.starts_with("circuit_breaker"));
        if breaker && !table.contains_key(PROBE) {
            remarks.push(format!(
                "--config: {PROBE} is not set, so the breaker asks the server by itself; the \
                 guide's does not: {PROBE} = \"passive\""
            ));
        }
        let deadline_ms = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
        for key in ["acquire_timeout_ms", "statement_timeout_ms"] {
            table.entry(key).or_insert_with(|| deadline_ms.into());
        }
        let config = PoolConfig::from_table(table)?;
        let idle = config.without_effect().into_iter();
        remarks.extend(idle.map(|key| format!("--config: {key} has no effect in this version")));
        Ok((Some(config), remarks))
    }
}

/// The key that the guide does not have, and that changes what its breaker does most.
const PROBE: &str = "circuit_breaker_probe";

/// Keys that say where to connect, which a run decides.
const ELSEWHERE: [&str; 6] = [
    "host",
    "port",
    "database",
    "user",
    "password",
    "connection_string",
];

#[derive(Debug, Clone, Args)]
#[expect(
    missing_docs,
    reason = "clap would show it as the purpose of every command"
)]
pub struct PlanArgs {
    /// Fault plan, in TOML, instead of the usual faults
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// A fault, as in a plan: see `scenarios list faults`. Can be repeated
    #[arg(long, value_name = "KIND[,KEY=VALUE]...")]
    fault: Vec<String>,
    /// How often each entry of the plan is carried out [default: what the plan says, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: Option<u32>,
}

impl PlanArgs {
    /// The user's own plan and its text, if there is one. `usual` is what is repeated
    /// where only a number of times is given.
    ///
    /// # Errors
    /// If the plan cannot be read or is not valid.
    pub fn read(&self, usual: &[&'static Fault]) -> Result<Option<(Plan, String)>, CliError> {
        let own = self.faults.is_some() || !self.fault.is_empty();
        if !own && self.repeats.is_none() {
            return Ok(None);
        }
        let file = self.faults.as_ref().map(|path| read("--faults", path));
        let file = file.transpose()?;
        let mut plan = if own {
            Plan::parse(file.as_deref(), &self.fault)?
        } else {
            Plan::of(usual)
        };
        let mut text = file.unwrap_or_default();
        for fault in &self.fault {
            text += &format!("--fault {fault}\n");
        }
        if let Some(repeats) = self.repeats {
            plan.repeats = repeats;
            text += &format!("--repeats {repeats}\n");
        }
        Ok(Some((plan, text)))
    }
}

/// A file that a flag names.
fn read(field: &'static str, path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|reason| CliError::Unreadable {
        field,
        path: path.display().to_string(),
        reason,
    })
}
