//! [`Alerts`]: rules, what has become of each for each pool, and what has changed. Pure.
//!
//! An alert is looked at every second, whether or not anybody looks at a page. How many rules
//! and past changes there are is bounded.

mod expression;
mod rule;
mod state;

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use self::{expression::Verdict, state::Alert};
pub(crate) use self::{
    rule::{NewRule, Rule, Severity},
    state::AlertState,
};

/// The most rules: each is looked at for each pool every second.
pub(crate) const RULES: usize = 64;
/// The most changes that are kept.
const EVENTS: usize = 256;

/// A change of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    pub(crate) unix_ms: u64,
    pub(crate) rule: String,
    pub(crate) pool: String,
    pub(crate) severity: Severity,
    pub(crate) from: AlertState,
    pub(crate) to: AlertState,
    /// Somebody was told; not if it fired again within the cooldown.
    pub(crate) announced: bool,
}

/// An alert as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AlertStatus {
    pub(crate) rule: String,
    pub(crate) pool: String,
    pub(crate) severity: Severity,
    pub(crate) state: AlertState,
    /// Since when it is so.
    pub(crate) since_ms: u64,
    /// When it fired, if that is not resolved.
    pub(crate) fired_ms: Option<u64>,
    pub(crate) expression: String,
    /// What was seen last.
    pub(crate) values: BTreeMap<String, Option<f64>>,
}

/// A rule cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    Invalid(String),
    #[error("name: {0:?}: there is such a rule; delete it first")]
    Exists(String),
    #[error("there are {RULES} rules, which is the most; delete one first")]
    Full,
}

/// Rules, and what has become of them.
#[derive(Debug)]
pub(crate) struct Alerts {
    rules: Vec<Rule>,
    /// By rule and pool.
    alerts: BTreeMap<(String, String), (Alert, Verdict)>,
    events: VecDeque<Event>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            rules: Rule::defaults(),
            alerts: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }
}

impl Alerts {
    /// Looks at all rules for all pools. `value` gives a metric of a pool, by its place, over the
    /// last milliseconds. Returns what changed.
    pub(crate) fn look(
        &mut self,
        now_ms: u64,
        pools: &[&str],
        mut value: impl FnMut(usize, &str, u64) -> Option<f64>,
    ) -> Vec<Event> {
        let gone = |pool: &str| !pools.contains(&pool);
        self.alerts.retain(|(_, pool), _| !gone(pool));
        let mut events = Vec::new();
        for rule in &self.rules {
            for (place, pool) in pools.iter().enumerate() {
                let key = (rule.name.clone(), (*pool).to_owned());
                let (alert, seen) = self
                    .alerts
                    .entry(key)
                    .or_insert_with(|| (Alert::new(now_ms), Verdict::default()));
                *seen = rule
                    .expression
                    .verdict(|metric, ms| value(place, metric, ms));
                let change = alert.look(now_ms, seen.holds, rule.times);
                events.extend(change.map(|change| Event {
                    unix_ms: now_ms,
                    rule: rule.name.clone(),
                    pool: (*pool).to_owned(),
                    severity: rule.severity,
                    from: change.from,
                    to: change.to,
                    announced: change.announced,
                }));
            }
        }
        // To have data or none is no news: a pool that is idle has no error rate.
        let news = |event: &&Event| {
            let dull = |state| matches!(state, AlertState::Inactive | AlertState::NoData);
            !(dull(event.from) && dull(event.to))
        };
        self.events.extend(events.iter().filter(news).cloned());
        let over = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..over);
        events
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// If it cannot be read, or there is one of that name, or there are too many.
    pub(crate) fn add(&mut self, new: NewRule) -> Result<NewRule, Refused> {
        let rule = Rule::read(new).map_err(Refused::Invalid)?;
        if self.rules.iter().any(|other| other.name == rule.name) {
            return Err(Refused::Exists(rule.name));
        }
        if self.rules.len() >= RULES {
            return Err(Refused::Full);
        }
        let written = rule.written();
        self.rules.push(rule);
        Ok(written)
    }

