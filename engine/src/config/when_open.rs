//! [`WhenOpen`] and [`WaitOrder`]: what becomes of callers that come while the circuit is open.

use serde::{Deserialize, Serialize};

/// What becomes of a caller that comes while the circuit is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenOpen {
    /// It is refused at once: for who has something else to answer with, such as a cache.
    Refuse,
    /// It waits for the circuit to close, without a connection, for as long as its deadline
    /// leaves time for a normal answer: for who has nothing else to answer with.
    Wait,
}

/// The order in which those who wait are served, from when the circuit has closed until nobody
/// waits any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitOrder {
    /// Who came first.
    FirstCome,
    /// Who came last: it has the most time left.
    NewestFirst,
}
