//! Injections with their measures: what the claims about recovery are judged on.

use crate::{
    claim::{Claim, INJECTIONS},
    measure::Measured,
    run::{Injection, Load, Run},
};

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
    /// All of them, in the order of the record.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        self.injections.iter().zip(self.measured)
    }

    /// The injections of an arm.
    pub(super) fn of_arm(&self, arm: &str) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        self.all()
            .filter(move |(injection, _)| injection.arm == arm)
    }

    /// A claim about times of an arm, without a verdict where the load generator itself
    /// stood still: what it measured then is its own doing.
    pub(crate) fn unless_stalled(&self, mut claim: Claim) -> Claim {
        let of_arm = self.of_arm(&claim.arm);
        let stalls: Vec<u64> = of_arm.filter_map(|(_, m)| m.stalled_us).collect();
        let Some(longest_us) = stalls.iter().max() else {
            return claim;
        };
        claim.stalled(*longest_us, &INJECTIONS.of(stalls.len()));
        claim
    }

    pub(super) fn has_arm(&self, arm: &str) -> bool {
        self.run.arms.iter().any(|a| a.name == arm)
    }
}
