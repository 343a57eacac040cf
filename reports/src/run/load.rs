//! The load that arms were under, and what became of its operations.

use serde::{Deserialize, Serialize};

use super::Contradiction;

/// What every arm was given to do, and when that counts as served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Scheduled operations per second and arm, evenly spaced.
    pub rate_per_s: u32,
    /// D: what comes later than this after its scheduled arrival is not goodput.
    pub deadline_us: u64,
    /// Most operations of one arm under way at once; an arrival above is not sent.
    pub max_in_flight: u32,
    /// Share of operations that write to the ledger, 0..=1.
    pub write_share: f64,
    /// Least share of operations ok within D for a load that is served as it
    /// should be, 0..=1.
    pub steady_ok_share: f64,
    /// Greatest p99 latency for that.
    pub steady_p99_us: u64,
}

/// All operations of an arm, by column. Operation `i` was scheduled at
/// `i * 1_000_000 / rate_per_s`; all columns have one entry per operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// One character each: `r` a read, `w` a ledger write.
    pub kinds: String,
    /// One character each, see [`Outcome::letter`].
    pub outcomes: String,
    /// From scheduled arrival to answer; for one never answered, until it was
    /// given up; for one never sent, zero.
    pub latencies_us: Vec<u64>,
    /// From scheduled arrival until the arm was called: the generator's own delay,
    /// which is part of the latency. Zero for one never sent or never answered.
    pub lags_us: Vec<u64>,
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
        let unknown = |c: &char| Outcome::from_letter(*c).is_none();
        if let Some(c) = self.outcomes.chars().find(unknown) {
            let value = format!("{c:?}");
            return invalid("operations.outcomes", value, "one of o f r t u n");
        }
        if let Some(c) = self.kinds.chars().find(|c| !matches!(c, 'r' | 'w')) {
            return invalid("operations.kinds", format!("{c:?}"), "one of r w");
        }
        Ok(())
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
