//! [`PoolConfig`]: the keys of the migration guide, typed and checked.
//!
//! The keys are those of the guide, so that its snippets can be carried over as
//! they stand; what the guide leaves open has keys of our own, with the unit last
//! in the name. An unknown key is an error that names the nearest known one, an
//! impossible value one that says what is allowed.

mod check;
mod keys;
mod role;
mod secret;
mod string;
mod when_open;

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use self::keys::{KEYS, invalid, nearest};
pub use self::when_open::{WaitOrder, WhenOpen};
pub use self::{keys::ConfigError, role::Role, secret::Secret};
use crate::{
    breaker::{self, Jitter, Mode, Probe},
    error::Rules,
};

/// The `circuit_breaker_failure_threshold` that switches the breaker off: the migration
/// guide's way of rolling it back ("never open").
pub const BREAKER_OFF: u32 = 999_999;

/// The configuration of a [`Pool`](crate::Pool).
///
/// New versions may add keys: name those that matter, and take the rest from
/// [`default`](Self::default).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// Name in metrics and logs, and `application_name` of the sessions.
    pub name: String,
    /// Only `postgresql`.
    pub database_type: String,
    /// Host name or address, or the folder of a unix socket.
    #[serde(skip_serializing)]
    pub host: String,
    /// TCP port, from 1 on.
    #[serde(skip_serializing)]
    pub port: u16,
    /// Database name.
    #[serde(skip_serializing)]
    pub database: String,
    /// Role to log in as.
    #[serde(skip_serializing)]
    pub user: String,
    /// Password. Never printed.
    #[serde(skip_serializing)]
    pub password: Secret,
    /// Instead of the five keys above: `postgresql://user:password@host:port/database`
    /// or `host=... user=...`. Wins over them. Never printed.
    #[serde(skip_serializing)]
    pub connection_string: Secret,
    /// Connections that [`Pool::warm_up`](crate::Pool::warm_up) makes, up to the maximum.
    /// From then on those that are lost are made anew in the background.
    pub min_connections: u32,
    /// Most connections at once, 1..=10000.
    pub max_connections: u32,
    /// Reserved: no effect yet, see [`without_effect`](Self::without_effect).
    pub adaptive_sizing: bool,
    /// Reserved: no effect yet.
    pub enable_query_routing: bool,
    /// Failures in a row that open the circuit, 1..=999999; 999999 switches the
    /// whole breaker off.
    pub circuit_breaker_failure_threshold: u32,
    /// Seconds until an open circuit lets callers through to find out,
    /// 0.001..=86400.
    #[serde(serialize_with = "as_seconds", deserialize_with = "seconds")]
    pub circuit_breaker_recovery_timeout: Duration,
    /// Share of failures that opens the circuit, above 0 and at most 1.
    pub circuit_breaker_error_rate: f64,
    /// How an open circuit learns that the server is back: `active` or `passive`
    /// (the guide's).
    pub circuit_breaker_probe: Probe,
    /// Longest wait between two probes of an open circuit, in milliseconds,
    /// 10..=60000. Raise it where hundreds of clients share a server.
    #[serde(
        rename = "circuit_breaker_probe_interval_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub circuit_breaker_probe_interval: Duration,
    /// Whether the breaker's decisions are obeyed: `active`, `shadow` (it reports and
    /// refuses nobody), `disabled`, or `forced-open`.
    pub circuit_breaker_mode: Mode,
    /// What the server has to be for a probe to close the circuit: `any`, `primary` or
    /// `replica`.
    pub circuit_breaker_role: Role,
    /// SQLSTATEs, or classes of them, that say nothing about the server, whatever
    /// they usually do.
    pub circuit_breaker_ignore: Vec<String>,
    /// SQLSTATEs, or classes of them, that are failures of the server, whatever they
    /// usually are.
    pub circuit_breaker_count: Vec<String>,
    /// Milliseconds after which a call that is under way opens the circuit, if no later one
    /// has gone well, 0..=86400000; 0 for never. Choose it above the longest statement that
    /// is well.
    #[serde(
        rename = "circuit_breaker_hanging_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub circuit_breaker_hanging: Duration,
    /// Whether the circuit opens before the first deadline has passed: where no answer came to
    /// anybody for many times what answers usually take, several wait, and a probe gets none
    /// either. Only with a `circuit_breaker_probe` that is `active`.
    pub circuit_breaker_early_detection: bool,
    /// What becomes of callers while the circuit is open: `wait` for it to close, within their
    /// deadline, or `refuse` them at once (the guide's, for who has a cache).
    pub circuit_breaker_when_open: WhenOpen,
    /// Most callers that wait at once for the circuit to close, 1..=100000; one more is
    /// refused at once.
    pub circuit_breaker_max_waiting: u32,
    /// Who is served first of those who wait, from when the circuit has closed until nobody
    /// waits any more: `first-come` or `newest-first`.
    pub circuit_breaker_wait_order: WaitOrder,
    /// For how many minutes it is kept what happened in each second, 0..=10080; 0 for none. An
    /// hour takes up to some megabytes, see [`Memory`](crate::metrics::Memory).
    pub metrics_retention_minutes: u32,
    /// Whether [`Pool::pipeline`](crate::Pool::pipeline) sends batches; else it sends a
    /// query at a time.
    pub enable_pipelining: bool,
    /// Queries in a batch of a pipeline that is not given another size, 1..=10000.
    pub pipeline_batch_size: u32,
    /// Whether a dashboard is served, at `monitoring_address` and `monitoring_port`. It takes
    /// the feature `monitoring` of the crate; without it, this has no effect. Pools of a process
    /// with the same address are shown together. Where it cannot be served, because the port is
    /// taken, the pool goes on without it, and says so in its log and its status.
    pub enable_monitoring: bool,
    /// The port of the dashboard, 0..=65535; 0 for any that is free.
    pub monitoring_port: u16,
    /// The IP address that dashboard and metrics are served at. Another one than a loopback
    /// address takes a `monitoring_token`.
    pub monitoring_address: String,
    /// What who looks at dashboard or metrics has to know, in visible ASCII characters: sent as
    /// `Authorization: Bearer`, or typed in once. Empty: nothing. Never printed.
    #[serde(skip_serializing)]
    pub monitoring_token: Secret,
    /// Whether metrics are served for Prometheus, at `monitoring_address` and `metrics_port`,
    /// under `/metrics`. As with `enable_monitoring` in all else.
    pub enable_metrics_endpoint: bool,
    /// The port of the metrics, 0..=65535; 0 for any that is free. Not that of the dashboard.
    pub metrics_port: u16,
    /// Longest wait for a connection in milliseconds, over queueing, connecting
    /// and checking together, 1..=60000.
    #[serde(
        rename = "acquire_timeout_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub acquire_timeout: Duration,
    /// Milliseconds of silence after which an idle connection is asked whether the server is
    /// there before it is lent, 0..=86400000; 0 for never. It costs that caller a round trip.
    #[serde(
        rename = "idle_check_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub idle_check: Duration,
    /// Milliseconds of silence after which the system asks whether the other side of a
    /// connection is there, 0 or 1000..=7200000; 0 for never. It asks three times, a third
    /// of it apart. Values of the connection string win.
    #[serde(
        rename = "tcp_keepalive_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub tcp_keepalive: Duration,
    /// Milliseconds after which the system gives up a connection on which what was sent is
    /// not acknowledged, 0 or 1000..=7200000; 0 for what the system takes, some 15 minutes.
    /// Linux only. A value of the connection string wins.
    #[serde(
        rename = "tcp_user_timeout_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub tcp_user_timeout: Duration,
    /// Longest wait for the answer to one statement in milliseconds, 1..=86400000. A host
    /// that dies under a long one is found out by [`tcp_keepalive`](Self::tcp_keepalive).
    #[serde(
        rename = "statement_timeout_ms",
        serialize_with = "as_milliseconds",
        deserialize_with = "milliseconds"
    )]
    pub statement_timeout: Duration,
    /// Whether new sessions get the statement timeout as their own, so that the
    /// server stops what nobody waits for. Sent as the startup option `-c
    /// statement_timeout`; where a pooler refuses it, it is done without, and said once.
    pub server_statement_timeout: bool,
    /// Most prepared statements kept for each connection, 0..=100000.
    ///
    /// 0 behind a pooler that hands the server's sessions round between statements and does
    /// not know prepared ones: PgBouncer in transaction mode before 1.21, or with
    /// `max_prepared_statements = 0`. Then nothing is kept on the server: each statement is
    /// sent with every use, in the same round trip, and parsed and planned each time; once
    /// for each connection it is described, which is a round trip more. Any other value there
    /// makes errors (26000), never another client's rows.
    pub statement_cache_size: u32,
}

