//! What is claimed of an arm, and whether a record bears it out.
//!
//! A claim is an interval (its band) that a measured quantity shall lie in. It
//! holds when the whole confidence interval of the quantity lies inside the
//! band, is refuted when the whole of it lies outside, and is inconclusive
//! otherwise. One file a claim; [`failure_sim`] lists those of that experiment,
//! [`crate::sweep::claims()`] and [`crate::batches::claims()`] those of a sweep.
//!
//! Invariants: missing data never hold; the same record gives the same claims,
//! bit for bit; an inconclusive claim says why, and what would settle it.

pub(crate) mod at_most;
mod availability;
mod band;
mod experiment;
mod fail_fast;
pub(crate) mod no_loss;
mod recovery;

pub(crate) use band::micro;
pub use band::{Claim, Decision};
pub(crate) use experiment::injections;
pub use experiment::{ARM_BARE, ARM_GUIDE, ARM_SEAWALL, Subject, failure_sim};
pub use no_loss::NO_LOSS;

#[cfg(test)]
mod tests;
