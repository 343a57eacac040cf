//! A report as the renderers of each experiment still see it.

use std::ops::Deref;

use crate::{
    Data, Report,
    experiments::{batch_sweep, breaker_sweep},
    run::{Injection, Load, Run},
};

pub(super) struct Record<'a> {
    run: &'a Run,
    /// Of an experiment with one.
    pub(super) load: Option<&'a Load>,
    pub(super) settings: Settings,
    pub(super) injections: &'a [Injection],
    pub(super) sweep: Option<&'a breaker_sweep::Data>,
    pub(super) batches: Option<&'a batch_sweep::Data>,
}

pub(super) struct Settings {
    pub(super) size: String,
    pub(super) rate_per_s: u32,
    pub(super) deadline_us: u64,
    pub(super) max_in_flight: u32,
    pub(super) write_share: f64,
    pub(super) horizon_us: u64,
    pub(super) patience_us: u64,
}

impl Deref for Record<'_> {
    type Target = Run;

    fn deref(&self) -> &Run {
        self.run
    }
}

pub(super) struct Verdict<'a> {
    verdict: &'a crate::Verdict,
    pub(super) sweep: Option<breaker_sweep::Findings>,
    pub(super) batches: Option<batch_sweep::Findings>,
}

impl Deref for Verdict<'_> {
    type Target = crate::Verdict;

    fn deref(&self) -> &crate::Verdict {
        self.verdict
    }
}

pub(super) fn record<'a>(report: &'a Report<'a>) -> Record<'a> {
    let run = &report.record.run;
    let mut seen = Record {
        run,
        load: None,
        settings: Settings {
            size: run.size.clone(),
            rate_per_s: 0,
            deadline_us: 0,
            max_in_flight: 0,
            write_share: 0.0,
            horizon_us: 0,
            patience_us: 0,
        },
        injections: &[],
        sweep: None,
        batches: None,
    };
    let load = match &report.record.data {
        Data::FailureSim(data) => {
            seen.injections = &data.injections;
            seen.settings.horizon_us = data.horizon_us;
            seen.settings.patience_us = data.patience_us;
            &data.load
        }
        Data::BreakerSweep(data) => {
            seen.sweep = Some(data);
            &data.load
        }
        Data::BatchSweep(data) => {
            seen.batches = Some(data);
            return seen;
        }
    };
    seen.load = Some(load);
    seen.settings.rate_per_s = load.rate_per_s;
    seen.settings.deadline_us = load.deadline_us;
    seen.settings.max_in_flight = load.max_in_flight;
    seen.settings.write_share = load.write_share;
    seen
}

pub(super) fn verdict<'a>(report: &'a Report<'a>) -> Verdict<'a> {
    let (sweep, batches) = match &report.record.data {
        Data::FailureSim(_) => (None, None),
        Data::BreakerSweep(data) => (Some(breaker_sweep::find(data)), None),
        Data::BatchSweep(data) => (None, Some(batch_sweep::find(report.record.run.seed, data))),
    };
    Verdict {
        verdict: &report.verdict,
        sweep,
        batches,
    }
}
