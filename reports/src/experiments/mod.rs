//! The experiments, a folder each.
//!
//! A folder holds what its experiment records (`data`), what that comes to
//! (`measure`, `finding`), and what is claimed of it (`claims`). None of them knows
//! another one; what several need stands outside.

pub mod batch_sweep;
pub mod breaker_sweep;
pub mod failure_sim;
