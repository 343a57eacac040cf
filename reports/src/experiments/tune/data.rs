//! What it records.

use serde::{Deserialize, Serialize};

use crate::{
    experiment::Experiment as _,
    experiments::{
        batch_sweep::{self, BatchSweep},
        breaker_sweep::{self, BreakerSweep},
    },
    run::{Contradiction, Ledger, Load, Run},
};

/// What was measured for a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What all of it may take, with the start of the server and its end.
    pub budget_us: u64,
    /// So much of it is kept for taking the server down.
    pub kept_us: u64,
    /// From the command until everything was measured. `None` if it did not come so far.
    pub took_us: Option<u64>,
    /// What each part took, in their order.
    pub spent: Vec<Spent>,
    /// How large a pool is to be.
    pub pool: Box<Pool>,
    /// How large a batch is to be.
    pub batch: Batch,
    /// Which breaker settings: the arms of the record that are cells, and its whole schedule.
    pub breaker: Box<breaker_sweep::Data>,
}

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Pools of different sizes.
    PoolSize,
    /// All batch sizes, a few rounds each.
    BatchSizes,
    /// The better half of them, on a fresh seed.
    BatchSizesAgain,
    /// Breaker settings.
    Breaker,
}

impl Part {
    /// All, in the order in which they are carried out.
    pub const ALL: [Self; 4] = [
        Self::PoolSize,
        Self::BatchSizes,
        Self::BatchSizesAgain,
        Self::Breaker,
    ];

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PoolSize => "pool size",
            Self::BatchSizes => "batch sizes, all of them",
            Self::BatchSizesAgain => "batch sizes, the better half on a fresh seed",
            Self::Breaker => "circuit breaker",
        }
    }
}

/// What a part took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Which.
    pub part: Part,
    /// What it was given.
    pub share_us: u64,
    /// What it took.
    pub took_us: u64,
}

/// Pools of different sizes, in turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// What each was given to do: a closed loop.
    pub load: Load,
    /// How long a window is.
    pub length_us: u64,
    /// The sizes, the smallest first.
    pub candidates: Vec<Candidate>,
    /// The most connections that the server left for a pool. `None` if nobody asked.
    pub most: Option<u32>,
    /// What was measured, a window of each candidate that was left, in the order taken.
    pub rounds: Vec<Round>,
    /// Candidates that were given up.
    pub dropped: Vec<Dropped>,
}

/// A pool size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name among the arms.
    pub arm: String,
    /// `max_connections`.
    pub connections: u32,
}

/// One window of each candidate that was left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The windows, as they were taken.
    pub windows: Vec<Window>,
}

/// What a pool did for a moment, once it had its connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// `max_connections`.
    pub connections: u32,
    /// How long it was.
    pub length_us: u64,
    /// Operations that were answered in it without error.
    pub ok: u64,
    /// Operations that ended in it otherwise.
    pub failed: u64,
    /// Median latency of those that were answered, from when the caller asked.
    pub p50_us: u64,
    /// Their 99th percentile.
    pub p99_us: u64,
    /// What became of its writes. `None` if nobody could look.
    pub ledger: Option<Ledger>,
}

impl Window {
    /// Operations a second.
    #[must_use]
    pub fn rate_per_s(&self) -> f64 {
        self.ok as f64 * 1e6 / self.length_us.max(1) as f64
    }
}

/// A candidate that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// `max_connections`.
    pub connections: u32,
    /// After so many rounds.
    pub after: usize,
}

/// Two runs of batch sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Scripts of the user's of which no batches can be made.
    pub unmeasured: Vec<Unmeasured>,
    /// All sizes.
    pub coarse: batch_sweep::Data,
    /// The better half of them, with another seed. `None` if it did not come so far.
    pub refined: Option<batch_sweep::Data>,
}

/// What was not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unmeasured {
    /// The script.
    pub script: String,
    /// Why not.
    pub reason: String,
}

impl Data {
    /// What became of all writes together.
    pub(super) fn ledger(&self) -> Ledger {
        let refined = self.batch.refined.iter().map(BatchSweep::ledger);
        let pools = self.ledgers().into_iter().flatten();
        let rest = [
            BatchSweep::ledger(&self.batch.coarse),
            BreakerSweep::ledger(&self.breaker),
        ];
        pools.chain(refined).chain(rest).sum()
    }

    /// Of each window of a pool.
    fn ledgers(&self) -> Vec<Option<Ledger>> {
        let windows = self.pool.rounds.iter().flat_map(|round| &round.windows);
        windows.map(|window| window.ledger).collect()
    }

    /// Of each part under load whose writes are known: windows and cells.
    pub(super) fn checked(&self) -> Vec<Option<Ledger>> {
        let stretches = self.breaker.stretches.iter();
        let cells = stretches.flat_map(|stretch| &stretch.runs);
        let mut all = self.ledgers();
        all.extend(cells.map(|cell| cell.ledger));
        all
    }
}

/// The run as its breaker settings alone would have it.
pub(super) fn of_breaker(run: &Run, data: &Data) -> Run {
    let is_cell = |name: &String| data.breaker.cells.iter().any(|cell| cell.arm == *name);
    let mut run = run.clone();
    run.arms.retain(|arm| is_cell(&arm.name));
    run
}

pub(super) fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
    for (i, candidate) in data.pool.candidates.iter().enumerate() {
        if run.arms.iter().all(|arm| arm.name != candidate.arm) {
            let field = format!("pool.candidates[{i}].arm");
            let allowed = "one of the arms of the record";
            return Err(Contradiction::new(field, &candidate.arm, allowed));
        }
    }
    for (i, round) in data.pool.rounds.iter().enumerate() {
        for (n, window) in round.windows.iter().enumerate() {
            let at = |field: &str| format!("pool.rounds[{i}].windows[{n}].{field}");
            let mut candidates = data.pool.candidates.iter();
            if candidates.all(|candidate| candidate.connections != window.connections) {
                let (field, allowed) = (at("connections"), "that of a candidate");
                let value = window.connections.to_string();
                return Err(Contradiction::new(field, value, allowed));
            }
            if window.length_us == 0 {
                return Err(Contradiction::new(at("length_us"), "0", "1 or more"));
            }
        }
    }
    let within = |path: &'static str| move |found: Contradiction| found.within(path);
    BatchSweep::check(run, &data.batch.coarse).map_err(within("batch.coarse"))?;
    if let Some(refined) = &data.batch.refined {
        BatchSweep::check(run, refined).map_err(within("batch.refined"))?;
    }
    BreakerSweep::check(&of_breaker(run, data), &data.breaker).map_err(within("breaker"))
}
