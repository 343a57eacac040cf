//! The keys by name, what each may hold, and the error for one that holds something else.

use toml::Value;

/// The keys, and what each may hold.
pub(super) const KEYS: [(&str, &str); 42] = [
    ("name", "a string"),
    ("database_type", "\"postgresql\""),
    ("host", "a string"),
    ("port", "an integer in 1..=65535"),
    ("database", "a string"),
    ("user", "a string"),
    ("password", "a string"),
    (
        "connection_string",
        "a postgresql:// URL, or key=value pairs",
    ),
    ("min_connections", "an integer in 0..=max_connections"),
    ("max_connections", "an integer in 1..=10000"),
    ("adaptive_sizing", "true or false"),
    ("enable_query_routing", "true or false"),
    (
        "circuit_breaker_failure_threshold",
        "an integer in 1..=999999 (999999: off)",
    ),
    (
        "circuit_breaker_recovery_timeout",
        "seconds in 0.001..=86400",
    ),
    (
        "circuit_breaker_error_rate",
        "a number above 0 and at most 1",
    ),
    ("circuit_breaker_probe", "\"active\" or \"passive\""),
    (
        "circuit_breaker_probe_interval_ms",
        "milliseconds in 10..=60000",
    ),
    (
        "circuit_breaker_mode",
        "\"active\", \"shadow\", \"disabled\" or \"forced-open\"",
    ),
    (
        "circuit_breaker_role",
        "\"any\", \"primary\" or \"replica\"",
    ),
    (
        "circuit_breaker_ignore",
        "SQLSTATEs (\"57P01\") or classes (\"57\")",
    ),
    (
        "circuit_breaker_count",
        "SQLSTATEs (\"57P01\") or classes (\"57\")",
    ),
    (
        "circuit_breaker_hanging_ms",
        "milliseconds in 0..=86400000 (0: never)",
    ),
    ("circuit_breaker_early_detection", "true or false"),
    ("circuit_breaker_when_open", "\"refuse\" or \"wait\""),
    ("circuit_breaker_max_waiting", "an integer in 1..=100000"),
    (
        "circuit_breaker_wait_order",
        "\"first-come\" or \"newest-first\"",
    ),
    ("metrics_retention_minutes", "an integer in 0..=10080"),
    ("enable_pipelining", "true or false"),
    ("pipeline_batch_size", "an integer in 1..=10000"),
    ("enable_monitoring", "true or false"),
    ("monitoring_port", "an integer in 0..=65535"),
    (
        "monitoring_address",
        "an IP address; with a monitoring_token any, else a loopback one (127.0.0.1, ::1)",
    ),
    (
        "monitoring_token",
        "1024 visible ASCII characters at most, or none",
    ),
    ("enable_metrics_endpoint", "true or false"),
    (
        "metrics_port",
        "an integer in 0..=65535, and not the monitoring_port if both are served",
    ),
    ("acquire_timeout_ms", "milliseconds in 1..=60000"),
    ("idle_check_ms", "milliseconds in 0..=86400000 (0: never)"),
    (
        "tcp_keepalive_ms",
        "milliseconds in 1000..=7200000, or 0: never",
    ),
    (
        "tcp_user_timeout_ms",
        "milliseconds in 1000..=7200000, or 0: the system's",
    ),
    ("statement_timeout_ms", "milliseconds in 1..=86400000"),
    ("server_statement_timeout", "true or false"),
    (
        "statement_cache_size",
        "an integer in 0..=100000 (0: none is kept on the server)",
    ),
];

/// Keys whose values must not be shown.
const SECRET: [&str; 3] = ["password", "connection_string", "monitoring_token"];

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// There is no tokio runtime to run in.
    #[error("no tokio runtime: call this inside of one")]
    NoRuntime,
    /// There is no such key.
    #[error("{key}: no such key{}", .nearest.map(|n| format!(", did you mean {n}?")).unwrap_or_default())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The known key that is most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong type or out of range.
    #[error("{key}: {value}, allowed: {allowed}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The value as written; `(hidden)` for a secret, with what is wrong with it, if
        /// that can be said.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
}

pub(super) fn described(key: &str) -> (&'static str, &'static str) {
    KEYS.into_iter()
        .find(|(name, _)| *name == key)
        .unwrap_or(("", ""))
}

pub(super) fn invalid(key: &'static str, value: &Value) -> ConfigError {
    let value = if SECRET.contains(&key) {
        "(hidden)".to_owned()
    } else {
        value.to_string()
    };
    ConfigError::Invalid {
        key,
        value,
        allowed: described(key).1,
    }
}

/// The known key that is most like `key`, if one is alike enough to be meant.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let names = KEYS.map(|(name, _)| name);
    nearest_of(key, &names, 0.7)
}

/// The name that is most like `key`, if it is more alike than that.
pub(super) fn nearest_of(key: &str, names: &[&'static str], least: f64) -> Option<&'static str> {
    names
        .iter()
        .map(|name| (strsim::jaro_winkler(key, name), *name))
        .filter(|(likeness, _)| *likeness > least)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
