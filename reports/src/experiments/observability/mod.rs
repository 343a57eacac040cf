//! Whether what the metrics say equals what happened, and what it costs to know.
//!
//! - `data`: each fault with everything counted twice; pairs of windows; what histories take
//! - `finding`: where the counts differ, and the ratio of each pair
//! - `claims`: nothing differs, and it costs little
//! - `page`, `plot`: the numbers, and the price pair by pair

mod claims;
mod data;
mod finding;
mod page;
mod plot;
mod samples;

use crate::{
    claim::Claim,
    experiment::{Experiment, json},
    page::Page,
    run::{Contradiction, Run},
    sample::{Measure, Sample},
};

pub use claims::{COMPLETE_VISIBILITY, PRICE, QUANTILES, SCRAPES};
pub use data::{Compared, Data, Exam, MemoryOf, Observed, Quantile, Sessions, Window};
pub use finding::{ExamFinding, Findings, Price, QuantileFinding, find};

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct Observability;

impl Experiment for Observability {
    const COMMAND: &'static str = "observability";
    type Data = Data;
    type Findings = Findings;

    fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
        data::check(run, data)
    }

    fn find(_run: &Run, data: &Data) -> Findings {
        find(data)
    }

    fn measures() -> Vec<Measure> {
        samples::measures()
    }

    fn samples(run: &Run, data: &Data, findings: &Findings) -> Vec<Sample> {
        samples::samples(run, data, findings)
    }

    fn claims(_run: &Run, _data: &Data, findings: &Findings) -> Vec<Claim> {
        claims::claims(findings)
    }

    fn published(findings: &Findings) -> Option<(&'static str, serde_json::Value)> {
        Some(("observability", json(findings)))
    }

    fn page(run: &Run, data: &Data, findings: &Findings, _claims: &[Claim]) -> Page {
        page::page(run, data, findings)
    }
}

#[cfg(test)]
mod tests;
