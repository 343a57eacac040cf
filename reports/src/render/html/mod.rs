//! `report.html`: one file, nothing fetched, for who has never seen a run.
//!
//! - `page`: the document, from top to bottom
//! - `block`: the parts of its sections
//! - `card`: a claim

mod block;
mod card;
mod page;

pub use page::html;

#[cfg(test)]
mod tests;
