//! The knee of a curve, the model beside it, and the size to ship.
//!
//! Larger batches wait longer and lose more at once, so of sizes that are about as
//! fast the smallest is taken.

use serde::{Deserialize, Serialize};

use crate::stats::{median, micro};

use super::{
    data::{Class, Mode, Size},
    finding::{Cell, ConditionFinding, Curve},
};

/// Part of a curve's best that its knee reaches. Ratios on a shared machine are known
/// to about a tenth.
pub const KNEE: f64 = 0.9;
/// Part of each condition's best that a recommended size reaches: one setting serves
/// them all, so it may cost a little more than noise in each.
pub const SHARE: f64 = 0.8;

/// A batch size to ship, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// How batches are sent.
    pub mode: Mode,
    /// `pipeline_batch_size`.
    pub batch: u32,
    /// Conditions that it was chosen over.
    pub conditions: usize,
    /// Part of the best fixed size's rate that it reaches, in the condition where that
    /// is least.
    pub least_share: f64,
    /// Least speed-up over the conditions.
    pub slowest: f64,
    /// Greatest.
    pub fastest: f64,
    /// Median latency of a query, where it is greatest.
    pub p50_s: Option<f64>,
    /// 99th percentile, of the round and condition where it is greatest.
    pub p99_s: Option<f64>,
    /// What the pipeline's own choice would do instead. `None` if it was not tried.
    pub auto: Option<AutoCompared>,
    /// The block of configuration, in TOML, with the guide's keys.
    pub toml: String,
    /// What the pipeline is to be built with beside that, in Rust. `None` if nothing.
    pub builder: Option<String>,
    /// Why, as a sentence.
    pub reason: String,
}

/// The pipeline's own choice of size beside the best fixed one, over conditions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AutoCompared {
    /// Least part of the best one's rate.
    pub least_rate: f64,
    /// Greatest.
    pub most_rate: f64,
    /// Least part of the best one's median latency. `None` if that is not known.
    pub least_p50: Option<f64>,
    /// Greatest.
    pub most_p50: Option<f64>,
}

/// Puts the knee and the model to the cells of a curve, which stand by size.
pub(super) fn curve(mode: Mode, cells: Vec<Cell>, rtt_us: f64) -> Curve {
    let mut curve = Curve {
        mode,
        knee: None,
        statement_us: None,
        cells,
    };
    let best = best(&curve).map_or(0.0, |(_, speedup)| speedup);
    let knee = curve.fixed().find(|(_, speedup)| *speedup >= KNEE * best);
    curve.knee = knee.map(|(size, _)| size).filter(|_| !curve.still_rises());
    // s over RTT, which is all that the curve's shape depends on.
    let parts = curve
        .fixed()
        .map(|(size, speedup)| 1.0 / speedup - 1.0 / f64::from(size.max(1)));
    if let Some(part) = median(parts).map(|part| micro(part).max(0.0)) {
        curve.statement_us = Some(micro(part * rtt_us));
        for cell in &mut curve.cells {
            if let Size::Fixed(size) = cell.size {
                cell.model = Some(micro(1.0 / (1.0 / f64::from(size.max(1)) + part)));
            }
        }
    }
    curve
}

/// The fastest fixed size, and its speed-up.
pub(super) fn best(curve: &Curve) -> Option<(u32, f64)> {
    curve.fixed().max_by(|a, b| a.1.total_cmp(&b.1))
}

/// How a class is shipped: in the cheapest way that was tried anywhere.
pub(super) fn shipping_mode(class: &Class, conditions: &[&ConditionFinding]) -> Option<Mode> {
    let preferred = if class.writes || class.transaction {
        Mode::OneTransaction
    } else {
        Mode::Reads
    };
    [preferred, Mode::Autocommit]
        .into_iter()
        .find(|mode| conditions.iter().any(|c| c.curve(*mode).is_some()))
}

