//! What goes between the core and its callers: an admission or a refusal, and an outcome.

use super::{outcome::Cause, state::Reason};

/// The epoch in the ticket of a caller whose outcome decides nothing.
pub(super) const UNWATCHED: u64 = u64::MAX;

/// An admission, to be handed back with its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    pub(super) epoch: u64,
    /// The place in the ring of `Ages` where the call is counted.
    pub(super) slice: u32,
    pub(super) shard: u32,
    pub(super) settled: bool,
}

/// What a refused caller is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) retry_after_ns: u64,
    pub(super) since_ns: u64,
    pub(super) reason: Option<Reason>,
}

/// An outcome, with how long the call took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    pub(super) ok: bool,
    pub(super) took_ns: u64,
    pub(super) cause: Option<Cause>,
}
