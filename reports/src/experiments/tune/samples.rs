//! What it is measured by, number by number: a value for each window of a pool, and what its
//! other two parts are measured by.

use crate::{
    experiment::Experiment,
    experiments::{batch_sweep::BatchSweep, breaker_sweep::BreakerSweep},
    run::Run,
    sample::{Measure, Sample},
};

use super::{Data, Findings, Window, data::of_breaker};

const RATE: Measure = Measure::number("pool.rate", "operations of a pool a second", "operations/s")
    .exact_to(1.0)
    .higher()
    .shared();
const P50: Measure = Measure::time("pool.p50", "median latency of a pool").shared();
const P99: Measure = Measure::time("pool.p99", "99th percentile of the latency of a pool")
    .exact_to(5e-4)
    .shared();

pub(super) fn measures() -> Vec<Measure> {
    let mut all = vec![RATE, P50, P99];
    for measure in BatchSweep::measures()
        .into_iter()
        .chain(BreakerSweep::measures())
    {
        if all.iter().all(|known| known.name != measure.name) {
            all.push(measure);
        }
    }
    all
}

pub(super) fn samples(run: &Run, data: &Data, _findings: &Findings) -> Vec<Sample> {
    let mut samples = Vec::new();
    for candidate in &data.pool.candidates {
        let windows = || {
            let windows = data.pool.rounds.iter().flat_map(|round| &round.windows);
            windows.filter(|window| window.connections == candidate.connections)
        };
        let exact = |measure: &Measure, of: fn(&Window) -> f64| {
            Sample::exact(measure, &candidate.arm, windows().map(of))
        };
        samples.extend([
            exact(&RATE, Window::rate_per_s),
            exact(&P50, |window| window.p50_us as f64 / 1e6),
            exact(&P99, |window| window.p99_us as f64 / 1e6),
        ]);
    }
    samples.retain(|sample| !sample.values.is_empty());
    let batch = data.batch.refined.as_ref().unwrap_or(&data.batch.coarse);
    samples.extend(BatchSweep::samples(
        run,
        batch,
        &BatchSweep::find(run, batch),
    ));
    let of_cells = of_breaker(run, data);
    let found = BreakerSweep::find(&of_cells, &data.breaker);
    samples.extend(BreakerSweep::samples(&of_cells, &data.breaker, &found));
    samples
}
