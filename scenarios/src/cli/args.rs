//! Flags into what is wanted: a server, a scenario.

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};

use reports::Record;
use seawall::PoolConfig;

use super::{Cli, CliError, DEADLINE_MS, Global, files};
use crate::{
    catalog::{
        batch_sweep, breaker_sweep,
        failure_sim::{self, Options, Size},
    },
    environment::{Kind, Wanted, chain},
    faults::plan::Plan,
    runner::Scenario,
};

impl Cli {
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
        self.no_files()?;
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
        self.no_plan("left out: breaker-sweep has its own outages and its own settings")?;
        self.no_files()?;
        Ok(breaker_sweep::Options {
            size: self.size(),
            seed: global.seed,
            rate_per_s: global.rate.unwrap_or(breaker_sweep::RATE_PER_S),
            deadline: Duration::from_millis(u64::from(global.deadline_ms)),
            only_network_faults: self.not_ours(),
        })
    }

    /// The options of `batch-sweep`.
    ///
    /// # Errors
    /// If a flag is given that has no meaning for it, or a file cannot be used.
    pub fn batch_sweep(&self) -> Result<batch_sweep::Options, CliError> {
        let global = &self.global;
        let allowed = "left out: batch-sweep injects nothing, and its queries follow each other";
        self.no_plan(allowed)?;
        let no = |field, value: u32| {
            let value = value.to_string();
            Err(CliError::Flags {
                field,
                value,
                allowed,
            })
        };
        if let Some(rate) = global.rate {
            return no("--rate", rate);
        }
        if global.deadline_ms != DEADLINE_MS {
            return no("--deadline-ms", global.deadline_ms);
        }
        Ok(batch_sweep::Options {
            size: self.size(),
            seed: global.seed,
            own: files::read(&global.file)?,
        })
    }

    /// Fails if there is a fault plan, or a configuration of the seawall arm.
    fn no_plan(&self, allowed: &'static str) -> Result<(), CliError> {
        let global = &self.global;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let given = [
            ("--fault", global.fault.first().cloned()),
            ("--repeats", global.repeats.map(|n| n.to_string())),
            ("--faults", path(&global.faults)),
            ("--config", path(&global.config)),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                return Err(CliError::Flags {
                    field,
                    value,
                    allowed,
                });
            }
        }
        Ok(())
    }

    /// Fails if there are files of statements.
    fn no_files(&self) -> Result<(), CliError> {
        match self.global.file.first() {
            Some(file) => Err(CliError::Flags {
                field: "-f",
                value: file.clone(),
                allowed: "only with batch-sweep",
            }),
            None => Ok(()),
        }
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
        self.no_files()?;
        let record = Record::load(&run.join("record.json"))
            .map_err(|error| cannot(chain(&error), "the folder of a run"))?;
        if record.batches.is_some() {
            return batch_sweep::replay(&record)
                .map(|scenario| (scenario, Vec::new()))
                .map_err(|(reason, allowed)| cannot(reason, allowed));
        }
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
pub(super) fn toxiproxy(url: &str) -> Result<SocketAddr, CliError> {
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
