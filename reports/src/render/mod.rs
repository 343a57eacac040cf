//! A report in its forms: for a terminal, a ticket, a browser, a build server.
//!
//! Invariants: a renderer knows pages, claims and pictures, and no experiment; it
//! computes nothing; the same record gives the same bytes; a record that was cut short
//! renders as far as it got.
//!
//! - `headline`: the verdict in one sentence, and where it was found
//! - `group`: claims as they are shown, kinds of fault together
//! - `again`: the command that does the same run again
//! - `quantity`: the numbers of a claim, as text

mod again;
mod group;
mod headline;
mod html;
mod junit;
mod markdown;
mod quantity;
mod terminal;

pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use terminal::terminal;

#[cfg(test)]
mod tests;
