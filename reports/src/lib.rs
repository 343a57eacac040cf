//! What a run recorded, measured, judged and drawn.
//!
//! Nothing here reads a clock, a socket or a database: a verdict is a pure
//! function of a [`Record`], so that it can be made again from `record.json`.
//!
//! - [`record`]: what a run is, on disk.
//! - [`measure`]: what one fault did to one arm, in numbers.
//! - [`stats`]: intervals from a handful of injections.
//! - [`claim`]: what is claimed, and whether a record bears it out.
//! - [`sweep`]: the same for a grid of breaker settings.
//! - [`batches`]: the same for batch sizes of a pipeline.
//! - [`verdict`]: `verdict.json`, and the exit code.
//! - [`render`]: the verdict for people, build servers and browsers.
//!
//! [`write()`] does all of it: from a record to the files beside it.

pub mod batches;
pub mod claim;
pub mod measure;
pub mod record;
pub mod render;
pub mod stats;
pub mod sweep;
pub mod verdict;

mod write;

pub use record::Record;
pub use verdict::{Verdict, judge};
pub use write::{WriteError, write};

#[cfg(test)]
extern crate self as reports;

#[cfg(test)]
#[path = "../tests/synthetic/mod.rs"]
mod synthetic;
