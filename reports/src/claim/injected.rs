//! Injections with their measures: what the claims about recovery are judged on.

use crate::{
    measure::Measured,
    run::{Injection, Load, Run},
};

/// What most services run today.
pub const ARM_BARE: &str = "bare";
/// The engine, configured as the guide says.
pub const ARM_GUIDE: &str = "guide";
/// The engine, as we would ship it.
pub const ARM_SEAWALL: &str = "seawall";

/// Injections of a run, with their measures.
pub struct Injected<'a> {
    /// The run.
    pub run: &'a Run,
    /// What its arms were given to do.
    pub load: &'a Load,
    /// What was recorded.
    pub injections: &'a [Injection],
    /// One entry for each of the injections.
    pub measured: &'a [Measured],
}

impl<'a> Injected<'a> {
    /// The injections of an arm.
    pub(super) fn of_arm(&self, arm: &str) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        let all = self.injections.iter().zip(self.measured);
        all.filter(move |(injection, _)| injection.arm == arm)
    }

    pub(super) fn has_arm(&self, arm: &str) -> bool {
        self.run.arms.iter().any(|a| a.name == arm)
    }
}
