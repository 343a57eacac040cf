//! The curves of every condition, and by class what to ship.

use serde::{Deserialize, Serialize};

use crate::{
    claim::Noun,
    run::{Ledger, Run},
    stats::{Ratio, mean, median, micro, quantile::FEWEST_FOR_MEDIAN},
};

use super::{
    choose::{self, KNEE, Recommendation},
    claims::{PAIRS, ROUNDS},
    data::{Class, Condition, Data, How, LeftOut, Mode, Size, Slice},
    measure::{PerQuery, baseline, costs, median_s, noise, rate_per_s, slices, speedups},
    more::More,
};

/// What a sweep of batch sizes found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// By class, as listed in the record.
    pub classes: Vec<ClassFinding>,
    /// By condition, as carried out.
    pub conditions: Vec<ConditionFinding>,
}

/// What was found of a class of queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassFinding {
    /// Its name.
    pub name: String,
    /// What it is, in one sentence.
    pub about: String,
    /// Whether it writes.
    pub writes: bool,
    /// The batch size that the guide recommends. `None` for the user's own class.
    pub guide_batch: Option<u32>,
    /// How its batches would be sent. `None` if no way was tried.
    pub mode: Option<Mode>,
    /// What to ship, whatever the round-trip time. `None` if no size was measured.
    pub recommended: Option<Recommendation>,
    /// What to ship at each round-trip time.
    pub by_rtt: Vec<ByRtt>,
}

/// What to ship at one round-trip time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByRtt {
    /// Round-trip time that was added.
    pub rtt_s: f64,
    /// Round-trip time that was there: the median of its conditions.
    pub measured_rtt_s: Option<f64>,
    /// `None` if no size was measured.
    pub recommended: Option<Recommendation>,
}

/// What was found under one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionFinding {
    /// Name of the class.
    pub class: String,
    /// Round-trip time that was added.
    pub rtt_s: f64,
    /// Round-trip time that was there.
    pub measured_rtt_s: f64,
    /// Whether a commit waited for the disk. `None` for a class that only reads.
    pub synchronous_commit: Option<bool>,
    /// Rounds that were carried out.
    pub rounds: usize,
    /// One at a time with a bare client: what all is compared with. `None` of a record
    /// without one, where that is `sequential`.
    #[serde(default)]
    pub bare: Option<Sequential>,
    /// One at a time through the engine.
    pub sequential: Sequential,
    /// How long that takes, in times of the bare client: of slices beside each other.
    #[serde(default)]
    pub cost: Ratio,
    /// Why nothing is said of that, where that is so.
    #[serde(default)]
    pub cost_doubt: Option<String>,
    /// What all is compared with over itself: 1, but for noise.
    pub noise: Ratio,
    /// One for each mode that was tried.
    pub curves: Vec<Curve>,
    /// Ways that were not tried, and why.
    pub left_out: Vec<LeftOut>,
    /// What became of its rows, for a class that makes some.
    pub ledger: Option<Ledger>,
}

/// What one at a time came to: medians over all slices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// Queries a second.
    pub rate_per_s: Option<f64>,
    /// Median latency.
    pub p50_s: Option<f64>,
    /// 99th percentile.
    pub p99_s: Option<f64>,
    /// Queries that were run.
    pub queries: u64,
    /// Of these: that failed.
    pub failed: u64,
    /// What the server counted.
    pub truth: Option<PerQuery>,
}

/// Speed-up over batch size, for one mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// How batches were sent.
    pub mode: Mode,
    /// The smallest fixed size that reaches [`KNEE`](super::KNEE) of the best. `None` if
    /// only the largest does: the curve still rises there.
    pub knee: Option<u32>,
    /// `s` of the model: what one more statement of a batch costs, in microseconds.
    pub statement_us: Option<f64>,
    /// By size; the pipeline's own choice last.
    pub cells: Vec<Cell>,
}

/// One size, of one curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Queries a batch.
    pub size: Size,
    /// How fast, in times of one at a time with the bare client.
    pub speedup: Ratio,
    /// What the model gives for it. `None` for the pipeline's own choice.
    pub model: Option<f64>,
    /// Median latency, from adding a query to its result: median over rounds.
    pub p50_s: Option<f64>,
    /// 99th percentile of it: median over rounds.
    pub p99_s: Option<f64>,
    /// The same where it was greatest: a stall is seen in few rounds.
    pub worst_p99_s: Option<f64>,
    /// Queries a batch as sent: mean over rounds.
    pub mean_batch: Option<f64>,
    /// Queries that were run.
    pub queries: u64,
    /// Of these: that failed.
    pub failed: u64,
    /// What the server counted.
    pub truth: Option<PerQuery>,
    /// Why nothing is said of its speed, where that is so.
    pub doubt: Option<String>,
}

