//! Which client an arm is, and with which settings.

use std::{collections::BTreeMap, time::Duration};

use reports::run::Arm;
use seawall::PoolConfig;

/// A configuration under test.
#[derive(Debug, Clone)]
pub enum Setup {
    /// deadpool-postgres without deadlines.
    Bare {
        /// Most connections at once.
        max_connections: u32,
    },
    /// deadpool-postgres as a good engineer sets it up: its three time-outs, a deadline on
    /// each statement, also on the server, TCP keepalive and user time-out, and sessions
    /// that are asked before they are lent.
    Careful {
        /// Most connections at once.
        max_connections: u32,
        /// Each wait and each statement.
        deadline: Duration,
    },
    /// The engine, with this configuration (its endpoint is ignored).
    Engine(Box<PoolConfig>),
}

/// What the bare pool is.
pub const BARE: &str = "deadpool-postgres without deadlines: what most services run";
/// What the careful one is.
pub const CAREFUL: &str = "deadpool-postgres with a deadline on every wait and statement, TCP \
    keepalive, and sessions that are asked before they are lent: what a good engineer writes";
/// Sessions that a server takes by default, less those of whoever looks at it.
pub const SESSIONS: u32 = 90;

/// The configuration of the engine that is shipped, with each of its waits as long as an
/// operation has.
#[must_use]
pub fn shipped(deadline: Duration) -> PoolConfig {
    PoolConfig {
        acquire_timeout: deadline,
        statement_timeout: deadline,
        ..PoolConfig::default()
    }
}

/// The setting of an arm's record that names the client.
const CLIENT: &str = "client";
const DEADPOOL: &str = "deadpool-postgres";
const ENGINE: &str = "seawall";
const MAX_CONNECTIONS: &str = "max_connections";
const TIMEOUTS: &str = "timeouts";
const NONE: &str = "none";

impl Setup {
    /// The engine, with this configuration.
    #[must_use]
    pub fn engine(config: PoolConfig) -> Self {
        Self::Engine(Box::new(config))
    }

    /// Most connections at once.
    #[must_use]
    pub fn max_connections(&self) -> u32 {
        match self {
            Self::Bare { max_connections }
            | Self::Careful {
                max_connections, ..
            } => *max_connections,
            Self::Engine(config) => config.max_connections,
        }
    }

    /// The same, with no more connections than this.
    #[must_use]
    pub fn at_most(&self, most: u32) -> Self {
        let mut setup = self.clone();
        let max = match &mut setup {
            Self::Bare { max_connections }
            | Self::Careful {
                max_connections, ..
            } => max_connections,
            Self::Engine(config) => {
                config.min_connections = config.min_connections.min(most);
                &mut config.max_connections
            }
        };
        *max = (*max).min(most);
        setup
    }

    /// As an arm, with its whole configuration in the record's words: the values of the
    /// guide's keys as they stand in TOML, without quotes.
    #[must_use]
    pub fn arm(self, name: &str, about: &str) -> (Arm, Self) {
        let mut config = BTreeMap::new();
        let mut set = |key: &str, value: String| config.insert(key.to_owned(), value);
        match &self {
            Self::Bare { max_connections } => {
                set(CLIENT, DEADPOOL.to_owned());
                set(TIMEOUTS, NONE.to_owned());
                set(MAX_CONNECTIONS, max_connections.to_string());
            }
            Self::Careful {
                max_connections,
                deadline,
            } => {
                set(CLIENT, DEADPOOL.to_owned());
                set(TIMEOUTS, format!("{} ms", deadline.as_millis()));
                set(MAX_CONNECTIONS, max_connections.to_string());
            }
            Self::Engine(engine) => {
                set(CLIENT, ENGINE.to_owned());
                for (key, value) in engine.settings() {
                    match value {
                        toml::Value::String(text) => set(&key, text),
                        other => set(&key, other.to_string()),
                    };
                }
            }
        }
        let arm = Arm {
            name: name.to_owned(),
            about: about.to_owned(),
            config,
        };
        (arm, self)
    }

