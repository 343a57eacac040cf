//! The experiments, a file or folder each. None knows another, but for
//! [`tune`], which is made of two others.
//!
//! What is drawn before anything is started is in a folder's `mod.rs`; what is done on
//! the [`stage`](crate::stage) stands beside it.

pub mod batch_sweep;
pub mod breaker_sweep;
pub mod failure_sim;
pub mod near_capacity;
pub mod observability;
pub mod steady;
pub mod tune;
