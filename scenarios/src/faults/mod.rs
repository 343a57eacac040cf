//! Faults: what there is, what is wanted, and how it is done, undone and seen.
//!
//! - [`kind`]: what is known of a kind of fault; each is written out in [`network`],
//!   [`process`] or [`session`]
//! - [`plan`]: what a user wants done; [`schedule`]: that, drawn from the seed
//! - [`toxics`]: the proxy that does the faults of the network
//! - [`strangers`]: the sessions that do faults of a session
//! - [`probe`]: what a client of the server meets right now, asked from outside

pub mod kind;
pub mod network;
pub mod plan;
pub mod probe;
pub mod process;
pub mod schedule;
pub mod session;
pub mod strangers;
pub mod toxics;

pub use kind::Kind;