/// Statements that are kept in mind where none is kept on the server.
const DESCRIBED: usize = 256;

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            name: "seawall".to_owned(),
            database_type: "postgresql".to_owned(),
            host: "localhost".to_owned(),
            port: 5432,
            database: "postgres".to_owned(),
            user: "postgres".to_owned(),
            password: Secret::default(),
            connection_string: Secret::default(),
            min_connections: 1,
            max_connections: 10,
            adaptive_sizing: false,
            enable_query_routing: false,
            circuit_breaker_failure_threshold: 5,
            circuit_breaker_recovery_timeout: Duration::from_secs(60),
            circuit_breaker_error_rate: 0.5,
            circuit_breaker_probe: Probe::Active,
            circuit_breaker_probe_interval: breaker::Config::default().probe_interval_max,
            circuit_breaker_mode: Mode::Active,
            circuit_breaker_role: Role::Any,
            circuit_breaker_ignore: Vec::new(),
            circuit_breaker_count: Vec::new(),
            circuit_breaker_hanging: Duration::ZERO,
            circuit_breaker_early_detection: true,
            circuit_breaker_when_open: WhenOpen::Wait,
            circuit_breaker_max_waiting: 1_000,
            circuit_breaker_wait_order: WaitOrder::FirstCome,
            metrics_retention_minutes: 60,
            enable_pipelining: false,
            pipeline_batch_size: 100,
            enable_monitoring: false,
            monitoring_port: 8080,
            monitoring_address: "127.0.0.1".to_owned(),
            monitoring_token: Secret::default(),
            enable_metrics_endpoint: false,
            metrics_port: 9090,
            acquire_timeout: Duration::from_secs(2),
            // Below what firewalls and balancers forget first (AWS: 350 s, Azure: 240 s, some
            // at home: 60 s).
            idle_check: Duration::from_secs(30),
            tcp_keepalive: Duration::from_secs(15),
            // As long as keepalive takes to be sure.
            tcp_user_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(5),
            server_statement_timeout: true,
            statement_cache_size: 256,
        }
    }
}

