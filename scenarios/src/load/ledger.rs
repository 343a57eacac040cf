//! What became of the writes: what was acknowledged against what is there.
//!
//! Each write inserts a row that names its run, client and sequence number, and the
//! table adds the connection and the transaction that it came by; it has no unique
//! constraint, so that a write applied twice shows. After the server is well again
//! a [`Checker`] is given every row and compares the table with what each caller was
//! told:
//!
//! - acknowledged and absent: lost
//! - more than one row: duplicate, for each further row
//! - a row for a write that was never sent, or that the server or the pool answered
//!   with an error: unexpected
//! - two rows of one connection in an order of transactions that contradicts time,
//!   the later one acknowledged before the earlier one was begun: out of order
//!
//! What counts a row up does so in the same transaction, so that the count must be the
//! number of its rows; each that it is more or less is unexpected: a transaction was torn.
//! So is one whose update is there and whose row is not. An update that was acknowledged and
//! is not there, nor a later one of the same row, is lost.
//!
//! It is pure, and is tested with histories that it must reject. It holds one byte
//! for each operation, whatever the table holds.

use reports::run::{Kind, Ledger, Operations, Outcome};

use super::{
    arrivals::Arrivals,
    proof::{Found, Proofs},
};

/// Compares rows with what was told, as they come.
#[derive(Debug)]
pub struct Checker<'a> {
    operations: &'a Operations,
    arrivals: Arrivals,
    /// How many rows each operation has; 255 stands for that and more.
    rows: Vec<u8>,
    ledger: Ledger,
    /// Transactions that were found and count a row up.
    counted_up: u64,
    /// Of the connection whose rows are coming: the latest begin of a write.
    begun_us: Option<(i32, u64)>,
}

impl<'a> Checker<'a> {
    /// For the operations of one client, none of whose rows were seen yet.
    #[must_use]
    pub fn new(operations: &'a Operations, arrivals: Arrivals) -> Self {
        Self {
            operations,
            arrivals,
            rows: vec![0; operations.outcomes.len()],
            ledger: Ledger::default(),
            counted_up: 0,
            begun_us: None,
        }
    }

    /// Takes a row. Rows come by connection, and those of a connection in the order
    /// of their transactions.
    pub fn row(&mut self, connection: i32, seq: i64) {
        let index = usize::try_from(seq).unwrap_or(usize::MAX);
        let (Some(outcome), Some(rows)) = (self.told(index), self.rows.get_mut(index)) else {
            // Never sent by anybody.
            self.ledger.committed += 1;
            self.ledger.unexpected += 1;
            return;
        };
        let first = *rows == 0;
        *rows = rows.saturating_add(1);
        self.ledger.committed += u64::from(first);
        self.ledger.duplicate += u64::from(!first);
        self.counted_up += u64::from(self.kind(index) == Some(Kind::HotRow));
        if first && !matches!(outcome, Outcome::Ok | Outcome::Unknown) {
            self.ledger.unexpected += 1;
        }
        self.order(connection, index, outcome);
    }

    /// Takes how far the row was counted up.
    pub fn counted_up(&mut self, to: u64) {
        self.ledger.unexpected += to.abs_diff(self.counted_up);
    }

    /// Takes the rows that the client reads, when those of the ledger have come.
    pub fn accounts(&mut self, proofs: &Proofs, found: &[Found]) {
        for id in proofs.keys() {
            let Some(row) = found.iter().find(|row| row.id == id) else {
                self.ledger.lost += 1;
                continue;
            };
            self.ledger.lost += u64::from(row.version < proofs.acknowledged(id));
            let by = usize::try_from(row.version - 1).ok();
            let has_row = |index: usize| self.rows.get(index).is_some_and(|rows| *rows > 0);
            let torn = row.version > 0 && !by.is_some_and(has_row);
            self.ledger.unexpected += u64::from(torn || !proofs.is_possible(*row));
        }
        let rows = proofs.keys().count();
        self.ledger.unexpected += found.len().saturating_sub(rows) as u64;
    }

