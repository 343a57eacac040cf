//! `fail-fast`: once the breaker is open, a caller is answered at once instead
//! of waiting for a deadline.
//!
//! Of each injection the p99 enters of how long it took to answer those that came
//! while the circuit was open and were rejected; an injection in which there were
//! none says nothing about it. What had come before, and was rejected when the
//! circuit opened, had waited for the server; its wait is in the outage.

use crate::{
    claim::{Claim, INJECTIONS, Source, Unit, at_most::enter, id},
    run::ARM_BARE,
    stats::quantile::{self, Observation, TWO_SIDED},
};

use super::Injected;

/// A tenth of a typical deadline, and far above what refusing costs: an answer
/// at this speed cannot pile up callers.
const BAND_S: f64 = 0.010;

/// `None` for an arm without a breaker.
pub(crate) fn claim(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let opens = subject.of_arm(arm).any(|(i, _)| !i.breaker.is_empty());
    if arm == ARM_BARE && !opens {
        return None;
    }
    let says = "rejects within 10 ms while open";
    let (source, unit) = (Source::Seawall, Unit::Seconds);
    let mut claim = Claim::new(id::FAIL_FAST, arm, says, source, unit, INJECTIONS);
    claim.band_high = Some(BAND_S);
    let p99s: Vec<Observation> = subject
        .of_arm(arm)
        .filter_map(|(_, measured)| measured.rejected_p99_us)
        .map(|p99_us| Observation::Exact(p99_us as f64 / 1e6))
        .collect();
    claim.observe(quantile::median(&p99s));
    enter(&mut claim, &p99s, 0.5, TWO_SIDED);
    let silent = subject.of_arm(arm).count() - p99s.len();
    if let Some(reason) = claim.reason.as_mut()
        && silent > 0
    {
        *reason = format!(
            "nothing was rejected in {}; {reason}",
            INJECTIONS.of(silent)
        );
    }
    Some(claim)
}
