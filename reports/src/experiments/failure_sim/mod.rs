//! What database failures do to a service, by client.
//!
//! Every fault of the plan is injected under load, into each arm. What is measured of
//! an injection and claimed of an arm is the same wherever a fault is injected, and
//! stands in [`crate::measure`] and [`crate::injections`]; here is which of it this
//! experiment claims, and what decides its exit code (`claims`), and what its report
//! says (`page`, `words`).

mod claims;
mod data;
mod page;
mod samples;
mod windows;
mod words;

use crate::{
    claim::Claim,
    experiment::Experiment,
    injections::{Injected, no_loss},
    measure::{Effect, Measured, measure, side_by_side},
    page::Page,
    run::{Contradiction, Ledger, Run},
    sample::{Measure, Sample},
};

pub use data::{Counted, Data, Side, Unserved, Window};
pub use windows::{MEMORY, METRICS, OVERHEAD};

/// The experiment.
#[derive(Debug, Clone, Copy)]
pub struct FailureSim;

/// What its injections came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// One for each injection, in the order of the record.
    pub measured: Vec<Measured>,
    /// The same in seconds and ratios: by fault, round and arm.
    pub effects: Vec<Effect>,
}

impl Experiment for FailureSim {
    const COMMAND: &'static str = "failure-sim";
    type Data = Data;
    type Findings = Findings;

    fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
        for (i, injection) in data.injections.iter().enumerate() {
            let checked = injection.check(run);
            checked.map_err(|found| found.within(&format!("injections[{i}]")))?;
        }
        Ok(())
    }

    fn find(run: &Run, data: &Data) -> Findings {
        let measured: Vec<Measured> = data
            .injections
            .iter()
            .map(|injection| measure(&data.load, data.horizon_us, injection))
            .collect();
        Findings {
            effects: side_by_side(run, &data.injections, &measured),
            measured,
        }
    }

    fn measures() -> Vec<Measure> {
        samples::measures()
    }

    fn samples(run: &Run, data: &Data, findings: &Findings) -> Vec<Sample> {
        samples::samples(run, data, findings)
    }

    fn claims(run: &Run, data: &Data, findings: &Findings) -> Vec<Claim> {
        claims::claims(&injected(run, data, findings), data)
    }

    fn ledger(data: &Data) -> Ledger {
        let answers = data.window_answers.iter().map(|(_, ledger)| *ledger);
        data.injections
            .iter()
            .map(no_loss::known)
            .chain(answers)
            .sum()
    }

    fn injections(findings: &Findings) -> &[Effect] {
        &findings.effects
    }

    fn page(run: &Run, data: &Data, findings: &Findings, _claims: &[Claim]) -> Page {
        page::page(run, data, findings)
    }
}

fn injected<'a>(run: &'a Run, data: &'a Data, findings: &'a Findings) -> Injected<'a> {
    Injected {
        run,
        load: &data.load,
        injections: &data.injections,
        measured: &findings.measured,
        timed: false,
    }
}

#[cfg(test)]
mod tests;
