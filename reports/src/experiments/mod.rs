//! The experiments, a folder each.
//!
//! From top to bottom, what stands in one:
//!
//! - `data`: what it records, beside what every run does, and the checks of that
//! - `measure`, `finding`: what the data come to
//! - `claims`: what is claimed of that, and which of it decides the exit code
//! - `page`, with `table`, `plots`, `ship` and `words`: what its report says
//!
//! None of them knows another one, but for [`tune`], which is made of two others; what several
//! need stands outside, in [`crate::measure`] and [`crate::injections`]. [`crate::experiment`] has the trait and
//! the registry.

pub mod batch_sweep;
pub mod breaker_sweep;
pub mod failure_sim;
pub mod near_capacity;
pub mod observability;
pub mod steady;
pub mod tune;