impl PoolConfig {
    /// Reads TOML with the keys at top level or in a table `[pool]`.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::from_table(Self::table(text)?)
    }

    /// Reads the keys of TOML, at top level or in a table `[pool]`, not yet checked.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] with the line.
    pub fn table(text: &str) -> Result<Table, ConfigError> {
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            ConfigError::Syntax(format!("line {line}: {}", error.message()))
        })?;
        if table.len() == 1
            && let Some(Value::Table(pool)) = table.get_mut("pool")
        {
            table = std::mem::take(pool);
        }
        Ok(table)
    }

    /// Makes a configuration of keys and values, and checks it.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn from_table(table: Table) -> Result<Self, ConfigError> {
        for (key, value) in &table {
            let Some(known) = KEYS.iter().find(|(name, _)| name == key) else {
                return Err(ConfigError::UnknownKey {
                    key: key.clone(),
                    nearest: nearest(key),
                });
            };
            let alone = Table::from_iter([(key.clone(), value.clone())]);
            if alone.try_into::<Self>().is_err() {
                return Err(invalid(known.0, value));
            }
        }
        // Each key has been read alone, so all of them can be.
        let config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Syntax(error.message().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Returns all keys and values that say how the pool works: all but where it connects and as
    /// whom. [`from_table`](Self::from_table) reads them back. Holds no secret.
    #[must_use]
    pub fn settings(&self) -> Table {
        // Every value is a number, a string, a truth or a list of strings, so there is
        // none that TOML does not have.
        Table::try_from(self).unwrap_or_default()
    }

    /// Returns the breaker's settings. A probe has failed when it takes longer than a
    /// caller would wait, or than a second: log-in and query are some six round trips, and
    /// a probe that hangs takes the place of the next.
    #[must_use]
    pub fn breaker(&self) -> breaker::Config {
        let on = self.circuit_breaker_failure_threshold < BREAKER_OFF;
        let defaults = breaker::Config::default();
        // The guide's breaker waits as long each time.
        let passive = self.circuit_breaker_probe == Probe::Passive;
        let none = Jitter {
            first: 0.0,
            again: 0.0,
        };
        breaker::Config {
            failure_threshold: on.then_some(self.circuit_breaker_failure_threshold),
            failure_rate: on.then_some(self.circuit_breaker_error_rate),
            recovery_timeout: self.circuit_breaker_recovery_timeout,
            probe: self.circuit_breaker_probe,
            probe_interval_max: self.circuit_breaker_probe_interval,
            mode: self.circuit_breaker_mode,
            hanging: (!self.circuit_breaker_hanging.is_zero())
                .then_some(self.circuit_breaker_hanging),
            recovery_multiplier: if passive {
                1.0
            } else {
                defaults.recovery_multiplier
            },
            recovery_jitter: if passive {
                none
            } else {
                defaults.recovery_jitter
            },
            probe_timeout: self
                .acquire_timeout
                .min(self.statement_timeout)
                .min(defaults.probe_timeout),
            ..defaults
        }
    }

    /// Whether a server that says nothing is to be found out before deadlines pass.
    pub(crate) fn detects_early(&self) -> bool {
        let on = self.circuit_breaker_failure_threshold < BREAKER_OFF;
        on && self.circuit_breaker_early_detection
    }

    /// Returns the SQLSTATEs that tell the breaker something else than usual.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            ignore: self.circuit_breaker_ignore.clone(),
            count: self.circuit_breaker_count.clone(),
        }
    }

    /// Whether statements are kept on the server, under names.
    pub(crate) fn names_statements(&self) -> bool {
        self.statement_cache_size > 0
    }

    /// Most statements that are kept in mind for each connection.
    pub(crate) fn known_statements(&self) -> usize {
        match self.statement_cache_size {
            0 => DESCRIBED,
            most => most as usize,
        }
    }

    /// Returns the configuration that tokio-postgres connects with.
    ///
    /// # Errors
    /// If the connection string cannot be read.
    pub fn postgres(&self) -> Result<tokio_postgres::Config, ConfigError> {
        let mut config = if self.connection_string.is_empty() {
            let mut config = tokio_postgres::Config::new();
            config
                .host(&self.host)
                .port(self.port)
                .dbname(&self.database)
                .user(&self.user);
            if !self.password.is_empty() {
                config.password(self.password.expose());
            }
            config
        } else {
            tokio_postgres::Config::from_str(self.connection_string.expose())
                .map_err(|error| self.unreadable(&error))?
        };
        if config.get_application_name().is_none() {
            config.application_name(&self.name);
        }
        self.sockets(&mut config);
        if self.server_statement_timeout && !planted!(NoStatementTimeout) {
            // In front, where it can be told from what was asked for.
            let ours = format!(
                "-c statement_timeout={}",
                self.statement_timeout.as_millis()
            );
            let options = match config.get_options() {
                Some(theirs) => format!("{ours} {theirs}"),
                None => ours,
            };
            config.options(options);
        }
        Ok(config)
    }
}