    /// What there is to say when all rows have come.
    #[must_use]
    pub fn finish(mut self) -> Ledger {
        for index in 0..self.rows.len() {
            let here = self.rows[index] > 0;
            match self.told(index) {
                Some(Outcome::Ok) => {
                    self.ledger.sent += 1;
                    self.ledger.acked += 1;
                    self.ledger.lost += u64::from(!here);
                }
                Some(Outcome::Unknown) => {
                    self.ledger.sent += 1;
                    self.ledger.unknown += 1;
                    self.ledger.unknown_committed += u64::from(here);
                    self.ledger.unknown_absent += u64::from(!here);
                }
                _ => {}
            }
        }
        self.ledger
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        let letter = self.operations.kinds.as_bytes().get(index)?;
        Kind::from_letter(char::from(*letter))
    }

    /// What the caller of a write was told; `None` if it was none that leaves a row.
    fn told(&self, index: usize) -> Option<Outcome> {
        let letter = self.operations.outcomes.as_bytes().get(index)?;
        self.kind(index)
            .is_some_and(Kind::writes)
            .then(|| Outcome::from_letter(char::from(*letter)))
            .flatten()
    }

    fn order(&mut self, connection: i32, index: usize, outcome: Outcome) {
        // In a closed loop each operation has its own moment.
        let due_us = self.operations.due_us.get(index).copied();
        let due_us = due_us.unwrap_or_else(|| {
            let due_us = self.arrivals.due(index as u64).as_micros();
            u64::try_from(due_us).unwrap_or(u64::MAX)
        });
        let after = |column: &[u64]| due_us.saturating_add(column.get(index).copied().unwrap_or(0));
        let before = self.begun_us.filter(|(of, _)| *of == connection);
        let before_us = before.map_or(0, |(_, us)| us);
        // One without an answer has no end, and may have begun when it was due.
        if outcome == Outcome::Ok && after(&self.operations.latencies_us) < before_us {
            self.ledger.out_of_order += 1;
        }
        let begun_us = after(&self.operations.lags_us).max(before_us);
        self.begun_us = Some((connection, begun_us));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const ARRIVALS: Arrivals = Arrivals {
        rate_per_s: 1_000,
        write_share: 1.0,
        mix: reports::run::Mix {
            transactions: 0.0,
            rollbacks: 0.0,
            savepoints: 0.0,
            hot_rows: 0.0,
            mistakes: 0.0,
            holds: 0.0,
            beside: false,
        },
    };

    /// Writes, one a millisecond, each answered after 100 us.
    fn told(outcomes: &str) -> Operations {
        Operations {
            kinds: "w".repeat(outcomes.len()),
            outcomes: outcomes.to_owned(),
            latencies_us: vec![100; outcomes.len()],
            lags_us: vec![10; outcomes.len()],
            due_us: Vec::new(),
        }
    }

    fn check(operations: &Operations, rows: &[(i32, i64)]) -> Ledger {
        let mut checker = Checker::new(operations, ARRIVALS);
        for (connection, seq) in rows {
            checker.row(*connection, *seq);
        }
        checker.finish()
    }

    #[test]
    fn a_clean_history_is_accepted() {
        let ledger = check(&told("oouurf"), &[(1, 0), (1, 2), (2, 1)]);
        let clean = Ledger {
            sent: 4,
            acked: 2,
            committed: 3,
            unknown: 2,
            unknown_committed: 1,
            unknown_absent: 1,
            ..Ledger::default()
        };
        assert_eq!(ledger, clean);
    }

    #[test]
    fn a_lost_write_is_seen() {
        assert_eq!(check(&told("oou"), &[(1, 0), (1, 2)]).lost, 1);
        assert_eq!(check(&told("oou"), &[]).lost, 2);
    }

    #[test]
    fn a_duplicate_is_seen_also_of_an_unknown_write_and_on_another_connection() {
        let ledger = check(&told("ou"), &[(1, 0), (1, 1), (1, 1), (2, 0), (3, 1)]);
        assert_eq!((ledger.duplicate, ledger.lost, ledger.committed), (3, 0, 2));
        let many: Vec<(i32, i64)> = (0..1_000).map(|i| (i, 0)).collect();
        assert_eq!(check(&told("o"), &many).duplicate, 999);
    }

    #[test]
    fn a_row_that_should_not_be_there_is_seen() {
        for seq in [1, 2, 3, 99, -1, i64::MIN, i64::MAX] {
            let ledger = check(&told("orft"), &[(1, 0), (1, seq)]);
            assert_eq!(ledger.unexpected, 1, "{seq}");
        }
        for other in ["wr", "wb", "wm"] {
            let mut operations = told("oo");
            operations.kinds = other.to_owned();
            let ledger = check(&operations, &[(1, 0), (1, 1)]);
            assert_eq!(ledger.unexpected, 1, "{other}");
        }
    }

    #[test]
    fn a_transaction_of_which_only_a_part_is_there_is_seen() {
        let mut operations = told("oouo");
        operations.kinds = "htsh".to_owned();
        let counted = |to: u64| {
            let mut checker = Checker::new(&operations, ARRIVALS);
            for row in [(1, 0), (1, 1), (1, 3)] {
                checker.row(row.0, row.1);
            }
            checker.counted_up(to);
            checker.finish()
        };
        assert_eq!((counted(2).unexpected, counted(2).lost), (0, 0));
        for to in [0, 1, 3] {
            assert_eq!(counted(to).unexpected, to.abs_diff(2));
        }
    }

    /// Operations 0 and 2 are transactions, and each updates the row that it writes to.
    #[test]
    fn an_update_without_its_row_and_one_that_is_gone_are_seen() {
        let mut operations = told("ooo");
        operations.kinds = "twt".to_owned();
        let proofs = Proofs::new(5, 1);
        for seq in [0, 2] {
            proofs.sent(proofs.written_by(seq), seq + 1);
            proofs.acked(proofs.written_by(seq), seq + 1);
        }
        let found = |rows: &[i64], versions: &[(i64, i64)], change: &dyn Fn(&mut Vec<Found>)| {
            let mut checker = Checker::new(&operations, ARRIVALS);
            for seq in rows {
                checker.row(1, *seq);
            }
            let mut accounts: Vec<Found> = proofs.initial().collect();
            for (seq, version) in versions {
                let id = proofs.written_by(*seq);
                let account = accounts.iter_mut().find(|row| row.id == id).expect("it");
                (account.version, account.proof) = (*version, proofs.of(id, *version));
            }
            change(&mut accounts);
            checker.accounts(&proofs, &accounts);
            let ledger = checker.finish();
            (ledger.lost, ledger.unexpected)
        };
        let all = [(0, 1), (2, 3)];
        assert_eq!(found(&[0, 1, 2], &all, &|_| {}), (0, 0));
        assert_eq!(
            found(&[0, 1, 2], &all[..1], &|_| {}),
            (1, 0),
            "an update is gone"
        );
        assert_eq!(found(&[0, 1], &all, &|_| {}), (1, 1), "a row is gone");
        let as_never_sent = |accounts: &mut Vec<Found>| {
            let proof = proofs.of(accounts[0].id, 9);
            (accounts[0].version, accounts[0].proof) = (9, proof);
        };
        let (_, unexpected) = found(&[0, 1, 2], &all, &as_never_sent);
        assert_eq!(unexpected, 1, "never sent");
        assert_eq!(
            found(&[0, 1, 2], &all, &|a| a[9].proof ^= 1),
            (0, 1),
            "content"
        );
        assert_eq!(
            found(&[0, 1, 2], &all, &|a| {
                a.remove(9);
            }),
            (1, 0),
            "no row"
        );
        assert_eq!(found(&[0, 1, 2], &all, &|a| a.push(a[9])), (0, 1), "twice");
    }

    #[test]
    fn a_connection_that_commits_against_the_order_of_time_is_seen() {
        assert_eq!(check(&told("oo"), &[(1, 1), (1, 0)]).out_of_order, 1);
        assert_eq!(
            check(&told("uo"), &[(1, 1), (1, 0)]).out_of_order,
            0,
            "no end"
        );
        assert_eq!(
            check(&told("ou"), &[(1, 1), (1, 0)]).out_of_order,
            1,
            "a begin"
        );
        assert_eq!(
            check(&told("oo"), &[(1, 1), (2, 0)]).out_of_order,
            0,
            "another"
        );
        let mut slow = told("oo");
        slow.latencies_us[0] = 1_100;
        assert_eq!(check(&slow, &[(1, 1), (1, 0)]).out_of_order, 0, "at once");
    }

    /// Moments were once taken from the rate, which a closed loop does not have.
    #[test]
    fn in_a_closed_loop_the_order_is_that_of_the_callers_own_moments() {
        let mut closed = told("oo");
        closed.due_us = vec![5_000, 4_900];
        assert_eq!(check(&closed, &[(1, 1), (1, 0)]).out_of_order, 0);
        closed.due_us = vec![5_000, 5_200];
        assert_eq!(check(&closed, &[(1, 1), (1, 0)]).out_of_order, 1);
    }

    /// The definitions, read aloud.
    fn naive(operations: &Operations, rows: &[(i32, i64)]) -> Ledger {
        let mut found: BTreeMap<i64, u64> = BTreeMap::new();
        for (_, seq) in rows {
            *found.entry(*seq).or_default() += 1;
        }
        let outcome = |seq: i64| {
            let index = usize::try_from(seq).ok()?;
            Outcome::from_letter(operations.outcomes.chars().nth(index)?)
        };
        let count = |wanted: Outcome, here: bool| {
            (0..operations.outcomes.len() as i64)
                .filter(|seq| outcome(*seq) == Some(wanted) && found.contains_key(seq) == here)
                .count() as u64
        };
        let fits = |seq: &i64| matches!(outcome(*seq), Some(Outcome::Ok | Outcome::Unknown));
        let known = |seq: &i64| outcome(*seq).is_some();
        let stray = rows.iter().filter(|(_, seq)| !known(seq)).count() as u64;
        let distinct = found.keys().filter(|seq| known(seq)).count() as u64;
        let begin = |seq: i64| u64::try_from(seq).unwrap() * 1_000 + 10;
        let end = |seq: i64| u64::try_from(seq).unwrap() * 1_000 + 100;
        let mut out_of_order = 0;
        for (j, (connection, seq)) in rows.iter().enumerate() {
            let earlier = rows[..j]
                .iter()
                .filter(|(c, s)| c == connection && known(s));
            let after =
                |(_, s): &&(i32, i64)| outcome(*seq) == Some(Outcome::Ok) && end(*seq) < begin(*s);
            out_of_order += u64::from(known(seq) && earlier.clone().any(|row| after(&row)));
        }
        Ledger {
            sent: [Outcome::Ok, Outcome::Unknown]
                .map(|o| count(o, true) + count(o, false))
                .iter()
                .sum(),
            acked: count(Outcome::Ok, true) + count(Outcome::Ok, false),
            committed: distinct + stray,
            unknown: count(Outcome::Unknown, true) + count(Outcome::Unknown, false),
            unknown_committed: count(Outcome::Unknown, true),
            unknown_absent: count(Outcome::Unknown, false),
            lost: count(Outcome::Ok, false),
            duplicate: rows.len() as u64 - distinct - stray,
            unexpected: stray + found.keys().filter(|s| known(s) && !fits(s)).count() as u64,
            out_of_order,
            ..Ledger::default()
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definitions(
            outcomes in "[ofrtun]{0,12}",
            mut rows in prop::collection::vec((0..3_i32, -1..14_i64), 0..20),
        ) {
            rows.sort_by_key(|(connection, _)| *connection);
            let operations = told(&outcomes);
            prop_assert_eq!(check(&operations, &rows), naive(&operations, &rows));
        }
    }
}
