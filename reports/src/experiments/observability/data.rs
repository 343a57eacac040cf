//! What it records.

use serde::{Deserialize, Serialize};

use crate::run::{Contradiction, Run};

/// Everything counted twice, and what that costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Callers at once.
    pub callers: u32,
    /// Queries that were to be timed one by one.
    pub timed: u32,
    /// Pairs of windows for each part of observing.
    pub pairs: u32,
    /// How long a window was to last.
    pub window_us: u64,
    /// Queries a second in the histories that were weighed.
    pub busy_per_s: u32,
    /// Each fault, and first none.
    pub exams: Vec<Exam>,
    /// The histogram's quantiles beside the exact ones.
    pub quantiles: Vec<Quantile>,
    /// Throughput with parts of observing on and off, in the order in which it was measured.
    pub windows: Vec<Window>,
    /// What histories take when they are full.
    pub memory: Vec<MemoryOf>,
}

/// A fault under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exam {
    /// The name of the fault; `none` for load alone.
    pub fault: String,
    /// What happened, and what the metrics say of it.
    pub compared: Vec<Compared>,
    /// How often the metrics were scraped meanwhile.
    pub scrapes: u64,
    /// What contradicted itself in a scrape, or an earlier one: the first of them.
    pub contradictions: Vec<String>,
    /// Sessions, when all was over.
    pub sessions: Vec<Sessions>,
    /// Whether callers were served again before the end.
    pub served_again: bool,
    /// Whether every caller had its answer in time.
    pub callers_ended: bool,
}

/// Something that was counted twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What it is.
    pub what: String,
    /// How often it happened, as those know who were there.
    pub happened: u64,
    /// How often the metrics say it did.
    pub counted: u64,
}

/// The sessions of a pool, by three who know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// In `pg_stat_activity`.
    pub server: u64,
    /// As the pool says.
    pub pool: u64,
    /// Opened, less closed, by the metrics.
    pub counted: u64,
}

impl Sessions {
    /// Whether all three say the same.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.server == self.pool && self.pool == self.counted
    }
}

/// A quantile of times, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The share of all that is not above it.
    pub share: f64,
    /// Of the times themselves, by nearest rank.
    pub exact_us: u64,
    /// As the histogram has it.
    pub histogram_us: u64,
}

/// What is observed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// Counters alone, which are always there.
    Nothing,
    /// A history of an hour is kept.
    History,
    /// The metrics are scraped, twice a second.
    Scrapes,
    /// A dashboard is open.
    Dashboard,
    /// All of it.
    Everything,
}

impl Observed {
    /// What is compared with nothing.
    pub const PARTS: [Self; 4] = [
        Self::History,
        Self::Scrapes,
        Self::Dashboard,
        Self::Everything,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::History => "history",
            Self::Scrapes => "scrapes",
            Self::Dashboard => "dashboard",
            Self::Everything => "everything",
        }
    }
}

/// Callers that ask again as soon as they are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The number of the pair, among those of its part.
    pub pair: u32,
    /// The part that the pair is about.
    pub of: Observed,
    /// What was observed: that part, or nothing.
    pub with: Observed,
    /// Queries that were answered.
    pub queries: u64,
    /// How long it took.
    pub took_us: u64,
    /// The processor time that the process used meanwhile.
    pub cpu_us: u64,
}

/// What a history takes when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryOf {
    /// For how long it is kept.
    pub retention_minutes: u32,
    /// Its slots.
    pub slots: u64,
    /// What they take.
    pub bytes: u64,
    /// What they can take at most.
    pub bytes_most: u64,
}

pub(super) fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
    for (i, exam) in data.exams.iter().enumerate() {
        let planned = run.schedule.iter().any(|entry| entry.name == exam.fault);
        if !planned && exam.fault != "none" {
            let field = format!("exams[{i}].fault");
            let allowed = "a fault of the record's schedule";
            return Err(Contradiction::new(&field, &exam.fault, allowed));
        }
    }
    Ok(())
}
