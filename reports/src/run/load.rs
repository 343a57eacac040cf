//! The load that arms were under, and what became of its operations.

use serde::{Deserialize, Serialize};

use super::Contradiction;

/// What every arm was given to do, and when that counts as served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Scheduled operations per second and arm, evenly spaced. Without meaning in a closed loop.
    pub rate_per_s: u32,
    /// Callers of a closed loop: each asks again as soon as it is answered. `None` in an open
    /// one, where operations arrive whether or not earlier ones were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
    /// D: what comes later than this after its scheduled arrival is not goodput.
    pub deadline_us: u64,
    /// Most operations of one arm under way at once; an arrival above is not sent.
    pub max_in_flight: u32,
    /// Share of operations that write to the ledger in a statement of their own, 0..=1.
    pub write_share: f64,
    /// What there is beside plain reads and writes.
    #[serde(default)]
    pub mix: Mix,
    /// What callers do about an operation that takes long or fails.
    #[serde(default, skip_serializing_if = "Callers::take_what_comes")]
    pub callers: Callers,
    /// Least share of operations ok within D for a load that is served as it
    /// should be, 0..=1.
    pub steady_ok_share: f64,
    /// Greatest p99 latency for that.
    pub steady_p99_us: u64,
}

/// What callers do about an operation that takes long or fails. As it is by default, they
/// wait for as long as the pool lets them, and ask once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Callers {
    /// How often they try again, at once, after a try that failed.
    pub retries: u32,
    /// How long they wait for each try before they hang up, in us. `None`: as long as the
    /// pool lets them.
    pub patience_us: Option<u64>,
}

impl Callers {
    fn take_what_comes(&self) -> bool {
        *self == Self::default()
    }
}

/// What a service does beside plain reads and writes. Shares are of all operations,
/// 0..=1; what no share takes is a read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mix {
    /// Transactions of several statements that are committed.
    pub transactions: f64,
    /// Transactions that are not committed: rolled back, or left open by a caller that
    /// returned early.
    pub rollbacks: f64,
    /// Transactions in which a statement fails, and that go back to a savepoint and are
    /// committed.
    pub savepoints: f64,
    /// Transactions that all update one and the same row.
    pub hot_rows: f64,
    /// Statements that fail by a mistake of the caller's: the server refuses a key that is
    /// there already. They come eight in a row.
    pub mistakes: f64,
    /// Queries that hold their session on the server for a fixed time.
    pub holds: f64,
    /// What runs beside the operations: bursts of slow queries that use every connection,
    /// callers that give up, and imports.
    pub beside: bool,
}

/// All operations of an arm, by column. Operation `i` was scheduled at
/// `i * 1_000_000 / rate_per_s`, in an open loop; all columns have one entry per operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// One character each, see [`Kind::letter`].
    pub kinds: String,
    /// One character each, see [`Outcome::letter`].
    pub outcomes: String,
    /// From scheduled arrival to answer; for one never answered, until it was
    /// given up; for one never sent, zero.
    pub latencies_us: Vec<u64>,
    /// From scheduled arrival until the arm was called: the generator's own delay,
    /// which is part of the latency. Zero for one never sent or never answered.
    pub lags_us: Vec<u64>,
    /// When each was scheduled, in a closed loop: when its caller was free for it. Empty in an
    /// open one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub due_us: Vec<u64>,
}

impl Operations {
    /// Checks what every reader relies on: columns of one length, known letters.
    ///
    /// # Errors
    /// Names the first column that does not hold.
    pub fn check(&self) -> Result<(), Contradiction> {
        let invalid =
            |field, value: String, allowed| Err(Contradiction::new(field, value, allowed));
        let n = self.latencies_us.len();
        if self.kinds.len() != n || self.outcomes.len() != n || self.lags_us.len() != n {
            let value = format!(
                "{} kinds, {} outcomes, {n} latencies, {} lags",
                self.kinds.len(),
                self.outcomes.len(),
                self.lags_us.len()
            );
            return invalid("operations", value, "columns of one length");
        }
        if !self.due_us.is_empty() && self.due_us.len() != n {
            let value = format!("{} moments of {n} operations", self.due_us.len());
            return invalid(
                "operations.due_us",
                value,
                "none, or one for each operation",
            );
        }
        let unknown = |c: &char| Outcome::from_letter(*c).is_none();
        if let Some(c) = self.outcomes.chars().find(unknown) {
            let value = format!("{c:?}");
            return invalid("operations.outcomes", value, "one of o f r t u n");
        }
        let unknown = |c: &char| Kind::from_letter(*c).is_none();
        if let Some(c) = self.kinds.chars().find(unknown) {
            return invalid(
                "operations.kinds",
                format!("{c:?}"),
                "one of r w t b s h m d, or a digit or capital of a script",
            );
        }
        Ok(())
    }
}

/// When operation `index` was scheduled, on the clock of the load.
pub(crate) fn scheduled_us(index: usize, rate_per_s: u32) -> u64 {
    index as u64 * 1_000_000 / u64::from(rate_per_s.max(1))
}

/// What became of one operation, on the clock of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What the operation did.
    pub kind: Kind,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was scheduled.
    pub due_us: u64,
    /// When it was answered, or given up.
    pub end_us: u64,
    /// How long the arm took: the generator's own delay is not in it.
    pub took_us: u64,
}

impl Answer {
    /// Whether it failed, other than by being refused. Of these a breaker counts those that
    /// tell of the server.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.outcome.failed()
    }
}

