//! What was measured of a run, one number for each time that it was measured.
//!
//! A [`Measure`] says what a number is: its name, its unit, and which way is better. A
//! [`Sample`] holds the numbers of one measure at one place: of one arm, under one fault, in
//! one phase. Thresholds, gates and comparisons of runs read samples and nothing else, so
//! that what an experiment measures can be used by all of them as soon as it names it.

mod operations;

pub(crate) use operations::{Latencies, MEASURES as OPERATIONS};

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    claim::Unit,
    numbers::{latency, percent, seconds, times},
    stats::{mean, micro, quantile::Observation},
};

/// The label of the configuration under test.
pub const ARM: &str = "arm";
/// The label of the fault that was injected.
pub const FAULT: &str = "fault";
/// The label of the part of an injection: `before`, `during` or `after` the fault.
pub const PHASE: &str = "phase";

/// Which way a measure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Better {
    /// The less, the better.
    Lower,
    /// The more, the better.
    Higher,
}

/// How the values of a sample come together as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Together {
    /// The one in the middle.
    Median,
    /// All of them added up.
    Sum,
}

/// What the values of a measure are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Seconds.
    Seconds,
    /// Times something else.
    Times,
    /// A part of something, 0..=1.
    Ratio,
    /// So many of them, or so many for each of something: `writes`.
    Number(&'static str),
}

impl Quantity {
    /// As the unit of a claim.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Seconds => Unit::Seconds,
            Self::Times => Unit::Times,
            Self::Ratio => Unit::Ratio,
            Self::Number(many) => Unit::count(many),
        }
    }
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// What thresholds and gates call it: lower-case words, joined by `-` or `.`.
    pub name: &'static str,
    /// What it is, as a clause.
    pub about: &'static str,
    /// What its values are in.
    pub quantity: Quantity,
    /// Which way is better.
    pub better: Better,
    /// How its values come together.
    pub together: Together,
    /// The least difference that means anything, in the unit: what values are rounded to, or
    /// how exact the instrument is. Above zero.
    pub resolution: f64,
    /// Whether the same work gives the same value on any machine: round trips, rows, bytes.
    pub counted: bool,
    /// Whether it is slower where the machine is, for every arm alike: then it is compared with
    /// that of a pool of the same run that is not ours.
    pub shared: bool,
    /// Whether a gate judges it. What another measure says as well, and what one operation of
    /// thousands decides, is told and compared only.
    pub judged: bool,
}

impl Measure {
    /// A value in its unit, for people; `-` for none.
    #[must_use]
    pub fn said(&self, value: Option<Observation>) -> String {
        let number = |value: f64| match self.quantity {
            Quantity::Seconds if self.resolution < 0.01 => latency(value),
            Quantity::Seconds => seconds(value),
            Quantity::Ratio => percent(value),
            Quantity::Times => times(value),
            Quantity::Number(_) => format!("{}", (value * 1e3).round() / 1e3),
        };
        match value {
            Some(Observation::Exact(value)) => number(value),
            Some(Observation::AtLeast(value)) => format!("> {}", number(value)),
            None => "-".to_owned(),
        }
    }

    /// A time in seconds, the less the better, exact to 0.1 ms.
    #[must_use]
    pub const fn time(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            quantity: Quantity::Seconds,
            better: Better::Lower,
            together: Together::Median,
            resolution: 1e-4,
            counted: false,
            shared: false,
            judged: true,
        }
    }

    /// A count, the less the better, exact to a thousandth.
    #[must_use]
    pub const fn count(name: &'static str, about: &'static str, of: &'static str) -> Self {
        Self {
            quantity: Quantity::Number(of),
            resolution: 1e-3,
            counted: true,
            ..Self::time(name, about)
        }
    }

    /// A part of something, 0..=1, the more the better, exact to a thousandth.
    #[must_use]
    pub const fn share(name: &'static str, about: &'static str) -> Self {
        Self {
            quantity: Quantity::Ratio,
            better: Better::Higher,
            resolution: 1e-3,
            ..Self::time(name, about)
        }
    }

    /// Times something else, the less the better, exact to a thousandth.
    #[must_use]
    pub const fn times(name: &'static str, about: &'static str) -> Self {
        Self {
            quantity: Quantity::Times,
            resolution: 1e-3,
            ..Self::time(name, about)
        }
    }

    /// A number that the same work need not give again, the less the better, exact to a
    /// thousandth.
    #[must_use]
    pub const fn number(name: &'static str, about: &'static str, of: &'static str) -> Self {
        Self {
            counted: false,
            ..Self::count(name, about, of)
        }
    }

    /// The same, exact to this much.
    #[must_use]
    pub const fn exact_to(self, resolution: f64) -> Self {
        Self { resolution, ..self }
    }

    /// The same, where more is better.
    #[must_use]
    pub const fn higher(self) -> Self {
        Self {
            better: Better::Higher,
            ..self
        }
    }

    /// The same, added up.
    #[must_use]
    pub const fn summed(self) -> Self {
        Self {
            together: Together::Sum,
            ..self
        }
    }

    /// The same, which no gate judges.
    #[must_use]
    pub const fn told(self) -> Self {
        Self {
            judged: false,
            ..self
        }
    }

    /// The same, which is slower for every arm where the machine is.
    #[must_use]
    pub const fn shared(self) -> Self {
        Self {
            shared: true,
            ..self
        }
    }
}

