//! What is claimed of an arm, and whether a record bears it out.
//!
//! A claim is an interval (its band) that a measured quantity shall lie in. It
//! holds when the whole confidence interval of the quantity lies inside the
//! band, is refuted when the whole of it lies outside, and is inconclusive
//! otherwise (`band`). Or it is a bound that is kept in each injection (`seldom`).
//!
//! - `id`: the names of claims, which are a contract
//! - `unit`, `noun`: what the numbers of a claim are, and what was counted
//! - `at_most`: how a claim is decided that a quantile of times is at most so much
//! - `seldom`: how one is decided that a bound is kept, injection by injection
//! - `no_loss`: the claim that is made wherever writes are checked
//!
//! Invariants: missing data never hold; the same record gives the same claims,
//! bit for bit; an inconclusive claim says why, and what would settle it.

pub(crate) mod at_most;
mod band;
pub mod id;
pub(crate) mod no_loss;
mod noun;
pub(crate) mod seldom;
mod unit;

pub use band::{Claim, Decision, Source};
pub use noun::{INJECTIONS, Noun};
pub use unit::Unit;