/// `None` if no size was measured in all of the conditions that have the mode.
pub(super) fn recommend(
    class: &Class,
    mode: Mode,
    conditions: &[&ConditionFinding],
) -> Option<Recommendation> {
    let curves: Vec<(&ConditionFinding, &Curve)> = conditions
        .iter()
        .filter_map(|condition| Some((*condition, condition.curve(mode)?)))
        .collect();
    let (_, first) = curves.first()?;
    // Each size with its least part of the best, and where that is.
    let sizes: Vec<(u32, f64, String)> = first
        .fixed()
        .filter_map(|(size, _)| {
            let (share, place) = least_share(&curves, size)?;
            Some((size, share, place))
        })
        .collect();
    let enough = sizes.iter().find(|(_, share, _)| *share >= SHARE);
    let (batch, share, place) = match enough {
        Some(chosen) => chosen,
        None => sizes.iter().max_by(|a, b| a.1.total_cmp(&b.1))?,
    };
    let cells: Vec<&Cell> = curves
        .iter()
        .filter_map(|(_, curve)| curve.cell(Size::Fixed(*batch)))
        .collect();
    let speedups = || cells.iter().filter_map(|cell| cell.speedup.median);
    let greatest = |of: fn(&Cell) -> Option<f64>| {
        let values = cells.iter().filter_map(|cell| of(cell));
        values.max_by(f64::total_cmp)
    };
    let slowest = speedups().min_by(f64::total_cmp)?;
    let mut reason = match enough {
        Some(_) if curves.len() == 1 => {
            format!("the smallest size that reaches 80 % of the best ({share:.2} of it)")
        }
        Some(_) => format!(
            "the smallest size that reaches 80 % of the best in each of {} conditions (least \
             {share:.2}: {place})",
            curves.len()
        ),
        None => format!(
            "no size reaches 80 % of the best in each of {} conditions; this one comes closest \
             (least {share:.2}: {place})",
            curves.len()
        ),
    };
    if curves
        .iter()
        .any(|(_, curve)| curve.still_rises() && largest(curve) == Some(*batch))
    {
        reason += "; it is the largest that was tried, and larger ones may be faster still";
    }
    let mut doubts = curves.iter().filter_map(|(condition, curve)| {
        let doubt = curve.cell(Size::Fixed(*batch))?.doubt.as_ref()?;
        Some(format!("; doubtful: {}: {doubt}", condition.place()))
    });
    reason += &doubts.next().unwrap_or_default();
    let pays = slowest > 1.0;
    if !pays {
        reason += "; one at a time is as fast somewhere, so leave the pipeline off";
    }
    Some(Recommendation {
        mode,
        batch: *batch,
        conditions: curves.len(),
        least_share: micro(*share),
        slowest,
        fastest: speedups().max_by(f64::total_cmp)?,
        p50_s: greatest(|cell| cell.p50_s),
        p99_s: greatest(|cell| cell.worst_p99_s),
        auto: auto(&curves),
        toml: match pays {
            true => format!("enable_pipelining = true\npipeline_batch_size = {batch}\n"),
            false => "enable_pipelining = false\n".to_owned(),
        },
        builder: builder(class, mode).filter(|_| pays),
        reason,
    })
}

fn largest(curve: &Curve) -> Option<u32> {
    curve.fixed().last().map(|(size, _)| size)
}

/// What makes the mode: without it, every statement is a transaction of its own.
fn builder(class: &Class, mode: Mode) -> Option<String> {
    match mode {
        Mode::OneTransaction if class.transaction => Some(
            "in the code: pool.pipeline().strategy(Strategy::Transactional), and a flush\n\
             behind whole transactions of yours: those of one flush are committed together"
                .to_owned(),
        ),
        Mode::Autocommit => None,
        Mode::OneTransaction => Some(
            "in the code: pool.pipeline().group_commit(true)\n\
             or, where a batch is all or nothing: .strategy(Strategy::Transactional)"
                .to_owned(),
        ),
        Mode::Reads => Some("in the code: pool.pipeline().read_only(true)".to_owned()),
    }
}

/// What part of each condition's best a size reaches, where that is least. `None` if
/// a condition does not have it.
fn least_share(curves: &[(&ConditionFinding, &Curve)], size: u32) -> Option<(f64, String)> {
    let mut least: Option<(f64, String)> = None;
    for (condition, curve) in curves {
        let (_, most) = best(curve)?;
        let share = curve.cell(Size::Fixed(size))?.speedup.median? / most;
        if least.as_ref().is_none_or(|(least, _)| share < *least) {
            least = Some((share, condition.place()));
        }
    }
    least
}

fn auto(curves: &[(&ConditionFinding, &Curve)]) -> Option<AutoCompared> {
    let pairs: Vec<(&Cell, &Cell)> = curves
        .iter()
        .filter_map(|(_, curve)| {
            let (size, _) = best(curve)?;
            Some((curve.cell(Size::Auto)?, curve.cell(Size::Fixed(size))?))
        })
        .collect();
    let range = |of: fn(&Cell) -> Option<f64>| {
        let parts = pairs.iter().filter_map(|(auto, best)| {
            let part = of(auto)? / of(best)?;
            part.is_finite().then(|| micro(part))
        });
        parts.fold(None, |range: Option<(f64, f64)>, part| {
            Some(range.map_or((part, part), |(a, b)| (a.min(part), b.max(part))))
        })
    };
    let (least_rate, most_rate) = range(|cell| cell.speedup.median)?;
    let p50 = range(|cell| cell.p50_s);
    Some(AutoCompared {
        least_rate,
        most_rate,
        least_p50: p50.map(|(least, _)| least),
        most_p50: p50.map(|(_, most)| most),
    })
}
