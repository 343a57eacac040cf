//! When operations are due, and which of them write. Pure.
//!
//! Open loop: arrivals do not wait for answers, so a server that hangs makes a
//! queue, as it does in production. They are evenly spaced, not random: a window
//! then holds the same number each time, and a dip of a few percent in it is the
//! server's doing.

use std::time::Duration;

/// An evenly spaced open loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// Operations a second, at least 1.
    pub rate_per_s: u32,
    /// Share of writes, 0..=1.
    pub write_share: f64,
}

impl Arrivals {
    /// When operation `i` is due, from the start.
    #[must_use]
    pub fn due(&self, i: u64) -> Duration {
        Duration::from_micros(i.saturating_mul(1_000_000) / u64::from(self.rate_per_s))
    }

    /// Whether operation `i` writes: spread evenly, so that every window has both.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn writes(&self, i: u64) -> bool {
        let writes_before = |n: u64| (n as f64 * self.write_share).floor();
        writes_before(i + 1) > writes_before(i)
    }
}

/// How many operations of an arm may be under way at once: two and a half deadlines'
/// worth of arrivals, so that whatever can still be in time is sent, and a queue that is
/// beyond hope is bounded.
#[must_use]
pub fn max_in_flight(rate_per_s: u32, deadline: Duration) -> u32 {
    let arrivals = 2.5 * f64::from(rate_per_s) * deadline.as_secs_f64();
    (64_u32..20_000)
        .find(|n| f64::from(*n) >= arrivals)
        .unwrap_or(20_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_has_the_same_number_and_the_same_share_of_writes() {
        let arrivals = Arrivals {
            rate_per_s: 400,
            write_share: 0.2,
        };
        let in_window = |w: u64| {
            (0..4_000_u64).filter(move |i| arrivals.due(*i).as_millis() / 250 == u128::from(w))
        };
        for w in 0..40 {
            assert_eq!(in_window(w).count(), 100);
            assert_eq!(in_window(w).filter(|i| arrivals.writes(*i)).count(), 20);
        }
        let reads_only = Arrivals {
            rate_per_s: 1,
            write_share: 0.0,
        };
        assert!((0..100).all(|i| !reads_only.writes(i)));
        let writes_only = Arrivals {
            rate_per_s: 1,
            write_share: 1.0,
        };
        assert!((0..100).all(|i| writes_only.writes(i)));
    }
}
