//! When operations are due, and what each of them does. Pure.
//!
//! Open loop: arrivals do not wait for answers, so a server that hangs makes a
//! queue, as it does in production. They are evenly spaced, not random: a window
//! then holds the same number of each kind, and a dip of a few percent in it is the
//! server's doing.

use std::time::Duration;

use reports::run::{Kind, Load, Mix};

/// How many mistakes come in a row.
const MISTAKES: u64 = 8;

/// An evenly spaced open loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// Operations a second, at least 1.
    pub rate_per_s: u32,
    /// Share of plain writes, 0..=1.
    pub write_share: f64,
    /// What there is beside them.
    pub mix: Mix,
}

impl Arrivals {
    /// Those of a load.
    #[must_use]
    pub fn of(load: &Load) -> Self {
        Self {
            rate_per_s: load.rate_per_s,
            write_share: load.write_share,
            mix: load.mix,
        }
    }

    /// When operation `i` is due, from the start.
    #[must_use]
    pub fn due(&self, i: u64) -> Duration {
        Duration::from_micros(i.saturating_mul(1_000_000) / u64::from(self.rate_per_s))
    }

    /// What operation `i` does: each kind is spread evenly, so that every window has its
    /// share of it. Only mistakes come in a row, as those of one caller do.
    #[must_use]
    pub fn kind(&self, i: u64) -> Kind {
        let mut i = i;
        if let Some(period) = self.mistakes_period() {
            let (round, place) = (i / period, i % period);
            // Not where what runs beside the operations begins: that goes well, and would
            // stand between them.
            let first = (period * 4 / 25).min(period - MISTAKES);
            if (first..first + MISTAKES).contains(&place) {
                return Kind::Mistake;
            }
            // Its number among all that are not mistakes.
            i -= (round + u64::from(place > first)) * MISTAKES;
        }
        let mut left = 1.0 - self.mix.mistakes;
        for (kind, share) in self.shares() {
            // Of those that are not of an earlier kind, this share: every so often one.
            let share = if left > 0.0 { share / left } else { 0.0 };
            let before = floor(i, share);
            if floor(i + 1, share) > before {
                return kind;
            }
            i -= before;
            left *= 1.0 - share;
        }
        Kind::Read
    }

    /// After how many operations mistakes come again.
    fn mistakes_period(&self) -> Option<u64> {
        let share = self.mix.mistakes;
        (share > 0.0).then(|| {
            let period = Duration::from_secs(MISTAKES).div_f64(share).as_secs();
            period.max(MISTAKES)
        })
    }

    fn shares(&self) -> [(Kind, f64); 6] {
        let mix = &self.mix;
        [
            (Kind::Write, self.write_share),
            (Kind::Transaction, mix.transactions),
            (Kind::Rollback, mix.rollbacks),
            (Kind::Savepoint, mix.savepoints),
            (Kind::HotRow, mix.hot_rows),
            (Kind::Hold, mix.holds),
        ]
    }
}

/// How many of the first `n` are chosen, if this share is.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts stay far below 2^52"
)]
fn floor(n: u64, share: f64) -> u64 {
    // A share such as 0.1 is a little more or less than it says.
    (n as f64 * share.clamp(0.0, 1.0) + 1e-6) as u64
}

/// What a service does, unless the user says otherwise: seven of ten operations read, and
/// of what writes, half does so in a transaction.
pub const SERVICE: (f64, Mix) = (
    0.1,
    Mix {
        transactions: 0.05,
        rollbacks: 0.02,
        savepoints: 0.02,
        hot_rows: 0.02,
        mistakes: 0.02,
        holds: 0.0,
        beside: true,
    },
);

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

    fn plain(rate_per_s: u32, write_share: f64) -> Arrivals {
        Arrivals {
            rate_per_s,
            write_share,
            mix: Mix::default(),
        }
    }

    #[test]
    fn every_window_has_the_same_number_and_the_same_share_of_writes() {
        let arrivals = plain(400, 0.2);
        let in_window = |w: u64| {
            (0..4_000_u64).filter(move |i| arrivals.due(*i).as_millis() / 250 == u128::from(w))
        };
        let writes = |i: &u64| arrivals.kind(*i) == Kind::Write;
        for w in 0..40 {
            assert_eq!(in_window(w).count(), 100);
            assert_eq!(in_window(w).filter(writes).count(), 20);
        }
        assert!((0..100).all(|i| plain(1, 0.0).kind(i) == Kind::Read));
        assert!((0..100).all(|i| plain(1, 1.0).kind(i) == Kind::Write));
    }

    #[test]
    fn each_kind_has_its_share_in_every_two_seconds() {
        let (write_share, mix) = SERVICE;
        let arrivals = Arrivals {
            rate_per_s: 400,
            write_share,
            mix,
        };
        for from in (0..8_000).step_by(800) {
            let of = |kind: Kind| {
                let all = (from..from + 800_u64).filter(|i| arrivals.kind(*i) == kind);
                all.count()
            };
            for (kind, expected) in [
                (Kind::Write, 80),
                (Kind::Transaction, 40),
                (Kind::Rollback, 16),
                (Kind::Savepoint, 16),
                (Kind::HotRow, 16),
                (Kind::Mistake, 16),
            ] {
                assert!(of(kind).abs_diff(expected) <= 2, "{kind:?}: {}", of(kind));
            }
        }
        let mistakes: Vec<u64> = (0..800)
            .filter(|i| arrivals.kind(*i) == Kind::Mistake)
            .collect();
        let twice: Vec<u64> = (64..72).chain(464..472).collect();
        assert_eq!(mistakes, twice);
    }

    #[test]
    fn shares_that_leave_nothing_leave_no_reads() {
        let arrivals = Arrivals {
            rate_per_s: 1,
            write_share: 0.5,
            mix: Mix {
                transactions: 0.25,
                rollbacks: 0.25,
                ..Mix::default()
            },
        };
        assert!((0..1_000).all(|i| arrivals.kind(i) != Kind::Read));
    }
}
