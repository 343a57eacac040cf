//! Which configuration to ship: what was measured for each of its settings, and what follows.
//!
//! - `data`: what it records: windows of pools of different sizes, two runs of batch sizes,
//!   outages under breaker settings, and what the time was spent on
//! - `contention`: which candidates the data do not tell from the chosen one
//! - `pool`, `batch`, `breaker`: what was found of each part; `finding`: the settings together
//! - `block`: the file of configuration
//! - `claims`: it ended in time, and no setting is missing
//! - `page`, `table`, `plot`, `words`: what its report says
//!
//! Definitions:
//! - Part of the best: the rate of a pool size over that of the best one, in the same round;
//!   over the rounds the median, with its exact interval. The best one is that with the highest
//!   median rate of those that had all rounds.
//! - Chosen pool size: the smallest that had all rounds and reaches at least 0.9 of the best, or
//!   whose interval reaches the best.
//! - Chosen batch size: the smallest that is recommended for a class that gains by a pipeline
//!   at all, by the second run, which had fewer sizes and more rounds.
//! - Close: what the interval of some candidate leaves open, if the same rule is applied.
//!
//! It is made of two other experiments, and uses what those find.

mod batch;
mod block;
mod breaker;
mod claims;
mod contention;
mod data;
mod finding;
mod page;
mod plot;
mod pool;
mod samples;
mod table;
mod words;

use crate::{
    claim::Claim,
    experiment::{Experiment, json},
    page::Page,
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

pub use batch::better_half;
pub use claims::{CHOSEN, IN_BUDGET};
pub use data::{Batch, Candidate, Data, Dropped, Part, Pool, Round, Spent, Unmeasured, Window};
pub use finding::{Choice, Findings, Missing, find};
pub use pool::{ENOUGH, PoolFinding, SizeFinding, kept};

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct Tune;

impl Experiment for Tune {
    const COMMAND: &'static str = "tune";
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

    fn page(run: &Run, data: &Data, findings: &Findings, _claims: &[Claim]) -> Page {
        page::page(run, data, findings)
    }

    fn ledger(data: &Data) -> Ledger {
        data.ledger()
    }

    fn published(findings: &Findings) -> Option<(&'static str, serde_json::Value)> {
        Some(("tune", json(findings)))
    }
}

#[cfg(test)]
mod tests;
