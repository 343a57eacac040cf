//! `no-worse`: in no kind of fault an arm whose callers wait for an open circuit to close loses
//! more than a pool without the engine.
//!
//! What is compared is goodput that was missing, in seconds of a full outage, within each pair
//! of injections that met the same fault for the same time; of a kind the median of the
//! differences, with its exact interval. A caller that was refused has lost what one that
//! waited may still get, so of an arm that refuses this is not claimed: `availability` is.

use crate::{
    claim::{Claim, INJECTIONS, Source, Unit, at_most::enter, id},
    run::{ARM_BARE, ARM_CAREFUL},
    stats::quantile::{self, Observation, TWO_SIDED},
};

use super::Injected;

/// A window of 250 ms holds a hundred operations at the usual rate; this is eight of them.
const BAND_S: f64 = 0.02;

/// Against each of the other pools, of each kind. Empty for an arm that promises nothing, or
/// refuses.
pub(crate) fn by_kind(subject: &Injected<'_>, arm: &str) -> Vec<Claim> {
    if !subject.settings(arm).is_some_and(|settings| settings.waits) {
        return Vec::new();
    }
    let controls = [ARM_BARE, ARM_CAREFUL].into_iter();
    let controls = controls.filter(|control| subject.has_arm(control));
    let claims = controls.flat_map(|control| {
        let kinds = subject.kinds().into_iter();
        kinds.filter_map(move |kind| of_kind(subject, arm, control, kind))
    });
    claims.collect()
}

fn of_kind(subject: &Injected<'_>, arm: &str, control: &str, kind: &str) -> Option<Claim> {
    let pairs = subject.judged(arm).filter(|(i, _)| i.fault == kind);
    let differences: Vec<Observation> = pairs
        .filter_map(|(injection, measured)| {
            let (_, other) = subject.pair(injection, control)?;
            let ours_s = measured.outage_equivalent_s?;
            Some(Observation::Exact(ours_s - other.outage_equivalent_s?))
        })
        .collect();
    if differences.is_empty() {
        return None;
    }
    let id = format!("{}-{control}", id::NO_WORSE);
    let says = format!("loses no more than {control}");
    let (source, unit) = (Source::Seawall, Unit::Seconds);
    let mut claim = Claim::new(&id, arm, says, source, unit, INJECTIONS).of_kind(kind);
    claim.difference = true;
    claim.band_high = Some(BAND_S);
    claim.observe(quantile::median(&differences));
    enter(&mut claim, &differences, 0.5, TWO_SIDED);
    Some(claim)
}
