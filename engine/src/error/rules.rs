//! [`Rules`]: what a failure tells the breaker where the user has a rule for its SQLSTATE,
//! in place of what its [`ErrorClass`](super::ErrorClass) says.

use super::Error;
use crate::breaker::{CallOutcome, Cause};

/// The user's rules: SQLSTATEs (five characters) or their classes (the first two).
/// The longer one wins over the shorter, and ignoring wins a draw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// These say nothing about the server.
    pub ignore: Vec<String>,
    /// These are failures of the server.
    pub count: Vec<String>,
}

impl Rules {
    /// What the breaker learns from an error.
    #[must_use]
    pub fn judge(&self, error: &Error) -> (CallOutcome, Cause) {
        let mut cause = error.cause();
        let outcome = error.class().outcome();
        let ruled = error.sqlstate().and_then(|state| self.rule(state.code()));
        if ruled.is_some() {
            // The user knows better: then it is one among others.
            cause.decisive = false;
        }
        (ruled.unwrap_or(outcome), cause)
    }

    fn rule(&self, code: &str) -> Option<CallOutcome> {
        if planted!(ViolationsAreFailures) && code.starts_with("23") {
            return Some(CallOutcome::Failure);
        }
        let longest = |rules: &[String]| {
            let fitting = rules.iter().filter(|rule| code.starts_with(rule.as_str()));
            fitting.map(String::len).max()
        };
        match (longest(&self.ignore), longest(&self.count)) {
            (None, None) => None,
            (ignore, count) if ignore >= count => Some(CallOutcome::Neutral),
            _ => Some(CallOutcome::Failure),
        }
    }

    /// Whether each is an SQLSTATE or a class of them.
    pub(crate) fn are_states(rules: &[String]) -> bool {
        rules.iter().all(|rule| {
            let known = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
            matches!(rule.len(), 2 | 5) && rule.bytes().all(known)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_rule_wins_and_ignoring_wins_a_draw() {
        let rules = |ignore: &[&str], count: &[&str]| Rules {
            ignore: ignore.iter().map(|s| (*s).to_owned()).collect(),
            count: count.iter().map(|s| (*s).to_owned()).collect(),
        };
        for (ignore, count, code, ruled) in [
            (&[][..], &[][..], "53300", None),
            (&["53"], &[], "53300", Some(CallOutcome::Neutral)),
            (&["53"], &["53300"], "53300", Some(CallOutcome::Failure)),
            (&["53"], &["53300"], "53200", Some(CallOutcome::Neutral)),
            (&["53300"], &["53"], "53300", Some(CallOutcome::Neutral)),
            (&["40001"], &["40001"], "40001", Some(CallOutcome::Neutral)),
            (&["40"], &[], "57P01", None),
        ] {
            assert_eq!(rules(ignore, count).rule(code), ruled, "{code}");
        }
    }

    #[test]
    fn a_rule_is_a_state_or_a_class() {
        for (rule, fits) in [
            ("57P01", true),
            ("57", true),
            ("5", false),
            ("57p01", false),
            ("570", false),
            ("", false),
        ] {
            assert_eq!(Rules::are_states(&[rule.to_owned()]), fits, "{rule}");
        }
    }
}
