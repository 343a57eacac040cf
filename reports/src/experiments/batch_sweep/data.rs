//! What it records.
//!
//! A condition is one class of query, at one round-trip time, with one commit mode.
//! In each of its rounds every batch size has its slice, in random order, and a bare
//! client that runs one query at a time has two, so that each ratio is of slices of the
//! same round, and the ratio of those two is the noise that any ratio has (A/A). Beside
//! each of those two is one of the engine, one query at a time as well.

use serde::{Deserialize, Serialize};

use crate::run::{Contradiction, Ledger};

/// A sweep of batch sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The classes of queries, in the order they are reported in.
    pub classes: Vec<Class>,
    /// What was carried out: by class, round-trip time and commit mode.
    pub conditions: Vec<Condition>,
}

/// A class of queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// `small-events`, `user-data`, `joins`, `updates`, or the name of the user's file.
    pub name: String,
    /// What it is, in one sentence.
    pub about: String,
    /// Its statements.
    pub statements: Vec<String>,
    /// Whether they write: only then is there a commit to wait for.
    pub writes: bool,
    /// Whether its statements are one transaction of the user's, which no batch cuts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transaction: bool,
    /// The batch size that the guide recommends for it. `None` for the user's own.
    pub guide_batch: Option<u32>,
}

/// How a pipeline sends a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each statement is a transaction of its own: the guide's `best_effort`.
    Autocommit,
    /// A batch is one transaction and is confirmed as one: group commit, or
    /// `transactional`.
    OneTransaction,
    /// A batch of reads, asked for as one.
    Reads,
}

impl Mode {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Autocommit => "autocommit",
            Self::OneTransaction => "one transaction",
            Self::Reads => "reads",
        }
    }
}

/// How many queries a batch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// So many.
    Fixed(u32),
    /// As many as the pipeline finds right.
    Auto,
}

/// How the queries of a slice were run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// One at a time through a bare client of tokio-postgres, prepared once and each
    /// answered before the next: what the guide starts from, and what everything is
    /// compared with. Records made before there was one have none, and are compared with
    /// [`Sequential`](Self::Sequential).
    Bare,
    /// The same through the engine.
    Sequential,
    /// Through a pipeline.
    Pipelined {
        /// How a batch is sent.
        mode: Mode,
        /// How long it is.
        size: Size,
    },
}

/// One class under one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the class.
    pub class: String,
    /// Round-trip time that the proxy was asked to add; 0 for none.
    pub rtt_us: u64,
    /// Round-trip time that was there: the median of empty queries through the proxy.
    pub measured_rtt_us: u64,
    /// `synchronous_commit`: whether a commit waits for the disk.
    pub synchronous_commit: bool,
    /// The rounds, as they were carried out.
    pub rounds: Vec<Round>,
    /// What the server counted, once for each way of running the queries.
    pub truth: Vec<Truth>,
    /// Ways that were not tried here, and why.
    pub left_out: Vec<LeftOut>,
    /// Rows that were acknowledged, and those found in the end on a fresh connection.
    /// `None` if nobody looked: of a class that makes none, or if it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
}

/// Every way once, and one at a time twice, with the bare client and with ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// In the order they were taken.
    pub slices: Vec<Slice>,
}

/// A stretch of queries, all run the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// How.
    pub how: How,
    /// Queries that were run.
    pub queries: u64,
    /// Of these: that failed.
    pub failed: u64,
    /// All of them together took this long.
    pub took_us: u64,
    /// Median of the time from adding a query to its result.
    pub p50_us: u64,
    /// 99th percentile of it.
    pub p99_us: u64,
    /// Mean number of queries in a batch, as it was sent.
    pub mean_batch: f64,
}

/// What the server counted while a known number of queries was run one way, outside
/// of any measured slice. A counter that this server does not have is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// How.
    pub how: How,
    /// Queries that were run.
    pub queries: u64,
    /// Sync messages that were sent: times that the server was asked for an answer.
    pub syncs: u64,
    /// Transactions committed (`pg_stat_database`).
    pub commits: Option<u64>,
    /// WAL written, in bytes (`pg_current_wal_insert_lsn`).
    pub wal_bytes: Option<u64>,
    /// Times that WAL was flushed to disk (`pg_stat_wal`).
    pub fsyncs: Option<u64>,
}

/// A way that was not tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// How.
    pub how: How,
    /// Why not, as a sentence for the user.
    pub reason: String,
}

/// Checks what every reader relies on: classes that exist, and numbers that can be.
pub(super) fn check(data: &Data) -> Result<(), Contradiction> {
    let invalid =
        |field: String, value: String, allowed| Err(Contradiction::new(field, value, allowed));
    for (i, condition) in data.conditions.iter().enumerate() {
        let at = |field: &str| format!("conditions[{i}].{field}");
        if !data.classes.iter().any(|c| c.name == condition.class) {
            return invalid(at("class"), condition.class.clone(), "one of the classes");
        }
        for slice in condition.rounds.iter().flat_map(|round| &round.slices) {
            if slice.took_us == 0 {
                return invalid(at("took_us"), "0".to_owned(), "1 or more");
            }
            if slice.failed > slice.queries {
                let value = format!("{} of {}", slice.failed, slice.queries);
                return invalid(at("failed"), value, "at most all queries");
            }
            if !slice.mean_batch.is_finite() || slice.mean_batch < 0.0 {
                let value = slice.mean_batch.to_string();
                return invalid(at("mean_batch"), value, "a number from 0 on");
            }
        }
    }
    Ok(())
}
