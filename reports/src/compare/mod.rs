//! Two runs beside each other, and many runs after one another.
//!
//! - `two`: every measure of two runs, with its change, its interval and whether that is
//!   significant
//! - `document`: the page about them
//! - `history`: a measure over many runs, and the page about it
//!
//! What is compared are the values within a run: of each injection, stretch or round. That two
//! runs of one build differ as well, a gate knows and this does not: it says how sure a
//! difference between these two runs is, and not what caused it.

mod document;
mod history;
mod plot;
mod two;

pub use document::document;
pub use history::{Line, Point, document as history_document, lines};
pub use two::{Compared, Differences, compare, differences};

#[cfg(test)]
mod tests;
