//! `no-loss`, of what an arm wrote and read in its injections, imports included.

use crate::{
    claim::{Claim, INJECTIONS, no_loss},
    run::{Injection, Ledger},
};

use super::Injected;

/// `beside` is what else is known of the arm.
pub(crate) fn claim(subject: &Injected<'_>, arm: &str, beside: Ledger) -> Claim {
    let injections = || subject.of_arm(arm).map(|(injection, _)| injection);
    let known: Ledger = injections().map(known).chain([beside]).sum();
    let ledgers: Vec<Option<Ledger>> = injections().map(whole).collect();
    no_loss::of_known(arm, &known, &ledgers, INJECTIONS)
}

fn parts(injection: &Injection) -> impl Iterator<Item = Option<Ledger>> {
    let imports = injection.beside.iter().flat_map(|beside| &beside.imports);
    std::iter::once(injection.ledger).chain(imports.map(|import| import.ledger))
}

/// What became of all that was written and read in an injection. `None` if any of it could
/// not be checked.
fn whole(injection: &Injection) -> Option<Ledger> {
    let parts: Option<Vec<Ledger>> = parts(injection).collect();
    Some(parts?.into_iter().sum())
}

/// What became of that part of it which could be checked.
pub(crate) fn known(injection: &Injection) -> Ledger {
    parts(injection).flatten().sum()
}
