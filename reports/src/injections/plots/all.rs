//! Which pictures there are of a run's injections.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::{measure::Measured, plot::Plot, run::Planned};

use super::{
    super::{
        Injected,
        sentence::{self, leading},
    },
    fault::{self, Shown},
    recovery,
};

/// How long recovery took. `None` if nothing recovered, or was seen not to.
pub(crate) fn summary(subject: &Injected<'_>) -> Option<Plot> {
    recovery::picture(subject)
}

/// One for each kind of fault that was carried out. Of several faults of a kind, the
/// one is shown after which our arm took longest.
pub(crate) fn by_fault(subject: &Injected<'_>) -> Vec<Plot> {
    let entries = subject.run.entries();
    entries
        .filter_map(|entry| of_kind(subject, entry))
        .collect()
}

fn of_kind(subject: &Injected<'_>, entry: &Planned) -> Option<Plot> {
    let shown = shown(subject, entry)?;
    let fault = entry.name.as_str();
    let rounds: BTreeSet<usize> = subject
        .injections
        .iter()
        .filter(|i| i.fault == fault)
        .map(|i| subject.run.round(i))
        .collect();
    let which = match rounds.len() {
        0 | 1 => String::new(),
        n => format!(" (the slowest recovery of {n} such faults)"),
    };
    let arms: Vec<(&str, &Measured)> = shown
        .iter()
        .map(|s| (s.arm.name.as_str(), s.measured))
        .collect();
    let title = sentence::of_fault(entry, &arms);
    Some(Plot {
        name: fault.to_owned(),
        picture: fault::picture(subject, entry, &shown, (&title, &which)),
        title,
    })
}

/// What is shown of a kind of fault: all arms, in the round after which ours took longest.
pub(super) fn shown<'a>(subject: &Injected<'a>, entry: &Planned) -> Option<Vec<Shown<'a>>> {
    let fault = entry.name.as_str();
    let round = slowest(subject, fault)?;
    let arms = subject.run.arms.iter();
    let shown = arms.filter_map(|arm| {
        let (injection, measured) = subject.all().find(|(i, _)| {
            i.fault == fault && i.arm == arm.name && subject.run.round(i) == round
        })?;
        Some(Shown {
            arm,
            injection,
            measured,
        })
    });
    Some(shown.collect())
}

/// The round of a fault after which the leading arm took longest.
fn slowest(subject: &Injected<'_>, fault: &str) -> Option<usize> {
    let of_fault = || subject.all().filter(|(i, _)| i.fault == fault);
    let arms: Vec<(&str, ())> = subject
        .run
        .arms
        .iter()
        .map(|arm| arm.name.as_str())
        .filter(|name| of_fault().any(|(i, _)| i.arm == *name))
        .map(|name| (name, ()))
        .collect();
    let (ours, ()) = arms[leading(&arms)?];
    of_fault()
        .filter(|(i, _)| i.arm == ours)
        .max_by_key(|(i, m)| {
            let recovery = m.recovery.map(|r| (r.censored, r.after_us));
            (recovery, Reverse(i.planned))
        })
        .map(|(i, _)| subject.run.round(i))
}
