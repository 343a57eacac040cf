//! A report in its forms: for a terminal, a ticket, a browser, a build server.
//!
//! Invariants: a renderer knows pages, claims and pictures, and no experiment; it
//! computes nothing; the same document gives the same bytes.
//!
//! - `group`: claims as they are shown, kinds of fault together
//! - `quantity`: the numbers of a claim, as text

mod group;
mod html;
mod junit;
mod markdown;
mod quantity;
mod terminal;

pub use html::html;
pub use junit::junit;
pub use markdown::{markdown, summary};
pub use terminal::{LEAST, USUAL, terminal};

#[cfg(test)]
mod tests;
