//! Which claims it makes, of which arms, and which of them gate.

use crate::{
    claim::Claim,
    injections::{Injected, availability, fail_fast, no_loss, recovery},
    run::{ARM_GUIDE, ARM_SEAWALL},
};

/// All of them: those of the arm that gates come first.
///
/// What is claimed of `seawall` gates. Of `guide` only that nothing is lost: no
/// configuration of the engine may. Of `bare` nothing gates: it is not ours.
pub(super) fn claims(subject: &Injected<'_>) -> Vec<Claim> {
    let mut arms: Vec<&str> = subject.run.arms.iter().map(|a| &*a.name).collect();
    arms.sort_by_key(|arm| *arm != ARM_SEAWALL);
    arms.into_iter()
        .flat_map(|arm| {
            let ours = arm == ARM_SEAWALL;
            let timed = |claim| subject.unless_stalled(claim);
            let mut claims = vec![
                gate(ours, timed(recovery::median(subject, arm))),
                timed(recovery::p95(subject, arm, ours)),
            ];
            let fail_fast = fail_fast::claim(subject, arm).map(timed);
            claims.extend(fail_fast.map(|c| gate(ours, c)));
            claims.push(gate(ours || arm == ARM_GUIDE, no_loss::claim(subject, arm)));
            let availability = availability::claim(subject, arm).map(timed);
            claims.extend(availability.map(|c| gate(ours, c)));
            claims
        })
        .collect()
}

fn gate(gating: bool, claim: Claim) -> Claim {
    Claim { gating, ..claim }
}
