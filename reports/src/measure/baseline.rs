//! What an arm did before the fault: what a recovery is compared with.

use crate::{run::Outcome, stats::median};

use super::{WINDOW_US, series::Series};

/// The steady state before an injection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// G0 as a share of what was scheduled, 0..=1: the median of the windows.
    pub good_share: f64,
    /// G0 in operations per second.
    pub goodput_per_s: f64,
    /// 99th percentile of the latency of ok operations.
    pub p99_us: u64,
    /// Operations that were not ok, of all scheduled, 0..=1.
    pub error_rate: f64,
}

/// `None` without one whole window, or if nothing in it was good: there is then
/// nothing that could be recovered.
pub(super) fn baseline(
    series: &Series,
    steady_us: u64,
    injected_us: u64,
    rate_per_s: u32,
) -> Option<Baseline> {
    let until_us = injected_us.min(series.seen_us);
    let shares = (0..)
        .map(|i| steady_us + i * WINDOW_US)
        .take_while(|start| start + WINDOW_US <= until_us)
        .filter_map(|start| series.good_share(&series.window(start)?));
    let good_share = median(shares)?;
    let all = series.between(steady_us, until_us);
    Some(Baseline {
        good_share,
        goodput_per_s: good_share * f64::from(rate_per_s),
        p99_us: series.p99_us(all.clone(), Outcome::Ok)?,
        error_rate: series.error_rate(&all),
    })
    .filter(|baseline| baseline.good_share > 0.0)
}
