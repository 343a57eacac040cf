//! What each arm does while nothing is wrong: throughput, latency, and what that costs
//! the pool and the server.
//!
//! - `data`: stretches of load without any fault, one arm at a time, in turns
//! - `finding`: an arm's stretches together
//! - `claims`: no operation fails, and no write is lost
//! - `page`, `plot`: the numbers, and latency by quantile

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
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

pub use claims::NO_FAILURE;
pub use data::{Data, ServerCounts, Stretch};
pub use finding::{ArmFinding, Findings, QUANTILES, find};

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct Steady;

impl Experiment for Steady {
    const COMMAND: &'static str = "steady";
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

    fn claims(_run: &Run, data: &Data, findings: &Findings) -> Vec<Claim> {
        claims::claims(data, findings)
    }

    fn ledger(data: &Data) -> Ledger {
        data.stretches.iter().filter_map(|s| s.ledger).sum()
    }

    fn published(findings: &Findings) -> Option<(&'static str, serde_json::Value)> {
        Some(("steady", json(findings)))
    }

    fn page(run: &Run, data: &Data, findings: &Findings, _claims: &[Claim]) -> Page {
        page::page(run, data, findings)
    }
}

#[cfg(test)]
mod tests;
