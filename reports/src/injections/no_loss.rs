//! `no-loss`, of the writes of an arm's injections.

use crate::{
    claim::{Claim, INJECTIONS, no_loss},
    run::Ledger,
};

use super::Injected;

pub(crate) fn claim(subject: &Injected<'_>, arm: &str) -> Claim {
    let ledgers: Vec<Option<Ledger>> = subject.of_arm(arm).map(|(i, _)| i.ledger).collect();
    no_loss::of(arm, &ledgers, INJECTIONS)
}
