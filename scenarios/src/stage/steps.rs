//! Says which of how many steps an experiment is at, for whoever watches.

use std::time::Duration;

use reports::run::What;
use seawall::clock;

use super::Stage;

/// One of several steps of an experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// What a step is called: `injection`, `round`, `condition`.
    pub(crate) unit: &'static str,
    /// How many are done.
    pub(crate) done: usize,
    /// How many there are.
    pub(crate) of: usize,
    /// What it is about.
    pub(crate) subject: &'a str,
    /// How long it and everything after it takes by the plan, where that is known. Of steps
    /// within others it is not used.
    pub(crate) left: Option<Duration>,
}

impl Stage<'_> {
    /// Says that a step begins. One of the same name ends that before it, and all that were
    /// within it.
    pub(crate) fn step(&self, step: Step<'_>) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let us = |left: Duration| u64::try_from(left.as_micros()).unwrap_or(u64::MAX);
        let what = What::StepStarted {
            unit: step.unit.to_owned(),
            number: count(step.done + 1),
            of: count(step.of),
            planned_left_us: step.left.map(us),
        };
        self.events.of(step.subject, clock::now(), what);
    }

    /// Says that the steps of a name are over, and something else follows.
    pub(crate) fn steps_over(&self, unit: &'static str) {
        let unit = unit.to_owned();
        self.events
            .all(None, clock::now(), What::StepsEnded { unit });
    }
}
