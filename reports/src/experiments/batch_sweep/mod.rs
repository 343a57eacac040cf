//! Which batch size to ship: what a sweep of batch sizes recorded, found and judged.
//!
//! - `measure`: what the slices of one way of running queries came to
//! - `finding`: the curves of every condition, and what to ship for each class
//! - `choose`: the knee of a curve, the model beside it, and the size to ship; `share`: what
//!   part of the best each size reaches, with its interval
//! - `claims`: what is said of the recommendation, and what noise there is; `client`: what
//!   the engine costs without its pipeline; `loss`: what became of rows; `more`: what to do
//!   where there were too few rounds
//! - `page`, `ship`, `table`, `plots`, `words`: what its report says
//! - `guide`: the guide's "2 to 10 times the throughput", as written
//!
//! Definitions:
//! - Speed-up: the rate of a slice over the geometric mean of the rates of the two slices of its round
//!   that a bare client ran one at a time; rates count queries that did not fail. Over the
//!   rounds: the median, with its exact interval from order statistics. A round without
//!   both is left out. A record that has no bare client is compared with the two slices
//!   that the engine ran one at a time, and the claims say so.
//! - Cost: the time of a slice that the engine ran one at a time, over that of the bare
//!   client's slice beside it, two pairs in a round; the median of all pairs.
//! - Noise (A/A): the ratio of those two slices, the first over the second.
//! - Knee of a curve (one condition, one mode): the smallest fixed size that reaches
//!   at least 0.9 of the curve's best.
//! - Recommended: the smallest fixed size that reaches at least 0.8 of the best fixed
//!   size in every condition of the class, in the mode that would be shipped.
//! - Model: `speed-up(B) = B RTT / (RTT + B s)`, `s` being what one more statement
//!   costs: the median over the curve's sizes of `RTT (1 / speed-up - 1 / B)`.
//!
//! Invariants: as in [`crate::claim`]. Missing data never hold; where a query failed,
//! nothing is said of how fast that way is.

mod choose;
mod claims;
mod client;
mod data;
mod finding;
mod guide;
mod loss;
mod measure;
mod more;
mod page;
mod plots;
mod samples;
mod share;
mod ship;
mod table;
mod words;

use crate::{
    claim::Claim,
    experiment::{Experiment, json},
    page::Page,
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

pub use choose::{AutoCompared, KNEE, Recommendation, SHARE};
pub use claims::{NOISE, THROUGHPUT};
pub use client::{COST_HIGH, ONE_AT_A_TIME};
pub use data::{Class, Condition, Data, How, LeftOut, Mode, Round, Size, Slice, Truth};
use finding::round_trip;
pub use finding::{ByRtt, Cell, ClassFinding, ConditionFinding, Curve, Findings, Sequential, find};
pub use measure::PerQuery;
use more::More;
pub use more::{FULL_ROUNDS, MOST_ROUNDS};
pub use share::{Share, shares};
pub(crate) use ship::{sent, speed};
pub(crate) use table::{MARKS, speedups};

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct BatchSweep;

impl Experiment for BatchSweep {
    const COMMAND: &'static str = "batch-sweep";
    type Data = Data;
    type Findings = Findings;

    fn check(_run: &Run, data: &Data) -> Result<(), Contradiction> {
        data::check(data)
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

    fn claims(run: &Run, _data: &Data, findings: &Findings) -> Vec<Claim> {
        claims::claims(findings, More::of(run))
    }

    fn page(_run: &Run, data: &Data, findings: &Findings, claims: &[Claim]) -> Page {
        page::page(data, findings, claims)
    }

    fn ledger(data: &Data) -> Ledger {
        data.conditions.iter().filter_map(|c| c.ledger).sum()
    }

    fn published(findings: &Findings) -> Option<(&'static str, serde_json::Value)> {
        Some(("batches", json(findings)))
    }
}

/// The guide's "2-10x improvement with pipelining": its lower end.
pub const CLAIM_LOW: f64 = 2.0;
/// Its upper end.
pub const CLAIM_HIGH: f64 = 10.0;

#[cfg(test)]
mod tests;
