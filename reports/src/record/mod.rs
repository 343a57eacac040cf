//! `record.json`: one run, with what its experiment recorded.
//!
//! A record holds all that is needed to judge and to draw a run again, and nothing
//! that was already judged. On disk the fields of [`Run`](crate::run::Run) stand at the
//! top, and what only this experiment has stands under `data`, in a shape that
//! `command` tells. It is read in two steps: `schema` and `command` first, then the
//! whole as that experiment's, so that a million operations go straight into their
//! columns.
//!
//! Beside it stands `latency.hlog` ([`Intervals`]), which is written while operations end and
//! not only behind a step.
//!
//! A reader refuses a schema or a command that it does not know. Records of schema 2
//! are converted (`v2`).

mod file;
pub mod intervals;
mod v2;

pub use file::{Record, RecordError, save};
pub(crate) use file::{whole, whole_json};
pub use intervals::{INTERVALS, Interval, Intervals};

/// The version of the schema that this crate writes.
pub const SCHEMA: u32 = 3;

#[cfg(test)]
mod tests;
