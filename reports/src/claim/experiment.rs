//! Which claims an experiment makes, of which arms, and which of them gate.

use crate::{
    measure::Measured,
    record::{Injection, Record},
};

use super::{Claim, availability, fail_fast, no_loss, recovery};

/// What most services run today.
pub const ARM_BARE: &str = "bare";
/// The engine, configured as the guide says.
pub const ARM_GUIDE: &str = "guide";
/// The engine, as we would ship it.
pub const ARM_SEAWALL: &str = "seawall";

/// A record with its measures: what claims are judged on.
pub struct Subject<'a> {
    /// What was recorded.
    pub record: &'a Record,
    /// One entry for each of the record's injections.
    pub measured: &'a [Measured],
}

impl<'a> Subject<'a> {
    /// The injections of an arm.
    pub(super) fn of_arm(&self, arm: &str) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        self.record
            .injections
            .iter()
            .zip(self.measured)
            .filter(move |(injection, _)| injection.arm == arm)
    }

    pub(super) fn has_arm(&self, arm: &str) -> bool {
        self.record.arms.iter().any(|a| a.name == arm)
    }
}

/// The claims of `failure-sim`: those of the arm that gates come first.
///
/// What is claimed of `seawall` gates. Of `guide` only that nothing is lost: no
/// configuration of the engine may. Of `bare` nothing gates: it is not ours.
#[must_use]
pub fn failure_sim(subject: &Subject<'_>) -> Vec<Claim> {
    let mut arms: Vec<&str> = subject.record.arms.iter().map(|a| &*a.name).collect();
    arms.sort_by_key(|arm| *arm != ARM_SEAWALL);
    arms.into_iter()
        .flat_map(|arm| {
            let ours = arm == ARM_SEAWALL;
            let mut claims = vec![
                gate(ours, recovery::median(subject, arm)),
                recovery::p95(subject, arm, ours),
            ];
            claims.extend(fail_fast::claim(subject, arm).map(|c| gate(ours, c)));
            claims.push(gate(ours || arm == ARM_GUIDE, no_loss::claim(subject, arm)));
            claims.extend(availability::claim(subject, arm).map(|c| gate(ours, c)));
            claims
        })
        .collect()
}

fn gate(gating: bool, claim: Claim) -> Claim {
    Claim { gating, ..claim }
}

/// `1 injection`, `2 injections`.
pub(crate) fn injections(n: usize) -> String {
    if n == 1 {
        "1 injection".to_owned()
    } else {
        format!("{n} injections")
    }
}
