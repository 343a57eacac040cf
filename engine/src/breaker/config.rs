//! [`Config`]: when the breaker opens, and how it finds its way back.

use std::time::Duration;

use super::{
    state::{Evidence, Mode, Reason},
    window::Counts,
};

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
    /// The mode that the breaker begins in. Default active.
    pub mode: Mode,
    /// Opens at this many failures in a row. `None` never. Default 5.
    pub failure_threshold: Option<u32>,
    /// Opens when at least this share of a window failed, above 0 and at most 1.
    /// `None` never. Default 0.5.
    pub failure_rate: Option<f64>,
    /// Opens when at least this share of a window was slow, above 0 and at most 1.
    /// `None` never. Default `None`.
    pub slow_rate: Option<f64>,
    /// A call that takes longer is slow. Default 5 s; counts only with a `slow_rate`.
    pub slow_call: Duration,
    /// The span of time that rates are taken over. Default 10 s.
    pub window: Duration,
    /// The number of calls that rates are also taken over, at most 100 000. `None`
    /// takes them over time only, and costs less: the last N calls of all threads
    /// have to meet somewhere. Default `None`.
    pub count_window: Option<u32>,
    /// Outcomes in a window below which its rates decide nothing. Default 20.
    pub minimum_calls: u32,
    /// Opens when a call has been under way for longer, and none that came after it
    /// has gone well: a server that hangs is otherwise seen when the first call gives
    /// up. Known to an eighth of it. Choose it above the longest statement that is
    /// well. `None` never, and costs less. Default `None`.
    pub hanging: Option<Duration>,
    /// Open for this long before callers are let through to find out: the first
    /// time; see `recovery_multiplier`. Default 60 s.
    pub recovery_timeout: Duration,
    /// What the wait grows by with each trip since it was last closed, at least 1.
    /// Default 2.
    pub recovery_multiplier: f64,
    /// The longest wait. Default 5 min.
    pub recovery_timeout_max: Duration,
    /// The part of the wait that is drawn at random, 0..=1: 0 waits all of it, 1
    /// waits for something between nothing and all of it ("full jitter"). Default 0
    /// for the first wait, 1 for those that follow, so that many clients of one
    /// server spread out and none forgets what was asked for.
    pub recovery_jitter: Jitter,
    /// Callers let through at once in half-open, at least 1. Default 3.
    pub half_open_permits: u32,
    /// Successes in half-open that close, at least 1. Default 3.
    pub success_threshold: u32,
    /// Half-open for this long at most without a decision. Default 60 s.
    pub half_open_lease: Duration,
    /// For this long after closing only a share of the callers is admitted, growing
    /// from a tenth to all. Default zero: none is refused.
    pub ramp: Duration,
    /// How an open breaker learns that the server is back. Default active.
    pub probe: Probe,
    /// First wait before a probe. Default 50 ms.
    pub probe_interval_min: Duration,
    /// Longest wait between probes. Half of it, on average, is what a recovery
    /// waits for; its inverse, times the number of clients, is what a server meets
    /// in connects per second while it comes back. Default 250 ms.
    pub probe_interval_max: Duration,
    /// A probe that takes longer has failed. Default 1 s.
    pub probe_timeout: Duration,
}

/// The parts of a wait that are drawn at random, 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// The part of the first wait after the breaker was closed.
    pub first: f64,
    /// The part of the waits that follow.
    pub again: f64,
}

impl Default for Config {
    /// Opens at 5 failures in a row or a failure rate of one half, waits 60 s, and probes
    /// actively.
    fn default() -> Self {
        Self {
            mode: Mode::Active,
            failure_threshold: Some(5),
            failure_rate: Some(0.5),
            slow_rate: None,
            slow_call: Duration::from_secs(5),
            window: Duration::from_secs(10),
            count_window: None,
            minimum_calls: 20,
            hanging: None,
            recovery_timeout: Duration::from_secs(60),
            recovery_multiplier: 2.0,
            recovery_timeout_max: Duration::from_secs(300),
            recovery_jitter: Jitter {
                first: 0.0,
                again: 1.0,
            },
            half_open_permits: 3,
            success_threshold: 3,
            half_open_lease: Duration::from_secs(60),
            ramp: Duration::ZERO,
            probe: Probe::Active,
            probe_interval_min: Duration::from_millis(50),
            probe_interval_max: Duration::from_millis(250),
            probe_timeout: Duration::from_secs(1),
        }
    }
}

impl Config {
    /// The breaker of the migration guide: no probe of its own, and the same wait each
    /// time.
    #[must_use]
    pub fn guide(failure_threshold: u32, recovery_timeout: Duration) -> Self {
        Self {
            failure_threshold: Some(failure_threshold),
            recovery_timeout,
            recovery_multiplier: 1.0,
            recovery_jitter: Jitter {
                first: 0.0,
                again: 0.0,
            },
            probe: Probe::Passive,
            ..Self::default()
        }
    }

    /// The migration guide's week 1: "conservative".
    #[must_use]
    pub fn week1() -> Self {
        Self::guide(3, Duration::from_secs(120))
    }

    /// The migration guide's week 2: "balanced".
    #[must_use]
    pub fn week2() -> Self {
        Self::guide(5, Duration::from_secs(60))
    }

    /// The migration guide's week 3: "optimized for your workload".
    #[must_use]
    pub fn week3() -> Self {
        Self::guide(8, Duration::from_secs(45))
    }

    /// For a database: 5 failures, 60 s (the reference implementation's preset).
    #[must_use]
    pub fn database() -> Self {
        Self::default()
    }

