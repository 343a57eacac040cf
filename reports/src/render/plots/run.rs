//! All pictures of a run.

use super::super::view::{self, Record};
use std::path::Path;

use crate::{
    Report,
    experiments::{batch_sweep, breaker_sweep::find},
    measure::{Measured, measure},
    run::Injection,
};

use super::{
    super::finding::{self, leading},
    fault::{self, Shown},
    front, heat,
    paint::{self, PlotError},
    picture::Picture,
    recovery, speedup, waits,
};

/// A picture of a run.
pub struct Plot {
    /// Its file name, without extension: a fault's name, `recovery`, `heatmap`, `front`,
    /// or `speedup-` and the name of a class.
    pub name: String,
    /// What is to be seen, for who cannot see it.
    pub title: String,
    pub(super) picture: Picture,
}

impl Plot {
    /// The picture as an SVG document of its own.
    ///
    /// # Errors
    /// If plotters cannot draw it.
    pub fn svg(&self) -> Result<String, PlotError> {
        paint::svg(&self.picture, &self.name)
    }

    /// Writes the picture as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn png(&self, path: &Path) -> Result<(), PlotError> {
        paint::png(&self.picture, path)
    }
}

/// The pictures of a run: the summary first, then one for each kind of fault
/// that was carried out. Of several faults of a kind, the one is shown after
/// which our arm took longest. Of a sweep: how long the guide's weeks are out, the
/// grid, and the front of its cells. Of batch sizes: speed-up and latency of each class.
#[must_use]
pub fn plots(report: &Report<'_>) -> Vec<Plot> {
    let record = &view::record(report);
    if let Some(sweep) = &record.sweep {
        let findings = find(sweep);
        let all = [
            waits::picture(sweep, &findings),
            heat::picture(&findings),
            front::picture(&findings),
        ];
        return all.into_iter().flatten().collect();
    }
    if let Some(batches) = &record.batches {
        let findings = batch_sweep::find(record.seed, batches);
        let classes = findings.classes.iter();
        return classes
            .filter_map(|class| speedup::picture(&findings, class))
            .collect();
    }
    let Some(load) = record.load else {
        return Vec::new();
    };
    let measured: Vec<Measured> = record
        .injections
        .iter()
        .map(|injection| measure(load, record.settings.horizon_us, injection))
        .collect();
    let all: Vec<(&Injection, &Measured)> = record.injections.iter().zip(&measured).collect();
    let summary = recovery::picture(record, &all);
    let faults = record.entries().filter_map(|entry| {
        let fault = entry.name.as_str();
        let round = slowest(record, fault, &all)?;
        let times = record
            .injections
            .iter()
            .filter(|i| i.fault == fault)
            .map(|i| record.round(i))
            .collect::<std::collections::BTreeSet<_>>()
            .len();
        let which = if times > 1 {
            format!(" (the slowest recovery of {times} such faults)")
        } else {
            String::new()
        };
        let shown: Vec<Shown<'_>> = record
            .arms
            .iter()
            .filter_map(|arm| {
                let (injection, measured) = all.iter().find(|(i, _)| {
                    i.fault == fault && i.arm == arm.name && record.round(i) == round
                })?;
                Some(Shown {
                    arm,
                    injection,
                    measured,
                })
            })
            .collect();
        let arms: Vec<(&str, &Measured)> = shown
            .iter()
            .map(|s| (s.arm.name.as_str(), s.measured))
            .collect();
        Some(Plot {
            name: fault.to_owned(),
            title: finding::of_fault(entry, &arms),
            picture: fault::picture(record, entry, &shown, &which),
        })
    });
    summary.into_iter().chain(faults).collect()
}

/// The round of a fault after which the leading arm took longest.
fn slowest(record: &Record, fault: &str, all: &[(&Injection, &Measured)]) -> Option<usize> {
    let arms: Vec<(&str, ())> = record
        .arms
        .iter()
        .map(|arm| arm.name.as_str())
        .filter(|name| all.iter().any(|(i, _)| i.fault == fault && i.arm == *name))
        .map(|name| (name, ()))
        .collect();
    let (ours, ()) = arms[leading(&arms)?];
    all.iter()
        .filter(|(i, _)| i.fault == fault && i.arm == ours)
        .max_by_key(|(i, m)| {
            let recovery = m.recovery.map(|r| (r.censored, r.after_us));
            (recovery, std::cmp::Reverse(i.planned))
        })
        .map(|(i, _)| record.round(i))
}
