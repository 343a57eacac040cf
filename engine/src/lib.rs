//! A Postgres client layer that survives its database.
//!
//! A service that links a bare pool hangs when its database hangs, and often
//! stays down after the database is back. [`Pool`] puts three things around the
//! pool that change this:
//!
//! - **deadlines** on every wait: one for getting a connection (slot, connect
//!   and check together), one for each statement;
//! - a **circuit breaker** ([`Breaker`]) behind which callers wait within their
//!   deadline, or are refused in nanoseconds, while the server is gone
//!   ([`WhenOpen`](config::WhenOpen)), and a probe of its own that finds out when it
//!   is back;
//! - **eviction**: the first sign of a dead host drops every older connection at
//!   once, instead of one caller's time-out after another.
//!
//! And a **pipeline** ([`Pool::pipeline`]) for who has many queries at once: batches on
//! the wire, with one Sync where a batch is one transaction, and an outcome for each.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use seawall::{Error, Pool, PoolConfig};
//!
//! let pool = Pool::new(PoolConfig::from_toml(r#"
//!     host = "localhost"
//!     database = "myapp"
//!     user = "app"
//!     max_connections = 20
//!     circuit_breaker_failure_threshold = 5
//!     circuit_breaker_recovery_timeout = 60
//! "#)?)?;
//!
//! match pool.query("SELECT name FROM users WHERE id = $1", &[&7_i64]).await {
//!     Ok(rows) => println!("{} rows", rows.len()),
//!     Err(Error::CircuitOpen { retry_after, .. }) => println!("not back in time; ask again in {retry_after:?}"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(()) }
//! ```
//!
//! # Map
//! - [`config`]: [`PoolConfig`], every key with unit, default and range
//! - [`error`]: [`Error`], and what an SQLSTATE says about the server
//! - [`breaker`]: the state machine (pure), its window (pure), permits
//! - [`pool`]: acquiring, waiting, statements, eviction, the probe
//! - [`metrics`]: counters and latency histograms, and their history
//! - `exposition` (feature `prometheus`): metrics as Prometheus reads them
//! - `monitor` (feature `monitoring`): a dashboard and metrics over HTTP
//! - [`status`]: everything that is known of a pool, in one piece
//! - [`pipeline`]: many queries on the wire at once, and what became of each
//! - [`wire`]: the transport that sends one Sync for a batch
//! - [`connect`]: where connections come from (TCP, TLS, in memory)
//! - [`clock`]: the only door to time
//!
//! Types that will grow are `#[non_exhaustive]`; [`PoolConfig`] is not, so that it can be
//! written as a struct: do so with `..PoolConfig::default()`.
//!
//! Nothing here reads a clock but through [`clock`], so that the whole engine
//! runs in paused tokio time.

#[cfg(feature = "planted-defects")]
#[macro_use]
pub mod planted;
#[cfg(not(feature = "planted-defects"))]
#[macro_use]
#[path = "planted/none.rs"]
mod planted;

pub mod breaker;
pub mod clock;
pub mod config;
pub mod connect;
pub mod error;
#[cfg(feature = "prometheus")]
pub mod exposition;
pub mod metrics;
#[cfg(feature = "monitoring")]
pub mod monitor;
pub mod pipeline;
pub mod pool;
mod shard;
pub mod status;
mod task;
pub mod wire;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use breaker::Breaker;
pub use config::PoolConfig;
pub use error::{Error, ErrorClass};
pub use pipeline::Pipeline;
pub use pool::{Connection, Pool, Within};
pub use status::ComprehensiveStatus;
