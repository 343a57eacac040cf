//! What it is measured by, number by number: its injections, and what was asked for meanwhile.

use crate::{
    injections::{Injected, samples},
    run::{Injection, Run},
    sample::{FAULT, Measure, Sample},
};

use super::{Data, Findings, finding::asked};

const TRIES: Measure =
    Measure::count("tries", "times that callers asked, per operation", "tries").exact_to(0.02);
const PER_GOOD: Measure = Measure::count(
    "attempts-per-good",
    "statements and connections tried, per good answer",
    "attempts",
)
.exact_to(0.02);

pub(super) fn measures() -> Vec<Measure> {
    samples::measures().chain([TRIES, PER_GOOD]).collect()
}

pub(super) fn samples(run: &Run, data: &Data, findings: &Findings) -> Vec<Sample> {
    let mut samples = Vec::new();
    // Each condition has a load of its own.
    for (i, condition) in data.conditions.iter().enumerate() {
        let trials = data.trials.iter().zip(&findings.measured);
        let trials: Vec<_> = trials.filter(|(trial, _)| trial.condition == i).collect();
        let Some((first, _)) = trials.first() else {
            continue;
        };
        let injections: Vec<Injection> = trials.iter().map(|(t, _)| t.injection.clone()).collect();
        let measured: Vec<_> = trials
            .iter()
            .map(|(_, measured)| (*measured).clone())
            .collect();
        let injected = Injected {
            run,
            load: &first.load,
            injections: &injections,
            measured: &measured,
            timed: false,
        };
        samples.extend(samples::samples(&injected));
        for arm in &run.arms {
            let of_arm = trials.iter().filter(|(t, _)| t.injection.arm == arm.name);
            let asked: Vec<_> = of_arm.filter_map(|(trial, _)| asked(data, trial)).collect();
            let tries = asked.iter().map(|asked| asked.tries);
            let per_good = asked.iter().filter_map(|asked| asked.per_good());
            let here = [
                Sample::exact(&TRIES, &arm.name, tries),
                Sample::exact(&PER_GOOD, &arm.name, per_good),
            ];
            let here = here.into_iter().filter(|sample| !sample.values.is_empty());
            samples.extend(here.map(|sample| sample.at(FAULT, condition.name.as_str())));
        }
    }
    samples
}
