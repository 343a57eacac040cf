//! [`Rule`]: what is looked for, how long it has to last, and how bad it is. Pure.

use serde::{Deserialize, Serialize};

use super::{expression::Expression, state::Times};

/// The longest name.
const LONGEST: usize = 64;
/// The longest of all times, in seconds.
const DAY_S: f64 = 86_400.0;
/// For how long a condition has to be false before an alert is resolved, in seconds, if that is
/// not said: some scrapes long, so that one good sample among bad ones is not taken for the end.
const RESOLVE_S: f64 = 15.0;
/// The cooldown, in seconds, if that is not said.
const COOLDOWN_S: f64 = 300.0;

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    #[default]
    Warning,
    /// Somebody has to look now.
    Critical,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) expression: Expression,
    pub(crate) severity: Severity,
    pub(crate) times: Times,
}

/// A rule as somebody writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRule {
    pub(crate) name: String,
    pub(crate) expression: String,
    /// Seconds; 0 fires at once.
    #[serde(default)]
    pub(crate) for_s: f64,
    #[serde(default)]
    pub(crate) severity: Severity,
    #[serde(default = "cooldown_s")]
    pub(crate) cooldown_s: f64,
    #[serde(default = "resolve_s")]
    pub(crate) resolve_after_s: f64,
}

fn cooldown_s() -> f64 {
    COOLDOWN_S
}

fn resolve_s() -> f64 {
    RESOLVE_S
}

impl Rule {
    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// What is wrong: the field, the value, and what is allowed.
    pub(crate) fn read(new: NewRule) -> Result<Self, String> {
        let name = new.name.trim();
        let fits = !name.is_empty() && name.chars().count() <= LONGEST;
        if !fits || name.chars().any(char::is_control) {
            return Err(format!(
                "name: {name:?}, allowed: 1 to {LONGEST} characters, none of them a control character"
            ));
        }
        let ms = |field: &str, s: f64| {
            if !(0.0..=DAY_S).contains(&s) {
                return Err(format!("{field}: {s}, allowed: seconds in 0..={DAY_S}"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a day"
            )]
            Ok((s * 1e3).round() as u64)
        };
        Ok(Self {
            name: name.to_owned(),
            expression: Expression::parse(&new.expression).map_err(|error| error.to_string())?,
            severity: new.severity,
            times: Times {
                for_ms: ms("for_s", new.for_s)?,
                resolve_after_ms: ms("resolve_after_s", new.resolve_after_s)?,
                cooldown_ms: ms("cooldown_s", new.cooldown_s)?,
            },
        })
    }

    /// As it would be written.
    pub(crate) fn written(&self) -> NewRule {
        let s = |ms: u64| ms as f64 / 1e3;
        NewRule {
            name: self.name.clone(),
            expression: self.expression.to_string(),
            for_s: s(self.times.for_ms),
            severity: self.severity,
            cooldown_s: s(self.times.cooldown_ms),
            resolve_after_s: s(self.times.resolve_after_ms),
        }
    }

    /// Those that there are from the beginning.
    pub(crate) fn defaults() -> Vec<Self> {
        let rules = [
            (
                "utilization",
                "utilization_rate > 0.9",
                60.0,
                Severity::Warning,
            ),
            ("error rate", "error_rate > 0.05", 30.0, Severity::Warning),
            (
                "pool exhausted",
                "utilization_rate >= 0.99 and queue_depth > 0 or pool_exhaustion_events_total > 0",
                10.0,
                Severity::Critical,
            ),
            (
                "circuit open",
                "circuit_breaker_state >= 2",
                0.0,
                Severity::Critical,
            ),
        ];
        let rules = rules.map(|(name, expression, for_s, severity)| NewRule {
            name: name.to_owned(),
            expression: expression.to_owned(),
            for_s,
            severity,
            cooldown_s: COOLDOWN_S,
            resolve_after_s: RESOLVE_S,
        });
        // A test reads all of them.
        rules
            .into_iter()
            .filter_map(|new| Self::read(new).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_read_and_are_written_as_they_were() {
        let defaults = Rule::defaults();
        assert_eq!(defaults.len(), 4);
        for rule in defaults {
            assert_eq!(Rule::read(rule.written()), Ok(rule));
        }
    }

    #[test]
    fn what_is_wrong_names_the_field_the_value_and_what_is_allowed() {
        let new = |name: &str, for_s| NewRule {
            name: name.to_owned(),
            expression: "error_rate > 1".to_owned(),
            for_s,
            ..NewRule::default()
        };
        let error = |new| Rule::read(new).expect_err("wrong");
        assert_eq!(
            error(new("a", -1.0)),
            "for_s: -1, allowed: seconds in 0..=86400"
        );
        assert_eq!(
            error(new("a", f64::NAN)),
            "for_s: NaN, allowed: seconds in 0..=86400"
        );
        assert!(error(new(" ", 1.0)).starts_with("name: \"\", allowed: 1 to 64 characters"));
        assert!(error(new("a\nb", 1.0)).starts_with("name: \"a\\nb\", allowed"));
        assert!(Rule::read(new("<b>ü</b> \"x\"", 1.0)).is_ok());
    }
}
