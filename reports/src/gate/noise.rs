//! What a build differs from itself by, and what a gate would find beyond that.

use crate::stats::{distribution::normal_quantile, mean, median, power, ranks, sequential::Plan};

use super::{TOLD, TOLERANCE, UNDECIDED};

/// Comparisons of a build with itself that are drawn.
const DRAWS: usize = 400;

/// How likely a change is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// By what a measure gets worse: 0.1 is 10 %.
    pub worse: f64,
    /// How often a gate finds that at its first look, 0..=1.
    pub first: f64,
    /// How often it finds it at any of its looks.
    pub last: f64,
}

/// What a measure differs by in runs of one build.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Noise {
    /// The floor at each look, what estimates stay within: a logarithm.
    pub(super) floors: Vec<f64>,
    /// The reach at each look, what whole intervals stay within: a logarithm.
    pub(super) reaches: Vec<f64>,
    /// Ends of the interval at each look, of each comparison of a build with itself.
    draws: Vec<Vec<Ends>>,
}

/// A comparison of two sets of runs: logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ends {
    /// Hodges and Lehmann's estimate.
    pub(super) estimate: f64,
    /// The lower end of its interval.
    pub(super) low: f64,
    /// The upper end.
    pub(super) high: f64,
}

impl Noise {
    /// From runs of one build, and as many of another as there are: what each set differs
    /// from its own median by is noise, whatever the two differ by.
    pub(super) fn of(
        sets: [&[f64]; 2],
        plan: &Plan,
        measures: usize,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let residuals = residuals(sets);
        let smoothed = power::Noise::of(&residuals);
        // Where nothing scatters, everything is the same.
        let draw = |rng: &mut fastrand::Rng| smoothed.as_ref().map_or(0.0, |of| of.draw(rng));
        let then = sets[0].len();
        let looks = plan.looks();
        let cuts: Vec<Option<usize>> = (0..looks.len())
            .map(|k| ranks::cut(looks[k], then, plan.alpha_at(k) / measures.max(1) as f64))
            .collect();
        let most = looks.last().copied().unwrap_or(0);
        let draws = (0..DRAWS).map(|_| {
            let base: Vec<f64> = (0..then).map(|_| draw(rng)).collect();
            let now: Vec<f64> = (0..most).map(|_| draw(rng)).collect();
            let each = looks.iter().zip(&cuts);
            each.map(|(runs, cut)| ends(&now[..*runs], &base, *cut))
                .collect()
        });
        let draws: Vec<Vec<Ends>> = draws.collect();
        // Nine of ten gates in all: of each measure, all but its part of the tenth.
        let part = UNDECIDED / measures.max(1) as f64;
        let within = |k: usize, of: fn(&Ends) -> f64| {
            let ends: Vec<f64> = draws.iter().map(|draw| of(&draw[k])).collect();
            upper(&ends, part).max(TOLERANCE.ln_1p())
        };
        let all = 0..looks.len();
        Self {
            floors: all
                .clone()
                .map(|k| within(k, |ends| ends.estimate))
                .collect(),
            reaches: all.map(|k| within(k, |ends| ends.high)).collect(),
            draws,
        }
    }

    /// How often each change is found that is told.
    pub(super) fn power(&self) -> Vec<Power> {
        let told = TOLD.into_iter().map(|worse| {
            let shift = worse.ln_1p();
            let first = self
                .draws
                .iter()
                .filter(|looks| self.found(looks, shift, 1));
            let last = self
                .draws
                .iter()
                .filter(|looks| self.found(looks, shift, looks.len()));
            let share = |n: usize| n as f64 / self.draws.len().max(1) as f64;
            Power {
                worse,
                first: share(first.count()),
                last: share(last.count()),
            }
        });
        told.collect()
    }

    /// Whether one of the first looks finds it, before one says that there is nothing.
    fn found(&self, looks: &[Ends], shift: f64, of: usize) -> bool {
        let bounds = self.floors.iter().zip(&self.reaches);
        for (ends, (floor, reach)) in looks.iter().zip(bounds).take(of) {
            if ends.low + shift > *floor {
                return true;
            }
            if ends.high + shift <= *reach {
                return false;
            }
        }
        false
    }
}

/// The value that a part of normally distributed ones lies above, from their mean and
/// standard deviation: of few that are rare, the values themselves say too little. Infinite
/// where one is.
fn upper(values: &[f64], part: f64) -> f64 {
    let Some(centre) = mean(values) else {
        return f64::INFINITY;
    };
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    let deviation = (squares / values.len().saturating_sub(1).max(1) as f64).sqrt();
    let floor = centre - normal_quantile(part) * deviation;
    if floor.is_nan() { f64::INFINITY } else { floor }
}

/// The estimate and both ends of the interval by which the first set lies above the second. Without enough
/// values for a level, it ends nowhere.
pub(super) fn ends(now: &[f64], then: &[f64], cut: Option<usize>) -> Ends {
    let pairs = now
        .iter()
        .flat_map(|now| then.iter().map(move |then| now - then));
    let mut differences: Vec<f64> = pairs.collect();
    differences.sort_by(f64::total_cmp);
    let n = differences.len();
    let estimate = match n {
        0 => 0.0,
        n => f64::midpoint(differences[(n - 1) / 2], differences[n / 2]),
    };
    let inside = cut.filter(|cut| *cut < n);
    match inside {
        Some(cut) => Ends {
            estimate,
            low: differences[cut],
            high: differences[n - 1 - cut],
        },
        None => Ends {
            estimate,
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
        },
    }
}

/// What values differ from the median of their own set by, made as wide as the noise is that
/// they come from: what is centred on its own median lies nearer to it.
fn residuals(sets: [&[f64]; 2]) -> Vec<f64> {
    let mut all = Vec::new();
    for set in sets {
        let Some(centre) = median(set.iter().copied()).filter(|_| set.len() > 1) else {
            continue;
        };
        let n = set.len() as f64;
        let wider = (n / (n - 1.0)).sqrt();
        all.extend(set.iter().map(|value| (value - centre) * wider));
    }
    all
}
