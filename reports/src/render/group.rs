//! Claims as they are shown: what holds in each of several kinds of fault is said once.

use crate::claim::{Claim, Decision};

/// What is shown as one claim.
pub(super) enum Shown<'a> {
    /// A claim by itself.
    One(&'a Claim),
    /// The same claim about several kinds of fault, that holds in each of them.
    Kinds(&'a [Claim]),
}

/// Groups claims, in their order.
pub(super) fn shown(claims: &[Claim]) -> Vec<Shown<'_>> {
    let alike = |a: &Claim, b: &Claim| {
        let both = |of: fn(&Claim) -> bool| of(a) && of(b);
        both(|c| c.kind.is_some())
            && both(|c| c.is(Decision::Holds) && c.reason.is_none())
            && a.says == b.says
            && (&a.arm, a.gating) == (&b.arm, b.gating)
    };
    let groups = claims.chunk_by(alike);
    groups
        .map(|group| match group {
            [one] => Shown::One(one),
            several => Shown::Kinds(several),
        })
        .collect()
}

/// What a claim says, with the kind of fault that it is about.
pub(super) fn says(claim: &Claim) -> String {
    match &claim.kind {
        Some(kind) => format!("{kind}: {}", claim.says),
        None => claim.says.clone(),
    }
}

/// The one of several that was nearest to what is claimed, as far as that is known.
pub(super) fn worst(claims: &[Claim]) -> Option<&Claim> {
    let room = |claim: &Claim| Some(claim.band_high? - claim.high.or(claim.observed)?);
    claims
        .iter()
        .filter_map(|claim| Some((claim, room(claim)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(claim, _)| claim)
}

/// The kinds that several claims are about.
pub(super) fn kinds(claims: &[Claim]) -> String {
    let kinds: Vec<&str> = claims.iter().filter_map(|c| c.kind.as_deref()).collect();
    kinds.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{INJECTIONS, Source, Unit};

    fn of_kind(kind: &str, verdict: Decision, observed: f64) -> Claim {
        let (source, unit) = (Source::Seawall, Unit::Seconds);
        let mut claim = Claim::new("recovery", "seawall", "is back", source, unit, INJECTIONS);
        claim = claim.of_kind(kind);
        claim.verdict = verdict;
        (claim.observed, claim.band_high) = (Some(observed), Some(1.0));
        claim
    }

    #[test]
    fn what_holds_in_several_kinds_is_said_once_and_what_does_not_by_itself() {
        let claims = [
            of_kind("crash", Decision::Holds, 0.1),
            of_kind("Disk full", Decision::Holds, 0.3),
            of_kind("pause", Decision::Refuted, 3.0),
            of_kind("reset", Decision::Holds, 0.2),
        ];
        assert_eq!(claims[1].id, "recovery-disk-full");
        let shown = shown(&claims);
        let [Shown::Kinds(two), Shown::One(paused), Shown::One(reset)] = &shown[..] else {
            panic!("{} groups", shown.len());
        };
        assert_eq!(kinds(two), "crash, Disk full");
        assert_eq!(worst(two).unwrap().kind.as_deref(), Some("Disk full"));
        // The greatest of several counts, not their median.
        let mut two = two.to_vec();
        two[0].high = Some(0.9);
        assert_eq!(worst(&two).unwrap().kind.as_deref(), Some("crash"));
        assert_eq!(says(paused), "pause: is back");
        assert_eq!(says(reset), "reset: is back");
    }
}
