//! How a load is driven through each arm, and what came back.
//!
//! [`arrivals`] says when an operation is due (pure), [`workload`] what it is, [`client`]
//! through what it goes; [`worker`] drives it, and [`ledger`] checks what became of the
//! writes (pure).

/// Deadline of an operation in milliseconds, if the user does not say.
pub const DEADLINE_MS: u32 = 500;

pub mod arrivals;
pub mod client;
pub mod ledger;
pub mod worker;
pub mod workload;
