//! What it is measured by, number by number: what differs, and what observing costs.

use crate::{
    run::{ARM_SEAWALL, Run},
    sample::{FAULT, Measure, Sample},
};

use super::{Data, Findings};

const DIFFER: Measure = Measure::count(
    "discrepancies",
    "counts in which metrics and events differ",
    "discrepancies",
)
.summed();
const CONTRADICTIONS: Measure = Measure::count(
    "contradictions",
    "what contradicted itself in a scrape",
    "contradictions",
)
.summed();
const THROUGHPUT: Measure = Measure::times(
    "observed.throughput",
    "queries a second while it is observed, of those while it is not",
)
.higher();
const CPU: Measure = Measure::times(
    "observed.cpu",
    "processor time of a query while it is observed, of that while it is not",
);
const MEMORY: Measure =
    Measure::number("history.bytes", "what a full history takes", "bytes").exact_to(4096.0);

pub(super) fn measures() -> Vec<Measure> {
    vec![DIFFER, CONTRADICTIONS, THROUGHPUT, CPU, MEMORY]
}

pub(super) fn samples(_run: &Run, _data: &Data, findings: &Findings) -> Vec<Sample> {
    let mut samples = Vec::new();
    for exam in &findings.exams {
        let here = [
            Sample::exact(&DIFFER, ARM_SEAWALL, [exam.differ.len() as f64]),
            Sample::exact(
                &CONTRADICTIONS,
                ARM_SEAWALL,
                [exam.contradictions.len() as f64],
            ),
        ];
        samples.extend(here.map(|sample| sample.at(FAULT, exam.fault.as_str())));
    }
    for price in &findings.prices {
        let here = [
            Sample::exact(
                &THROUGHPUT,
                ARM_SEAWALL,
                price.throughput.pairs.iter().copied(),
            ),
            Sample::exact(&CPU, ARM_SEAWALL, price.cpu.pairs.iter().copied()),
        ];
        samples.extend(here.map(|sample| sample.at("observed", price.of.name())));
    }
    for memory in &findings.memory {
        let sample = Sample::exact(&MEMORY, ARM_SEAWALL, [memory.bytes as f64]);
        samples.push(sample.at("retention", format!("{} min", memory.retention_minutes)));
    }
    samples.retain(|sample| !sample.values.is_empty());
    samples
}