/// The values of a measure at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The name of the measure.
    pub measure: Cow<'static, str>,
    /// Where it was measured: `arm`, `fault`, `phase`, and what else an experiment tells apart.
    pub labels: BTreeMap<Cow<'static, str>, String>,
    /// One for each time that it was measured, in that order, rounded to microseconds of the
    /// unit. What could not be measured is left out.
    pub values: Vec<Value>,
    /// All of it as one number, where that is known better than from the values: a percentile
    /// of all operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled: Option<f64>,
}

/// A value, or what it is at least. In JSON: `0.5`, or `">= 0.5"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value(pub Observation);

impl Sample {
    /// The values of a measure of one arm.
    #[must_use]
    pub fn new(
        measure: &Measure,
        arm: &str,
        values: impl IntoIterator<Item = Observation>,
    ) -> Self {
        let rounded = values.into_iter().map(|value| {
            Value(match value {
                Observation::Exact(value) => Observation::Exact(micro(value)),
                Observation::AtLeast(value) => Observation::AtLeast(micro(value)),
            })
        });
        Self {
            measure: Cow::Borrowed(measure.name),
            labels: BTreeMap::from([(Cow::Borrowed(ARM), arm.to_owned())]),
            values: rounded
                .filter(|value| value.0.least().is_finite())
                .collect(),
            pooled: None,
        }
    }

    /// The same of values that are all known.
    #[must_use]
    pub fn exact(measure: &Measure, arm: &str, values: impl IntoIterator<Item = f64>) -> Self {
        Self::new(measure, arm, values.into_iter().map(Observation::Exact))
    }

    /// The same at a narrower place.
    #[must_use]
    pub fn at(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.insert(Cow::Borrowed(label), value.into());
        self
    }

    /// The same, with what all of it is.
    #[must_use]
    pub fn pooled(mut self, pooled: Option<f64>) -> Self {
        self.pooled = pooled.map(micro);
        self
    }

    /// The value of a label; empty without it.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Its values as they were observed.
    pub fn observations(&self) -> impl Iterator<Item = Observation> {
        self.values.iter().map(|value| value.0)
    }

    /// All of it as one number. `None` if nothing was measured.
    #[must_use]
    pub fn whole(&self, together: Together) -> Option<Observation> {
        if let Some(pooled) = self.pooled {
            return Some(Observation::Exact(pooled));
        }
        let values: Vec<Observation> = self.observations().collect();
        match together {
            Together::Median => Statistic::Quantile(0.5).of(&values),
            Together::Sum => Statistic::Sum.of(&values),
        }
    }

    /// The same with a value for each of several runs: what all of each run is as one number.
    /// `runs` are samples of one measure at one place.
    #[must_use]
    pub(crate) fn of_runs<'a>(
        together: Together,
        runs: impl IntoIterator<Item = &'a Self>,
    ) -> Option<Self> {
        let mut runs = runs.into_iter().peekable();
        let first = *runs.peek()?;
        Some(Self {
            values: runs
                .filter_map(|run| run.whole(together))
                .map(Value)
                .collect(),
            pooled: None,
            ..first.clone()
        })
    }

    /// The place, for people: `seawall, crash, during`.
    #[must_use]
    pub fn place(&self) -> String {
        let arm = self.labels.iter().filter(|(name, _)| *name == ARM);
        let rest = self.labels.iter().filter(|(name, _)| *name != ARM);
        let words: Vec<&str> = arm.chain(rest).map(|(_, value)| value.as_str()).collect();
        words.join(", ")
    }
}

/// One number from several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// By nearest rank: the smallest value that this part of all, above 0 and at most 1, is
    /// not above (Hyndman and Fan 1996, definition 1).
    Quantile(f64),
    /// The smallest.
    Min,
    /// The greatest.
    Max,
    /// The arithmetic mean.
    Mean,
    /// All added up.
    Sum,
    /// How many there are.
    Count,
}

impl Statistic {
    /// Their names.
    pub const NAMED: [(&'static str, Self); 10] = [
        ("p50", Self::Quantile(0.5)),
        ("p75", Self::Quantile(0.75)),
        ("p90", Self::Quantile(0.9)),
        ("p95", Self::Quantile(0.95)),
        ("p99", Self::Quantile(0.99)),
        ("min", Self::Min),
        ("max", Self::Max),
        ("mean", Self::Mean),
        ("sum", Self::Sum),
        ("n", Self::Count),
    ];

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let named = Self::NAMED.into_iter().find(|(known, _)| *known == name);
        named.map(|(_, statistic)| statistic)
    }