impl Findings {
    /// The conditions of a class.
    pub fn of_class<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a ConditionFinding> {
        self.conditions.iter().filter(move |c| c.class == class)
    }

    /// Whether there was a bare client to compare with, if anything was measured.
    #[must_use]
    pub fn has_bare(&self) -> bool {
        self.conditions.is_empty() || self.conditions.iter().any(|c| c.bare.is_some())
    }
}

impl ConditionFinding {
    /// The curve of a mode, if it was tried.
    #[must_use]
    pub fn curve(&self, mode: Mode) -> Option<&Curve> {
        self.curves.iter().find(|curve| curve.mode == mode)
    }

    /// `10 ms, commit on`; without the commit for a class that only reads.
    #[must_use]
    pub fn place(&self) -> String {
        let rtt = round_trip(self.rtt_s);
        match self.synchronous_commit {
            Some(true) => format!("{rtt}, commit on"),
            Some(false) => format!("{rtt}, commit off"),
            None => rtt,
        }
    }

    /// Why a way has no cell here.
    pub(super) fn missing(&self, mode: Mode, size: Size) -> String {
        let how = How::Pipelined { mode, size };
        let left_out = self.left_out.iter().find(|left_out| left_out.how == how);
        left_out.map_or_else(|| "not measured".to_owned(), |l| l.reason.clone())
    }
}

impl Curve {
    /// A size, if it was tried.
    #[must_use]
    pub fn cell(&self, size: Size) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.size == size)
    }

    /// Whether its best is the largest size that was tried: nobody knows where it ends.
    #[must_use]
    pub fn still_rises(&self) -> bool {
        let largest = self.fixed().last();
        largest.is_some_and(|(_, speedup)| {
            let others = self.fixed().filter(|(_, other)| *other >= KNEE * speedup);
            others.count() == 1
        })
    }

    /// The fixed sizes that have a speed-up, smallest first, with it; above zero.
    pub fn fixed(&self) -> impl Iterator<Item = (u32, f64)> {
        let cells = self.cells.iter().filter_map(|cell| match cell.size {
            Size::Fixed(size) => Some((size, cell.speedup.median?)),
            Size::Auto => None,
        });
        cells.filter(|(_, speedup)| *speedup > 0.0)
    }
}

/// `10 ms`, `0.5 ms`: a round-trip time that was added.
pub(crate) fn round_trip(rtt_s: f64) -> String {
    format!("{} ms", micro(rtt_s * 1e3))
}

/// Finds it.
#[must_use]
pub fn find(run: &Run, data: &Data) -> Findings {
    let more = More::of(run);
    let class_of = |c: &Condition| data.classes.iter().find(|class| class.name == c.class);
    let conditions: Vec<ConditionFinding> = data
        .conditions
        .iter()
        .map(|c| condition(c, class_of(c).is_none_or(|class| class.writes), more))
        .collect();
    let classes = data.classes.iter().map(|c| class(c, &conditions));
    Findings {
        classes: classes.collect(),
        conditions,
    }
}

fn class(class: &Class, conditions: &[ConditionFinding]) -> ClassFinding {
    let of: Vec<&ConditionFinding> = conditions
        .iter()
        .filter(|c| c.class == class.name)
        .collect();
    let mode = choose::shipping_mode(class, &of);
    let mut rtts: Vec<f64> = of.iter().map(|c| c.rtt_s).collect();
    rtts.sort_by(f64::total_cmp);
    rtts.dedup();
    let by_rtt = rtts.into_iter().map(|rtt_s| {
        let at: Vec<_> = of.iter().copied().filter(|c| c.rtt_s == rtt_s).collect();
        ByRtt {
            rtt_s,
            measured_rtt_s: median(at.iter().map(|c| c.measured_rtt_s)).map(micro),
            recommended: mode.and_then(|mode| choose::recommend(class, mode, &at)),
        }
    });
    ClassFinding {
        name: class.name.clone(),
        about: class.about.clone(),
        writes: class.writes,
        guide_batch: class.guide_batch,
        mode,
        by_rtt: by_rtt.collect(),
        recommended: mode.and_then(|mode| choose::recommend(class, mode, &of)),
    }
}