    /// What an arm was set up with, by its record.
    ///
    /// # Errors
    /// If the record does not hold all of its configuration, or this version does not
    /// take it.
    pub fn recorded(arm: &Arm) -> Result<Self, NotRecorded> {
        let no = |reason: String| NotRecorded {
            arm: arm.name.clone(),
            reason,
        };
        let mut settings = arm.config.clone();
        match settings.remove(CLIENT).as_deref() {
            Some(DEADPOOL) => deadpool(&settings).map_err(no),
            Some(ENGINE) => {
                let table = settings.into_iter().map(|(key, text)| {
                    // As TOML if it is, else as a string: strings stand without quotes.
                    let value = format!("value = {text}").parse::<toml::Table>();
                    let value = value.ok().and_then(|mut table| table.remove("value"));
                    (key, value.unwrap_or(toml::Value::String(text)))
                });
                let config = PoolConfig::from_table(table.collect());
                config.map(Self::engine).map_err(|e| no(e.to_string()))
            }
            Some(other) => Err(no(format!("no client {other} is known"))),
            None => Err(no("its whole configuration was not recorded".to_owned())),
        }
    }
}

fn deadpool(settings: &BTreeMap<String, String>) -> Result<Setup, String> {
    let set = |key: &str| settings.get(key).map_or("", String::as_str);
    let max_connections = set(MAX_CONNECTIONS)
        .parse()
        .map_err(|_| format!("{MAX_CONNECTIONS}: {:?}", set(MAX_CONNECTIONS)))?;
    if set(TIMEOUTS) == NONE {
        return Ok(Setup::Bare { max_connections });
    }
    let ms = set(TIMEOUTS).strip_suffix(" ms").map(str::parse);
    let Some(Ok(ms)) = ms else {
        return Err(format!("{TIMEOUTS}: {:?}", set(TIMEOUTS)));
    };
    Ok(Setup::Careful {
        max_connections,
        deadline: Duration::from_millis(ms),
    })
}

/// The record of an arm does not say how it was set up, or not so that this version can
/// do the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("arm {arm}: {reason}")]
pub struct NotRecorded {
    /// The arm.
    pub arm: String,
    /// What is missing or not understood.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_s_record_holds_its_whole_configuration() {
        let own = PoolConfig {
            max_connections: 3,
            circuit_breaker_failure_threshold: 7,
            circuit_breaker_recovery_timeout: Duration::from_millis(1_500),
            circuit_breaker_error_rate: 0.25,
            circuit_breaker_probe: seawall::breaker::Probe::Passive,
            circuit_breaker_ignore: vec!["57P01".to_owned(), "23".to_owned()],
            server_statement_timeout: false,
            ..PoolConfig::default()
        };
        for config in [PoolConfig::default(), own] {
            let (arm, _) = Setup::engine(config.clone()).arm("ours", "the engine");
            assert_eq!(
                arm.config["max_connections"],
                config.max_connections.to_string()
            );
            let Ok(Setup::Engine(found)) = Setup::recorded(&arm) else {
                panic!("{arm:?}");
            };
            assert_eq!(*found, config);
        }
    }

    /// A second pool of few connections once could not be made of a configuration that keeps
    /// many.
    #[test]
    fn a_smaller_one_is_as_valid() {
        let config = PoolConfig {
            min_connections: 15,
            max_connections: 20,
            ..PoolConfig::default()
        };
        let Setup::Engine(small) = Setup::Engine(Box::new(config)).at_most(10) else {
            panic!("another client");
        };
        assert_eq!((small.min_connections, small.max_connections), (10, 10));
        small.check().expect("valid");
    }

    #[test]
    fn so_does_that_of_an_arm_without_the_engine() {
        let bare = Setup::Bare { max_connections: 7 };
        let careful = Setup::Careful {
            max_connections: 9,
            deadline: Duration::from_millis(300),
        };
        for setup in [bare, careful] {
            let (mut arm, setup) = setup.arm("other", "without the engine");
            let found = Setup::recorded(&arm).expect("recorded");
            assert_eq!(format!("{found:?}"), format!("{setup:?}"));
            for missing in ["max_connections", "client"] {
                arm.config.remove(missing);
                let error = Setup::recorded(&arm).expect_err("not all is known of it");
                assert!(error.to_string().contains("arm other"), "{error}");
            }
        }
    }
}
