//! `events.jsonl`: what happened, in the order in which it was seen.

use serde::{Deserialize, Serialize};

use super::{BreakerState, Ended, Ledger};

/// One line of `events.jsonl`, written as it happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// On the run's clock.
    pub at_us: u64,
    /// The injection it belongs to: index into [`super::Run::schedule`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
    /// The arm it belongs to; absent if it concerns all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// What of the experiment's own it belongs to, where that is neither a fault nor an
    /// arm: a condition that is measured, a step of a guide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The environment is ready for sessions.
    EnvironmentReady {
        /// See [`super::Environment::kind`].
        environment: String,
        /// See [`super::Environment::server_version`].
        server_version: String,
    },
    /// One of several steps of the experiment began.
    StepStarted {
        /// What a step is called: `injection`, `round`, `condition`.
        unit: String,
        /// Which of them it is, from 1.
        number: u32,
        /// How many there are.
        of: u32,
        /// How long it and everything after it takes by the plan, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        planned_left_us: Option<u64>,
    },
    /// The steps of this name are over.
    StepsEnded {
        /// See [`What::StepStarted`].
        unit: String,
    },
    /// The load of an injection began.
    LoadStarted,
    /// What became of the load since this was said the last time, about once a second.
    Throughput {
        /// For how long it was counted. Zero at the start, where nothing is counted yet.
        over_us: u64,
        /// Of each arm under load.
        arms: Vec<ArmThroughput>,
    },
    /// The load is served as it should be.
    SteadyState {
        /// Share of operations ok within the deadline.
        ok_share: f64,
        /// 99th percentile of latency.
        p99_us: u64,
    },
    /// The load is not served as it should be.
    NotSteady {
        /// What was expected, and what was seen.
        reason: String,
    },
    /// A fault is about to be applied.
    FaultRequested {
        /// The name of its kind.
        fault: String,
    },
    /// A direct probe, outside the engine.
    Probe {
        /// What it met: `ready`, `refused`, `no-answer`, `locked`, ...
        met: String,
        /// How long that took.
        took_us: u64,
    },
    /// A direct probe saw the fault in effect.
    FaultEffective {
        /// The name of its kind.
        fault: String,
    },
    /// The fault is about to be taken back.
    FaultRollback {
        /// The name of its kind.
        fault: String,
    },
    /// A direct probe saw the fault gone.
    FaultCleared {
        /// The name of its kind.
        fault: String,
    },
    /// A direct probe saw the server take sessions.
    ServerReady,
    /// The breaker of an arm changed its state.
    Breaker {
        /// The state from now on.
        state: BreakerState,
        /// Why.
        reason: String,
    },
    /// What looks like trouble and is none is about to be done.
    AlarmRaised {
        /// What, in words.
        alarm: String,
    },
    /// An arm came out best, and is to be confirmed.
    Recommended {
        /// Its name.
        arm: String,
    },
    /// A query failed that was to be measured.
    QueryFailed {
        /// The error and its causes.
        reason: String,
    },
    /// The load of an injection ended.
    LoadEnded,
    /// The writes were checked.
    LedgerChecked {
        /// What was found.
        ledger: Ledger,
    },
    /// The writes could not be checked.
    LedgerUnread {
        /// Why not.
        reason: String,
    },
    /// The user asked the run to stop.
    Interrupted,
    /// Something of the run may still be there.
    NotTakenDown {
        /// What, and why.
        reason: String,
    },
    /// The run ended.
    RunEnded {
        /// See [`Ended`].
        ended: Ended,
    },
}

/// What became of the operations of an arm over about a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmThroughput {
    /// The arm.
    pub arm: String,
    /// Operations that were answered without error, late or not.
    pub ok: u64,
    /// Operations that ended otherwise: failed, refused, timed out, or never sent.
    pub not_ok: u64,
    /// Operations under way at the end of it.
    pub in_flight: u64,
}
