//! Checks the ranges of a configuration.

use std::{fmt, net::IpAddr, time::Duration};

use super::{BREAKER_OFF, ConfigError, PoolConfig, keys::described};
use crate::error::Rules;

impl PoolConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// The first key whose value is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let minute = Duration::from_millis(1)..=Duration::from_secs(60);
        let day = Duration::from_millis(1)..=Duration::from_secs(86_400);
        let probing = Duration::from_millis(10)..=Duration::from_secs(60);
        let rate = self.circuit_breaker_error_rate;
        let recovery = self.circuit_breaker_recovery_timeout;
        let socket = Duration::from_secs(1)..=Duration::from_secs(7_200);
        let hanging = Duration::ZERO..=Duration::from_secs(86_400);
        let (address, token) = (
            self.monitoring_address.parse::<IpAddr>(),
            &self.monitoring_token,
        );
        let visible = token.expose().bytes().all(|b| b.is_ascii_graphic());
        let served = self.enable_monitoring || self.enable_metrics_endpoint;
        let guarded =
            !served || !token.is_empty() || address.as_ref().is_ok_and(IpAddr::is_loopback);
        let both = self.enable_monitoring && self.enable_metrics_endpoint;
        let one_port = self.monitoring_port == self.metrics_port && self.metrics_port != 0;
        let checks: [(bool, &str, &dyn fmt::Debug); 23] = [
            (
                matches!(self.database_type.as_str(), "postgresql" | "postgres"),
                "database_type",
                &self.database_type,
            ),
            (self.port >= 1, "port", &self.port),
            (
                (1..=10_000).contains(&self.max_connections),
                "max_connections",
                &self.max_connections,
            ),
            (
                self.min_connections <= self.max_connections,
                "min_connections",
                &self.min_connections,
            ),
            (
                (1..=BREAKER_OFF).contains(&self.circuit_breaker_failure_threshold),
                "circuit_breaker_failure_threshold",
                &self.circuit_breaker_failure_threshold,
            ),
            (
                day.contains(&recovery),
                "circuit_breaker_recovery_timeout",
                &recovery.as_secs_f64(),
            ),
            (
                rate > 0.0 && rate <= 1.0,
                "circuit_breaker_error_rate",
                &rate,
            ),
            (
                probing.contains(&self.circuit_breaker_probe_interval),
                "circuit_breaker_probe_interval_ms",
                &self.circuit_breaker_probe_interval.as_millis(),
            ),
            (
                Rules::are_states(&self.circuit_breaker_ignore),
                "circuit_breaker_ignore",
                &self.circuit_breaker_ignore,
            ),
            (
                Rules::are_states(&self.circuit_breaker_count),
                "circuit_breaker_count",
                &self.circuit_breaker_count,
            ),
            (
                hanging.contains(&self.circuit_breaker_hanging),
                "circuit_breaker_hanging_ms",
                &self.circuit_breaker_hanging.as_millis(),
            ),
            (
                (1..=100_000).contains(&self.circuit_breaker_max_waiting),
                "circuit_breaker_max_waiting",
                &self.circuit_breaker_max_waiting,
            ),
            (
                (1..=10_000).contains(&self.pipeline_batch_size),
                "pipeline_batch_size",
                &self.pipeline_batch_size,
            ),
            (
                minute.contains(&self.acquire_timeout),
                "acquire_timeout_ms",
                &self.acquire_timeout.as_millis(),
            ),
            (
                hanging.contains(&self.idle_check),
                "idle_check_ms",
                &self.idle_check.as_millis(),
            ),
            (
                self.tcp_keepalive.is_zero() || socket.contains(&self.tcp_keepalive),
                "tcp_keepalive_ms",
                &self.tcp_keepalive.as_millis(),
            ),
            (
                self.tcp_user_timeout.is_zero() || socket.contains(&self.tcp_user_timeout),
                "tcp_user_timeout_ms",
                &self.tcp_user_timeout.as_millis(),
            ),
            (
                day.contains(&self.statement_timeout),
                "statement_timeout_ms",
                &self.statement_timeout.as_millis(),
            ),
            (
                (0..=100_000).contains(&self.statement_cache_size),
                "statement_cache_size",
                &self.statement_cache_size,
            ),
            (
                self.metrics_retention_minutes <= 10_080,
                "metrics_retention_minutes",
                &self.metrics_retention_minutes,
            ),
            (
                address.is_ok() && guarded,
                "monitoring_address",
                &self.monitoring_address,
            ),
            (
                visible && token.expose().len() <= 1_024,
                "monitoring_token",
                &token,
            ),
            (!(both && one_port), "metrics_port", &self.metrics_port),
        ];
        for (holds, key, value) in checks {
            if !holds {
                let (key, allowed) = described(key);
                return Err(ConfigError::Invalid {
                    key,
                    value: format!("{value:?}"),
                    allowed,
                });
            }
        }
        self.postgres().map(|_| ())
    }

    /// Lists the keys that are set to something else than their default and have no effect
    /// in this version.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&'static str> {
        let d = Self::default();
        // What there is no server for.
        let unserved = !cfg!(feature = "monitoring");
        [
            ("adaptive_sizing", self.adaptive_sizing != d.adaptive_sizing),
            (
                "enable_query_routing",
                self.enable_query_routing != d.enable_query_routing,
            ),
            (
                "enable_monitoring",
                unserved && self.enable_monitoring != d.enable_monitoring,
            ),
            (
                "monitoring_port",
                unserved && self.monitoring_port != d.monitoring_port,
            ),
            (
                "monitoring_address",
                unserved && self.monitoring_address != d.monitoring_address,
            ),
            (
                "monitoring_token",
                unserved && self.monitoring_token != d.monitoring_token,
            ),
            (
                "enable_metrics_endpoint",
                unserved && self.enable_metrics_endpoint != d.enable_metrics_endpoint,
            ),
            (
                "metrics_port",
                unserved && self.metrics_port != d.metrics_port,
            ),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
        .collect()
    }
}
