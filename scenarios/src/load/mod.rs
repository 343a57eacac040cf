//! How a load is driven through each arm, and what came back.
//!
//! [`arrivals`] says when an operation is due and of which kind (pure), [`operation`] what
//! each kind does, [`workload`] on which tables, [`client`] through which pool, set up as
//! [`setup`] says; [`worker`] drives it and notes what came back in a [`history`], with [`beside`]
//! next to it; [`proof`] checks what was
//! read, and [`ledger`] what became of the writes (pure).
//!
//! Where the user has scripts of their own, operations are runs of [`scripts`]: `tried` runs
//! each before anything is measured, `scripted` as an operation, and [`told`] says what became
//! of the writes that are marked in them (pure).

/// Deadline of an operation in milliseconds, if the user does not say.
pub const DEADLINE_MS: u32 = 500;

pub mod arrivals;
pub mod beside;
pub mod client;
pub mod history;
mod import;
pub mod ledger;
pub mod operation;
pub mod proof;
mod scripted;
pub mod scripts;
mod session;
pub mod setup;
pub(crate) mod text;
pub mod told;
pub mod tried;
pub mod worker;
pub mod workload;
