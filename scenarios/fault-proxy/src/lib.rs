//! An embeddable TCP fault proxy that speaks Toxiproxy's HTTP API.
//!
//! [`Server::bind`] starts the API; any Toxiproxy client can then make proxies
//! and put toxics on them. See the crate's README for the toxics and for what
//! differs from Toxiproxy.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fault_proxy::ServeError> {
//! use fault_proxy::{Options, Server};
//!
//! let listen = ([127, 0, 0, 1], 0).into();
//! let server = Server::bind(listen, Options { seed: 7, ..Options::default() }).await?;
//! println!("toxiproxy clients connect to {}", server.local_addr());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! From the outside in: `server` holds the threads; `api` turns HTTP into calls
//! and results into HTTP; `control` performs the calls one after another on
//! `registry`, the proxies; `proxy` listens, connects and moves bytes; `link`
//! is one direction of one connection, and `toxic` what can be done to it. The
//! bytes move on the threads of `workers`, all else on one other.
//!
//! `link` and `toxic` know neither sockets nor clocks: time comes as an
//! argument, and what they decide about bytes is tested without a runtime.

mod api;
mod control;
mod link;
mod proxy;
mod registry;
mod server;
mod stop;
mod toxic;
mod workers;

pub use server::{Options, ServeError, Server};
