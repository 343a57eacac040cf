//! `no-loss`: what was acknowledged is there, once, and nothing else is.
//!
//! One write is enough to refute it, so there is no interval. But it holds only
//! where it could have failed: every injection must have been checked, must
//! have acknowledged something, and its numbers must agree with each other.

use crate::run::Ledger;

use super::{Claim, Decision, Injected, injections};

/// The id of the claim, which has an exit code of its own.
pub const NO_LOSS: &str = "no-loss";

pub(crate) fn of_injections(subject: &Injected<'_>, arm: &str) -> Claim {
    let ledgers: Vec<Option<Ledger>> = subject.of_arm(arm).map(|(i, _)| i.ledger).collect();
    of(arm, &ledgers, injections)
}

/// Of ledgers, `None` where nobody looked; so many of what they are of are called
/// `places`.
pub(crate) fn of(arm: &str, ledgers: &[Option<Ledger>], places: fn(usize) -> String) -> Claim {
    let says = "no write is lost, duplicated or made up";
    let mut claim = Claim::new(NO_LOSS, arm, says.to_owned(), "seawall", "writes");
    claim.band_high = Some(0.0);
    claim.n = ledgers.len();
    let sum: Ledger = ledgers.iter().flatten().copied().sum();
    let wrong = violations(&sum);
    let doubt = doubt(ledgers, places);
    if ledgers.iter().any(Option::is_some) {
        let wrong = wrong as f64;
        claim.observed = Some(wrong);
        claim.low = Some(wrong);
        claim.high = doubt.is_none().then_some(wrong);
    }
    if wrong > 0 {
        claim.verdict = Decision::Refuted;
        claim.reason = Some(format!(
            "{} lost, {} duplicate, {} unexpected, {} out of order",
            sum.lost, sum.duplicate, sum.unexpected, sum.out_of_order
        ));
    } else if let Some(doubt) = doubt {
        claim.reason = Some(doubt);
    } else {
        claim.verdict = Decision::Holds;
    }
    claim
}

/// Writes that are not as they must be.
fn violations(ledger: &Ledger) -> u64 {
    ledger.lost + ledger.duplicate + ledger.unexpected + ledger.out_of_order
}

/// Why ledgers without a violation do not show that there was none.
fn doubt(ledgers: &[Option<Ledger>], places: fn(usize) -> String) -> Option<String> {
    if ledgers.is_empty() {
        return Some("no injection was carried out".to_owned());
    }
    let unchecked = ledgers.iter().filter(|l| l.is_none()).count();
    if unchecked > 0 {
        return Some(format!(
            "the writes of {} could not be checked",
            places(unchecked)
        ));
    }
    let idle = ledgers.iter().flatten().filter(|l| l.acked == 0).count();
    if idle > 0 {
        return Some(format!("no write was acknowledged in {}", places(idle)));
    }
    ledgers
        .iter()
        .flatten()
        .find(|ledger| !adds_up(ledger))
        .map(|ledger| format!("a ledger contradicts itself: {ledger:?}"))
}

/// Acknowledged is a subset of committed is a subset of sent, as far as counts
/// can show it.
fn adds_up(ledger: &Ledger) -> bool {
    let found = (ledger.acked + ledger.unknown_committed).checked_sub(ledger.lost);
    ledger.acked + ledger.unknown <= ledger.sent
        && ledger.unknown_committed + ledger.unknown_absent == ledger.unknown
        && found
            .is_some_and(|found| (found..=found + ledger.unexpected).contains(&ledger.committed))
}
