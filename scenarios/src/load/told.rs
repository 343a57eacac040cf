//! What callers of marked writes were told, by the key of each write, and what follows from
//! what is there of it. Pure.
//!
//! A script is marked with `-- @write key = EXPRESSION` and `-- @check SELECT ...`. The check
//! says how often the write with that key is there: a whole number is that many times; true,
//! or any row that holds neither number nor truth, is there at least once; false, NULL and no
//! row are not there.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use reports::run::{Ledger, Outcome};

use crate::script::Value;

/// What callers of one key were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs that were acknowledged.
    pub acked: u64,
    /// Runs that were sent and not answered.
    pub unknown: u64,
    /// Runs that changed nothing, as far as the caller was told.
    pub undone: u64,
}

/// How often a write is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// So many times.
    Times(u64),
    /// At least once, or not at all.
    AtAll(bool),
}

/// A write that somebody was told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The place of its script.
    pub script: usize,
    /// Its key, as text.
    pub key: String,
    /// The parameters of its script's check.
    pub parameters: Vec<Value>,
    /// What was said of it.
    pub counts: Counts,
}

/// All marked writes of a client.
#[derive(Debug, Default)]
pub struct Told(Mutex<ByKey>);

/// The parameters of a check and what was said, by script and key.
type ByKey = BTreeMap<(usize, String), (Vec<Value>, Counts)>;

impl Told {
    /// Notes what the caller of a write was told.
    pub(super) fn tell(&self, script: usize, key: String, check: Vec<Value>, outcome: Outcome) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, counts) = all
            .entry((script, key))
            .or_insert((check, Counts::default()));
        *match outcome {
            Outcome::Ok => &mut counts.acked,
            Outcome::Unknown => &mut counts.unknown,
            Outcome::Failed | Outcome::Rejected | Outcome::TimedOut | Outcome::NotSent => {
                &mut counts.undone
            }
        } += 1;
    }

    /// All of them, by script and key.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = all
            .iter()
            .map(|((script, key), (parameters, counts))| Write {
                script: *script,
                key: key.clone(),
                parameters: parameters.clone(),
                counts: *counts,
            });
        writes.collect()
    }
}

/// What became of the writes of one key.
#[must_use]
pub fn judged(told: Counts, there: There) -> Ledger {
    let Counts {
        acked,
        unknown,
        undone,
    } = told;
    let (there, most) = match there {
        There::Times(n) => (n, u64::MAX),
        // Who asks whether it is there at all does not tell one from many.
        There::AtAll(false) => (0, 0),
        There::AtAll(true) if acked > 0 => (acked, acked),
        There::AtAll(true) => (1, 1),
    };
    let lost = acked.saturating_sub(there);
    let unknown_committed = there.saturating_sub(acked).min(unknown).min(most);
    let more = there.saturating_sub(acked + unknown_committed);
    let unexpected = more.min(undone);
    Ledger {
        sent: acked + unknown,
        acked,
        committed: acked - lost + unknown_committed + unexpected,
        unknown,
        unknown_committed,
        unknown_absent: unknown - unknown_committed,
        lost,
        duplicate: more - unexpected,
        unexpected,
        ..Ledger::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(acked: u64, unknown: u64, undone: u64) -> Counts {
        Counts {
            acked,
            unknown,
            undone,
        }
    }

    #[test]
    fn what_is_there_is_compared_with_what_was_told() {
        // Acknowledged, unknown, undone, there: committed, in doubt and there, lost,
        // duplicate, unexpected.
        let times = There::Times;
        for (told, there, expected) in [
            (counts(1, 0, 0), times(1), [1, 0, 0, 0, 0]),
            (counts(1, 0, 0), times(0), [0, 0, 1, 0, 0]),
            (counts(1, 0, 0), times(2), [1, 0, 0, 1, 0]),
            (counts(0, 1, 0), times(0), [0, 0, 0, 0, 0]),
            (counts(0, 1, 0), times(1), [1, 1, 0, 0, 0]),
            (counts(0, 1, 0), times(2), [1, 1, 0, 1, 0]),
            (counts(0, 0, 1), times(0), [0, 0, 0, 0, 0]),
            (counts(0, 0, 1), times(1), [1, 0, 0, 0, 1]),
            (counts(2, 1, 1), times(5), [4, 1, 0, 1, 1]),
            (counts(2, 1, 1), times(1), [1, 0, 1, 0, 0]),
            (counts(3, 0, 0), There::AtAll(true), [3, 0, 0, 0, 0]),
            (counts(3, 0, 0), There::AtAll(false), [0, 0, 3, 0, 0]),
            (counts(0, 2, 0), There::AtAll(true), [1, 1, 0, 0, 0]),
            (counts(0, 0, 2), There::AtAll(true), [1, 0, 0, 0, 1]),
            (counts(1, 1, 1), There::AtAll(true), [1, 0, 0, 0, 0]),
        ] {
            let found = judged(told, there);
            let seen = [
                found.committed,
                found.unknown_committed,
                found.lost,
                found.duplicate,
                found.unexpected,
            ];
            assert_eq!(seen, expected, "{told:?} {there:?}");
            assert_eq!(found.unknown_committed + found.unknown_absent, told.unknown);
        }
    }

    #[test]
    fn runs_of_one_key_are_told_together() {
        let told = Told::default();
        for outcome in [
            Outcome::Ok,
            Outcome::Unknown,
            Outcome::TimedOut,
            Outcome::Ok,
        ] {
            told.tell(0, "7".to_owned(), vec![Value::Int(7)], outcome);
        }
        told.tell(1, "7".to_owned(), Vec::new(), Outcome::Ok);
        let writes = told.writes();
        assert_eq!(writes.len(), 2);
        assert_eq!(writes[0].counts, counts(2, 1, 1));
        assert_eq!(writes[0].parameters, [Value::Int(7)]);
    }
}
