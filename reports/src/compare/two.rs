//! Every measure of two runs, with its change.

use std::collections::BTreeMap;

use crate::{
    gate::{places, settings},
    measures::Measures,
    sample::{Better, Measure, Sample, Statistic},
    stats::{
        holm,
        quantile::Observation,
        ranks::{self, Alternative},
    },
};

/// What is significant is less likely than this by chance, over all measures together.
const LEVEL: f64 = 0.05;
/// The confidence of an interval is all but twice this.
const TAIL: f64 = 0.025;

/// A measure at one place in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What it is.
    pub measure: Measure,
    /// Where, in the first run: its labels and its values.
    pub a: Sample,
    /// The same in the second.
    pub b: Sample,
    /// All of the first as one number, and all of the second.
    pub wholes: [Option<Observation>; 2],
    /// The second in times of the first: Hodges and Lehmann's estimate, over the logarithms of
    /// the values. `None` where it is only bounded.
    pub change: Option<f64>,
    /// The lower end of its exact 95 % interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// How likely values differ so much by chance: Mann and Whitney's test, both sides.
    pub p: f64,
    /// Whether that is significant, over all that is compared (Holm).
    pub significant: bool,
}

impl Compared {
    /// Whether it is significantly better; `None` if it does not differ significantly.
    #[must_use]
    pub fn is_better(&self) -> Option<bool> {
        let change = self.change.or(self.low)?;
        let less = change < 1.0;
        let better = match self.measure.better {
            Better::Lower => less,
            Better::Higher => !less,
        };
        self.significant.then_some(better)
    }
}

/// What differs between two runs beside what was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// In the environment, the flags and the settings, in words.
    pub setup: Vec<String>,
    /// Measures that only the first has, with their places.
    pub only_a: Vec<String>,
    /// Measures that only the second has.
    pub only_b: Vec<String>,
}

/// What differs in how two runs came about.
#[must_use]
pub fn differences(a: &Measures, b: &Measures) -> Differences {
    let mut setup = Vec::new();
    let mut differ = |name: &str, a: String, b: String| {
        if a != b {
            setup.push(format!("{name}: {a}, then {b}"));
        }
    };
    let typed = |of: &Measures| {
        format!("{} {}", of.command, typed(&of.arguments))
            .trim()
            .to_owned()
    };
    differ("command", typed(a), typed(b));
    differ("seed", a.seed.to_string(), b.seed.to_string());
    setup.extend(places(&a.environment, &b.environment));
    for arm in &a.arms {
        match b.arms.iter().find(|other| other.name == arm.name) {
            Some(other) => setup.extend(settings(&arm.name, &arm.config, &other.config)),
            None => setup.push(format!("arm {}: only in the first", arm.name)),
        }
    }
    let new = b
        .arms
        .iter()
        .filter(|arm| a.arms.iter().all(|other| other.name != arm.name));
    setup.extend(new.map(|arm| format!("arm {}: only in the second", arm.name)));
    let only = |these: &Measures, others: &Measures| {
        let known = by_place(others);
        let missing = these
            .samples
            .iter()
            .filter(|sample| !known.contains_key(&key(sample)));
        missing
            .map(|sample| format!("{}, {}", sample.measure, sample.place()))
            .collect()
    };
    Differences {
        setup,
        only_a: only(a, b),
        only_b: only(b, a),
    }
}

/// What was typed, without seed and environment, which are told by themselves.
fn typed(arguments: &[String]) -> String {
    let mut words = arguments.iter();
    let mut typed = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--seed" | "--env") {
            words.next();
        } else {
            typed.push(word.as_str());
        }
    }
    typed.join(" ")
}

type Key<'a> = (
    &'a str,
    &'a BTreeMap<std::borrow::Cow<'static, str>, String>,
);

fn key(sample: &Sample) -> Key<'_> {
    (&*sample.measure, &sample.labels)
}

fn by_place(of: &Measures) -> BTreeMap<Key<'_>, &Sample> {
    of.samples
        .iter()
        .map(|sample| (key(sample), sample))
        .collect()
}

/// Every measure that both runs have at the same place, in the order of the first.
#[must_use]
pub fn compare(measures: &[Measure], a: &Measures, b: &Measures) -> Vec<Compared> {
    let there = by_place(b);
    let both = a.samples.iter().filter_map(|of_a| {
        let measure = measures
            .iter()
            .find(|measure| measure.name == of_a.measure)?;
        Some(one(measure, of_a, there.get(&key(of_a))?))
    });
    let mut all: Vec<Compared> = both.collect();
    let p: Vec<f64> = all.iter().map(|compared| compared.p).collect();
    for (compared, p) in all.iter_mut().zip(holm::adjusted(&p)) {
        compared.significant = p <= LEVEL;
    }
    all
}

fn one(measure: &Measure, a: &Sample, b: &Sample) -> Compared {
    let log = |value: f64| (value.max(0.0) + measure.resolution).ln();
    let logs = |sample: &Sample| -> Vec<Observation> {
        let each = sample.observations().map(|value| match value {
            Observation::Exact(value) => Observation::Exact(log(value)),
            Observation::AtLeast(value) => Observation::AtLeast(log(value)),
        });
        each.collect()
    };
    let shift = ranks::shift_of(&logs(b), &logs(a), TAIL);
    // What was not seen to end was longer than all that was.
    let most = |sample: &Sample| {
        sample
            .observations()
            .map(Observation::most)
            .collect::<Vec<f64>>()
    };
    let whole = |sample: &Sample| sample.whole(measure.together);
    let wholes = [whole(a), whole(b)];
    // Of what is pooled, a percentile of all operations, the pooled values are nearer to the
    // truth than the middle of those of a few parts.
    let pooled = match wholes {
        [
            Some(Observation::Exact(of_a)),
            Some(Observation::Exact(of_b)),
        ] if a.pooled.is_some() => Some(log(of_b) - log(of_a)),
        _ => shift.estimate,
    };
    Compared {
        measure: *measure,
        a: a.clone(),
        b: b.clone(),
        wholes,
        change: pooled.map(f64::exp),
        low: shift.interval.low.map(f64::exp),
        high: shift.interval.high.map(f64::exp),
        p: ranks::mann_whitney(&most(a), &most(b), Alternative::TwoSided),
        significant: false,
    }
}

/// The spread of a sample, for people: from the least to the greatest.
pub(super) fn spread(measure: &Measure, sample: &Sample) -> String {
    let values: Vec<Observation> = sample.observations().collect();
    if values.len() < 2 {
        return String::new();
    }
    let end = |statistic: Statistic| measure.said(statistic.of(&values));
    format!("{} to {}", end(Statistic::Min), end(Statistic::Max))
}
