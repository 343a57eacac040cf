//! The search for the start of a state that lasts.
//!
//! The grid slides in steps of [`STEP_US`], because windows that only start
//! every 250 ms would round a recovery of 0.1 s up to 0.25 s. Each window is
//! judged once: the starts of one search share all but one of their windows.

use crate::stats::quantile::Observation;

use std::ops::Range;

use crate::run::{Load, Operations};

use super::{
    Baseline, PERSISTENCE, RECOVERED_ERROR_MARGIN, RECOVERED_P99_FACTOR, RECOVERED_P99_FLOOR_US,
    RECOVERED_SHARE, STEP_US, WINDOW_US,
    baseline::baseline,
    series::{Series, Slower, index},
};

/// How long [`PERSISTENCE`] windows are.
pub(super) const PERSISTENCE_US: u64 = PERSISTENCE * WINDOW_US;

/// A time to recover, perhaps only bounded from below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// How long after the fault was gone. If `censored`: the recovery came
    /// later than this, the last start of two seconds that was still seen.
    pub after_us: u64,
    /// The load ended before a recovery was seen.
    pub censored: bool,
}

impl From<Recovery> for Observation {
    /// In seconds.
    fn from(recovery: Recovery) -> Self {
        let after_s = recovery.after_us as f64 / 1e6;
        if recovery.censored {
            Self::AtLeast(after_s)
        } else {
            Self::Exact(after_s)
        }
    }
}

/// The search for [`PERSISTENCE`] windows in a row that are all well, over starts that
/// are [`STEP_US`] apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    /// For each start, how many windows in a row are well that end with its own.
    rows: Vec<u64>,
}

impl Search {
    /// So many starts were looked at.
    pub(super) fn steps(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Enters whether the window at the next start is well. True if it is the last of
    /// the row that is looked for.
    pub(super) fn enter(&mut self, well: bool) -> bool {
        const STEPS: usize = 25;
        const { assert!(STEPS as u64 * STEP_US == WINDOW_US) };
        let before = self.rows.len().checked_sub(STEPS);
        let before = before.map_or(0, |i| self.rows[i]);
        let row = if well { before + 1 } else { 0 };
        self.rows.push(row);
        row >= PERSISTENCE
    }
}

/// The first start, from `from_us` in steps of [`STEP_US`], of
/// [`PERSISTENCE`] windows that end by `until_us` and are all `well`.
pub(super) fn first_lasting(
    from_us: u64,
    until_us: u64,
    well: impl Fn(u64) -> bool,
) -> Option<u64> {
    let steps = until_us
        .checked_sub(WINDOW_US)
        .and_then(|last| last.checked_sub(from_us))?
        / STEP_US;
    let mut search = Search::default();
    (0..=steps)
        .map(|i| from_us + i * STEP_US)
        .find(|start| search.enter(well(*start)))
        .map(|last| last - (PERSISTENCE - 1) * WINDOW_US)
}

/// What has to be as before the fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Back {
    /// Goodput, latency and errors.
    #[default]
    All,
    /// Goodput alone. Close to what a server can do, a queue that is left over from the
    /// fault makes answers slower for as long as it takes to work it off, also where all of
    /// them are in time.
    Goodput,
}

/// When the state before the fault was back, on the injection's clock.
pub(super) fn recovered_at_us(
    series: &Series,
    back: Back,
    baseline: &Baseline,
    from_us: u64,
) -> Option<u64> {
    let slower = slower(series, back, baseline);
    first_lasting(from_us, series.seen_us, |start| {
        let window = series.window(start);
        window.is_some_and(|window| is_recovered(series, slower.as_ref(), baseline, &window))
    })
}

/// What is too slow, where that is asked.
fn slower<'a>(series: &'a Series, back: Back, baseline: &Baseline) -> Option<Slower<'a>> {
    (back == Back::All).then(|| series.slower_than(p99_limit_us(baseline)))
}

/// Whether a window is as those before the fault were. Without `slower`, goodput is all that
/// is asked.
fn is_recovered(
    series: &Series,
    slower: Option<&Slower<'_>>,
    baseline: &Baseline,
    window: &Range<usize>,
) -> bool {
    series
        .good_share(window)
        .is_some_and(|share| share >= RECOVERED_SHARE * baseline.good_share)
        && slower.is_none_or(|slower| {
            slower.p99_within(window)
                && series.error_rate(window) <= baseline.error_rate + RECOVERED_ERROR_MARGIN
        })
}

