//! The experiments, one file each; the file asks its question.

pub mod batch_sweep;
pub mod breaker_sweep;
pub mod failure_sim;
