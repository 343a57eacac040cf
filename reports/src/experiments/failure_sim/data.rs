//! What it records.

use serde::{Deserialize, Serialize};

use crate::run::{Injection, Ledger, Load};

/// Faults under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What every arm was given to do.
    pub load: Load,
    /// Availability and outage are taken from the injection until this long after
    /// the fault was gone, the same for every arm.
    pub horizon_us: u64,
    /// How long after the server took sessions again a recovery was waited for, at
    /// most.
    pub patience_us: u64,
    /// What happened: one entry for each fault and arm that was carried out.
    pub injections: Vec<Injection>,
    /// Arms that were not served before a fault while those without the engine were. The
    /// run ends with the first.
    #[serde(default)]
    pub unserved: Vec<Unserved>,
    /// How many rounds there are of windows without faults.
    #[serde(default)]
    pub rounds: u32,
    /// Windows without faults, in the order in which they were measured: one arm at a time,
    /// a query at a time.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// What was wrong with the answers in the windows of each arm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub window_answers: Vec<(String, Ledger)>,
}

/// An arm that was not served although nothing was wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unserved {
    /// The arm.
    pub arm: String,
    /// What was expected, and what was seen.
    pub reason: String,
    /// How often its circuit opened meanwhile.
    pub opened: u32,
}

/// One arm for some tenths of a second, a query at a time, without any fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The arm.
    pub arm: String,
    /// Which round it belongs to: each arm has one window in each.
    pub round: u32,
    /// Queries that were answered without error.
    pub queries: u64,
    /// Queries that were not.
    pub failed: u64,
    /// Median of their latency.
    pub p50_us: u64,
    /// 99th percentile of it.
    pub p99_us: u64,
    /// Processor time of the whole runner meanwhile: nothing else runs in it.
    pub cpu_us: u64,
    /// Memory of the runner at the end, and when that was counted, resident, in bytes.
    pub resident_bytes: u64,
    /// What the pool counted of all that was asked of it in the window and right behind it,
    /// and what there was to be counted. `None` for a pool that counts nothing, and where a
    /// query failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// What a pool's own metrics say, beside what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Queries that were handed to a connection, those of a pipeline one by one.
    pub queries: Side,
    /// Calls that failed, by whoever's fault.
    pub errors: Side,
    /// Queries that were timed.
    pub timed: Side,
    /// Queries of a pipeline that were said to be done.
    pub piped: Side,
    /// How long the window's own queries took together, in us: as they were timed, and as the
    /// caller saw it.
    pub took_us: Side,
}

/// A quantity on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// By the pool's metrics.
    pub metrics: u64,
    /// As it was.
    pub known: u64,
}
