//! Counters and latency histograms of a pool.
//!
//! Labels come from enums, never from a message, so their number is fixed and
//! no user's text ends up in one.

mod histogram;
mod registry;

pub use self::{
    histogram::{Histogram, Quantiles},
    registry::{Counter, Metrics, Snapshot, Timing},
};