/// The moments of an injection that a recovery is looked for by, on the load's clock.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    /// From here on the load was served as it should be.
    pub steady_us: u64,
    /// The fault was asked for.
    pub requested_us: u64,
    /// It was seen gone.
    pub cleared_us: u64,
}

/// Watches for the recovery of a load that still runs. Each operation is looked at
/// once, however often it is asked.
#[derive(Debug, Clone)]
pub struct RecoveryWatch {
    load: Load,
    back: Back,
    baseline: Option<Baseline>,
    cleared_us: u64,
    search: Search,
    found: bool,
}

impl RecoveryWatch {
    /// Watches from `moments.cleared_us` on. `before` holds the operations from `first`,
    /// which is due at `moments.steady_us` or before it, until the fault at least.
    #[must_use]
    pub fn new(load: &Load, moments: Moments, first: u64, before: &Operations) -> Self {
        let (outcomes, latencies) = (&before.outcomes, &before.latencies_us);
        let series = Series::of_columns(load, index(first), outcomes, latencies);
        let Moments {
            steady_us,
            requested_us,
            cleared_us,
        } = moments;
        Self {
            load: load.clone(),
            back: Back::All,
            baseline: baseline(&series, steady_us, requested_us, load.rate_per_s),
            cleared_us,
            search: Search::default(),
            found: false,
        }
    }

    /// The same, for another recovery.
    #[must_use]
    pub fn of(self, back: Back) -> Self {
        Self { back, ..self }
    }

    /// The number of the first operation that it has not done with.
    #[must_use]
    pub fn next(&self) -> u64 {
        let next_us = self.cleared_us + self.search.steps() * STEP_US;
        next_us.saturating_mul(u64::from(self.load.rate_per_s)) / 1_000_000
    }

    /// Whether the state before the fault is back, and has lasted. `operations` are those
    /// from [`next`](Self::next) on that are settled by now.
    pub fn recovered(&mut self, operations: &Operations) -> bool {
        let Some(baseline) = self.baseline.filter(|_| !self.found) else {
            return self.found;
        };
        let first = index(self.next());
        let (outcomes, latencies) = (&operations.outcomes, &operations.latencies_us);
        let series = Series::of_columns(&self.load, first, outcomes, latencies);
        let slower = slower(&series, self.back, &baseline);
        while !self.found {
            let start = self.cleared_us + self.search.steps() * STEP_US;
            let Some(window) = series.window(start) else {
                break;
            };
            let well = is_recovered(&series, slower.as_ref(), &baseline, &window);
            self.found = self.search.enter(well);
        }
        self.found
    }
}

/// What the p99 of a recovered window may be.
fn p99_limit_us(baseline: &Baseline) -> u64 {
    let factor = std::time::Duration::from_micros(baseline.p99_us).mul_f64(RECOVERED_P99_FACTOR);
    u64::try_from(factor.as_micros())
        .unwrap_or(u64::MAX)
        .max(RECOVERED_P99_FLOOR_US)
}

/// The recovery as seen from a moment (the fault gone, or the server ready).
pub(super) fn recovery(found_us: Option<u64>, seen_us: u64, since_us: u64) -> Recovery {
    match found_us {
        Some(at) => Recovery {
            after_us: at.saturating_sub(since_us),
            censored: false,
        },
        None => Recovery {
            after_us: seen_us
                .saturating_sub(PERSISTENCE_US)
                .saturating_sub(since_us),
            censored: true,
        },
    }
}

/// Whether goodput was still down in every window of the last
/// [`PERSISTENCE_US`] that were seen after the fault.
pub(super) fn held_down(series: &Series, baseline: &Baseline, cleared_us: u64) -> bool {
    let Some(start) = series.seen_us.checked_sub(PERSISTENCE_US) else {
        return false;
    };
    start >= cleared_us
        && (0..PERSISTENCE).all(|i| {
            series
                .window(start + i * WINDOW_US)
                .and_then(|window| series.good_share(&window))
                .is_some_and(|share| share < RECOVERED_SHARE * baseline.good_share)
        })
}
