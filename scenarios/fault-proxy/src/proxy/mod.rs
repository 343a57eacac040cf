//! One proxy: a listener, and for each client a connection to the upstream.
//!
//! `state` is the proxy as the API sees it; `connections` knows who is live and
//! what was decided about them; `accept` owns the listener and the connection
//! tasks; `connection` is one task, from dialling to the end; `pump` and
//! `direction` move its bytes; `address` reads `listen`.

mod accept;
mod address;
mod chain;
mod connection;
mod connections;
mod direction;
mod pump;
mod state;
mod traffic;

pub(crate) use accept::{Limits, Running};
pub(crate) use address::{Address, AddressError, bind};
pub(crate) use chain::Chain;
pub(crate) use connections::Connections;
pub(crate) use state::Proxy;
pub(crate) use traffic::Traffic;
