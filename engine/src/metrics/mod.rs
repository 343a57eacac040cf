//! Counters and histograms of a pool, and what is kept of their past.
//!
//! The pool and its pipelines count into [`Metrics`] as they go; whoever exposes them takes
//! a [`Snapshot`]. A history keeps what was added in each second.
//!
//! Labels come from enums, never from a message, so their number is fixed and
//! no user's text ends up in one.

mod counter;
mod examples;
mod filled;
mod histogram;
mod history;
mod label;
mod metric;
mod registry;
mod slot;
mod source;

pub use self::{
    counter::Counter,
    filled::filled_history,
    histogram::{Histogram, Quantiles},
    history::{Heatmap, HeatmapColumn, Memory, Point, UnknownMetric},
    label::{OutcomeLabel, QueryKind, ResultLabel, SQLSTATE_CLASSES},
    registry::{Metrics, STATES, Snapshot, Timing},
    source::{Sample, SampleValue, Source},
};
pub(crate) use self::{
    examples::Examples,
    history::{FINE, History},
    metric::Metric,
    slot::Gauges,
};
