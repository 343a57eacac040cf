//! What it records.

use serde::{Deserialize, Serialize};

use crate::run::{Injection, Load};

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
}
