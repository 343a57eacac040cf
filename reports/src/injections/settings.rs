//! What an arm's configuration promises, as its record has it.

use crate::run::{Arm, Load};

/// What follows from the settings of an arm of the engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// Failures in a row that open the circuit. `None` for a breaker that is off.
    pub(crate) threshold: Option<u32>,
    /// Longest that a caller waits for a connection or an answer, in seconds.
    pub(crate) deadline_s: f64,
    /// Longest that one statement takes, from the call on, in seconds: a connection is waited
    /// for, and then its answer; or both within one deadline, where callers say theirs.
    pub(crate) call_s: f64,
    /// Longest wait between two probes, in seconds; of a breaker that does not ask by
    /// itself, the recovery timeout.
    pub(crate) probe_s: f64,
    /// Whether the breaker asks by itself.
    pub(crate) active: bool,
    /// Whether callers wait for an open circuit to close, instead of being refused.
    pub(crate) waits: bool,
    /// Whether a server that says nothing is found out before deadlines pass.
    pub(crate) early: bool,
    /// Most connections at once.
    pub(crate) max_connections: u32,
}

/// The setting that names the client of an arm.
const CLIENT: &str = "client";
const ENGINE: &str = "seawall";
/// The threshold that switches the breaker off, as the guide has it.
const OFF: u32 = 999_999;

impl Settings {
    /// `None` for an arm without the engine, and for one whose record does not say.
    pub(crate) fn of(arm: &Arm) -> Option<Self> {
        if !is_engine(arm) {
            return None;
        }
        let number = |key: &str| arm.config.get(key)?.parse::<f64>().ok();
        let count = |key: &str| arm.config.get(key)?.parse::<u32>().ok();
        let word = |key: &str| arm.config.get(key).map_or("", String::as_str);
        let threshold = count("circuit_breaker_failure_threshold")?;
        let on = threshold < OFF && word("circuit_breaker_mode") == "active";
        let active = word("circuit_breaker_probe") == "active";
        let statement_ms = number("statement_timeout_ms")?;
        let acquire_ms = number("acquire_timeout_ms")?;
        let waits = word("circuit_breaker_when_open") == "wait";
        let deadline_s = statement_ms.max(acquire_ms) / 1e3;
        Some(Self {
            threshold: on.then_some(threshold),
            deadline_s,
            call_s: if waits {
                deadline_s
            } else {
                (statement_ms + acquire_ms) / 1e3
            },
            probe_s: if active {
                number("circuit_breaker_probe_interval_ms")? / 1e3
            } else {
                number("circuit_breaker_recovery_timeout")?
            },
            active,
            // Records of before know neither.
            waits,
            early: on && active && word("circuit_breaker_early_detection") == "true",
            max_connections: count("max_connections")?,
        })
    }

    /// How long until callers have failed so often that the circuit has to be open: one
    /// deadline, and as many arrivals as the threshold says.
    pub(crate) fn detection_s(&self, load: &Load) -> Option<f64> {
        let arrivals_s = f64::from(self.threshold?) / f64::from(load.rate_per_s.max(1));
        Some(self.deadline_s + arrivals_s)
    }
}

impl Settings {
    /// The longest wait between two probes after the server was down for so long, in seconds: a
    /// fortieth of that, within a sixth of the longest wait and all of it.
    pub(crate) fn probe_wait_s(&self, down_s: f64) -> f64 {
        if self.active {
            (down_s / 40.0).clamp(self.probe_s / 6.0, self.probe_s)
        } else {
            self.probe_s
        }
    }

    /// How many times the server may be asked at most while it is down for so long: each wait is
    /// at least half of its bound.
    pub(crate) fn probes(&self, down_s: f64) -> f64 {
        if !self.active {
            return 2.0 * down_s / self.probe_s.max(0.01);
        }
        // A hundredth of the outage, within an eighth of the longest wait and all of it.
        let (least_s, most_s) = (self.probe_s / 8.0, self.probe_s);
        let (grows_s, longest_s) = (100.0 * least_s, 100.0 * most_s);
        let short = down_s.min(grows_s) / (least_s / 2.0);
        let growing = (down_s.clamp(grows_s, longest_s) / grows_s).ln() * 200.0;
        let long = (down_s - longest_s).max(0.0) / (most_s / 2.0);
        short + growing + long
    }
}

/// Whether an arm is a configuration of the engine.
pub(crate) fn is_engine(arm: &Arm) -> bool {
    // Records of before name no client.
    arm.config.get(CLIENT).map_or_else(
        || !matches!(&*arm.name, "bare" | "careful"),
        |client| client == ENGINE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_bounded_by_the_shortest_waits_there_can_be() {
        let settings = Settings {
            threshold: Some(5),
            deadline_s: 0.5,
            call_s: 1.0,
            probe_s: 0.25,
            active: true,
            waits: false,
            early: true,
            max_connections: 10,
        };
        // One wait after another, each half of what it may be at most.
        for down_s in [0.5, 3.0, 10.0, 60.0] {
            let (mut at_s, mut n) = (0.0, 0.0);
            while at_s < down_s {
                at_s += f64::clamp(at_s / 100.0, 0.25 / 8.0, 0.25) / 2.0;
                n += 1.0;
            }
            let bound = settings.probes(down_s);
            assert!((bound / n - 1.0).abs() < 0.05, "{down_s}: {bound} {n}");
        }
        let passive = Settings {
            active: false,
            probe_s: 60.0,
            ..settings
        };
        assert!((passive.probes(30.0) - 1.0).abs() < 1e-9);
    }
}