fn condition(condition: &Condition, writes: bool, more: More<'_>) -> ConditionFinding {
    let sequential = one_at_a_time(condition, How::Sequential);
    let bare = baseline(condition) == How::Bare;
    let bare = bare.then(|| one_at_a_time(condition, How::Bare));
    let base = bare.unwrap_or(sequential);
    let mut ways: Vec<(Mode, Size)> = condition
        .rounds
        .iter()
        .flat_map(|round| &round.slices)
        .filter_map(|slice| match slice.how {
            How::Bare | How::Sequential => None,
            How::Pipelined { mode, size } => Some((mode, size)),
        })
        .collect();
    ways.sort_unstable();
    ways.dedup();
    let rtt_us = condition.measured_rtt_us as f64;
    let curves = ways.chunk_by(|a, b| a.0 == b.0).map(|of_mode| {
        let cells = of_mode
            .iter()
            .map(|(mode, size)| cell(condition, *mode, *size, &base, more));
        choose::curve(of_mode[0].0, cells.collect(), rtt_us)
    });
    let cost = Ratio::of(&costs(condition));
    let cost_doubt = bare.and_then(|bare| {
        let counts = (sequential.queries, sequential.failed);
        doubt(PAIRS, cost.n(), counts, &bare, more)
    });
    ConditionFinding {
        class: condition.class.clone(),
        rtt_s: condition.rtt_us as f64 / 1e6,
        measured_rtt_s: condition.measured_rtt_us as f64 / 1e6,
        synchronous_commit: writes.then_some(condition.synchronous_commit),
        rounds: condition.rounds.len(),
        cost: match cost_doubt {
            Some(_) => cost.unbounded(),
            None => cost,
        },
        cost_doubt,
        noise: match base.failed {
            0 => Ratio::of(&noise(condition)),
            _ => Ratio::of(&noise(condition)).unbounded(),
        },
        curves: curves.collect(),
        left_out: condition.left_out.clone(),
        ledger: condition.ledger,
        bare,
        sequential,
    }
}

/// Why a way is not compared, if it is not: too few of what is counted, or queries that failed, of its
/// own or of what it is compared with.
fn doubt(
    noun: Noun,
    n: usize,
    (queries, failed): (u64, u64),
    base: &Sequential,
    more: More<'_>,
) -> Option<String> {
    match (failed, base.failed) {
        (0, 0) if n < FEWEST_FOR_MEDIAN => Some(format!(
            "{}; {FEWEST_FOR_MEDIAN} are the fewest that can say it: {}",
            noun.of(n),
            more.than_few()
        )),
        (0, 0) => None,
        (0, n) => Some(format!(
            "{n} of {} queries failed one at a time",
            base.queries
        )),
        (n, _) => Some(format!("{n} of {queries} queries failed")),
    }
}

fn counted<'a>(slices: impl Iterator<Item = &'a Slice>) -> (u64, u64) {
    slices.fold((0, 0), |(queries, failed), slice| {
        (queries + slice.queries, failed + slice.failed)
    })
}

fn one_at_a_time(condition: &Condition, how: How) -> Sequential {
    let of = || slices(condition, how);
    let (queries, failed) = counted(of());
    Sequential {
        rate_per_s: median(of().map(rate_per_s).filter(|rate| rate.is_finite())).map(micro),
        p50_s: median_s(of(), |slice| slice.p50_us),
        p99_s: median_s(of(), |slice| slice.p99_us),
        queries,
        failed,
        truth: PerQuery::of(condition, how),
    }
}

fn cell(condition: &Condition, mode: Mode, size: Size, base: &Sequential, more: More<'_>) -> Cell {
    let how = How::Pipelined { mode, size };
    let of = || slices(condition, how);
    let (queries, failed) = counted(of());
    let speedup = Ratio::of(&speedups(condition, how));
    let doubt = doubt(ROUNDS, speedup.n(), (queries, failed), base, more);
    let sent: Vec<f64> = of()
        .map(|s| s.mean_batch)
        .filter(|b| b.is_finite())
        .collect();
    Cell {
        size,
        speedup: match doubt {
            Some(_) => speedup.unbounded(),
            None => speedup,
        },
        model: None,
        p50_s: median_s(of(), |slice| slice.p50_us),
        p99_s: median_s(of(), |slice| slice.p99_us),
        worst_p99_s: of().map(|slice| slice.p99_us as f64 / 1e6).reduce(f64::max),
        mean_batch: mean(&sent).map(micro).filter(|b| b.is_finite()),
        queries,
        failed,
        truth: PerQuery::of(condition, how),
        doubt,
    }
}
