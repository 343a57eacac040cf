//! Which breaker settings to ship: what a sweep recorded, measured and judged.
//!
//! - `measure`: what one outage did to one cell
//! - `finding`: what all outages did to it, and the front of the best cells
//! - `recommend`: the cell to ship, and its block of configuration
//! - `page`, `ship`, `table`, `plots`, `words`: what its report says
//! - `claims`: what the guide says of its own three weeks, and what is said of
//!   the recommendation
//!
//! A cell has some thirty operations a second, so the measures of one failure
//! ([`crate::measure`]), which judge the 99th percentile of windows of a hundred,
//! do not fit: a cell is back at the first operation from which on 95 % are good
//! for a while. Everything else means the same.
//!
//! Invariants: as in [`crate::claim`]. Missing data never hold; a cell whose false
//! alarms were not all met has no count of false opens, which is not zero.

mod claims;
mod data;
mod finding;
mod measure;
mod page;
mod plots;
mod recommend;
mod samples;
mod ship;
mod table;
mod words;

use crate::{
    claim::Claim,
    experiment::{Experiment, json},
    injections::RECOVERY_S,
    page::Page,
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

pub use claims::{CONFIRMATION, FALSE_OPENS};
pub use data::{Alarm, AlarmSpan, Cell, CellRun, Data, Outage, ProbeMode, Stretch};
pub use finding::{CellFinding, Findings, Recovered, Week, find};
pub use measure::Columns;
pub use recommend::Recommendation;
pub(crate) use ship::{confirmed, scale_in_full};
pub(crate) use table::cells;

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSweep;

impl Experiment for BreakerSweep {
    const COMMAND: &'static str = "breaker-sweep";
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

    fn claims(_run: &Run, data: &Data, findings: &Findings) -> Vec<Claim> {
        claims::claims(data, findings)
    }

    fn page(run: &Run, data: &Data, findings: &Findings, claims: &[Claim]) -> Page {
        page::page(run, data, findings, claims)
    }

    fn ledger(data: &Data) -> Ledger {
        let runs = data.stretches.iter().flat_map(|stretch| &stretch.runs);
        runs.filter_map(|run| run.ledger).sum()
    }

    fn published(findings: &Findings) -> Option<(&'static str, serde_json::Value)> {
        Some(("sweep", json(findings)))
    }
}

/// The guide's bound of a recovery, before it is divided by the scale.
pub const CLAIM_S: f64 = RECOVERY_S;

#[cfg(test)]
mod tests;
