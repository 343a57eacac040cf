//! Is the load served as it should be? Asked before a fault is injected: what
//! was not well before cannot be said to have recovered.

use std::ops::Range;

use crate::run::{Load, Operations, Outcome};

use super::{
    WINDOW_US,
    series::{Series, index},
};

/// Fewest whole windows that can show a steady state.
const MIN_WINDOWS: usize = 4;
/// Least share of the scheduled rate that each window serves.
const MIN_WINDOW_SHARE: f64 = 0.95;

/// A load that is served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SteadyState {
    /// Share of operations ok within the deadline.
    pub ok_share: f64,
    /// 99th percentile of the latency of ok operations.
    pub p99_us: u64,
}

/// Why a load does not count as served: what was expected, and what was seen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSteady {
    /// Too short to say.
    #[error("expected at least {MIN_WINDOWS} windows of 250 ms, saw {seen}")]
    TooShort {
        /// Whole windows that were seen.
        seen: usize,
    },
    /// Too many operations failed or were late.
    #[error(
        "expected at least {} % of operations ok within {} ms, saw {:.1} %",
        least * 100.0, deadline_us / 1000, ok_share * 100.0
    )]
    Failing {
        /// The least share that is served.
        least: f64,
        /// Share of operations ok within the deadline.
        ok_share: f64,
        /// The deadline.
        deadline_us: u64,
    },
    /// One window fell behind.
    #[error(
        "expected goodput within 5 % of {rate_per_s} op/s in every window of 250 ms, saw {:.0} op/s",
        worst_share * f64::from(*rate_per_s)
    )]
    Behind {
        /// The scheduled rate.
        rate_per_s: u32,
        /// Share of it that the worst window served.
        worst_share: f64,
    },
    /// Too close to the deadline to tell a fault from the load.
    #[error(
        "expected p99 latency of at most {:.1} ms, saw {:.1} ms",
        *most_us as f64 / 1000.0, *p99_us as f64 / 1000.0
    )]
    Slow {
        /// 99th percentile of latency.
        p99_us: u64,
        /// The greatest that is served.
        most_us: u64,
    },
}

/// Judges the operations scheduled in a span of the load's clock; `operations` are
/// those from its operation `first` on. As in
/// [`measure`](super::measure()), the columns end before the first operation
/// that is not settled; only windows that are settled whole are judged.
///
/// # Errors
/// Names the first of these that does not hold: at least four windows, the share
/// of operations ok within the deadline, each window within 5 % of the scheduled
/// rate, the p99 latency.
pub fn steady(
    load: &Load,
    first: u64,
    operations: &Operations,
    span_us: Range<u64>,
) -> Result<SteadyState, NotSteady> {
    let series = Series::of_columns(
        load,
        index(first),
        &operations.outcomes,
        &operations.latencies_us,
    );
    let until_us = span_us.end.min(series.seen_us);
    let shares: Vec<f64> = (0..)
        .map(|i| span_us.start + i * WINDOW_US)
        .take_while(|start| start + WINDOW_US <= until_us)
        .filter_map(|start| series.good_share(&series.window(start)?))
        .collect();
    let whole_us = shares.len() as u64 * WINDOW_US;
    let all = series.between(span_us.start, span_us.start + whole_us);
    if shares.len() < MIN_WINDOWS {
        return Err(NotSteady::TooShort { seen: shares.len() });
    }
    let deadline_us = load.deadline_us;
    let ok_share = series.good_share(&all).unwrap_or(0.0);
    let p99_us = match series.p99_us(all, Outcome::Ok) {
        Some(p99_us) if ok_share >= load.steady_ok_share => p99_us,
        _ => {
            return Err(NotSteady::Failing {
                least: load.steady_ok_share,
                ok_share,
                deadline_us,
            });
        }
    };
    let worst_share = shares.into_iter().fold(1.0, f64::min);
    if worst_share < MIN_WINDOW_SHARE {
        return Err(NotSteady::Behind {
            rate_per_s: load.rate_per_s,
            worst_share,
        });
    }
    if p99_us > load.steady_p99_us {
        return Err(NotSteady::Slow {
            p99_us,
            most_us: load.steady_p99_us,
        });
    }
    Ok(SteadyState { ok_share, p99_us })
}
