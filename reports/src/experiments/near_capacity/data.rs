//! What it records.

use serde::{Deserialize, Serialize};

use crate::run::{Contradiction, Injection, Load, Run};

/// A fault while the load is close to what a pool can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// What the arms were to go through. The entries of the schedule are called as these are.
    pub conditions: Vec<Condition>,
    /// D: what is answered later than this after its scheduled arrival is not good.
    pub deadline_us: u64,
    /// How long a caller waits for the answer to one try before it hangs up.
    pub patience_us: u64,
    /// How long an operation holds its session on the server.
    pub hold_us: u64,
    /// How long the capacity was to be measured.
    pub calibration_us: u64,
    /// A recovery of an arm of the engine was waited for so long after the server took
    /// sessions again, and two seconds more, in which it had to last.
    pub horizon_us: u64,
    /// The same of the other arms, of which nothing is claimed. Where all are under load at
    /// once, the load goes on until none is waited for any more.
    pub others_us: u64,
    /// Attempts are counted from the fault until so long after it: that long the load goes
    /// on in any case.
    pub counted_us: u64,
    /// What a pool can do. `None` until that was measured.
    pub capacity: Option<Capacity>,
    /// What happened: one entry for each condition and arm that was carried out.
    pub trials: Vec<Trial>,
    /// Arms that were not served before the fault, so that nothing was done to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unserved: Vec<Unserved>,
}

/// Arms of a condition that were not served although nothing was wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unserved {
    /// The condition, by its name.
    pub condition: String,
    /// What was expected of whom, and what was seen.
    pub reason: String,
}

/// How close the load is to what a pool can do, and what callers do about failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is called: `95 % with 5 retries`.
    pub name: String,
    /// Operations that are scheduled, of those that a pool can do, 0..=1.
    pub utilisation: f64,
    /// How often a caller tries again, at once.
    pub retries: u32,
}

impl Condition {
    /// With its name.
    #[must_use]
    pub fn new(utilisation: f64, retries: u32) -> Self {
        let percent = (utilisation * 1e4).round() / 1e2;
        let retries_named = match retries {
            0 => "without retries".to_owned(),
            1 => "with 1 retry".to_owned(),
            n => format!("with {n} retries"),
        };
        Self {
            name: format!("{percent} % {retries_named}"),
            utilisation,
            retries,
        }
    }

    /// As part of an id: `95-5`.
    #[must_use]
    pub fn slug(&self) -> String {
        let percent = (self.utilisation * 1e4).round() / 1e2;
        format!("{percent}-{}", self.retries).replace('.', "-")
    }
}

/// What pools did with as many callers as connections, each asking again as soon as it was
/// answered: as much as they can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Pools that were busy at once: as many as there are arms under load at once.
    pub pools: u32,
    /// Connections of each.
    pub connections: u32,
    /// Operations of all of them that were timed.
    pub operations: u64,
    /// How long these took together.
    pub took_us: u64,
    /// Part of that rate that counts as what a pool can do, 0..=1: less than all of scripts,
    /// since arrivals cost the runner more than callers that wait for their answers.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub open_share: f64,
}

fn all() -> f64 {
    1.0
}

fn is_all(share: &f64) -> bool {
    *share >= 1.0
}

impl Capacity {
    /// Operations per second of one pool. `None` if nothing was timed.
    #[must_use]
    pub fn per_s(&self) -> Option<f64> {
        let took_s = self.took_us as f64 / 1e6;
        let one = self.operations as f64 / took_s * self.open_share;
        (self.operations > 0 && self.took_us > 0).then(|| one * f64::from(self.connections))
    }
}

/// What the fault did to one arm in one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Index into [`Data::conditions`].
    pub condition: usize,
    /// What the arm was given to do.
    pub load: Load,
    /// What happened.
    pub injection: Injection,
    /// What was done by each moment that it was looked at, oldest first.
    pub so_far: Vec<SoFar>,
}

/// What was done by a moment of a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoFar {
    /// The moment, on the injection's clock.
    pub at_us: u64,
    /// How often callers have asked the arm, those that tried again included.
    pub tries: u64,
    /// Statements handed to a connection.
    pub statements: u64,
    /// Connections that were tried, probes included.
    pub connects: u64,
}

pub(super) fn check(run: &Run, data: &Data) -> Result<(), Contradiction> {
    for (i, trial) in data.trials.iter().enumerate() {
        let at = format!("trials[{i}]");
        let invalid = |field: &str, value: String, allowed| {
            Err(Contradiction::new(format!("{at}.{field}"), value, allowed))
        };
        let checked = trial.injection.check(run);
        checked.map_err(|found| found.within(&format!("{at}.injection")))?;
        let Some(condition) = data.conditions.get(trial.condition) else {
            let value = trial.condition.to_string();
            return invalid("condition", value, "an index into the conditions");
        };
        if condition.name != trial.injection.fault {
            let (value, allowed) = (&trial.injection.fault, "the name of its condition");
            return invalid("injection.fault", value.clone(), allowed);
        }
        let follows = |pair: &[SoFar]| {
            let (a, b) = (pair[0], pair[1]);
            a.at_us <= b.at_us
                && a.tries <= b.tries
                && a.statements <= b.statements
                && a.connects <= b.connects
        };
        if let Some(pair) = trial.so_far.windows(2).find(|pair| !follows(pair)) {
            let allowed = "moments in their order, and counts that only grow";
            return invalid("so_far", format!("{pair:?}"), allowed);
        }
    }
    Ok(())
}
