//! `recovery` and `recovery-p95`: the guide promises recovery in 10 to 30
//! seconds. Faster is no breach of it, so only the upper end is a band.
//!
//! `recovery` of each kind of fault: what we promise ourselves, a second after the server
//! takes sessions again. It is judged where recoveries were watched for at least as long;
//! the guide's 30 seconds decide the exit code only where 30 were watched, or where
//! nothing had to be watched that long.
//!
//! An injection that did not recover while it was watched enters as "longer
//! than that", and one without a baseline as "longer than nothing": neither can
//! be dropped, or the worst cases would be the ones that do not count.

use crate::{
    claim::{
        Claim, Decision, INJECTIONS, Source, Unit,
        at_most::enter,
        id,
        seldom::{Case, Cases, decide_kinds},
    },
    measure::Measured,
    run::Injection,
    stats::{
        micro,
        quantile::{self, ONE_SIDED, Observation, TWO_SIDED},
    },
};

use super::{Injected, served::overloaded};

/// The guide: "Error recovery: 10-30 second recovery". Faster is no breach of it.
pub const RECOVERY_S: f64 = 30.0;

/// Fewest injections that can bound a 95th percentile from above at 95 %
/// confidence: the smallest n with `0.95^n <= 0.05`.
pub(crate) const MIN_FOR_P95: usize = 59;

/// What an arm with an active probe promises: its own part of a recovery, in seconds.
const OURS_S: f64 = 1.0;
/// More than this beyond it is no matter of the machine, in seconds.
const FAR_S: f64 = 2.0;

/// Of each kind, the arm's own part. Empty for an arm without the engine.
pub(crate) fn by_kind(subject: &Injected<'_>, arm: &str) -> Vec<Claim> {
    let Some(settings) = subject.settings(arm) else {
        return Vec::new();
    };
    // A breaker that does not ask by itself waits for its timeout, whenever the server is
    // back.
    let band_s = if settings.active {
        OURS_S
    } else {
        settings.probe_s + OURS_S
    };
    let kinds = subject.kinds().into_iter().filter_map(|kind| {
        let of_kind: Vec<_> = subject
            .judged(arm)
            .filter(|(i, _)| i.fault == kind)
            .collect();
        (!of_kind.is_empty()).then_some((kind, of_kind))
    });
    let claims = kinds.map(|(kind, of_kind)| {
        let says = format!("is back {band_s} s after the server at the latest");
        let (source, unit) = (Source::Seawall, Unit::Seconds);
        let mut claim = Claim::new(id::RECOVERY, arm, says, source, unit, INJECTIONS).of_kind(kind);
        claim.band_high = Some(band_s);
        let times = of_kind.iter().filter_map(|(_, m)| m.client_recovery);
        let times: Vec<Observation> = times.map(Observation::from).collect();
        // Of those without a baseline nothing is known, also not that they were no worse.
        if times.len() == of_kind.len() {
            let worst = times.iter().map(|t| t.least()).fold(0.0, f64::max);
            if times.iter().all(|t| matches!(t, Observation::Exact(_))) {
                claim.observe(Some(Observation::Exact(worst)));
                claim.high = claim.observed;
            } else {
                claim.observe(Some(Observation::AtLeast(worst)));
            }
            claim.low = times.iter().map(|t| t.least()).reduce(f64::min).map(micro);
        }
        claim.censored = times.iter().filter(|t| t.most().is_infinite()).count();
        let cases: Cases = of_kind
            .iter()
            .map(|(i, m)| case(subject, i, m, band_s))
            .collect();
        (claim, cases)
    });
    decide_kinds(claims.collect())
}

/// One that is not back although it was watched for longer than that is a violation, if its
/// load was not served at the end; so is one that comes seconds too late and costs as much
/// more than with the arm that it is compared with. One that is served, and whose latency or
/// last failures are not yet as before, is late: that may be the machine's doing, and is, if
/// the other arm is as late, or its callers wait as well, and goodput is there.
fn case(subject: &Injected<'_>, injection: &Injection, measured: &Measured, band_s: f64) -> Case {
    let Some(recovery) = measured.client_recovery else {
        return Case::Unknown;
    };
    let after_s = recovery.after_us as f64 / 1e6;
    let control = subject.control(injection).map(|(_, of_control)| of_control);
    let as_late = control
        .and_then(|control| control.client_recovery)
        .map(|control| control.after_us as f64 / 1e6)
        .is_some_and(|control_s| control_s > band_s && after_s <= control_s + FAR_S);
    let costs_s = measured
        .unavailable_s
        .zip(control.and_then(|c| c.unavailable_s));
    let costly = costs_s.is_none_or(|(ours, others)| ours - others > FAR_S / 2.0);
    let not_served = measured.metastable || injection.not_steady_after.is_some();
    match (recovery.censored, after_s > band_s) {
        (false, false) => Case::Within,
        (true, false) => Case::Unknown,
        (_, true) if measured.metastable => Case::FarBeyond,
        (_, true) if as_late || overloaded(subject, injection) => Case::Unknown,
        (true, true) if not_served => Case::FarBeyond,
        (false, true) if after_s > band_s + FAR_S && costly => Case::FarBeyond,
        _ => Case::Beyond,
    }
}

/// Whether the guide's bound was watched for, or did not have to be.
pub(crate) fn watched_for_guide(claim: &Claim, patience_us: u64) -> bool {
    claim.censored == 0 || patience_us as f64 / 1e6 >= RECOVERY_S
}

pub(crate) fn median(subject: &Injected<'_>, arm: &str) -> Claim {
    let says = format!("half of all recoveries take at most {RECOVERY_S} s");
    let mut claim = start(id::RECOVERY, arm, says);
    let times = times(subject, arm);
    claim.observe(quantile::median(&times));
    enter(&mut claim, &times, 0.5, TWO_SIDED);
    claim
}

pub(crate) fn p95(subject: &Injected<'_>, arm: &str, ours: bool, patience_us: u64) -> Claim {
    let says = format!("95 of 100 recoveries take at most {RECOVERY_S} s");
    let mut claim = start(id::RECOVERY_P95, arm, says);
    let times = times(subject, arm);
    claim.observe(quantile::quantile(&times, 0.95));
    enter(&mut claim, &times, 0.95, ONE_SIDED);
    claim.gating = ours && times.len() >= MIN_FOR_P95 && watched_for_guide(&claim, patience_us);
    if times.len() < MIN_FOR_P95 {
        claim.verdict = Decision::Inconclusive;
        claim.reason = Some(format!(
            "{MIN_FOR_P95} injections are the fewest that can say it"
        ));
    }
    claim
}

fn start(id: &str, arm: &str, says: String) -> Claim {
    let mut claim = Claim::new(id, arm, says, Source::Guide, Unit::Seconds, INJECTIONS);
    claim.band_high = Some(RECOVERY_S);
    claim
}

fn times(subject: &Injected<'_>, arm: &str) -> Vec<Observation> {
    subject
        .judged(arm)
        .map(|(_, measured)| {
            measured
                .recovery
                .map_or(Observation::AtLeast(0.0), Into::into)
        })
        .collect()
}