impl PoolConfig {
    /// The error for a connection string that cannot be read.
    fn unreadable(&self, error: &tokio_postgres::Error) -> ConfigError {
        let mut invalid = invalid("connection_string", &Value::Boolean(false));
        let complaint = string::complaint(self.connection_string.expose(), error);
        if let (ConfigError::Invalid { value, .. }, Some(complaint)) = (&mut invalid, complaint) {
            *value = format!("(hidden; {complaint})");
        }
        invalid
    }

    /// Sets when the system gives up a connection, where the connection string does not.
    fn sockets(&self, config: &mut tokio_postgres::Config) {
        let unset = tokio_postgres::Config::new();
        let theirs = config.get_keepalives_idle() != unset.get_keepalives_idle();
        if self.tcp_keepalive.is_zero() {
            config.keepalives(theirs && config.get_keepalives());
        } else if config.get_keepalives() {
            if !theirs {
                config.keepalives_idle(self.tcp_keepalive);
            }
            if config.get_keepalives_interval().is_none() {
                // The system counts whole seconds.
                let third = (self.tcp_keepalive / 3).max(Duration::from_secs(1));
                config.keepalives_interval(third);
            }
            if config.get_keepalives_retries().is_none() {
                config.keepalives_retries(3);
            }
        }
        if config.get_tcp_user_timeout().is_none() && !self.tcp_user_timeout.is_zero() {
            config.tcp_user_timeout(self.tcp_user_timeout);
        }
    }
}

fn as_seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

fn as_milliseconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(from)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

fn milliseconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
