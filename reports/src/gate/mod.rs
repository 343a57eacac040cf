//! Whether what is there now is worse than what a baseline was recorded of.
//!
//! A gate carries the same experiment out several times and compares these runs with those of
//! a baseline. The replicate is the run: what is measured within one run belongs together.
//!
//! - `baseline`: the runs of a build that is known to be well, as a file
//! - `series`: each measure as one number a run: how much worse than the baseline it is
//! - `noise`: what a build differs from itself by, and what a gate would find beyond that
//! - `judge`: worse, no worse, or not known
//! - `plan`: how many runs, after how many of them there is a look, at what level
//! - `claims`, `document`: the same as claims and as a page
//!
//! Definitions:
//! - Change of a measure in a run: the logarithm of its value over the median of the
//!   baseline's, turned so that more is worse; over all faults and conditions the mean, so
//!   that each of them counts alike. A measure that follows the machine is compared with a
//!   pool of the same run first that is not ours, the careful one or the bare one, where there
//!   is one.
//! - A/A: runs of one build over other runs of it. What they differ by is the noise floor.
//! - Floor of a measure: what nine of ten gates stay within, all measures together, if
//!   nothing has changed; and at least [`TOLERANCE`], below which nobody cares.
//! - Regression: the whole interval of the change (Hodges and Lehmann's, at the level of the
//!   look over the number of measures) lies beyond the floor. No worse: its upper end lies
//!   within. Else it is not known, and more runs may tell.
//! - Counts that come out the same in all runs of the baseline have no noise to speak of:
//!   they are compared as they are. Those that scatter are compared by interval as others are,
//!   and are worse in any case where they exceed the baseline by far more than they scatter.
//!
//! At most [`ALPHA`] of all gates on an unchanged build find a regression, over all measures
//! and looks together (Bonferroni over measures, Boole over looks).

mod baseline;
mod claims;
mod document;
mod judge;
mod noise;
mod plan;
mod series;

pub use baseline::{Baseline, BaselineError, Of, RunOf, SCHEMA};
pub(crate) use baseline::{places, settings};
pub use claims::claims;
pub use document::{document, told, verdict};
pub use judge::{Change, Judged, Kind, Ruling, judge, soft};
pub use noise::Power;
pub use plan::{Budget, ahead, runs_needed};
pub use series::{Key, Series, merged, series};

/// Gates on an unchanged build that may find a regression, 0..=1.
pub const ALPHA: f64 = 0.05;
/// Gates on an unchanged build that may not come to an end with the runs that they are given.
pub const UNDECIDED: f64 = 0.1;
/// What a measure may be worse by before anybody cares.
pub const TOLERANCE: f64 = 0.05;
/// What a count may be worse by that comes out the same every time.
pub const SAME: f64 = 0.02;
/// Changes whose chance of being found is told: 10, 20 and 50 % worse.
pub const TOLD: [f64; 3] = [0.1, 0.2, 0.5];

#[cfg(test)]
mod tests;
