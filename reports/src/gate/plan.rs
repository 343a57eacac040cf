//! How many runs, after how many of them there is a look, and at what level.

use super::ALPHA;
use crate::stats::{
    ranks::{fewest_per_side, least_p},
    sequential::{Plan, Spending},
};

/// The runs that a gate may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Runs of the baseline.
    pub then: usize,
    /// Most runs of now.
    pub most: usize,
}

/// Runs of a baseline, and of a gate at its first look, that can tell a change of any of so
/// many measures: the fewest at whose level the rarest order of two sets of runs is rare
/// enough.
#[must_use]
pub fn runs_needed(measures: usize) -> usize {
    let first_look = Spending::Pocock.by(0.5, ALPHA) / measures.max(1) as f64;
    fewest_per_side(first_look).max(5)
}

/// The looks of a gate on so many measures: with as many runs as the baseline has, and with
/// half as many and as many again, as far as the budget goes. Looks that could not find
/// anything are left out.
#[must_use]
pub fn ahead(budget: Budget, measures: usize) -> Plan {
    let first = runs_needed(measures).min(budget.most).max(1);
    let looks = [first, first + first.div_ceil(2), 2 * first];
    let looks: Vec<usize> = looks
        .into_iter()
        .filter(|runs| *runs <= budget.most)
        .collect();
    let looks = if looks.is_empty() {
        vec![budget.most.max(1)]
    } else {
        looks
    };
    let all = measures.max(1) as f64;
    let plan = Plan::new(ALPHA, &looks, Spending::Pocock);
    plan.without_idle(|runs| least_p(runs.min(budget.then)) * all)
}
