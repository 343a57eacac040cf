//! [`Changes`] of state, and the one who acts on them. Pure.

use super::state::{Evidence, Mode, Reason, State};

/// How many changes are kept; older ones are only counted.
pub const HISTORY: usize = 256;

/// A change, on the breaker's own clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) at_ns: u64,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) mode: Mode,
    pub(super) reason: Reason,
    pub(super) epoch: u64,
    pub(super) evidence: Evidence,
}

/// The state changes that one decision led to, oldest first.
#[must_use = "callers wait for them, and the pool acts on them"]
#[derive(Debug)]
pub(crate) struct Changes(pub(super) Vec<Change>);

impl Changes {
    /// Whether one of them led to a state in which callers are refused.
    pub(crate) fn opened(&self) -> bool {
        self.states().any(|to| to == State::Open)
    }

    /// The states that they led to.
    pub(crate) fn states(&self) -> impl Iterator<Item = State> {
        self.0.iter().map(|change| change.to)
    }
}

/// Acts on state changes. `Core::update` calls it with the lock free, and is the only
/// way to the machine: whoever finds a change, it cannot go unnoticed.
pub(super) type OnChange = Box<dyn Fn(Changes) + Send + Sync>;
