//! What a run recorded, measured, judged and drawn.
//!
//! Nothing here reads a clock, a socket or a database: a verdict is a pure
//! function of a [`Record`], so that it can be made again from `record.json`.
//!
//! - [`run`]: what every run recorded.
//! - [`record`]: a run with its experiment's data, on disk.
//! - [`stats`]: intervals from a handful of injections.
//! - [`sample`]: what was measured, number by number, for thresholds, gates and comparisons.
//! - [`measures`]: the same as a file, `measures.json`.
//! - [`measure`]: what one fault did to one arm, in numbers.
//! - [`claim`]: what is claimed, and whether a record bears it out.
//! - [`threshold`]: bounds of the user's on what is measured.
//! - [`gate`]: whether several runs are worse than those of a baseline.
//! - [`compare`]: two runs beside each other, and many after one another.
//! - [`page`], [`plot`]: what a report says, before it has a form; pictures.
//! - [`injections`]: claims, tables and pictures of injections, for every experiment
//!   that injects faults.
//! - [`experiment`]: what an experiment is to a report, and which there are.
//! - [`experiments`]: each of them: its data, findings, claims and page.
//! - [`verdict`]: `verdict.json`, and the exit code.
//! - [`render`]: a page for people, build servers and browsers.
//!
//! [`judge`] makes a [`Report`] of a record: its verdict and its page. [`write()`] does
//! all of it, from a record to the files beside it. What comes from no single run makes a
//! [`page::Document`] by itself, and [`write_document`] writes that.

pub mod claim;
pub mod compare;
pub mod experiment;
pub mod experiments;
pub mod gate;
pub mod injections;
pub mod measure;
pub mod measures;
pub mod page;
pub mod plot;
pub mod record;
pub mod render;
pub mod run;
pub mod sample;
pub mod stats;
pub mod threshold;
pub mod verdict;

mod numbers;
mod report;
mod write;

pub use experiment::Data;
pub use record::Record;
pub use report::{Report, judge};
pub use verdict::Verdict;
pub use write::{WriteError, write, write_document, write_judged};

#[cfg(test)]
extern crate self as reports;

#[cfg(test)]
#[path = "../tests/synthetic/mod.rs"]
mod synthetic;
