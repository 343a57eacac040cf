//! The same verdict for different readers: a terminal, a page, a build server,
//! and pictures of what happened.
//!
//! Invariants: a renderer computes nothing that is not in the verdict or in
//! [`measure`](crate::measure::measure); the same record gives the same bytes; a
//! record that was cut short renders as far as it got.

mod batches;
mod figures;
mod finding;
mod headline;
mod html;
mod junit;
mod markdown;
mod measures;
mod plots;
mod sweep;
mod table;
mod terminal;
mod view;

pub use html::{Figure, html};
pub use junit::junit;
pub use markdown::markdown;
pub use plots::{Plot, PlotError, plots};
pub use terminal::terminal;

#[cfg(test)]
mod tests;
