//! What one fault did to one arm, as it was recorded.

use serde::{Deserialize, Serialize};

use super::{Beside, Contradiction, Operations, Run, Span};

/// What one fault did to one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// Index into [`Run::schedule`].
    pub planned: usize,
    /// What was done: [`Planned::name`](super::Planned::name).
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
    /// The part of it from when the fault was in effect until it was gone. `None` if nobody
    /// looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_down: Option<Attempts>,
    /// Sessions of the arm as the server counts them, oldest first. Empty if nobody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionCount>,
    /// What ran beside the operations. `None` if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// What became of the writes. `None` if it could not be checked.
    pub ledger: Option<Ledger>,
}

/// How many sessions of an arm the server had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCount {
    /// When it was asked, on the injection's clock.
    pub at_us: u64,
    /// How many there were.
    pub sessions: u32,
    /// How many of them were running a query whose caller had given up a good while ago.
    #[serde(default)]
    pub orphans: u32,
}

impl Injection {
    /// When the circuit opened for the first time since the fault was asked for.
    #[must_use]
    pub fn opened_us(&self) -> Option<u64> {
        let mut opens = self
            .breaker
            .iter()
            .filter(|t| t.state == BreakerState::Open);
        let opened = opens.find(|t| t.at_us >= self.requested_us)?;
        Some(opened.at_us)
    }

    /// Checks what every reader relies on: columns of one length, known letters,
    /// times in order, indices and names that exist.
    ///
    /// # Errors
    /// Names the first field that does not hold.
    pub fn check(&self, run: &Run) -> Result<(), Contradiction> {
        let invalid =
            |field, value: String, allowed| Err(Contradiction::new(field, value, allowed));
        self.operations.check()?;
        let times = [
            self.steady_us,
            self.requested_us,
            self.injected_us,
            self.cleared_us,
            self.ready_us,
            self.ended_us,
        ];
        if !times.is_sorted() {
            let allowed = "steady, requested, injected, cleared, ready and ended follow each other";
            return invalid("injected_us", format!("{times:?}"), allowed);
        }
        if self.planned >= run.schedule.len() {
            let value = self.planned.to_string();
            return invalid("planned", value, "an index into the schedule");
        }
        if !run.arms.iter().any(|arm| arm.name == self.arm) {
            return invalid("arm", self.arm.clone(), "one of the arms of the record");
        }
        Ok(())
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
    /// Rows that were read, or should have been, and were checked.
    #[serde(default)]
    pub reads: u64,
    /// Of these: older than what was acknowledged before the read began.
    #[serde(default)]
    pub stale_reads: u64,
    /// Of these: of another key than was asked for, or with a content that nobody wrote.
    #[serde(default)]
    pub foreign_reads: u64,
    /// Of these: not in the answer.
    #[serde(default)]
    pub missing_reads: u64,
}

impl Ledger {
    /// Answers that were wrong.
    #[must_use]
    pub fn wrong_reads(&self) -> u64 {
        self.stale_reads + self.foreign_reads + self.missing_reads
    }
}

impl std::iter::Sum for Ledger {
    fn sum<I: Iterator<Item = Self>>(ledgers: I) -> Self {
        ledgers.fold(Self::default(), |mut sum, ledger| {
            sum += ledger;
            sum
        })
    }
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
        self.reads += other.reads;
        self.stale_reads += other.stale_reads;
        self.foreign_reads += other.foreign_reads;
        self.missing_reads += other.missing_reads;
    }
}
