//! One query at a time, or many: what a sweep of batch sizes drives.
//!
//! `plan` says what is measured, `queries` what is run, `slice` runs a stretch of
//! it one way, `truth` asks the server what that came to, and `own` tries the
//! user's statements before they are measured.
//!
//! Everything goes through one connection of one pool: what is compared is how the
//! queries are sent, not how many sessions there are.

mod link;
mod own;
pub mod plan;
mod queries;
mod slice;
mod truth;

pub use self::queries::{BUILT_IN, built_in};
pub(crate) use self::{
    link::{pool, round_trip, synchronous_commit},
    own::{that_write, try_all},
    queries::{Queries, count_events, empty_events, tables},
    slice::{Until, Way},
    truth::{prime, truth},
};

/// A stretch of queries could not be run. What a query itself was refused for is not
/// among it: that is counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The pool cannot be made.
    #[error("the pool of the load")]
    Config(#[from] seawall::config::ConfigError),
    /// No connection, no answer, or a server in trouble.
    #[error("the load was not served: {reason}")]
    Lost {
        /// What went wrong, with its causes.
        reason: String,
    },
    /// The session is not as it was asked for.
    #[error("synchronous_commit is {found} in a session that asked for {wanted}")]
    Commit {
        /// What was asked for.
        wanted: &'static str,
        /// What the server says.
        found: String,
    },
    /// No session through the proxy, to measure the round trip with.
    #[error("measuring the round trip")]
    RoundTrip(#[from] crate::environment::EnvironmentError),
}
