//! `no-loss`: what was acknowledged is there, once, and nothing else is; and what was read
//! is what had been written.
//!
//! One write is enough to refute it, so there is no interval. But it holds only
//! where it could have failed: every injection must have been checked, must
//! have acknowledged something, and its numbers must agree with each other.

use crate::run::Ledger;

use super::{Claim, Decision, Noun, Source, Unit, id};

/// Of ledgers, `None` where nobody looked; there is one for each of what is counted.
pub(crate) fn of(arm: &str, ledgers: &[Option<Ledger>], counts: Noun) -> Claim {
    let known = ledgers.iter().flatten().copied().sum();
    of_known(arm, &known, ledgers, counts)
}

/// The same where more is known than the whole ledgers say: `sum` is of all that was looked
/// at, also where somebody looked at a part.
pub(crate) fn of_known(arm: &str, sum: &Ledger, ledgers: &[Option<Ledger>], counts: Noun) -> Claim {
    let says = "no write is lost, duplicated or made up, no answer wrong";
    let unit = Unit::count("writes");
    let mut claim = Claim::new(id::NO_LOSS, arm, says, Source::Seawall, unit, counts);
    claim.band_high = Some(0.0);
    claim.n = ledgers.len();
    let wrong = violations(sum);
    let doubt = doubt(ledgers, &claim.counts);
    if wrong > 0 || ledgers.iter().any(Option::is_some) {
        let wrong = wrong as f64;
        claim.observed = Some(wrong);
        claim.out_of = Some(sum.acked);
        claim.low = Some(wrong);
        claim.high = doubt.is_none().then_some(wrong);
    }
    if wrong > 0 {
        claim.verdict = Decision::Refuted;
        claim.reason = Some(format!(
            "{} lost, {} duplicate, {} unexpected, {} out of order, {} wrong reads",
            sum.lost,
            sum.duplicate,
            sum.unexpected,
            sum.out_of_order,
            sum.wrong_reads()
        ));
    } else if let Some(doubt) = doubt {
        claim.reason = Some(doubt);
    } else {
        claim.verdict = Decision::Holds;
    }
    claim
}

/// Writes and answers that are not as they must be.
fn violations(ledger: &Ledger) -> u64 {
    ledger.lost + ledger.duplicate + ledger.unexpected + ledger.out_of_order + ledger.wrong_reads()
}

/// Why ledgers without a violation do not show that there was none.
fn doubt(ledgers: &[Option<Ledger>], counts: &Noun) -> Option<String> {
    if ledgers.is_empty() {
        return Some(format!("{} was carried out", counts.none()));
    }
    let unchecked = ledgers.iter().filter(|l| l.is_none()).count();
    if unchecked > 0 {
        return Some(format!(
            "the writes of {} could not be checked",
            counts.of(unchecked)
        ));
    }
    let idle = ledgers.iter().flatten().filter(|l| l.acked == 0).count();
    if idle > 0 {
        return Some(format!("no write was acknowledged in {}", counts.of(idle)));
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
