//! What it is measured by, number by number: a value for each outage of each cell.

use crate::{
    injections::samples::{LEDGER, of_ledgers},
    run::{Ledger, Run},
    sample::{Measure, Sample},
};

use super::{Data, Findings, measure::OutageEffect};

const RECOVERY: Measure = Measure::time(
    "recovery",
    "from when the server took sessions again until operations were good again",
)
.exact_to(0.05);
const OUTAGE: Measure = Measure::time(
    "outage",
    "operations that were not good, as seconds of a full outage",
)
.exact_to(0.05);
const DETECT: Measure =
    Measure::time("detect", "from the fault until the circuit opened").exact_to(0.05);
const WASTED: Measure = Measure::number(
    "wasted",
    "operations of an outage that went to the server and came to nothing",
    "operations",
)
.exact_to(1.0);
const FALSE_OPENS: Measure = Measure::count(
    "false-opens",
    "times that a circuit opened for a false alarm",
    "opens",
)
.summed();
const ATTEMPTS: Measure = Measure::number(
    "attempts",
    "statements and connections tried, per operation",
    "attempts",
)
.exact_to(0.02);

const OWN: [Measure; 6] = [RECOVERY, OUTAGE, DETECT, WASTED, FALSE_OPENS, ATTEMPTS];

pub(super) fn measures() -> Vec<Measure> {
    OWN.into_iter().chain(LEDGER).collect()
}

pub(super) fn samples(_run: &Run, data: &Data, findings: &Findings) -> Vec<Sample> {
    let mut samples = Vec::new();
    for cell in &findings.cells {
        let arm = cell.arm.as_str();
        let effects: Vec<&OutageEffect> = findings.effects.of(arm, |_| true);
        let exact = |measure: &Measure, of: fn(&OutageEffect) -> Option<f64>| {
            Sample::exact(measure, arm, effects.iter().filter_map(|effect| of(effect)))
        };
        let runs = || {
            let runs = data.stretches.iter().flat_map(|stretch| &stretch.runs);
            runs.filter(move |run| run.arm == arm)
        };
        let attempts = runs().filter_map(|run| {
            let operations = run.operations.latencies_us.len();
            let attempts = run.attempts.statements + run.attempts.connects;
            (operations > 0).then(|| attempts as f64 / operations as f64)
        });
        let false_opens = cell.false_opens.map(|opens| opens as f64);
        samples.extend([
            Sample::new(&RECOVERY, arm, findings.recoveries(arm)),
            exact(&OUTAGE, |effect| Some(effect.outage_s)),
            exact(&DETECT, |effect| effect.detect_us.map(|us| us as f64 / 1e6)),
            exact(&WASTED, |effect| Some(effect.wasted as f64)),
            Sample::exact(&FALSE_OPENS, arm, false_opens),
            Sample::exact(&ATTEMPTS, arm, attempts),
        ]);
        let ledgers: Vec<Ledger> = runs().filter_map(|run| run.ledger).collect();
        samples.extend(of_ledgers(arm, &ledgers));
    }
    samples.retain(|sample| !sample.values.is_empty());
    samples
}