    /// Removes a rule, and its alerts. False if there is none of that name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.name != name);
        self.alerts.retain(|(rule, _), _| rule != name);
        self.rules.len() < before
    }

    /// All rules, as they are written.
    pub(crate) fn rules(&self) -> Vec<NewRule> {
        self.rules.iter().map(Rule::written).collect()
    }

    /// All alerts, those that matter most first.
    pub(crate) fn status(&self) -> Vec<AlertStatus> {
        let mut all = Vec::new();
        for rule in &self.rules {
            let of = self
                .alerts
                .iter()
                .filter(|((name, _), _)| *name == rule.name);
            all.extend(of.map(|((_, pool), (alert, seen))| AlertStatus {
                rule: rule.name.clone(),
                pool: pool.clone(),
                severity: rule.severity,
                state: alert.state,
                since_ms: alert.since_ms,
                fired_ms: alert.fired_ms,
                expression: rule.expression.to_string(),
                values: seen.values.iter().cloned().collect(),
            }));
        }
        let rank = |alert: &AlertStatus| match (alert.state, alert.fired_ms) {
            (AlertState::Firing, _) => 0,
            (AlertState::NoData, Some(_)) => 1,
            (AlertState::Pending, _) => 2,
            (AlertState::Resolved, _) => 3,
            (AlertState::NoData, None) => 4,
            (AlertState::Inactive, _) => 5,
        };
        all.sort_by_key(|alert| (rank(alert), std::cmp::Reverse(alert.severity)));
        all
    }

    /// What changed last, the newest first.
    pub(crate) fn events(&self, most: usize) -> Vec<Event> {
        self.events.iter().rev().take(most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firing(alerts: &Alerts) -> Vec<(String, String)> {
        let all = alerts.status().into_iter();
        all.filter(|alert| alert.state == AlertState::Firing)
            .map(|alert| (alert.rule, alert.pool))
            .collect()
    }

    #[test]
    fn an_alert_is_of_one_pool() {
        let mut alerts = Alerts::default();
        for s in 0..40 {
            let value = |place, metric: &str, _| match (place, metric) {
                (1, "error_rate") => Some(0.2),
                _ => Some(0.0),
            };
            alerts.look(s * 1_000, &["a", "b"], value);
        }
        assert_eq!(firing(&alerts), [("error rate".to_owned(), "b".to_owned())]);
        assert_eq!(alerts.events(9).len(), 2, "pending, firing");
        alerts.look(40_000, &["a"], |_, _, _| None);
        assert_eq!(alerts.status().len(), 4, "the other pool is gone");
    }

    #[test]
    fn an_open_circuit_fires_at_once_and_an_exhausted_pool_after_ten_seconds() {
        let mut alerts = Alerts::default();
        let value = |_, metric: &str, _| match metric {
            "circuit_breaker_state" => Some(2.0),
            "utilization_rate" => Some(1.0),
            "queue_depth" => Some(3.0),
            "pool_exhaustion_events_total" => Some(0.0),
            _ => None,
        };
        alerts.look(0, &["a"], value);
        assert_eq!(firing(&alerts).len(), 1);
        (1..=10).for_each(|s| drop(alerts.look(s * 1_000, &["a"], value)));
        assert_eq!(firing(&alerts).len(), 2);
        let first = &alerts.status()[0];
        assert_eq!(first.severity, Severity::Critical);
    }

    #[test]
    fn rules_and_changes_are_bounded() {
        let mut alerts = Alerts::default();
        let new = |name: String| NewRule {
            name,
            expression: "queue_depth > 0".to_owned(),
            ..NewRule::default()
        };
        for i in 4..RULES {
            alerts.add(new(i.to_string())).expect("there is room");
        }
        assert_eq!(alerts.add(new("one more".to_owned())), Err(Refused::Full));
        assert_eq!(
            alerts.add(new("5".to_owned())),
            Err(Refused::Exists("5".to_owned()))
        );
        for s in 0..100 {
            let value = |_, _: &str, _| Some(if s % 2 == 0 { 1.0 } else { 0.0 });
            alerts.look(s * 1_000, &["a", "b"], value);
        }
        assert_eq!(alerts.events(usize::MAX).len(), EVENTS);
        assert!(alerts.remove("5") && !alerts.remove("5"));
        assert_eq!(alerts.rules().len(), RULES - 1);
    }
}
