//! [`Config`]: when the breaker opens, and how it finds its way back.

use std::time::Duration;

use super::{state::Reason, window::Counts};

/// How an open breaker learns that the server is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// The pool asks the server itself, on a fresh connection, with jittered
    /// backoff; no caller is gambled, and recovery need not wait for a timeout.
    Active,
    /// After the recovery timeout the next callers are let through to find out.
    Passive,
}

/// Settings of a [`Breaker`](super::Breaker).
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Opens at this many failures in a row. `None` never.
    pub failure_threshold: Option<u32>,
    /// Opens when at least this share of the window failed, 0..=1. `None` never.
    pub failure_rate: Option<f64>,
    /// What the failure rate is taken over.
    pub window: Duration,
    /// Outcomes in the window below which the failure rate decides nothing.
    pub minimum_calls: u32,
    /// Open for this long at most before callers are let through to find out.
    pub recovery_timeout: Duration,
    /// Callers let through at once in half-open, at least 1.
    pub half_open_permits: u32,
    /// Successes in half-open that close, at least 1.
    pub success_threshold: u32,
    /// Half-open for this long at most without a decision.
    pub half_open_lease: Duration,
    /// How an open breaker learns that the server is back.
    pub probe: Probe,
    /// First wait before a probe.
    pub probe_interval_min: Duration,
    /// Longest wait between probes. Half of it, on average, is what a recovery
    /// waits for; its inverse, times the number of clients, is what a server meets
    /// in connects per second while it comes back.
    pub probe_interval_max: Duration,
    /// A probe that takes longer has failed.
    pub probe_timeout: Duration,
}

impl Default for Config {
    /// The guide's 5 failures, 60 s and one half, with an active probe.
    fn default() -> Self {
        Self {
            failure_threshold: Some(5),
            failure_rate: Some(0.5),
            window: Duration::from_secs(10),
            minimum_calls: 20,
            recovery_timeout: Duration::from_secs(60),
            half_open_permits: 3,
            success_threshold: 3,
            half_open_lease: Duration::from_secs(60),
            probe: Probe::Active,
            probe_interval_min: Duration::from_millis(50),
            probe_interval_max: Duration::from_millis(250),
            probe_timeout: Duration::from_secs(1),
        }
    }
}

impl Config {
    /// Whether these counts open a closed breaker.
    #[must_use]
    pub fn trips(&self, consecutive: u32, counts: Counts) -> Option<Reason> {
        if self.failure_threshold.is_some_and(|t| consecutive >= t) {
            return Some(Reason::ConsecutiveFailures(consecutive));
        }
        let rated = counts.total() >= self.minimum_calls;
        (rated
            && self
                .failure_rate
                .is_some_and(|r| counts.failure_rate() >= r))
        .then_some(Reason::FailureRate(counts))
    }
}

/// Waits between probes: doubling from `min` to `max`, each drawn evenly from
/// the upper half ("equal jitter"), so that many clients of one server spread
/// out and none of them waits for nearly nothing.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
/// 2015.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Starts at `min`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self {
            next: min.min(max),
            max,
        }
    }

    /// The next wait, between half of the current bound and all of it.
    pub fn next(&mut self, rng: &mut fastrand::Rng) -> Duration {
        let bound = self.next;
        self.next = bound.saturating_mul(2).min(self.max);
        bound.mul_f64(0.5 + rng.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_the_upper_half_of_a_bound_that_doubles_up_to_the_maximum() {
        let ms = Duration::from_millis;
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(ms(50), ms(300));
        for bound in [50, 100, 200, 300, 300] {
            let wait = backoff.next(&mut rng);
            assert!(
                wait >= ms(bound / 2) && wait <= ms(bound),
                "{wait:?} of {bound}"
            );
        }
    }

    #[test]
    fn a_rate_decides_nothing_below_the_minimum_of_calls() {
        let config = Config {
            failure_threshold: None,
            ..Config::default()
        };
        let few = Counts { ok: 0, failed: 19 };
        let enough = Counts { ok: 10, failed: 10 };
        assert_eq!(config.trips(19, few), None);
        assert_eq!(config.trips(1, enough), Some(Reason::FailureRate(enough)));
        let off = Config {
            failure_rate: None,
            ..config
        };
        assert_eq!(off.trips(u32::MAX, enough), None);
    }
}
