//! What a run is, on disk: `record.json`.
//!
//! A record holds all that is needed to judge and to draw a run again, and
//! nothing that was already judged. Times are microseconds: on the run's clock
//! (zero when the environment was ready) where the field says so, else on the
//! injection's own clock (zero at its first scheduled operation).
//!
//! A reader refuses a schema that it does not know.

mod batch;
mod event;
mod fault;
mod file;
mod sweep;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    batch::{BatchSweep, Class, Condition, How, LeftOut, Mode, Round, Size, Slice, Truth},
    event::{Event, What},
    fault::{Fault, Planned, Span, Step, Stream},
    file::RecordError,
    sweep::{Alarm, AlarmSpan, Cell, Outage, ProbeMode, Run, Stretch, Sweep},
};

/// The version of the schema that this crate writes and reads.
pub const SCHEMA: u32 = 2;

/// One run of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// The experiment, as typed: `failure-sim`, `breaker-sweep`, `batch-sweep`.
    pub command: String,
    /// The seed that every draw of the run came from.
    pub seed: u64,
    /// When the run began, UTC, RFC 3339. A label: nothing is computed from it.
    pub started_utc: String,
    /// Where the run took place.
    pub environment: Environment,
    /// What the load and the definitions of the measures were.
    pub settings: Settings,
    /// The configurations under test, in the order they are reported in.
    pub arms: Vec<Arm>,
    /// The fault plan as the user gave it; `None` for the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The plan as drawn from the seed, before anything was started.
    pub schedule: Vec<Planned>,
    /// What happened: one entry for each fault and arm that was carried out.
    pub injections: Vec<Injection>,
    /// Planned faults that could not be carried out here, and why.
    pub skipped: Vec<Skipped>,
    /// What a sweep of breaker settings recorded; only there for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What a sweep of batch sizes recorded; only there for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<BatchSweep>,
    /// How the run ended.
    pub ended: Ended,
}

/// The machine, the server and the proxy of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `docker`, `local` or `external`.
    pub kind: String,
    /// `server_version` as PostgreSQL reports it.
    pub server_version: String,
    /// `embedded`, or `toxiproxy <version>`.
    pub proxy: String,
    /// Processors that the runner may use.
    pub cpus: u32,
    /// Build profile of the runner: `dev` or `release`.
    pub profile: String,
}

/// The load, and the constants that the measures are defined by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `quick`, `default` or `full`.
    pub size: String,
    /// Scheduled operations per second and arm, evenly spaced.
    pub rate_per_s: u32,
    /// D: what comes later than this after its scheduled arrival is not goodput.
    pub deadline_us: u64,
    /// Most operations of one arm under way at once; an arrival above is not sent.
    pub max_in_flight: u32,
    /// Share of operations that write to the ledger, 0..=1.
    pub write_share: f64,
    /// Availability and outage are taken from the injection until this long after
    /// the fault was gone, the same for every arm.
    pub horizon_us: u64,
    /// How long after the server took sessions again a recovery was waited for, at
    /// most.
    pub patience_us: u64,
    /// Least share of operations ok within D for a load that is served as it
    /// should be, 0..=1.
    pub steady_ok_share: f64,
    /// Greatest p99 latency for that.
    pub steady_p99_us: u64,
}

/// A configuration under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// `bare`, `guide` or `seawall`.
    pub name: String,
    /// What it is, in one sentence.
    pub about: String,
    /// The settings that tell it from the other arms, as text.
    pub config: BTreeMap<String, String>,
}

/// A planned fault that was not carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// What was not done: [`Planned::name`].
    pub fault: String,
    /// Why not, as a sentence for the user.
    pub reason: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    /// The whole plan was carried out.
    Complete,
    /// The user stopped it; what was measured until then is here.
    Interrupted,
    /// The load was not served well enough before a fault was to be injected.
    NoSteadyState {
        /// What was expected and what was seen.
        reason: String,
    },
    /// Something failed that is not the subject of the experiment.
    Failed {
        /// The error and its causes.
        reason: String,
    },
}

/// What one fault did to one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// Index into [`Record::schedule`].
    pub planned: usize,
    /// What was done: [`Planned::name`].
    pub fault: String,
    /// To which arm.
    pub arm: String,
    /// Zero of this injection's clock, on the run's clock.
    pub started_us: u64,
    /// Until here the arm warmed up; the baseline is from here to the injection.
    pub steady_us: u64,
    /// The fault was asked for; the baseline ends here.
    pub requested_us: u64,
    /// A direct probe saw the fault in effect.
    pub injected_us: u64,
    /// A direct probe saw the fault gone. For a crash: the server's process was
    /// back and answered, if only that it was starting.
    pub cleared_us: u64,
    /// A direct probe saw the server take sessions again. Later than `cleared_us`
    /// only where the server itself needed time, after a crash.
    pub ready_us: u64,
    /// The load ended.
    pub ended_us: u64,
    /// Each fault by itself; the first was in effect at `injected_us`, and none
    /// after `cleared_us`.
    pub spans: Vec<Span>,
    /// Why the load was not served as it should be at the end, by the same rule
    /// that was asked before the fault. `None` if it was.
    pub not_steady_after: Option<String>,
    /// Every operation that was scheduled.
    pub operations: Operations,
    /// The breaker's states, oldest first; the first entry is the state at the
    /// start. Empty for an arm without one.
    pub breaker: Vec<Transition>,
    /// What the arm did towards the server in `operations`.
    pub attempts: Attempts,
    /// What became of the writes. `None` if it could not be checked.
    pub ledger: Option<Ledger>,
}

/// All operations of an injection, by column. Operation `i` was scheduled at
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

/// A state of the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Admitting.
    Closed,
    /// Refusing.
    Open,
    /// Admitting a few, to find out.
    HalfOpen,
}

/// A change of the breaker's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// When, on the injection's clock.
    pub at_us: u64,
    /// The state from then on.
    pub state: BreakerState,
    /// Why, in words.
    pub reason: String,
}

/// What an arm sent towards the server, whether it arrived or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Statements handed to a connection.
    pub statements: u64,
    /// Connections that were tried, probes included.
    pub connects: u64,
}

/// The writes of an injection, checked on a fresh direct connection after it.
///
/// Acknowledged is a subset of committed is a subset of sent, or something is
/// broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Writes that may have been applied: acknowledged, or unknown.
    pub sent: u64,
    /// Writes that were answered without error.
    pub acked: u64,
    /// Distinct writes of this injection found in the table.
    pub committed: u64,
    /// Writes sent and not answered.
    pub unknown: u64,
    /// Of these: found in the table.
    pub unknown_committed: u64,
    /// Of these: not found.
    pub unknown_absent: u64,
    /// Acknowledged, and absent from the table.
    pub lost: u64,
    /// Rows beyond the first of their write.
    pub duplicate: u64,
    /// Rows in the table that were never sent, or were answered with an error or
    /// a rejection.
    pub unexpected: u64,
    /// Writes that one connection committed before another that had been
    /// acknowledged by the time they were begun.
    pub out_of_order: u64,
}

impl std::ops::AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.committed += other.committed;
        self.unknown += other.unknown;
        self.unknown_committed += other.unknown_committed;
        self.unknown_absent += other.unknown_absent;
        self.lost += other.lost;
        self.duplicate += other.duplicate;
        self.unexpected += other.unexpected;
        self.out_of_order += other.out_of_order;
    }
}
