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

/// What all ways of a condition are compared with: the bare client, or in a record that
/// has none the engine one at a time.
pub(super) fn baseline(condition: &Condition) -> How {
    match slices(condition, How::Bare).next() {
        Some(_) => How::Bare,
        None => How::Sequential,
    }
}

/// The rates of the two slices of a round that ran this way, in their order.
fn twice(round: &Round, how: How) -> Option<(f64, f64)> {
    let mut all = round.slices.iter().filter(|slice| slice.how == how);
    Some((rate_per_s(all.next()?), rate_per_s(all.next()?)))
}

/// How fast a way is, round by round, in times of the baseline.
pub(super) fn speedups(condition: &Condition, how: How) -> Vec<f64> {
    let base = baseline(condition);
    let rounds = condition.rounds.iter().filter_map(|round| {
        let (first, second) = twice(round, base)?;
        let slice = round.slices.iter().find(|slice| slice.how == how)?;
        // Ratios multiply, so in the middle of two rates lies their geometric mean.
        Some(rate_per_s(slice) / (first * second).sqrt())
    });
    rounds.filter(|ratio| usable(*ratio)).collect()
}

/// How long the engine takes one at a time, in times of the bare client: of each two such
/// slices that follow each other. Empty where there is no bare client.
pub(super) fn costs(condition: &Condition) -> Vec<f64> {
    let mut costs = Vec::new();
    for round in &condition.rounds {
        let mut rest = round.slices.as_slice();
        while let [first, second, ..] = rest {
            let cost = match (first.how, second.how) {
                (How::Bare, How::Sequential) => Some((first, second)),
                (How::Sequential, How::Bare) => Some((second, first)),
                _ => None,
            };
            let cost = cost.map(|(bare, ours)| rate_per_s(bare) / rate_per_s(ours));
            // What is in one pair is in no other.
            rest = &rest[if cost.is_some() { 2 } else { 1 }..];
            costs.extend(cost.filter(|cost| usable(*cost)));
        }
    }
    costs
}

/// The first slice of each round that ran as the baseline, over the second.
pub(super) fn noise(condition: &Condition) -> Vec<f64> {
    let base = baseline(condition);
    let rounds = condition.rounds.iter();
    let rounds = rounds.filter_map(|round| twice(round, base));
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
