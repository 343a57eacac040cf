//! The search for the start of a state that lasts.
//!
//! The grid slides in steps of [`STEP_US`], because windows that only start
//! every 250 ms would round a recovery of 0.1 s up to 0.25 s. Each window is
//! judged once: the starts of one search share all but one of their windows.

use crate::stats::quantile::Observation;

use super::{
    Baseline, PERSISTENCE, RECOVERED_ERROR_MARGIN, RECOVERED_P99_FACTOR, RECOVERED_P99_FLOOR_US,
    RECOVERED_SHARE, STEP_US, WINDOW_US, series::Series,
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

/// The first start, from `from_us` in steps of [`STEP_US`], of
/// [`PERSISTENCE`] windows that end by `until_us` and are all `well`.
pub(super) fn first_lasting(
    from_us: u64,
    until_us: u64,
    well: impl Fn(u64) -> bool,
) -> Option<u64> {
    const STEPS: usize = 25;
    const { assert!(STEPS as u64 * STEP_US == WINDOW_US) };
    let steps = until_us
        .checked_sub(WINDOW_US)
        .and_then(|last| last.checked_sub(from_us))?
        / STEP_US;
    let mut lasting: Vec<u64> = Vec::new();
    for i in 0..=steps {
        let start = from_us + i * STEP_US;
        let before = lasting.len().checked_sub(STEPS).map_or(0, |j| lasting[j]);
        let row = if well(start) { before + 1 } else { 0 };
        if row >= PERSISTENCE {
            return Some(start - (PERSISTENCE - 1) * WINDOW_US);
        }
        lasting.push(row);
    }
    None
}

/// When the state before the fault was back, on the injection's clock.
pub(super) fn recovered_at_us(series: &Series, baseline: &Baseline, from_us: u64) -> Option<u64> {
    let slower = series.slower_than(p99_limit_us(baseline));
    first_lasting(from_us, series.seen_us, |start| {
        let Some(window) = series.window(start) else {
            return false;
        };
        series
            .good_share(&window)
            .is_some_and(|share| share >= RECOVERED_SHARE * baseline.good_share)
            && slower.p99_within(&window)
            && series.error_rate(&window) <= baseline.error_rate + RECOVERED_ERROR_MARGIN
    })
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
