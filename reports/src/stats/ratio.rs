//! The ratio of two rates that were measured side by side.
//!
//! Rates differ threefold with what else a machine does, but what stands next to each
//! other in time differs alike: so the ratio is taken within each pair. Ratios multiply,
//! so their mean is the geometric one.

use serde::{Deserialize, Serialize};

use super::{Interval, bootstrap, mean, micro};

/// A ratio of two rates, over several pairs that were taken together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Pairs that it is from.
    pub n: usize,
    /// The geometric mean. `None` without a pair.
    pub mean: Option<f64>,
    /// Lower end of its 95 % interval. `None` where the data do not bound it.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Ratio {
    /// From the ratio of each pair, all above zero. The interval is a bootstrap of the
    /// logarithms.
    #[must_use]
    pub fn of(ratios: &[f64], seed: u64) -> Self {
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let back = |log: f64| micro(log.exp());
        let interval = bootstrap::mean_interval(&logs, seed);
        Self {
            n: ratios.len(),
            mean: mean(&logs).map(back),
            low: interval.low.map(back),
            high: interval.high.map(back),
        }
    }

    /// Both ends.
    #[must_use]
    pub fn interval(self) -> Interval {
        Interval {
            low: self.low,
            high: self.high,
        }
    }

    /// The same without an interval: of what is not to be trusted.
    #[must_use]
    pub fn unbounded(self) -> Self {
        Self {
            low: None,
            high: None,
            ..self
        }
    }
}
