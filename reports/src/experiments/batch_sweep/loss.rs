//! `no-loss`, of the classes whose rows are known: each row that was acknowledged is
//! there, once, and says what it must; and each answer holds the rows that were asked for.

use crate::{
    claim::{Claim, Decision, Unit, no_loss},
    run::{ARM_SEAWALL, Ledger},
};

use super::{
    claims::CONDITIONS,
    finding::{ConditionFinding, Findings},
};

/// `None` if there is no such class.
pub(super) fn claim(findings: &Findings) -> Option<Claim> {
    // Of the guide's classes the rows are known; of the user's own they are not.
    let of_guide = |class: &str| {
        let mut classes = findings.classes.iter();
        classes.any(|c| c.name == class && c.guide_batch.is_some())
    };
    let known =
        |class: &str| of_guide(class) || findings.of_class(class).any(|c| c.ledger.is_some());
    let all = findings.conditions.iter().filter(|c| known(&c.class));
    let (writing, reading): (Vec<&ConditionFinding>, Vec<_>) =
        all.partition(|c| c.synchronous_commit.is_some());
    if writing.is_empty() && reading.is_empty() {
        return None;
    }
    let ledgers: Vec<Option<Ledger>> = writing.iter().map(|c| c.ledger).collect();
    let mut claim = no_loss::of(ARM_SEAWALL, &ledgers, CONDITIONS);
    claim.gating = true;
    claim.unit = Unit::count("rows");
    if !reading.is_empty() {
        answers(&mut claim, &reading);
    }
    Some(claim)
}

/// Adds what was read.
fn answers(claim: &mut Claim, reading: &[&ConditionFinding]) {
    let sum: Ledger = reading.iter().filter_map(|c| c.ledger).sum();
    claim.n += reading.len();
    claim.out_of = Some(claim.out_of.unwrap_or(0) + sum.reads);
    let wrong = sum.wrong_reads();
    if wrong > 0 {
        let all = claim.observed.unwrap_or(0.0) + wrong as f64;
        (claim.observed, claim.low) = (Some(all), Some(all));
        claim.high = claim.high.map(|_| all);
        let reads = format!(
            "of {} rows that were read, {} are not those that were asked for, and {} were not \
             in the answer",
            sum.reads, sum.foreign_reads, sum.missing_reads
        );
        claim.reason = Some(match claim.reason.take() {
            Some(reason) => format!("{reason}; {reads}"),
            None => reads,
        });
        claim.verdict = Decision::Refuted;
        return;
    }
    let unknown = |c: &&&ConditionFinding| c.ledger.is_none_or(|ledger| ledger.reads == 0);
    let unknown = reading.iter().filter(unknown).count();
    if unknown > 0 && claim.is(Decision::Holds) {
        claim.high = None;
        claim.verdict = Decision::Inconclusive;
        claim.reason = Some(format!(
            "no answer was checked in {}",
            CONDITIONS.of(unknown)
        ));
    }
}