    /// For an API that is called over HTTP: 3 failures, 30 s, no probe.
    #[must_use]
    pub fn api() -> Self {
        Self {
            failure_threshold: Some(3),
            recovery_timeout: Duration::from_secs(30),
            probe: Probe::Passive,
            ..Self::default()
        }
    }

    /// For a cache: 2 failures, 15 s, no probe.
    #[must_use]
    pub fn cache() -> Self {
        Self {
            failure_threshold: Some(2),
            recovery_timeout: Duration::from_secs(15),
            ..Self::api()
        }
    }

    /// Returns why a closed breaker opens by this evidence, if it does.
    pub(super) fn trips(&self, by: &Evidence) -> Option<Reason> {
        let enough = |n: u32| planted!(ThresholdTimesTen, n => n.saturating_mul(10));
        let reached = |threshold| by.consecutive >= enough(threshold);
        if self.failure_threshold.is_some_and(reached) {
            return Some(Reason::ConsecutiveFailures(by.consecutive));
        }
        let windows = [Some(by.span), by.last];
        let rated = || {
            let windows = windows.into_iter().flatten();
            windows.filter(|counts| counts.total() >= enough(self.minimum_calls))
        };
        let failed = |counts: &Counts| {
            self.failure_rate
                .is_some_and(|r| counts.failure_rate() >= r)
        };
        let slow = |counts: &Counts| self.slow_rate.is_some_and(|r| counts.slow_rate() >= r);
        let failing = rated().find(failed).map(Reason::FailureRate);
        failing.or_else(|| rated().find(slow).map(Reason::SlowRate))
    }

    /// How long the breaker stays open, when it has tripped `before` times since it was
    /// last closed.
    pub(super) fn open_wait_ns(&self, before: u32, rng: &mut fastrand::Rng) -> u64 {
        let grown = self
            .recovery_multiplier
            .max(1.0)
            .powi(i32::try_from(before).unwrap_or(i32::MAX));
        let most = self.recovery_timeout_max.max(self.recovery_timeout);
        let wait = self.recovery_timeout.as_secs_f64() * grown;
        let jitter = if before == 0 {
            self.recovery_jitter.first
        } else {
            self.recovery_jitter.again
        };
        let share = 1.0 - jitter.clamp(0.0, 1.0) * rng.f64();
        ns(most.mul_f64((wait / most.as_secs_f64()).min(1.0) * share))
    }

    pub(super) fn recovery_timeout_ns(&self) -> u64 {
        ns(self.recovery_timeout)
    }

    pub(super) fn half_open_lease_ns(&self) -> u64 {
        ns(self.half_open_lease)
    }

    pub(super) fn probe_interval_min_ns(&self) -> u64 {
        ns(self.probe_interval_min)
    }

    pub(super) fn ramp_ns(&self) -> u64 {
        ns(self.ramp)
    }
}

/// Nanoseconds in one word, which holds 584 years. Avoids the 128 bits of
/// [`Duration::as_nanos`], since every call needs it.
#[inline]
pub(super) fn ns(duration: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let whole = duration.as_secs().saturating_mul(SECOND);
    whole.saturating_add(u64::from(duration.subsec_nanos()))
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

    fn by(span: Counts) -> Evidence {
        Evidence {
            span,
            ..Evidence::default()
        }
    }

    #[test]
    fn a_rate_decides_nothing_below_the_minimum_of_calls() {
        let config = Config {
            failure_threshold: None,
            slow_rate: Some(0.8),
            ..Config::default()
        };
        let counts = |ok, failed, slow| Counts { ok, failed, slow };
        assert_eq!(config.trips(&by(counts(0, 19, 19))), None);
        let enough = counts(10, 10, 0);
        assert_eq!(config.trips(&by(enough)), Some(Reason::FailureRate(enough)));
        let slow = counts(19, 1, 16);
        assert_eq!(config.trips(&by(slow)), Some(Reason::SlowRate(slow)));
        assert_eq!(config.trips(&by(counts(19, 1, 15))), None);
        let last = Evidence {
            last: Some(enough),
            ..by(counts(1_000, 10, 0))
        };
        assert_eq!(config.trips(&last), Some(Reason::FailureRate(enough)));
        let off = Config {
            failure_rate: None,
            slow_rate: None,
            ..config
        };
        assert_eq!(off.trips(&by(enough)), None);
    }

    #[test]
    fn a_wait_grows_with_each_trip_and_is_drawn() {
        let mut rng = fastrand::Rng::with_seed(3);
        let s = |ns: u64| Duration::from_nanos(ns).as_secs_f64();
        let config = Config::default();
        assert_eq!(
            config.open_wait_ns(0, &mut rng),
            60_000_000_000,
            "as asked for"
        );
        let drawn: Vec<f64> = (0..1_000)
            .map(|_| s(config.open_wait_ns(1, &mut rng)))
            .collect();
        assert!(drawn.iter().all(|wait| (0.0..=120.0).contains(wait)));
        let mean = drawn.iter().sum::<f64>() / 1_000.0;
        assert!((50.0..70.0).contains(&mean), "full jitter: {mean}");
        let most = (0..1_000).map(|_| s(config.open_wait_ns(u32::MAX, &mut rng)));
        assert!(most.fold(0.0, f64::max) <= 300.0);
        let guide = Config::week2();
        for before in 0..9 {
            assert_eq!(guide.open_wait_ns(before, &mut rng), 60_000_000_000);
        }
    }
}
