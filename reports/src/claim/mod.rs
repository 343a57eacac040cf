//! What is claimed of an arm, and whether a record bears it out.
//!
//! A claim is an interval (its band) that a measured quantity shall lie in. It
//! holds when the whole confidence interval of the quantity lies inside the
//! band, is refuted when the whole of it lies outside, and is inconclusive
//! otherwise (`band`). Here are the claims that are made wherever faults are injected
//! or writes are checked, one file a claim; those of one experiment stand with it.
//!
//! Invariants: missing data never hold; the same record gives the same claims,
//! bit for bit; an inconclusive claim says why, and what would settle it.

pub(crate) mod at_most;
pub(crate) mod availability;
mod band;
pub(crate) mod fail_fast;
pub mod id;
mod injected;
pub(crate) mod no_loss;
mod noun;
pub(crate) mod recovery;
mod unit;

pub use band::{Claim, Decision, Source};
pub use injected::{ARM_BARE, ARM_GUIDE, ARM_SEAWALL, Injected};
pub use noun::{INJECTIONS, Noun};
pub use unit::Unit;

#[cfg(test)]
mod tests;
