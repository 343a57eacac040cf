//! Each measure as one number a run: by how much it is worse than the baseline.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::RunOf;
use crate::{
    run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL},
    sample::{ARM, Better, FAULT, Measure, Sample},
    stats::{mean, median},
};

/// Labels of places that are taken together: each counts alike.
const CASES: [&str; 6] = [FAULT, "rtt", "commit", "batch", "script", "retention"];

/// A measure at places that are taken together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The name of the measure.
    pub measure: String,
    /// The labels that all places have.
    pub labels: BTreeMap<Cow<'static, str>, String>,
}

impl Key {
    /// For people: `latency.p99, during`.
    #[must_use]
    pub fn name(&self) -> String {
        let rest = self.labels.iter().filter(|(name, _)| *name != ARM);
        let words = std::iter::once(self.measure.as_str());
        words
            .chain(rest.map(|(_, value)| value.as_str()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The arm; empty where all are taken together.
    #[must_use]
    pub fn arm(&self) -> &str {
        self.labels.get(ARM).map_or("", String::as_str)
    }
}

/// A measure in every run of the baseline and of now.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is of.
    pub key: Key,
    /// The measure.
    pub measure: Measure,
    /// The change of each run of the baseline: a logarithm, above zero where it is worse than
    /// the median of the baseline.
    pub then: Vec<f64>,
    /// The same of now. A run in which it was not measured is left out.
    pub now: Vec<f64>,
    /// Places that are taken together.
    pub cases: usize,
    /// The place that changed for the worse most, and its median change, where there are
    /// several.
    pub worst: Option<(String, f64)>,
    /// The median of the baseline and that of now, in the unit of the measure, over places.
    pub medians: Option<[f64; 2]>,
    /// Whether it is taken relative to the careful arm.
    pub relative: bool,
}

/// The values of one place: of each run, or nothing.
struct Case<'a> {
    place: String,
    then: Vec<Option<f64>>,
    now: Vec<Option<f64>>,
    control: Option<Box<Case<'a>>>,
    measure: &'a Measure,
}

/// All measures that a gate judges, of the arm `seawall` where there is one and of all arms
/// together otherwise: what was measured in every run of the baseline.
#[must_use]
pub fn series(measures: &[Measure], then: &[RunOf], now: &[RunOf]) -> Vec<Series> {
    let of_runs = |runs: &[RunOf]| -> Vec<BTreeMap<Place, f64>> {
        runs.iter()
            .map(|run| by_place(measures, &run.samples))
            .collect()
    };
    let (then, now) = (of_runs(then), of_runs(now));
    let Some(first) = then.first() else {
        return Vec::new();
    };
    let everywhere = |place: &&Place| then.iter().all(|run| run.contains_key(*place));
    let known: BTreeSet<&Place> = first.keys().filter(everywhere).collect();
    let ours = known.iter().any(|place| place.arm() == ARM_SEAWALL);
    let mut keys: BTreeMap<Key, Vec<Case<'_>>> = BTreeMap::new();
    for place in &known {
        let Some(measure) = measures
            .iter()
            .find(|measure| measure.name == place.measure)
        else {
            continue;
        };
        if !measure.judged || (ours && place.arm() != ARM_SEAWALL) {
            continue;
        }
        let values = |place: &Place, runs: &[BTreeMap<Place, f64>]| -> Vec<Option<f64>> {
            runs.iter().map(|run| run.get(place).copied()).collect()
        };
        let others = [ARM_CAREFUL, ARM_BARE].map(|arm| place.of_arm(arm));
        let control = others.into_iter().find(|other| known.contains(other));
        let control = control.filter(|_| measure.shared && ours).map(|control| {
            Box::new(Case {
                place: String::new(),
                then: values(&control, &then),
                now: values(&control, &now),
                control: None,
                measure,
            })
        });
        keys.entry(place.key(ours)).or_default().push(Case {
            place: place.case(),
            then: values(place, &then),
            now: values(place, &now),
            control,
            measure,
        });
    }
    let of = keys.into_iter().filter_map(|(key, cases)| {
        let measure = *cases.first()?.measure;
        Some(together(key, measure, &cases))
    });
    of.collect()
}

fn together(key: Key, measure: Measure, cases: &[Case<'_>]) -> Series {
    let changes: Vec<(Vec<Option<f64>>, Vec<Option<f64>>)> =
        cases.iter().map(Case::changes).collect();
    let runs = |side: fn(&(Vec<Option<f64>>, Vec<Option<f64>>)) -> &Vec<Option<f64>>| {
        let n = changes.first().map_or(0, |case| side(case).len());
        let each = (0..n).filter_map(|run| {
            let here: Vec<f64> = changes.iter().filter_map(|case| side(case)[run]).collect();
            mean(&here)
        });
        each.collect::<Vec<f64>>()
    };
    let worst = cases.iter().zip(&changes).filter_map(|(case, (_, now))| {
        Some((case.place.clone(), median(now.iter().copied().flatten())?))
    });
    let worst = worst.max_by(|(_, a), (_, b)| a.total_cmp(b));
    let of = |side: for<'a> fn(&'a Case<'_>) -> &'a Vec<Option<f64>>| {
        let medians = cases
            .iter()
            .filter_map(|case| median(side(case).iter().copied().flatten()));
        median(medians)
    };
    Series {
        measure,
        then: runs(|(then, _)| then),
        now: runs(|(_, now)| now),
        cases: cases.len(),
        worst: worst.filter(|_| cases.len() > 1),
        medians: of(|case| &case.then)
            .zip(of(|case| &case.now))
            .map(|(then, now)| [then, now]),
        relative: cases.iter().any(|case| case.control.is_some()),
        key,
    }
}

impl Case<'_> {
    /// By how much each run is worse than the median of the baseline.
    fn changes(&self) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
        let usual = median(self.then.iter().copied().flatten()).unwrap_or_default();
        // What is below the resolution is not told from nothing.
        let log = |value: f64| (value.max(0.0) + self.measure.resolution).ln();
        let sign = match self.measure.better {
            Better::Lower => 1.0,
            Better::Higher => -1.0,
        };
        let own = |value: f64| sign * (log(value) - log(usual));
        let control = self.control.as_ref().map(|control| control.changes());
        let (then, now) = match &control {
            Some((then, now)) => (Some(then), Some(now)),
            None => (None, None),
        };
        let less = |values: &[Option<f64>], control: Option<&Vec<Option<f64>>>| {
            let each = values.iter().enumerate().map(|(run, value)| {
                let of_machine = match control {
                    Some(control) => control.get(run).copied().flatten()?,
                    None => 0.0,
                };
                Some(own((*value)?) - of_machine)
            });
            each.collect::<Vec<Option<f64>>>()
        };
        (less(&self.then, then), less(&self.now, now))
    }
}

