//! The goodput of each arm around each kind of fault, for a terminal.

use crate::{
    measure::WINDOW_US,
    page::{Block, SparkGroup, Sparks, shares},
    run::{Injection, Load, Planned},
};

use super::{super::Injected, all::shown};

/// How much of the time before a fault is shown, in windows.
const BEFORE: usize = 4;

/// `None` if no fault was carried out. Of several faults of a kind the one is shown that the
/// pictures show.
pub(crate) fn sparks(subject: &Injected<'_>) -> Option<Block> {
    let entries = subject.run.entries();
    let groups = entries.filter_map(|entry| of_kind(subject, entry));
    let groups: Vec<SparkGroup> = groups.collect();
    (!groups.is_empty()).then(|| Block::Sparks(goodput(groups)))
}

/// With what its letters mean.
pub(crate) fn goodput(groups: Vec<SparkGroup>) -> Sparks {
    Sparks {
        name: "GOODPUT".to_owned(),
        says: format!(
            "answered in time, of all operations: a letter for {} ms; = fault in effect",
            WINDOW_US / 1_000
        ),
        groups,
    }
}

fn of_kind(subject: &Injected<'_>, entry: &Planned) -> Option<SparkGroup> {
    let shown = shown(subject, entry)?;
    let arms = shown.iter().map(|s| (s.injection, subject.load));
    around(&entry.name, arms)
}

/// What happened to some arms around one fault. `None` if there are none.
pub(crate) fn around<'a>(
    name: &str,
    arms: impl Iterator<Item = (&'a Injection, &'a Load)>,
) -> Option<SparkGroup> {
    let mut group = SparkGroup {
        name: name.to_owned(),
        ..SparkGroup::default()
    };
    for (injection, load) in arms {
        let lasted_us = injection.cleared_us.saturating_sub(injection.injected_us);
        let lasted = usize::try_from(lasted_us.div_ceil(WINDOW_US)).unwrap_or(0);
        let end = BEFORE.saturating_add(lasted);
        group.marked = (BEFORE, group.marked.1.max(end));
        // A window begins with the fault.
        let mut before = (1..=BEFORE).rev();
        let from_us = before.find_map(|windows| {
            let before_us = WINDOW_US * windows as u64;
            Some((windows, injection.injected_us.checked_sub(before_us)?))
        });
        let (windows, from_us) = from_us.unwrap_or((0, injection.injected_us));
        let limits = (load.rate_per_s, load.deadline_us);
        let shares = shares(&injection.operations, limits, from_us, WINDOW_US);
        let missing = std::iter::repeat_n(None, BEFORE - windows);
        group
            .lines
            .push((injection.arm.clone(), missing.chain(shares).collect()));
    }
    (!group.lines.is_empty()).then_some(group)
}
