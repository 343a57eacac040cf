//! What came of each condition and arm, over all its trials.

use serde::{Deserialize, Serialize};

use super::{Condition, Data, Trial};
use crate::{
    measure::{Back, Effect, Measured, Recovery, measure_back, side_by_side},
    run::{Injection, Outcome, Run},
    stats::{median, micro},
};

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// One for each trial, in the order of the record.
    pub measured: Vec<Measured>,
    /// The same in seconds and ratios: by condition, round and arm.
    pub effects: Vec<Effect>,
    /// A row for each condition and arm that had a trial, in the order of the conditions
    /// and of the arms.
    pub rows: Vec<Row>,
}

/// What came of a condition, for one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The condition.
    pub condition: String,
    /// Operations that were scheduled, of those that a pool can do, 0..=1.
    pub utilisation: f64,
    /// How often callers try again.
    pub retries: u32,
    /// The arm.
    pub arm: String,
    /// Trials that entered.
    pub trials: usize,
    /// Trials in which it came back.
    pub back: usize,
    /// From when the server took sessions again until goodput was as before: the longest.
    /// If not all came back, one that did not was watched for so long.
    pub back_s: Option<f64>,
    /// Missing goodput, as seconds of a full outage, from the fault until the load ended:
    /// the median.
    pub lost_s: Option<f64>,
    /// How often callers asked, per operation, from the fault until three seconds after it:
    /// the median.
    pub tries: Option<f64>,
    /// Statements handed to a connection and connections tried, per good answer, over the
    /// same time: the median. `None` as well if there was no good answer.
    pub attempts_per_good: Option<f64>,
}

/// Measures every trial.
#[must_use]
pub fn find(run: &Run, data: &Data) -> Findings {
    let measured: Vec<Measured> = data.trials.iter().map(|t| measured(data, t)).collect();
    let injections: Vec<Injection> = data.trials.iter().map(|t| t.injection.clone()).collect();
    let mut rows = Vec::new();
    for (i, condition) in data.conditions.iter().enumerate() {
        for arm in &run.arms {
            let of = data.trials.iter().zip(&measured);
            let of = of.filter(|(t, _)| t.condition == i && t.injection.arm == arm.name);
            let of: Vec<(&Trial, &Measured)> = of.collect();
            if !of.is_empty() {
                rows.push(row(data, condition, &arm.name, &of));
            }
        }
    }
    Findings {
        effects: side_by_side(run, &injections, &measured),
        measured,
        rows,
    }
}

/// A trial ends with its load, for all arms of it alike, so that is how far it is measured.
fn measured(data: &Data, trial: &Trial) -> Measured {
    let watched_us = data.horizon_us.saturating_add(LASTING_US);
    measure_back(&trial.load, watched_us, &trial.injection, Back::Goodput)
}

/// How long a recovery has to last.
const LASTING_US: u64 = crate::measure::PERSISTENCE * crate::measure::WINDOW_US;

fn row(data: &Data, condition: &Condition, arm: &str, of: &[(&Trial, &Measured)]) -> Row {
    let all: Vec<Recovery> = of.iter().filter_map(|(_, m)| m.client_recovery).collect();
    let known = all.len() == of.len();
    // One that did not come back was watched for longer than any that did came back after.
    let worst = all.iter().max_by_key(|r| (r.censored, r.after_us));
    let asked = || of.iter().filter_map(|(trial, _)| asked(data, trial));
    Row {
        condition: condition.name.clone(),
        utilisation: condition.utilisation,
        retries: condition.retries,
        arm: arm.to_owned(),
        trials: of.len(),
        back: all.iter().filter(|r| !r.censored).count(),
        back_s: worst
            .filter(|_| known)
            .map(|r| micro(r.after_us as f64 / 1e6)),
        lost_s: median(of.iter().filter_map(|(_, m)| m.outage_equivalent_s)).map(micro),
        tries: median(asked().map(|asked| asked.tries)).map(micro),
        attempts_per_good: median(asked().filter_map(|asked| asked.per_good())).map(micro),
    }
}

/// What was done from the fault until [`Data::counted_us`] after it. That is as long for
/// every arm, whenever its load ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    /// How often callers asked, per operation that was scheduled.
    pub(super) tries: f64,
    /// What the arm did towards the server.
    pub(super) attempts: u64,
    /// Operations that were answered well and in time.
    pub(super) good: u64,
}

impl Asked {
    /// What the server was asked for each good answer. `None` if there was none.
    pub(super) fn per_good(&self) -> Option<f64> {
        (self.good > 0).then(|| self.attempts as f64 / self.good as f64)
    }
}

/// `None` if nobody looked at both ends of that time.
pub(super) fn asked(data: &Data, trial: &Trial) -> Option<Asked> {
    let injection = &trial.injection;
    let by = |at_us: u64| trial.so_far.iter().rfind(|seen| seen.at_us <= at_us);
    let until_us = injection.cleared_us.saturating_add(data.counted_us);
    if injection.ended_us < until_us {
        return None;
    }
    let (before, after) = (by(injection.injected_us)?, by(until_us)?);
    let counted_us = before.at_us..after.at_us;
    let answers = injection.operations.answers(trial.load.rate_per_s);
    let (mut scheduled, mut good) = (0_u64, 0);
    for answer in answers.filter(|answer| counted_us.contains(&answer.due_us)) {
        let in_time = answer.end_us - answer.due_us <= trial.load.deadline_us;
        scheduled += 1;
        good += u64::from(in_time && answer.outcome == Outcome::Ok);
    }
    (scheduled > 0).then(|| Asked {
        tries: (after.tries - before.tries) as f64 / scheduled as f64,
        attempts: after.statements + after.connects - before.statements - before.connects,
        good,
    })
}
