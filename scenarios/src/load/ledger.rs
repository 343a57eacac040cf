//! What became of the writes: what was acknowledged against what is there.
//!
//! Each write inserts a row that names its run, client and sequence number; the
//! table has no unique constraint, so that a write applied twice shows. After the
//! server is well again, [`check`] compares the table with what each caller was
//! told. It is pure, and is tested with histories that it must reject.

use std::collections::BTreeMap;

use reports::record::{Ledger, Outcome};

/// What each write's caller was told, by sequence number. Reads are not in it.
pub type Told = BTreeMap<i64, Outcome>;

/// How many rows each sequence number has in the table.
pub type Found = BTreeMap<i64, i64>;

/// Compares what callers were told with what is in the table.
///
/// - acknowledged and absent: lost
/// - more than one row: duplicate, for each further row
/// - a row for a write that was never sent, or that the server or the pool
///   answered with an error: unexpected
#[must_use]
pub fn check(told: &Told, found: &Found) -> Ledger {
    let mut ledger = Ledger {
        committed: found.len() as u64,
        ..Ledger::default()
    };
    for (seq, outcome) in told {
        let rows = found.get(seq).copied().unwrap_or(0);
        match outcome {
            Outcome::Ok => {
                ledger.sent += 1;
                ledger.acked += 1;
                ledger.lost += u64::from(rows == 0);
            }
            Outcome::Unknown => {
                ledger.sent += 1;
                ledger.unknown += 1;
                ledger.unknown_committed += u64::from(rows > 0);
            }
            Outcome::Failed | Outcome::Rejected | Outcome::TimedOut | Outcome::NotSent => {
                ledger.unexpected += u64::from(rows > 0);
            }
        }
    }
    for (seq, rows) in found {
        ledger.duplicate += u64::try_from(rows - 1).unwrap_or(0);
        ledger.unexpected += u64::from(!told.contains_key(seq));
    }
    ledger
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told::from([
            (0, Outcome::Ok),
            (5, Outcome::Ok),
            (10, Outcome::Unknown),
            (15, Outcome::Unknown),
            (20, Outcome::Rejected),
            (25, Outcome::Failed),
        ])
    }

    #[test]
    fn a_clean_history_is_accepted() {
        let found = Found::from([(0, 1), (5, 1), (10, 1)]);
        let ledger = check(&told(), &found);
        let clean = Ledger {
            sent: 4,
            acked: 2,
            committed: 3,
            unknown: 2,
            unknown_committed: 1,
            lost: 0,
            duplicate: 0,
            unexpected: 0,
        };
        assert_eq!(ledger, clean);
    }

    #[test]
    fn a_lost_write_is_seen() {
        let found = Found::from([(0, 1), (10, 1)]);
        assert_eq!(check(&told(), &found).lost, 1);
        assert_eq!(check(&told(), &Found::new()).lost, 2);
    }

    #[test]
    fn a_duplicate_is_seen_also_of_an_unknown_write() {
        let found = Found::from([(0, 2), (5, 1), (10, 3)]);
        let ledger = check(&told(), &found);
        assert_eq!((ledger.duplicate, ledger.lost), (3, 0));
    }

    #[test]
    fn a_row_that_should_not_be_there_is_seen() {
        for seq in [20, 25, 99] {
            let found = Found::from([(0, 1), (5, 1), (seq, 1)]);
            assert_eq!(check(&told(), &found).unexpected, 1, "{seq}");
        }
    }
}
