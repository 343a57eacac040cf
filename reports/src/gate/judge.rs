//! Worse, no worse, or not known.

use super::{
    Power, SAME, Series,
    noise::{Noise, ends},
};
use crate::stats::{median, ranks, sequential::Plan};

/// How a measure was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it is: it came out the same in all runs of the baseline.
    Hard,
    /// By its interval, against the noise floor.
    Soft,
}

/// What became of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is worse.
    Regression,
    /// It is no worse.
    NoWorse,
    /// More runs may tell.
    Open,
}

/// What a measure changed by, and what follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The measure in all runs.
    pub series: Series,
    /// How it was judged.
    pub kind: Kind,
    /// What became of it.
    pub ruling: Ruling,
    /// By how much it is worse.
    pub change: Change,
    /// How likely worse ones would be found. Empty for a hard one, which finds all.
    pub power: Vec<Power>,
    /// Why nothing can be said, where that is so.
    pub reason: Option<String>,
}

/// A change, in times of the baseline: 1.1 is 10 % worse, whichever way a measure is better.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Change {
    /// Hodges and Lehmann's estimate; of a hard one the median.
    pub estimate: Option<f64>,
    /// The lower end of its interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The floor that it is compared with.
    pub floor: f64,
}

/// Judges all measures at a look. What was decided at an earlier look stays so: `before` is
/// what came of that. `elsewhere` is how the environment differs from that of the baseline: then
/// nothing is said of what scatters, since nobody knows what it would have been there.
#[must_use]
pub fn judge(
    all: &[Series],
    plan: &Plan,
    look: usize,
    before: &[Judged],
    elsewhere: &[String],
    seed: u64,
) -> Vec<Judged> {
    let soft = soft(all);
    let each = all.iter().map(|series| {
        let decided = before.iter().find(|judged| judged.series.key == series.key);
        if let Some(decided) = decided.filter(|judged| judged.ruling != Ruling::Open) {
            return decided.clone();
        }
        if is_hard(series) {
            hard(series)
        } else {
            let mut judged = by_interval(series, plan, look, soft, seed);
            if series.measure.counted && is_far_beyond(series) {
                judged.ruling = Ruling::Regression;
                judged.reason = None;
            } else if !elsewhere.is_empty() {
                judged.ruling = Ruling::Open;
                judged.power.clear();
                let differs = elsewhere.join("; ");
                judged.reason = Some(format!(
                    "the baseline is of another environment ({differs})"
                ));
            }
            judged
        }
    });
    each.collect()
}

/// How many measures are judged by interval: what the level of a look is divided by.
#[must_use]
pub fn soft(all: &[Series]) -> usize {
    all.iter().filter(|series| !is_hard(series)).count()
}

/// Whether the same work gives the same count every time, as far as the baseline says.
pub(super) fn is_hard(series: &Series) -> bool {
    let (least, most) = span(&series.then);
    series.measure.counted && series.then.len() > 2 && most - least <= SAME.ln_1p()
}

/// Whether a count that scatters is worse by more than it scatters, whatever the number of runs:
/// its median lies above the greatest of the baseline by more than twice what lies between the
/// least and the greatest of that.
fn is_far_beyond(series: &Series) -> bool {
    let (least, most) = span(&series.then);
    let now = median(series.now.iter().copied());
    series.then.len() > 2 && now.is_some_and(|now| now > most + 2.0 * (most - least))
}

fn span(values: &[f64]) -> (f64, f64) {
    values.iter().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| (least.min(*value), most.max(*value)),
    )
}

fn hard(series: &Series) -> Judged {
    let (_, most) = span(&series.then);
    let floor = most + SAME.ln_1p();
    let now = median(series.now.iter().copied());
    let (least, greatest) = span(&series.now);
    let known = now.is_some();
    let change = Change {
        estimate: now.map(f64::exp),
        low: known.then(|| least.exp()),
        high: known.then(|| greatest.exp()),
        floor: floor.exp(),
    };
    let ruling = match now {
        Some(now) if now > floor => Ruling::Regression,
        Some(_) => Ruling::NoWorse,
        None => Ruling::Open,
    };
    Judged {
        series: series.clone(),
        kind: Kind::Hard,
        ruling,
        change,
        power: Vec::new(),
        reason: (!known).then(|| NOT_MEASURED.to_owned()),
    }
}

const NOT_MEASURED: &str = "it was measured in the baseline, and is not now";

fn by_interval(series: &Series, plan: &Plan, look: usize, measures: usize, seed: u64) -> Judged {
    // The same noise gives the same floor, whatever else is judged.
    let mut rng = fastrand::Rng::with_seed(seed);
    let noise = Noise::of([&series.then, &series.now], plan, measures, &mut rng);
    let floor = noise.floors.get(look).copied().unwrap_or(f64::INFINITY);
    let tail = plan.alpha_at(look) / measures.max(1) as f64;
    let cut = ranks::cut(series.now.len(), series.then.len(), tail);
    let [low, high] = ends(&series.now, &series.then, cut);
    let shift = ranks::shift_at(&series.now, &series.then, 0.025);
    let complete = plan
        .looks()
        .get(look)
        .is_some_and(|runs| series.now.len() == *runs);
    let (ruling, reason) = if !complete {
        let reason = match series.now.len() {
            0 => NOT_MEASURED.to_owned(),
            n => format!(
                "it was measured in {n} of {} runs",
                plan.looks()[look.min(plan.looks().len() - 1)]
            ),
        };
        (Ruling::Open, Some(reason))
    } else if low > floor {
        (Ruling::Regression, None)
    } else if high <= floor {
        (Ruling::NoWorse, None)
    } else {
        let reason = if low.is_finite() {
            "the interval reaches across the noise floor"
        } else {
            "there are too few runs for an interval"
        };
        (Ruling::Open, Some(reason.to_owned()))
    };
    let finite = |value: f64| value.is_finite().then(|| value.exp());
    Judged {
        series: series.clone(),
        kind: Kind::Soft,
        ruling,
        change: Change {
            estimate: shift.estimate.map(f64::exp),
            low: finite(low),
            high: finite(high),
            floor: floor.exp(),
        },
        power: noise.power(),
        reason,
    }
}