    /// What it is of these. `None` of none, but for the count, which is zero.
    #[must_use]
    pub fn of(self, values: &[Observation]) -> Option<Observation> {
        if matches!(self, Self::Count) {
            return Some(Observation::Exact(values.len() as f64));
        }
        if values.is_empty() {
            return None;
        }
        let of = |which: fn(Observation) -> f64| self.of_numbers(values.iter().map(|v| which(*v)));
        let (least, most) = (of(Observation::least)?, of(Observation::most)?);
        Some(if least == most {
            Observation::Exact(least)
        } else {
            Observation::AtLeast(least)
        })
    }

    fn of_numbers(self, numbers: impl Iterator<Item = f64>) -> Option<f64> {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        match self {
            Self::Quantile(part) => sorted.get(rank(n, part).checked_sub(1)?).copied(),
            Self::Min => sorted.first().copied(),
            Self::Max => sorted.last().copied(),
            Self::Mean => mean(&sorted),
            Self::Sum => Some(sorted.iter().sum()),
            Self::Count => Some(n as f64),
        }
    }
}

/// The rank, from 1, of the smallest of `n` values that a part of them, above 0 and at most 1,
/// is not above; 0 of none. What exceeds a whole number by no more than rounding is that number.
pub(crate) fn rank(n: usize, part: f64) -> usize {
    let wanted = part * n as f64 - 1e-9;
    let (mut low, mut high) = (usize::from(n > 0), n);
    while low < high {
        let middle = low.midpoint(high);
        if (middle as f64) < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Observation::Exact(value) => write!(f, "{value}"),
            Observation::AtLeast(value) => write!(f, "{AT_LEAST}{value}"),
        }
    }
}

/// What stands before a value that is only bounded from below.
const AT_LEAST: &str = ">= ";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Observation::Exact(value) => serializer.serialize_f64(value),
            Observation::AtLeast(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Read {
            Exact(f64),
            AtLeast(String),
        }
        match Read::deserialize(deserializer)? {
            Read::Exact(value) => Ok(Self(Observation::Exact(value))),
            Read::AtLeast(text) => {
                let bound = text.strip_prefix(AT_LEAST).and_then(|b| b.parse().ok());
                let bound = bound.filter(|bound: &f64| bound.is_finite());
                bound
                    .map(|bound| Self(Observation::AtLeast(bound)))
                    .ok_or_else(|| {
                        serde::de::Error::custom(format!(
                            "{text:?}, expected a number or \">= 0.5\""
                        ))
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Observation::{AtLeast, Exact};

    use super::*;

    const TIME: Measure = Measure::time("recovery", "until it is back");

    #[test]
    fn a_statistic_is_bounded_where_what_it_is_taken_from_is() {
        let values = [Exact(3.0), Exact(1.0), AtLeast(2.0), Exact(4.0)];
        for (statistic, expected) in [
            (Statistic::Quantile(0.25), Exact(1.0)),
            // 1, 3 or more than 4 with the bounded one: it may be 3.
            (Statistic::Quantile(0.5), AtLeast(2.0)),
            (Statistic::Quantile(1.0), AtLeast(4.0)),
            (Statistic::Min, Exact(1.0)),
            (Statistic::Max, AtLeast(4.0)),
            (Statistic::Mean, AtLeast(2.5)),
            (Statistic::Sum, AtLeast(10.0)),
            (Statistic::Count, Exact(4.0)),
        ] {
            assert_eq!(statistic.of(&values), Some(expected), "{statistic:?}");
        }
        assert_eq!(Statistic::Max.of(&[]), None);
        assert_eq!(Statistic::Count.of(&[]), Some(Exact(0.0)));
    }

    #[test]
    fn a_percentile_is_the_value_of_its_rank() {
        for n in 1..=120_usize {
            let values: Vec<Observation> = (1..=n).map(|v| Exact(v as f64)).collect();
            for (percent, name) in [
                (50, "p50"),
                (75, "p75"),
                (90, "p90"),
                (95, "p95"),
                (99, "p99"),
            ] {
                let rank = (percent * n).div_ceil(100) as f64;
                let got = Statistic::named(name).expect("named").of(&values);
                assert_eq!(got, Some(Exact(rank)), "{name} of {n}");
            }
        }
    }

    #[test]
    fn a_sample_is_read_as_it_was_written() {
        let values = [Exact(0.25), AtLeast(12.0)];
        let sample = Sample::new(&TIME, "seawall", values)
            .at(FAULT, "crash")
            .pooled(Some(1.5));
        let text = serde_json::to_string(&sample).unwrap();
        assert!(text.contains(r#""values":[0.25,">= 12"]"#), "{text}");
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample);
        assert_eq!(sample.place(), "seawall, crash");
        for wrong in ["\"12\"", "\">= x\"", "\">= inf\"", "null", "[]"] {
            assert!(serde_json::from_str::<Value>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_value() {
        let sample = Sample::exact(&TIME, "bare", [1.0, f64::NAN, f64::INFINITY, 2.0]);
        assert_eq!(sample.values.len(), 2);
        assert_eq!(sample.whole(Together::Sum), Some(Exact(3.0)));
        assert_eq!(sample.whole(Together::Median), Some(Exact(1.0)));
    }
}
