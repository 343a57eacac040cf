//! Whether a service that runs close to what its pool can do comes back by itself after a
//! fault.
//!
//! The capacity of a pool is measured first. Then each arm gets a share of it as its load,
//! from callers that hang up after a while and try again at once, and the server is taken
//! away for about a second. What the callers could not have meanwhile is a queue, and what
//! they try again makes it longer: the question is whether that queue goes away.
//!
//! - `data`: the capacity, the conditions, and what happened in each
//! - `finding`: whether an arm came back, after how long, and with how many attempts
//! - `claims`: which of that is claimed of the engine
//! - `page`, `words`, `plot`: for people

mod claims;
mod data;
mod finding;
mod page;
mod plot;
mod samples;
mod words;

use crate::{
    claim::Claim,
    experiment::{Experiment, json},
    measure::Effect,
    page::Page,
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

pub use claims::{ATTEMPTS, COMES_BACK};
pub use data::{Capacity, Condition, Data, SoFar, Trial, Unserved};
pub use finding::{Findings, Row, find};

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct NearCapacity;

impl Experiment for NearCapacity {
    const COMMAND: &'static str = "near-capacity";
    type Data = Data;
    type Findings = Findings;

    fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
        data::check(run, data)
    }

    fn find(run: &Run, data: &Data) -> Findings {
        find(run, data)
    }

    fn measures() -> Vec<Measure> {
        samples::measures()
    }

    fn samples(run: &Run, data: &Data, findings: &Findings) -> Vec<Sample> {
        samples::samples(run, data, findings)
    }

    fn claims(run: &Run, data: &Data, findings: &Findings) -> Vec<Claim> {
        claims::claims(run, data, findings)
    }

    fn ledger(data: &Data) -> Ledger {
        data.trials.iter().filter_map(|t| t.injection.ledger).sum()
    }

    fn injections(findings: &Findings) -> &[Effect] {
        &findings.effects
    }

    fn published(findings: &Findings) -> Option<(&'static str, serde_json::Value)> {
        Some(("near_capacity", json(&findings.rows)))
    }

    fn page(run: &Run, data: &Data, findings: &Findings, _claims: &[Claim]) -> Page {
        page::page(run, data, findings)
    }
}

#[cfg(test)]
mod tests;
