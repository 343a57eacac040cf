//! What is driven through each arm, and what came back.
//!
//! [`arrivals`] says when (pure), [`workload`] what, [`client`] through what,
//! [`worker`] does it, [`ledger`] checks what became of the writes (pure);
//! [`alarms`] looks like trouble and is none; [`batch`] is the load of a sweep of batch
//! sizes.

pub mod alarms;
pub mod arrivals;
pub mod batch;
pub mod client;
pub mod ledger;
pub mod worker;
pub mod workload;
