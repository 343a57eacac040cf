//! What a run recorded, measured, judged and drawn.
//!
//! function of a [`Record`], so that it can be made again from `record.json`.
//!
//! - [`record`]: what a run is, on disk.
//! - [`measure`]: what one fault did to one arm, in numbers.
//! - [`stats`]: intervals from a handful of injections.
//! - [`claim`]: what is claimed, and whether a record bears it out.

pub mod claim;
pub mod measure;
pub mod record;
pub mod stats;

pub use record::Record;

#[cfg(test)]
extern crate self as reports;

#[cfg(test)]
#[path = "../tests/synthetic/mod.rs"]
mod synthetic;
