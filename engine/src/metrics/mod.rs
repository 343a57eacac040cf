//! Counters and histograms of a pool.
//!
//! The pool and its pipelines count into [`Metrics`] as they go; whoever exposes them takes
//! a [`Snapshot`].
//!
//! Labels come from enums, never from a message, so their number is fixed and
//! no user's text ends up in one.

mod histogram;
mod registry;

pub use self::{
    histogram::{Histogram, Quantiles},
    registry::{Counter, Metrics, OutcomeLabel, Snapshot, Timing},
};
