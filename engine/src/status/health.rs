//! [`Health`]: whether a pool is well, in words. Pure.

use std::time::Duration;

use serde::Serialize;

/// Queries in the last seconds that it takes to speak of a share of them.
const FEW: u64 = 10;
/// The share of failures from which on it is not well.
const ILL: f64 = 0.05;

/// Whether a pool is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Callers are served.
    Healthy,
    /// Some callers are not served, or wait.
    Degraded,
    /// No caller is served.
    Down,
}

/// Whether a pool is well, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The worst of all that is wrong.
    pub state: HealthState,
    /// What is wrong, the worst first; or what is good.
    pub reasons: Vec<String>,
}

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signs {
    /// The circuit is open, and this is why.
    pub(crate) open: Option<String>,
    pub(crate) half_open: bool,
    /// Callers are refused because somebody has set it so.
    pub(crate) forced: bool,
    /// The breaker refuses nobody, and is called this.
    pub(crate) passive: Option<&'static str>,
    /// For how long the circuit is as it is.
    pub(crate) since: Duration,
    pub(crate) waiting_for_circuit: u64,
    pub(crate) waiting_for_slot: u64,
    pub(crate) active: u64,
    pub(crate) max: u64,
    /// Over the last ten seconds; `None` if that is not known.
    pub(crate) lately: Option<Lately>,
}

/// What became of queries lately.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lately {
    pub(crate) queries: u64,
    /// Failures that are not the statement's own.
    pub(crate) failed: u64,
    /// Callers that had no connection in time.
    pub(crate) exhausted: u64,
}

impl Signs {
    pub(crate) fn health(&self) -> Health {
        let mut found: Vec<(HealthState, String)> = Vec::new();
        let since = seconds(self.since);
        let waiting = match self.waiting_for_circuit {
            0 => String::new(),
            1 => "; 1 caller waits for it".to_owned(),
            n => format!("; {n} callers wait for it"),
        };
        if self.forced {
            let text = format!("the circuit was forced open {since} ago{waiting}");
            found.push((HealthState::Down, text));
        } else if let Some(why) = &self.open {
            let text = format!("the circuit has been open for {since}: {why}{waiting}");
            let refuses = self.passive.is_none();
            let state = if refuses {
                HealthState::Down
            } else {
                HealthState::Degraded
            };
            found.push((state, text));
        } else if self.half_open {
            let text = format!("the circuit is half-open: some callers find out{waiting}");
            found.push((HealthState::Degraded, text));
        }
        let lately = self.lately.unwrap_or_default();
        let failing = lately.queries >= FEW && lately.failed as f64 > ILL * lately.queries as f64;
        if failing {
            let (failed, of) = (lately.failed, lately.queries);
            let text = format!("{failed} of {of} queries of the last 10 s failed");
            found.push((HealthState::Degraded, text));
        }
        if lately.exhausted > 0 {
            let n = lately.exhausted;
            let text = format!("{n} callers of the last 10 s had no connection in time");
            found.push((HealthState::Degraded, text));
        }
        if self.waiting_for_slot > 0 && self.active >= self.max {
            let (n, max) = (self.waiting_for_slot, self.max);
            let text = format!("all {max} connections are in use, and {n} callers wait for one");
            found.push((HealthState::Degraded, text));
        }
        found.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        let state = found
            .first()
            .map_or(HealthState::Healthy, |(state, _)| *state);
        let mut reasons: Vec<_> = found.into_iter().map(|(_, text)| text).collect();
        if reasons.is_empty() {
            reasons.push(match self.lately {
                None => "the circuit is closed".to_owned(),
                Some(Lately { queries: 0, .. }) => "no query in the last 10 s".to_owned(),
                Some(Lately { queries, .. }) => {
                    format!("{queries} queries in the last 10 s, and callers are served")
                }
            });
        }
        if let Some(mode) = self.passive {
            reasons.push(format!(
                "the circuit breaker refuses nobody: it is set to {mode}"
            ));
        }
        Health { state, reasons }
    }
}

fn seconds(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=119 => format!("{s} s"),
        120..=7_199 => format!("{} min", s / 60),
        _ => format!("{} h", s / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> Signs {
        Signs {
            max: 10,
            lately: Some(Lately {
                queries: 400,
                ..Lately::default()
            }),
            ..Signs::default()
        }
    }

    #[test]
    fn the_worst_is_said_first() {
        let well = served().health();
        assert_eq!(well.state, HealthState::Healthy);
        assert_eq!(well.reasons.len(), 1);
        let mut signs = served();
        signs.lately = Some(Lately {
            queries: 400,
            failed: 21,
            exhausted: 3,
        });
        assert_eq!(signs.health().state, HealthState::Degraded);
        signs.open = Some("5 failures in a row".to_owned());
        signs.since = Duration::from_millis(1_500);
        signs.waiting_for_circuit = 7;
        let down = signs.health();
        assert_eq!(down.state, HealthState::Down);
        let first =
            "the circuit has been open for 1.5 s: 5 failures in a row; 7 callers wait for it";
        assert_eq!(down.reasons[0], first);
        assert_eq!(down.reasons.len(), 3);
    }

    #[test]
    fn a_few_failures_and_a_full_pool_without_a_queue_are_no_illness() {
        let mut signs = served();
        signs.active = 10;
        signs.lately = Some(Lately {
            queries: 400,
            failed: 20,
            exhausted: 0,
        });
        assert_eq!(signs.health().state, HealthState::Healthy);
        signs.lately = Some(Lately {
            queries: 9,
            failed: 9,
            exhausted: 0,
        });
        assert_eq!(signs.health().state, HealthState::Healthy);
        signs.waiting_for_slot = 1;
        assert_eq!(signs.health().state, HealthState::Degraded);
    }

    #[test]
    fn a_circuit_that_refuses_nobody_does_not_take_the_pool_down() {
        let mut signs = served();
        signs.open = Some("1 failure".to_owned());
        signs.passive = Some("shadow");
        let health = signs.health();
        assert_eq!(health.state, HealthState::Degraded);
        assert!(health.reasons.last().unwrap().contains("shadow"));
    }
}
