//! What is driven through each arm, and what came back.
//!
//! [`arrivals`] says when (pure), [`workload`] what, [`client`] through what,
//! [`worker`] does it, [`ledger`] checks what became of the writes (pure).

pub mod arrivals;
pub mod client;
pub mod ledger;
pub mod worker;
pub mod workload;
