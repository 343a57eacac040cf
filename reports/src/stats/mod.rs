//! Intervals from a handful of injections.
//!
//! Recovery times are few, skewed and sometimes only bounded from below, so no
//! normal distribution is assumed anywhere: quantiles get exact intervals from
//! order statistics ([`quantile`]), means get a bootstrap ([`bootstrap`]) that
//! is widened for small samples (`student`), probabilities an exact one
//! ([`proportion`]), and times that were not all watched to their end a curve
//! ([`survival`]). Throughputs that differ with what else the machine does are
//! compared as ratios of pairs ([`Ratio`]).
//!
//! Invariants: all of it is deterministic (the bootstrap has its seed as an
//! argument); what the data cannot bound is `None`, never a made-up number.

mod average;
pub mod bootstrap;
pub mod proportion;
pub mod quantile;
pub mod survival;

mod binomial;
mod ratio;
mod student;

pub use average::{mean, median, micro};
pub use ratio::Ratio;

/// Where a parameter lies, at the stated confidence. A side that the data do
/// not bound is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}
