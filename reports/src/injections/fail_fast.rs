//! `fail-fast`: once the breaker is open, a caller is answered at once instead
//! of waiting for a deadline.
//!
//! Of each injection the p99 counts of how long it took to answer those that came
//! while the circuit was open and were rejected; an injection in which there were
//! none says nothing about it. What had come before, and was rejected when the
//! circuit opened, had waited for the server; its wait is in the outage.

use crate::{
    claim::{
        Claim, INJECTIONS, Source, Unit, id,
        seldom::{Case, Cases, decide},
    },
    stats::{median, micro},
};

use super::Injected;

/// A tenth of a typical deadline, and far above what refusing costs: an answer
/// at this speed cannot pile up callers.
const BAND_S: f64 = 0.010;
/// More than this is no matter of the machine, in seconds.
const FAR_S: f64 = 0.1;

/// `None` for an arm without a breaker, where callers wait for an open circuit to close, and if nobody was rejected in any injection.
pub(crate) fn claim(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    if subject.settings(arm)?.waits {
        return None;
    }
    let says = "rejects within 10 ms while open";
    let (source, unit) = (Source::Seawall, Unit::Seconds);
    let mut claim = Claim::new(id::FAIL_FAST, arm, says, source, unit, INJECTIONS);
    claim.band_high = Some(BAND_S);
    let p99s_s = || {
        let rejected = subject.judged(arm).map(|(_, m)| m.rejected_p99_us);
        rejected.map(|p99_us| p99_us.map(|p99_us| p99_us as f64 / 1e6))
    };
    let cases: Cases = p99s_s()
        .map(|p99_s| match p99_s {
            None => Case::Apart,
            Some(s) if s <= BAND_S => Case::Within,
            Some(s) if s <= FAR_S => Case::Beyond,
            Some(_) => Case::FarBeyond,
        })
        .collect();
    if cases.are_apart() {
        return None;
    }
    claim.observed = median(p99s_s().flatten()).map(micro);
    claim.low = p99s_s().flatten().reduce(f64::min).map(micro);
    claim.high = p99s_s().flatten().reduce(f64::max).map(micro);
    decide(&mut claim, cases, cases.p_value());
    Some(claim)
}
