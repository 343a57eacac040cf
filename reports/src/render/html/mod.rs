//! `report.html`: one file, nothing fetched, for who has never seen a run.
//!
//! The order is that of the questions a reader has: what came out, what was
//! claimed, how fast which arm recovered, what happened under each fault, what
//! the words mean, and how to do it again.

mod batches;
mod card;
mod page;
mod sweep;

pub use page::{Figure, html};
