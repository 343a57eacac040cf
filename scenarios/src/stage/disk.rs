//! Whether a run fills a disk, and where the load writes to it.

use reports::run::Planned;

use crate::{
    environment::{Environment, Needs},
    faults::Kind,
};

/// Whether a disk is to be filled.
#[must_use]
pub fn wants_small_disk(schedule: &[Planned]) -> bool {
    kinds(schedule).any(|kind| kind.needs == Needs::SmallDisk)
}

/// Whether the load's writes go to the small disk: if it is to be filled, and if
/// nothing that the run does loses what is on it.
pub(super) fn fills_disk(
    schedule: &[Planned],
    environment: &Environment,
) -> Result<(), &'static str> {
    if kinds(schedule).any(Kind::restarts) && !environment.small_disk_lasts() {
        return Err(
            "in a container, what restarts the server in the same run empties its small disk",
        );
    }
    if wants_small_disk(schedule) {
        Ok(())
    } else {
        Err("nothing fills it")
    }
}

pub(super) fn kinds(schedule: &[Planned]) -> impl Iterator<Item = &'static Kind> {
    let steps = schedule.iter().flat_map(|planned| &planned.faults);
    steps.filter_map(|step| Kind::named(&step.kind))
}
