//! What it records, beside what every run does.
//!
//! All cells of the grid run at once, each a pool of its own with the same small
//! load, through the same outages: what is compared between two cells is the same
//! fault, at the same moment, for the same time. So there is one column of
//! operations a cell for a whole stretch of outages, not one an outage.
//!
//! Times are microseconds on the clock of the stretch (zero at its first scheduled
//! operation), as measured; what the guide gives in seconds stands here as it is in
//! the guide, and was divided by [`Data::scale`] before it was run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{Attempts, Contradiction, Ledger, Load, Operations, Outcome, Run, Transition};

/// A sweep of breaker settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What every cell was given to do.
    pub load: Load,
    /// How long after the server took sessions again a cell was waited for, at most.
    pub patience_us: u64,
    /// What the guide's times (recovery timeouts, and the 10 to 30 s that it claims)
    /// were divided by. The engine's probe intervals and deadlines were not.
    pub scale: u32,
    /// A cell is back at the first operation from which on almost all are good for
    /// so long.
    pub settled_us: u64,
    /// The grid, in the order of [`Run::arms`].
    pub cells: Vec<Cell>,
    /// So many entries of the schedule, its first, are outages for all cells. The
    /// next one is the stall of the false alarms; the rest are fresh outages, for
    /// the cell that came out best and for the guide's week 2.
    pub outages: usize,
    /// What was carried out: the sweep, and its confirmation.
    pub stretches: Vec<Stretch>,
}

/// Settings of a breaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name among [`Run::arms`].
    pub arm: String,
    /// `circuit_breaker_failure_threshold`.
    pub failure_threshold: u32,
    /// `circuit_breaker_recovery_timeout`, as it would be shipped: not divided.
    pub recovery_timeout_us: u64,
    /// `circuit_breaker_error_rate`, 0..=1.
    pub error_rate: f64,
    /// `circuit_breaker_probe`.
    pub probe: ProbeMode,
    /// Which of the guide's three weeks these settings are, if they are one.
    pub week: Option<u8>,
}

/// How an open breaker learns that the server is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeMode {
    /// The guide's: callers find out, after the recovery timeout.
    Passive,
    /// The pool asks by itself.
    Active,
}

impl ProbeMode {
    /// As in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Active => "active",
        }
    }
}

/// A stretch of load without a pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Whether this is the confirmation, with outages that nothing was chosen by.
    pub fresh: bool,
    /// Zero of its clock, on the run's clock.
    pub started_us: u64,
    /// From here on every cell was served as it should be.
    pub steady_us: u64,
    /// The load ended.
    pub ended_us: u64,
    /// What a breaker must not open for, one after another, before the outages.
    pub alarms: Vec<AlarmSpan>,
    /// The outages, in their order.
    pub outages: Vec<Outage>,
    /// The cells.
    pub runs: Vec<CellRun>,
}

/// Something that looks like trouble, on a server that is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// Statements that violate a constraint (23505).
    Constraint,
    /// Transactions that conflict or deadlock (40001, 40P01).
    Conflict,
    /// More callers than connections.
    Saturation,
    /// Answers that come 200 ms late for a moment.
    Stall,
}

impl Alarm {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [
        Self::Constraint,
        Self::Conflict,
        Self::Saturation,
        Self::Stall,
    ];

    /// What it is, for people.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Constraint => "constraint violations",
            Self::Conflict => "serialization conflicts and deadlocks",
            Self::Saturation => "a saturated pool",
            Self::Stall => "a stall of 200 ms",
        }
    }
}

/// When a false alarm was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmSpan {
    /// Which.
    pub kind: Alarm,
    /// From here ...
    pub began_us: u64,
    /// ... to here, with what it leaves in the queues.
    pub ended_us: u64,
}

/// When an outage was what, by a direct probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Index into [`Run::schedule`].
    pub planned: usize,
    /// It was asked for.
    pub requested_us: u64,
    /// It was seen in effect.
    pub injected_us: u64,
    /// It was seen gone.
    pub cleared_us: u64,
    /// The server was seen to take sessions again.
    pub ready_us: u64,
    /// Every cell was back, or was not waited for any longer. What an outage costs
    /// is counted until here, for all cells.
    pub until_us: u64,
}

/// What one cell did in a stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRun {
    /// The cell.
    pub arm: String,
    /// Every operation that was scheduled.
    pub operations: Operations,
    /// The breaker's states, oldest first.
    pub breaker: Vec<Transition>,
    /// What it did towards the server, probes included.
    pub attempts: Attempts,
    /// What became of what it wrote and read. `None` if it could not be checked.
    #[serde(default)]
    pub ledger: Option<Ledger>,
    /// How often each false alarm was met by a caller: errors of that kind.
    pub alarms: BTreeMap<Alarm, u64>,
}

/// Checks what every reader relies on: names, indices, times in order, columns.
pub(super) fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
    let invalid =
        |field: String, value: String, allowed| Err(Contradiction::new(field, value, allowed));
    if data.scale == 0 {
        return invalid("scale".to_owned(), "0".to_owned(), "1 or more");
    }
    let names = data.cells.iter().map(|cell| &cell.arm);
    if !names.eq(run.arms.iter().map(|arm| &arm.name)) {
        let value = format!("{} cells, {} arms", data.cells.len(), run.arms.len());
        return invalid("cells".to_owned(), value, "the arms of the record");
    }
    for (i, stretch) in data.stretches.iter().enumerate() {
        let at = |field: &str| format!("stretches[{i}].{field}");
        for (n, outage) in stretch.outages.iter().enumerate() {
            let times = outage.times(stretch.ended_us);
            if !times.is_sorted() {
                let allowed = "requested, injected, cleared, ready, until and the end of the \
                               stretch follow each other";
                return invalid(at(&format!("outages[{n}]")), format!("{times:?}"), allowed);
            }
            if outage.planned >= run.schedule.len() {
                let field = at(&format!("outages[{n}].planned"));
                let allowed = "an index into the schedule";
                return invalid(field, outage.planned.to_string(), allowed);
            }
        }
        for of_cell in &stretch.runs {
            if !data.cells.iter().any(|cell| cell.arm == of_cell.arm) {
                return invalid(at("runs.arm"), of_cell.arm.clone(), "one of the cells");
            }
            if let Err((value, allowed)) = of_cell.check() {
                let field = at(&format!("runs[{}].operations", of_cell.arm));
                return invalid(field, value, allowed);
            }
        }
    }
    Ok(())
}

impl CellRun {
    /// What is wrong with its columns, and what they may hold.
    fn check(&self) -> Result<(), (String, &'static str)> {
        let ops = &self.operations;
        let unknown = |c: &char| Outcome::from_letter(*c).is_none();
        if let Some(c) = ops.outcomes.chars().find(unknown) {
            return Err((format!("{c:?}"), "one of o f r t u n"));
        }
        let (outcomes, latencies) = (ops.outcomes.len(), ops.latencies_us.len());
        if outcomes != latencies {
            let value = format!("{outcomes} outcomes, {latencies} latencies");
            return Err((value, "columns of one length"));
        }
        Ok(())
    }
}

impl Outage {
    fn times(&self, ended_us: u64) -> [u64; 6] {
        [
            self.requested_us,
            self.injected_us,
            self.cleared_us,
            self.ready_us,
            self.until_us,
            ended_us,
        ]
    }
}
