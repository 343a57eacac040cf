//! Samples of operations: how long they took, and how many were good.

use crate::run::{Answer, Load, Outcome};

use super::{Measure, Sample, rank};

const P50: Measure = Measure::time("latency.p50", "median latency of what was answered").shared();
const P99: Measure = Measure::time(
    "latency.p99",
    "99th percentile of the latency of what was answered",
)
.exact_to(5e-4)
.shared();
const MAX: Measure = Measure::time("latency.max", "longest latency of what was answered")
    .exact_to(1e-3)
    .told();
const OK: Measure = Measure::share(
    "ok",
    "operations that were good within the deadline, of all",
);

/// What there is of operations.
pub(crate) const MEASURES: [Measure; 4] = [P50, P99, MAX, OK];

/// Latencies and outcomes of operations, one part of them at a time.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    parts: Vec<Part>,
}

#[derive(Debug, Default)]
struct Part {
    scheduled: u64,
    good: u64,
    latencies_us: Vec<u64>,
}

impl Latencies {
    /// Adds a part: all operations of one injection or stretch that belong together.
    pub(crate) fn add(&mut self, load: &Load, answers: impl Iterator<Item = Answer>) {
        let mut part = Part::default();
        for answer in answers {
            part.scheduled += 1;
            if answer.outcome == Outcome::Ok {
                let latency_us = answer.end_us - answer.due_us;
                part.good += u64::from(latency_us <= load.deadline_us);
                part.latencies_us.push(latency_us);
            }
        }
        part.latencies_us.sort_unstable();
        if part.scheduled > 0 {
            self.parts.push(part);
        }
    }

    /// A value for each part, and percentiles of all of them together.
    pub(crate) fn samples(self, arm: &str) -> Vec<Sample> {
        let mut all: Vec<u64> = Vec::new();
        let (mut scheduled, mut good) = (0_u64, 0_u64);
        for part in &self.parts {
            all.extend(&part.latencies_us);
            scheduled += part.scheduled;
            good += part.good;
        }
        all.sort_unstable();
        let quantile = |measure: &Measure, part: f64| {
            let each = self.parts.iter();
            let each = each.filter_map(|of| nearest_rank_s(&of.latencies_us, part));
            Sample::exact(measure, arm, each).pooled(nearest_rank_s(&all, part))
        };
        let share = |good: u64, of: u64| good as f64 / of.max(1) as f64;
        let each = self
            .parts
            .iter()
            .map(|part| share(part.good, part.scheduled));
        let samples = vec![
            quantile(&P50, 0.5),
            quantile(&P99, 0.99),
            quantile(&MAX, 1.0),
            Sample::exact(&OK, arm, each).pooled((scheduled > 0).then(|| share(good, scheduled))),
        ];
        samples
            .into_iter()
            .filter(|s| !s.values.is_empty())
            .collect()
    }
}

/// Of sorted microseconds, in seconds.
fn nearest_rank_s(sorted_us: &[u64], part: f64) -> Option<f64> {
    let us = sorted_us.get(rank(sorted_us.len(), part).checked_sub(1)?)?;
    Some(*us as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::Kind, sample::Together, stats::quantile::Observation, synthetic};

    #[test]
    fn percentiles_are_of_all_parts_together_and_what_failed_is_not_ok() {
        let load = synthetic::load();
        let answer = |outcome, took_us| Answer {
            kind: Kind::Read,
            outcome,
            due_us: 1_000,
            end_us: 1_000 + took_us,
            took_us,
        };
        let mut latencies = Latencies::default();
        let part = (1..=99).map(|ms| answer(Outcome::Ok, ms * 100));
        latencies.add(&load, part.chain([answer(Outcome::Failed, 5)]));
        latencies.add(
            &load,
            [answer(Outcome::Ok, load.deadline_us + 1)].into_iter(),
        );
        latencies.add(&load, std::iter::empty());
        let samples = latencies.samples("bare");
        let whole = |name: &str| {
            let sample = samples.iter().find(|s| s.measure == name).expect(name);
            (sample.values.len(), sample.whole(Together::Median))
        };
        let exact = |value| Some(Observation::Exact(value));
        assert_eq!(whole("latency.p50"), (2, exact(0.005)));
        assert_eq!(whole("latency.p99"), (2, exact(0.0099)));
        let longest = (load.deadline_us + 1) as f64 / 1e6;
        assert_eq!(whole("latency.max"), (2, exact(longest)));
        assert_eq!(whole("ok"), (2, exact(0.980_198)));
        assert!(Latencies::default().samples("bare").is_empty());
    }
}
