//! What it records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{Attempts, Contradiction, Ledger, Load, Operations, Run};

/// Load without any fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What every arm was given to do.
    pub load: Load,
    /// How long each stretch was to last.
    pub length_us: u64,
    /// How often each arm was to have its turn.
    pub rounds: u32,
    /// What was carried out, in its order.
    pub stretches: Vec<Stretch>,
}

/// A stretch of load through one arm, with the server to itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// The arm.
    pub arm: String,
    /// Zero of its clock, on the run's clock.
    pub started_us: u64,
    /// From here on, on its own clock, it is measured: until then it warmed up.
    pub steady_us: u64,
    /// Every operation that was scheduled.
    pub operations: Operations,
    /// What the arm did towards the server.
    pub attempts: Attempts,
    /// What the pool itself counted, by name. Empty for a pool that counts nothing.
    pub pool: BTreeMap<String, u64>,
    /// What the server counted meanwhile. `None` if it could not be asked.
    pub server: Option<ServerCounts>,
    /// What became of the writes. `None` if it could not be checked.
    pub ledger: Option<Ledger>,
}

/// What the server counted over a stretch, in `pg_stat_database`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCounts {
    /// Transactions that were committed.
    pub commits: u64,
    /// Transactions that were rolled back.
    pub rollbacks: u64,
    /// Blocks that were found in its buffers.
    pub blocks_hit: u64,
    /// Blocks that were read.
    pub blocks_read: u64,
    /// Sessions of the load, at the end of the stretch.
    pub sessions: u64,
}

pub(super) fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
    for (i, stretch) in data.stretches.iter().enumerate() {
        let at = format!("stretches[{i}]");
        if run.arms.iter().all(|arm| arm.name != stretch.arm) {
            let (field, allowed) = (format!("{at}.arm"), "one of the arms of the record");
            return Err(Contradiction::new(field, &stretch.arm, allowed));
        }
        let checked = stretch.operations.check();
        checked.map_err(|found| found.within(&at))?;
    }
    Ok(())
}
