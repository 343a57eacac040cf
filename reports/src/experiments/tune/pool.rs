//! How many connections a pool is to have.

use serde::{Deserialize, Serialize};

use super::{
    Pool, Window,
    contention::{Contender, possible},
};
use crate::stats::{Ratio, median, micro};

/// Part of the best rate that is enough.
pub const ENOUGH: f64 = 0.9;
/// Rounds after which candidates are given up.
const HALVED_AFTER: [usize; 2] = [2, 4];
/// So many are always left.
const LEFT: usize = 4;

/// What was found of pool sizes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolFinding {
    /// The sizes that had a window, the smallest first.
    pub sizes: Vec<SizeFinding>,
    /// The one with the highest rate of those that had all rounds.
    pub best: Option<u32>,
    /// The smallest of them that reaches [`ENOUGH`] of it, or cannot be told from it.
    pub chosen: Option<u32>,
    /// Others that may be it.
    pub close: Vec<u32>,
}

/// What a pool of a size did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizeFinding {
    /// `max_connections`.
    pub connections: u32,
    /// Windows that it had.
    pub rounds: usize,
    /// After how many it was given up, if it was.
    pub dropped_after: Option<usize>,
    /// Operations a second: the median of its windows.
    pub rate_per_s: f64,
    /// What part of the best one's rate that is, round by round.
    pub share: Ratio,
    /// Median latency: the median of its windows.
    pub p50_s: f64,
    /// 99th percentile: the median of its windows.
    pub p99_s: f64,
    /// Operations that were not answered without error.
    pub failed: u64,
}

impl PoolFinding {
    /// A size.
    pub(super) fn size(&self, connections: u32) -> Option<&SizeFinding> {
        self.sizes.iter().find(|of| of.connections == connections)
    }

    /// The next smaller and the next larger size.
    pub(super) fn beside(&self, connections: u32) -> [Option<&SizeFinding>; 2] {
        let smaller = self.sizes.iter().rev();
        let smaller = smaller.filter(|of| of.connections < connections);
        let mut larger = self.sizes.iter().filter(|of| of.connections > connections);
        [smaller.into_iter().next(), larger.next()]
    }
}

/// Finds it.
pub(super) fn find(pool: &Pool) -> PoolFinding {
    let mut sizes: Vec<SizeFinding> = pool
        .candidates
        .iter()
        .filter_map(|candidate| size(pool, candidate.connections))
        .collect();
    sizes.sort_by_key(|of| of.connections);
    let all = sizes.iter().map(|of| of.rounds).max().unwrap_or(0);
    let stayed = |of: &&SizeFinding| of.rounds == all;
    let best = sizes.iter().filter(stayed);
    let best = best.max_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s));
    let Some(best) = best.map(|of| of.connections) else {
        return PoolFinding::default();
    };
    for of in &mut sizes {
        of.share = share(pool, of.connections, best);
    }
    let chosen = sizes.iter().filter(stayed);
    let chosen = chosen
        .filter(|of| is_enough(&of.share))
        .map(|of| of.connections)
        .next();
    let contenders = sizes
        .iter()
        .map(|of| Contender::of(of.connections, &of.share));
    let contenders: Vec<Contender> = contenders.collect();
    let close = possible(&contenders, ENOUGH).into_iter();
    PoolFinding {
        close: close.filter(|of| Some(*of) != chosen).collect(),
        sizes,
        best: Some(best),
        chosen,
    }
}

/// Whether so much of the best is enough, or is as much as far as anybody can tell: where two
/// runs would come to this size or that, both come to the smaller one.
fn is_enough(share: &Ratio) -> bool {
    let not_told = share.low.zip(share.high);
    share.median.is_some_and(|share| share >= ENOUGH)
        || not_told.is_some_and(|(low, high)| low <= 1.0 && high >= 1.0)
}

fn windows(pool: &Pool, connections: u32) -> impl Iterator<Item = &Window> {
    let all = pool.rounds.iter().flat_map(|round| &round.windows);
    all.filter(move |window| window.connections == connections)
}

fn size(pool: &Pool, connections: u32) -> Option<SizeFinding> {
    let of = || windows(pool, connections);
    let middle = |value: fn(&Window) -> f64| median(of().map(value)).map(micro);
    let dropped = pool.dropped.iter().find(|d| d.connections == connections);
    Some(SizeFinding {
        connections,
        rounds: of().count(),
        dropped_after: dropped.map(|dropped| dropped.after),
        rate_per_s: middle(Window::rate_per_s)?,
        share: Ratio::default(),
        p50_s: middle(|window| window.p50_us as f64 / 1e6)?,
        p99_s: middle(|window| window.p99_us as f64 / 1e6)?,
        failed: of().map(|window| window.failed).sum(),
    })
}

/// The rate of one size over that of another, in each round that has both.
fn share(pool: &Pool, connections: u32, best: u32) -> Ratio {
    let pairs = pool.rounds.iter().filter_map(|round| {
        let rate = |of: u32| {
            let mut windows = round.windows.iter();
            windows
                .find(|w| w.connections == of)
                .map(Window::rate_per_s)
        };
        let share = rate(connections)? / rate(best)?;
        (share.is_finite() && share > 0.0).then_some(share)
    });
    Ratio::of(&pairs.collect::<Vec<f64>>())
}

/// The candidates that have a window in the next round. After some rounds the better half: the
/// one that would be chosen now, the best one, those next to the chosen one, and of the others
/// the fastest.
#[must_use]
pub fn kept(pool: &Pool) -> Vec<u32> {
    let gone = |connections: u32| pool.dropped.iter().any(|d| d.connections == connections);
    let most = pool.most.unwrap_or(u32::MAX);
    let all = pool.candidates.iter().map(|of| of.connections);
    let left: Vec<u32> = all.filter(|of| !gone(*of) && *of <= most).collect();
    if !HALVED_AFTER.contains(&pool.rounds.len()) || left.len() <= LEFT {
        return left;
    }
    let found = find(pool);
    let chosen = found.chosen.or(found.best);
    let [smaller, larger] = chosen.map_or([None, None], |chosen| found.beside(chosen));
    let beside = [smaller, larger].map(|of| of.map(|of| of.connections));
    let mut by_rate: Vec<&SizeFinding> = found.sizes.iter().collect();
    by_rate.sort_by(|a, b| b.rate_per_s.total_cmp(&a.rate_per_s));
    let by_rate = by_rate.into_iter().map(|of| Some(of.connections));
    let mut order: Vec<u32> = Vec::new();
    for of in [chosen, found.best]
        .into_iter()
        .chain(beside)
        .chain(by_rate)
    {
        order.extend(of.filter(|of| left.contains(of) && !order.contains(of)));
    }
    order.truncate(left.len().div_ceil(2).max(LEFT));
    left.into_iter().filter(|of| order.contains(of)).collect()
}