impl Operations {
    /// All of them one by one, in the order in which they were scheduled, that many a second.
    pub fn answers(&self, rate_per_s: u32) -> impl Iterator<Item = Answer> {
        let letters = self.kinds.chars().zip(self.outcomes.chars());
        let times = self.latencies_us.iter().zip(&self.lags_us);
        let all = letters.zip(times).enumerate();
        all.filter_map(move |(i, ((kind, outcome), (latency_us, lag_us)))| {
            let due_us = self.due_us.get(i).copied();
            let due_us = due_us.unwrap_or_else(|| scheduled_us(i, rate_per_s));
            Some(Answer {
                kind: Kind::from_letter(kind)?,
                outcome: Outcome::from_letter(outcome)?,
                due_us,
                end_us: due_us.saturating_add(*latency_us),
                took_us: latency_us.saturating_sub(*lag_us),
            })
        })
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reads some rows by their keys, and checks what is in them.
    Read,
    /// Writes a row to the ledger.
    Write,
    /// Updates a row, reads it back and writes to the ledger, in one transaction.
    Transaction,
    /// Writes to the ledger in a transaction that is never committed.
    Rollback,
    /// Writes to the ledger in a transaction, fails with a second statement, goes back to
    /// a savepoint, and commits.
    Savepoint,
    /// Counts a row up that others count up as well, and writes to the ledger, in one
    /// transaction.
    HotRow,
    /// Inserts a key that is there already. It is well if the server says so.
    Mistake,
    /// Holds a session on the server for a fixed time, and returns a number.
    Hold,
    /// Runs one of the user's own scripts, by its place in [`Run::scripts`](super::Run).
    Script(u8),
}

/// The characters that stand for scripts, by their place.
const SCRIPTS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Most scripts that a run can tell apart.
pub const MOST_SCRIPTS: usize = SCRIPTS.len();

impl Kind {
    /// All kinds but scripts.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Write,
        Self::Transaction,
        Self::Rollback,
        Self::Savepoint,
        Self::HotRow,
        Self::Mistake,
        Self::Hold,
    ];

    /// The character that stands for it in [`Operations::kinds`].
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Read => 'r',
            Self::Write => 'w',
            Self::Transaction => 't',
            Self::Rollback => 'b',
            Self::Savepoint => 's',
            Self::HotRow => 'h',
            Self::Mistake => 'm',
            Self::Hold => 'd',
            Self::Script(place) => SCRIPTS.chars().nth(place.into()).unwrap_or('0'),
        }
    }

    /// The kind that a character stands for.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        let script = || {
            let place = SCRIPTS.chars().position(|c| c == letter)?;
            u8::try_from(place).ok().map(Self::Script)
        };
        let kind = Self::ALL.into_iter().find(|kind| kind.letter() == letter);
        kind.or_else(script)
    }

    /// Whether it leaves a row in the ledger, if it is done.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::Write | Self::Transaction | Self::Savepoint | Self::HotRow
        )
    }
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered, without error.
    Ok,
    /// Answered with an error, or failed before anything was sent.
    Failed,
    /// Refused by breaker or pool; never sent.
    Rejected,
    /// The caller's deadline passed; nothing was changed by it.
    TimedOut,
    /// A write was sent and not answered: it may or may not have been applied.
    Unknown,
    /// The load generator was at its bound of operations in flight.
    NotSent,
}

impl Outcome {
    /// All outcomes, in the order they are reported and stacked in.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Failed,
        Self::Rejected,
        Self::TimedOut,
        Self::Unknown,
        Self::NotSent,
    ];

    /// The character that stands for it in [`Operations::outcomes`].
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Ok => 'o',
            Self::Failed => 'f',
            Self::Rejected => 'r',
            Self::TimedOut => 't',
            Self::Unknown => 'u',
            Self::NotSent => 'n',
        }
    }

    /// The outcome that a character stands for.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.letter() == letter)
    }

    /// Whether it is a failure, and no refusal.
    #[must_use]
    pub fn failed(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Unknown)
    }

    /// How it is called in a legend.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed out",
            Self::Unknown => "unknown",
            Self::NotSent => "not sent",
        }
    }
}

/// What one arm did beside its operations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Calls that took long on the server, calls of a second pool, and callers that gave up.
    pub calls: Vec<Call>,
    /// Rows that were brought in batch by batch.
    pub imports: Vec<Import>,
    /// What the breaker of the second pool did, oldest first. Empty for a pool without one.
    #[serde(default)]
    pub quiet_breaker: Vec<super::Transition>,
}

/// A call beside the operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// What it was.
    pub what: CallKind,
    /// When it began, on the clock of the load.
    pub at_us: u64,
    /// How long it took, or until the load ended without an answer to it.
    pub latency_us: u64,
    /// What became of it; a caller that gave up as it meant to is ok.
    pub outcome: Outcome,
}

/// What a call beside the operations does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// One of a burst of queries that takes every connection of the pool for some
    /// milliseconds, and leaves all of them idle.
    Slow,
    /// One of several queries at once through a second pool, which has all its connections
    /// and uses them seldom.
    Quiet,
    /// One of far more queries through the second pool than it has connections for, before
    /// any fault.
    Flood,
    /// A caller with a time-out of its own, shorter than its query.
    GivesUp,
    /// The same, in the middle of a transaction that has written.
    GivesUpInTransaction,
}

/// What records of before took, and did not say.
fn ten() -> usize {
    10
}

/// Rows that an arm brought in batch by batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// How: a strategy of the pipeline, or `one-transaction` where there is none.
    pub strategy: String,
    /// How many records it brings in at once.
    #[serde(default = "ten")]
    pub batch: usize,
    /// What was said of each record, in their order, see [`Outcome::letter`].
    pub outcomes: String,
    /// What is there of it. `None` if it could not be checked.
    pub ledger: Option<super::Ledger>,
}