/// Where something was measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    measure: String,
    labels: BTreeMap<Cow<'static, str>, String>,
}

impl Place {
    fn arm(&self) -> &str {
        self.labels.get(ARM).map_or("", String::as_str)
    }

    fn of_arm(&self, arm: &str) -> Self {
        let mut other = self.clone();
        other.labels.insert(Cow::Borrowed(ARM), arm.to_owned());
        other
    }

    fn key(&self, ours: bool) -> Key {
        let mut labels = self.labels.clone();
        labels.retain(|name, _| !CASES.contains(&&**name) && (ours || name != ARM));
        Key {
            measure: self.measure.clone(),
            labels,
        }
    }

    fn case(&self) -> String {
        let of = self
            .labels
            .iter()
            .filter(|(name, _)| CASES.contains(&&***name) || *name == ARM);
        let of = of.filter(|(name, value)| *name != ARM || *value != ARM_SEAWALL);
        of.map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The samples of several runs as if they were of one: their values one after another, and the
/// median of what each pools.
#[must_use]
pub fn merged(runs: &[RunOf]) -> Vec<Sample> {
    let mut merged: Vec<(Sample, Vec<f64>)> = Vec::new();
    let mut places: BTreeMap<(&str, &BTreeMap<Cow<'static, str>, String>), usize> = BTreeMap::new();
    for sample in runs.iter().flat_map(|run| &run.samples) {
        let place = (&*sample.measure, &sample.labels);
        let at = *places.entry(place).or_insert_with(|| {
            let empty = Sample {
                values: Vec::new(),
                pooled: None,
                ..sample.clone()
            };
            merged.push((empty, Vec::new()));
            merged.len() - 1
        });
        merged[at].0.values.extend(&sample.values);
        merged[at].1.extend(sample.pooled);
    }
    let pooled = merged
        .into_iter()
        .map(|(sample, pooled)| sample.pooled(median(pooled)));
    pooled.collect()
}

fn by_place(measures: &[Measure], samples: &[Sample]) -> BTreeMap<Place, f64> {
    let of = samples.iter().filter_map(|sample| {
        let measure = measures
            .iter()
            .find(|measure| measure.name == sample.measure)?;
        // What was not seen to end was at least as long.
        let whole = sample.whole(measure.together)?.least();
        let place = Place {
            measure: sample.measure.clone().into_owned(),
            labels: sample.labels.clone(),
        };
        Some((place, whole))
    });
    of.collect()
}
