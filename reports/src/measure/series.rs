//! The operations of an injection as running totals, so that any window costs
//! two look-ups: a recovery is searched for at hundreds of starts, and the
//! live runner asks again every few windows.

use std::ops::Range;

use crate::run::{Injection, Load, Outcome, scheduled_us};

use super::{FAIL_FAST_US, WINDOW_US};

const MICROS_PER_S: u64 = 1_000_000;

/// The first operation that is scheduled at or after a time.
fn first_at(at_us: u64, rate_per_s: u32) -> usize {
    let rate = u64::from(rate_per_s.max(1));
    usize::try_from(at_us.saturating_mul(rate).div_ceil(MICROS_PER_S)).unwrap_or(usize::MAX)
}

/// An operation's number as a place.
pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How many of the operations before an index have a property.
struct Running(Vec<u32>);

impl Running {
    fn new(has: impl Iterator<Item = bool>) -> Self {
        let mut total = 0;
        let mut totals = vec![0];
        totals.extend(has.map(|has| {
            total += u32::from(has);
            total
        }));
        Self(totals)
    }

    fn within(&self, range: &Range<usize>) -> u32 {
        let at = |index: usize| self.0.get(index).copied().unwrap_or(0);
        at(range.end) - at(range.start)
    }
}

/// The settled operations of an injection.
pub(super) struct Series {
    rate_per_s: u32,
    /// Index of the first operation of the columns, from the load's first on.
    first: usize,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) latencies_us: Vec<u64>,
    good: Running,
    ok: Running,
    errors_answered: Running,
    errors_slow: Running,
    /// Until here every operation is settled.
    pub(super) seen_us: u64,
}

impl Series {
    /// Columns of different lengths are cut to the shortest, unknown letters
    /// end them: a record that was checked has neither.
    pub(super) fn new(load: &Load, injection: &Injection) -> Self {
        let mut series = Self::of_columns(
            load,
            0,
            &injection.operations.outcomes,
            &injection.operations.latencies_us,
        );
        series.seen_us = series.seen_us.min(injection.ended_us);
        series
    }

    /// Columns of a load, from its operation `first` on.
    pub(super) fn of_columns(
        load: &Load,
        first: usize,
        outcomes: &str,
        latencies_us: &[u64],
    ) -> Self {
        let outcomes: Vec<Outcome> = outcomes
            .chars()
            .map_while(Outcome::from_letter)
            .take(latencies_us.len())
            .collect();
        let latencies_us = latencies_us[..outcomes.len()].to_vec();
        let running = |has: &dyn Fn(Outcome, u64) -> bool| {
            Running::new(
                outcomes
                    .iter()
                    .zip(&latencies_us)
                    .map(|(outcome, latency)| has(*outcome, *latency)),
            )
        };
        let error = |outcome| !matches!(outcome, Outcome::Ok | Outcome::NotSent);
        Self {
            rate_per_s: load.rate_per_s,
            first,
            good: running(&|o, latency| o == Outcome::Ok && latency <= load.deadline_us),
            ok: running(&|o, _| o == Outcome::Ok),
            errors_answered: running(&|o, _| error(o)),
            errors_slow: running(&|o, latency| error(o) && latency > FAIL_FAST_US),
            seen_us: scheduled_us(first + outcomes.len(), load.rate_per_s),
            outcomes,
            latencies_us,
        }
    }

    /// The operations scheduled from one time until before another, as places in the
    /// columns.
    pub(super) fn between(&self, from_us: u64, until_us: u64) -> Range<usize> {
        let at = |us: u64| first_at(us, self.rate_per_s).saturating_sub(self.first);
        let end = at(until_us).min(self.outcomes.len());
        at(from_us).min(end)..end
    }

    /// The operations of the window that starts at a time, if all are settled.
    pub(super) fn window(&self, start_us: u64) -> Option<Range<usize>> {
        let end_us = start_us.checked_add(WINDOW_US)?;
        (end_us <= self.seen_us).then(|| self.between(start_us, end_us))
    }

    /// Good operations, absolute.
    pub(super) fn good(&self, range: &Range<usize>) -> u32 {
        self.good.within(range)
    }

    /// Good operations of those scheduled, 0..=1; `None` if none was scheduled.
    pub(super) fn good_share(&self, range: &Range<usize>) -> Option<f64> {
        (!range.is_empty()).then(|| f64::from(self.good(range)) / range.len() as f64)
    }

    /// Operations that are not ok, of those scheduled; zero if none was.
    pub(super) fn error_rate(&self, range: &Range<usize>) -> f64 {
        let errors = range.len() as f64 - f64::from(self.ok.within(range));
        errors / range.len().max(1) as f64
    }

    /// Whether operations failed here, and 99 of 100 of them within
    /// [`FAIL_FAST_US`]. What was never sent has no answer and does not count.
    pub(super) fn fails_fast(&self, range: &Range<usize>) -> bool {
        let errors = self.errors_answered.within(range);
        errors > 0 && self.errors_slow.within(range) <= above_p99(errors)
    }

    /// Marks the ok operations that took longer than a limit.
    pub(super) fn slower_than(&self, limit_us: u64) -> Slower<'_> {
        let slow = self
            .outcomes
            .iter()
            .zip(&self.latencies_us)
            .map(|(o, latency)| *o == Outcome::Ok && *latency > limit_us);
        Slower {
            ok: &self.ok,
            slow: Running::new(slow),
        }
    }

    /// The 99th percentile of the latencies of one outcome.
    pub(super) fn p99_us(&self, range: Range<usize>, outcome: Outcome) -> Option<u64> {
        let mut latencies: Vec<u64> = self.outcomes[range.clone()]
            .iter()
            .zip(&self.latencies_us[range])
            .filter(|(o, _)| **o == outcome)
            .map(|(_, latency)| *latency)
            .collect();
        p99(&mut latencies)
    }
}

/// The ok operations that were slower than a limit.
pub(super) struct Slower<'a> {
    ok: &'a Running,
    slow: Running,
}

impl Slower<'_> {
    /// Whether the p99 of the ok operations is within the limit. It is, when no
    /// more of them are slower than there are ranks above the 99th percentile:
    /// the same answer as sorting, without it. Without ok operations it is not.
    pub(super) fn p99_within(&self, range: &Range<usize>) -> bool {
        let ok = self.ok.within(range);
        ok > 0 && self.slow.within(range) <= above_p99(ok)
    }
}

/// How many of `n` values lie above the rank of the 99th percentile, `⌈0.99 n⌉`.
fn above_p99(n: u32) -> u32 {
    n / 100
}

/// The 99th percentile by nearest rank: the smallest value that at least 99 of
/// 100 values do not exceed. Hyndman and Fan (1996), definition 1.
pub(super) fn p99(values: &mut [u64]) -> Option<u64> {
    let rank = (values.len() * 99).div_ceil(100);
    let index = rank.checked_sub(1)?;
    let (_, value, _) = values.select_nth_unstable(index);
    Some(*value)
}
