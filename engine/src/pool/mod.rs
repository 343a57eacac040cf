//! [`Pool`]: connections for many tasks, from a server that may fail.
//!
//! A caller asks the [breaker](crate::breaker), waits for a slot, and gets a `Link`: a
//! session that deadpool kept or the `Connector` made, with the
//! right to use it. A [`Connection`] is the caller's side of a link; a pipeline owns one
//! without it. What comes of each statement goes from the link to metrics and breaker, and
//! the link goes back to the pool if it is fit for the next.
//!
//! - `handle`: the public [`Pool`]
//! - `acquire`: slots and deadlines. Slots are our own, so that waiting for one (our own
//!   load) and connecting (the server's business) are told apart: only the second counts
//!   against the breaker, and both share one deadline. Who waits is refused as soon as the
//!   circuit opens, or stays in the line if callers are to wait.
//! - `asking`: counts what becomes of callers that want a connection
//! - `slots`: who waits for a slot, and in what order
//! - `waiting`: waits for the circuit to close; `within`: a caller's own deadline
//! - `link`, `running`, `connection`, `sql`: running statements, and what a failure means
//! - `abandoned`: stops what a caller has given up, and frees its session
//! - `session`, `manager`, `connector`: sessions, each with the epoch of the host that it was
//!   made in; at the first sign of a dead host all older ones are dropped
//! - `startup`: begins a session, without an option that is refused
//! - `hosts`: shares a deadline out over several hosts, and remembers who was mute
//! - `making`: makes sessions, or takes one that comes back meanwhile; `ramp`: few are made at
//!   once after an outage
//! - `probe`: finds out that the server is back; `spare`: its sessions, for the first callers
//! - `silence`: notices that it says nothing any more; `typical`: what things usually take
//! - `quarantine`: keeps sessions from before an outage that were only slow
//! - `refill`: keeps the pool at its `min_connections`
//! - `past`: keeps how the pool did; `holders`: who has a session; `watched`: what is shown of
//!   it; `monitoring` (`unmonitored`): where
//! - `trust`: asks sessions that were silent for long before they are lent
//! - `shape`, `incarnation`: what the server said of statements, and of itself

mod abandoned;
mod acquire;
mod asking;
mod connection;
mod connector;
mod handle;
mod holders;
mod hosts;
mod incarnation;
mod link;
mod making;
mod manager;
#[cfg(feature = "monitoring")]
mod monitoring;
#[cfg(not(feature = "monitoring"))]
#[path = "unmonitored.rs"]
mod monitoring;
mod past;
mod probe;
mod quarantine;
mod ramp;
mod refill;
mod running;
mod session;
mod shape;
mod silence;
mod slots;
mod spare;
mod sql;
mod startup;
mod sync;
mod trust;
mod typical;
mod waiting;
mod watched;
mod within;

pub use self::{
    connection::Connection,
    handle::{Pool, Status},
    within::Within,
};
pub(crate) use self::{
    incarnation::Incarnation,
    link::Link,
    shape::{Shape, Shapes},
    sql::{SessionEffect, opens_read_only, query_kind, rolls_back, session_effect},
};

#[cfg(test)]
mod tests;
