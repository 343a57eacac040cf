//! What it is measured by, number by number: its injections, and its windows without faults.

use crate::{
    injections::samples,
    run::Run,
    sample::{Measure, Sample},
};

use super::{Data, Findings, Window, injected};

const P50: Measure = Measure::time("idle.p50", "median of one query at a time, without faults")
    .exact_to(2e-5)
    .shared();
const P99: Measure = Measure::time(
    "idle.p99",
    "99th percentile of one query at a time, without faults",
)
.shared();
const CPU: Measure = Measure::time(
    "idle.cpu",
    "processor time of the runner for a query, without faults",
)
.exact_to(2e-5)
.shared();

const WINDOWS: [Measure; 3] = [P50, P99, CPU];

pub(super) fn measures() -> Vec<Measure> {
    samples::measures().chain(WINDOWS).collect()
}

pub(super) fn samples(run: &Run, data: &Data, findings: &Findings) -> Vec<Sample> {
    let mut samples = samples::samples(&injected(run, data, findings));
    let seconds: [(&Measure, fn(&Window) -> f64); 3] = [
        (&P50, |w| w.p50_us as f64 / 1e6),
        (&P99, |w| w.p99_us as f64 / 1e6),
        (&CPU, |w| w.cpu_us as f64 / 1e6 / w.queries.max(1) as f64),
    ];
    for arm in &run.arms {
        let windows = || {
            data.windows
                .iter()
                .filter(|w| w.arm == arm.name && w.queries > 0)
        };
        for (measure, of) in seconds {
            let sample = Sample::exact(measure, &arm.name, windows().map(of));
            samples.push(sample);
        }
    }
    samples.retain(|sample| !sample.values.is_empty());
    samples
}
