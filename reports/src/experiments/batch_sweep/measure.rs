//! What the slices of one way of running queries came to.
//!
//! Rates differ threefold with what else the machine does, so only rates of the same
//! round are compared, as ratios.

use serde::{Deserialize, Serialize};

use crate::stats::{median, micro};

use super::data::{Condition, How, Round, Slice};

/// What the server counted, for each query.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PerQuery {
    /// Sync messages: times that the server was asked for an answer.
    pub syncs: f64,
    /// Transactions committed.
    pub commits: Option<f64>,
    /// WAL written, in bytes.
    pub wal_bytes: Option<f64>,
    /// Times that WAL was flushed to disk.
    pub fsyncs: Option<f64>,
}

impl PerQuery {
    /// `None` if the server was not asked, or nothing was run.
    pub(super) fn of(condition: &Condition, how: How) -> Option<Self> {
        let mut truths = condition.truth.iter();
        let truth = truths.find(|truth| truth.how == how && truth.queries > 0)?;
        let each = |count: u64| micro(count as f64 / truth.queries as f64);
        Some(Self {
            syncs: each(truth.syncs),
            commits: truth.commits.map(each),
            wal_bytes: truth.wal_bytes.map(each),
            fsyncs: truth.fsyncs.map(each),
        })
    }
}

/// Queries a second that did not fail.
pub(super) fn rate_per_s(slice: &Slice) -> f64 {
    let good = slice.queries.saturating_sub(slice.failed);
    good as f64 * 1e6 / slice.took_us as f64
}

/// The slices of a condition that were run one way.
pub(super) fn slices(condition: &Condition, how: How) -> impl Iterator<Item = &Slice> {
    let rounds = condition.rounds.iter();
    rounds.flat_map(move |round| round.slices.iter().filter(move |slice| slice.how == how))
}

/// The rates of the two slices of a round that ran one at a time, in their order.
fn sequential(round: &Round) -> Option<(f64, f64)> {
    let mut all = round.slices.iter().filter(|s| s.how == How::Sequential);
    Some((rate_per_s(all.next()?), rate_per_s(all.next()?)))
}

/// How fast a way is, round by round, in times of one at a time.
pub(super) fn speedups(condition: &Condition, how: How) -> Vec<f64> {
    let rounds = condition.rounds.iter().filter_map(|round| {
        let (first, second) = sequential(round)?;
        let slice = round.slices.iter().find(|slice| slice.how == how)?;
        // As everything else here: a mean of logarithms.
        Some(rate_per_s(slice) / (first * second).sqrt())
    });
    rounds.filter(|ratio| usable(*ratio)).collect()
}

/// The first slice of each round that ran one at a time, over the second.
pub(super) fn noise(condition: &Condition) -> Vec<f64> {
    let rounds = condition.rounds.iter().filter_map(sequential);
    let ratios = rounds.map(|(first, second)| first / second);
    ratios.filter(|ratio| usable(*ratio)).collect()
}

/// Not one of nothing, or by nothing.
fn usable(ratio: f64) -> bool {
    ratio.is_finite() && ratio > 0.0
}

/// The median over slices of a quantity in microseconds, in seconds.
pub(super) fn median_s<'a>(
    slices: impl Iterator<Item = &'a Slice>,
    of: fn(&Slice) -> u64,
) -> Option<f64> {
    median(slices.map(|slice| of(slice) as f64 / 1e6)).map(micro)
}
