//! A claim that a bound is kept, injection by injection, and what it takes to refute it.
//!
//! A bound that follows from a configuration is kept each time, or something is wrong; but
//! a small machine is late now and then, and one late injection proves nothing. So the
//! claim is that at most one in ten goes beyond the bound. It is refuted as soon as so many
//! do that at one in ten this would happen less often than the level says (the exact
//! binomial test), or as soon as one goes *far* beyond: by more than any machine is late.
//! It holds if none does, and where some do and that could be chance it is inconclusive.
//!
//! More injections that keep the bound never make a far one go away.

use crate::stats::{holm, proportion, settle::MOST_RUNS};

use super::Claim;

/// The share of injections that may go beyond their bound.
const SHARE: f64 = 0.1;
/// How likely a claim that is true may be refuted, at most.
pub(crate) const LEVEL: f64 = 0.025;

/// How one injection stands to its bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Case {
    /// The bound was kept.
    Within,
    /// It was not.
    Beyond,
    /// It was not, by more than a busy machine explains.
    FarBeyond,
    /// Not to be told.
    Unknown,
    /// The bound is none of this injection's.
    Apart,
}

/// How many injections stood how to their bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cases {
    pub(crate) within: usize,
    pub(crate) beyond: usize,
    pub(crate) far: usize,
    pub(crate) unknown: usize,
    pub(crate) apart: usize,
}

impl FromIterator<Case> for Cases {
    fn from_iter<I: IntoIterator<Item = Case>>(all: I) -> Self {
        let mut cases = Self::default();
        for case in all {
            match case {
                Case::Within => cases.within += 1,
                Case::Beyond => cases.beyond += 1,
                Case::FarBeyond => cases.far += 1,
                Case::Unknown => cases.unknown += 1,
                Case::Apart => cases.apart += 1,
            }
        }
        cases
    }
}

impl Cases {
    /// How many could be told.
    pub(crate) fn known(self) -> usize {
        self.within + self.beyond + self.far
    }

    /// Whether the bound was that of no injection, although there were some.
    pub(crate) fn are_apart(self) -> bool {
        self.apart > 0 && self.known() + self.unknown == 0
    }

    /// How likely so many go beyond their bounds, if one in ten may.
    pub(crate) fn p_value(self) -> f64 {
        proportion::at_least(self.beyond + self.far, self.known(), SHARE)
    }
}

/// Decides a claim. `p_value` is that of the cases, adjusted if the claim is one of several.
pub(crate) fn decide(claim: &mut Claim, cases: Cases, p_value: f64) {
    use super::Decision::{Holds, Inconclusive, Refuted};
    let counts = claim.counts.clone();
    let not_kept = cases.beyond + cases.far;
    claim.n = cases.known();
    (claim.verdict, claim.reason) = if cases.far > 0 {
        let reason = format!("far beyond it in {}", counts.of(cases.far));
        (Refuted, Some(reason))
    } else if not_kept > 0 && p_value <= LEVEL {
        let reason = format!("beyond it in {not_kept} of {}", counts.of(cases.known()));
        (Refuted, Some(reason))
    } else if cases.known() == 0 {
        let reason = match cases.unknown {
            0 => format!("{} was carried out", counts.none()),
            n => format!("nothing is known of {}", counts.of(n)),
        };
        (Inconclusive, Some(reason))
    } else if not_kept > 0 {
        let reason = format!(
            "beyond it in {not_kept} of {}, which may be the machine's doing; {}",
            counts.of(cases.known()),
            more(cases)
        );
        (Inconclusive, Some(reason))
    } else if cases.unknown > 0 {
        let reason = format!("nothing is known of {}", counts.of(cases.unknown));
        (Inconclusive, Some(reason))
    } else {
        (Holds, None)
    };
}

/// Decides claims of the same kind about several kinds of fault: several chances of a false
/// alarm count as one.
pub(crate) fn decide_kinds(claims: Vec<(Claim, Cases)>) -> Vec<Claim> {
    let p_values: Vec<f64> = claims.iter().map(|(_, cases)| cases.p_value()).collect();
    let adjusted = holm::adjusted(&p_values);
    let decided = claims.into_iter().zip(adjusted);
    decided
        .map(|((mut claim, cases), p_value)| {
            decide(&mut claim, cases, p_value);
            claim
        })
        .collect()
}

/// Which flag would settle it, if the share of those beyond stayed what it is.
fn more(cases: Cases) -> String {
    let (n, k) = (cases.known(), cases.beyond);
    let times = (2..=MOST_RUNS / n.max(1))
        .find(|times| proportion::at_least(k * times, n * times, SHARE) <= LEVEL);
    match times {
        Some(times) => format!("{times} times as many (--repeats) would settle it"),
        None => "more (--repeats) would say whether it is seldom".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::{Decision, INJECTIONS, Source, Unit};
    use proptest::prelude::*;

    fn decided(cases: Cases) -> Claim {
        let (source, unit) = (Source::Seawall, Unit::Seconds);
        let mut claim = Claim::new("id", "arm", "says", source, unit, INJECTIONS);
        decide(&mut claim, cases, cases.p_value());
        claim
    }

    fn cases(within: usize, beyond: usize, far: usize, unknown: usize) -> Cases {
        Cases {
            within,
            beyond,
            far,
            unknown,
            apart: 0,
        }
    }

    #[test]
    fn one_late_injection_proves_nothing_and_several_do() {
        // The binomial tail at one in ten: 0.1, 0.01; 0.469, 0.114, 0.016; 0.111, 0.026.
        for (of, verdict) in [
            (cases(1, 0, 0, 0), Decision::Holds),
            (cases(0, 1, 0, 0), Decision::Inconclusive),
            (cases(0, 2, 0, 0), Decision::Refuted),
            (cases(6, 0, 0, 0), Decision::Holds),
            (cases(5, 1, 0, 0), Decision::Inconclusive),
            (cases(4, 2, 0, 0), Decision::Inconclusive),
            (cases(3, 3, 0, 0), Decision::Refuted),
            (cases(8, 4, 0, 0), Decision::Inconclusive),
            (cases(7, 5, 0, 0), Decision::Refuted),
            (cases(59, 0, 1, 0), Decision::Refuted),
            (cases(0, 0, 0, 0), Decision::Inconclusive),
            (cases(0, 0, 0, 3), Decision::Inconclusive),
            (cases(5, 0, 0, 1), Decision::Inconclusive),
        ] {
            let claim = decided(of);
            assert_eq!(claim.verdict, verdict, "{of:?}");
            assert_eq!(claim.reason.is_none(), verdict == Decision::Holds, "{of:?}");
        }
    }

    #[test]
    fn what_would_settle_it_is_a_flag() {
        let reason = decided(cases(0, 1, 0, 0)).reason.unwrap();
        assert_eq!(
            reason,
            "beyond it in 1 of 1 injection, which may be the machine's doing; 2 times as many \
             (--repeats) would settle it"
        );
    }

    proptest! {
        #[test]
        fn more_data_never_turn_a_violation_into_a_pass(
            within in 0_usize..50, beyond in 0_usize..20, far in 0_usize..3, more in 0_usize..200,
        ) {
            let before = decided(cases(within, beyond, far, 0));
            let after = decided(cases(within + more, beyond, far, 0));
            if beyond + far > 0 {
                prop_assert!(!after.is(Decision::Holds));
            }
            if far > 0 {
                prop_assert!(before.is(Decision::Refuted) && after.is(Decision::Refuted));
            }
        }
    }
}
