//! What balances there must be, and which updates are lost, doubled or misplaced. Pure.
//!
//! Each update adds an amount that follows from its own name, counts its row's changes up
//! and leaves its name there. So a row says how many updates it got, which was the last of
//! them, and by its balance which the others were.

use reports::run::Ledger;

use super::events::Name;
use crate::load::proof::mixed;

pub(super) const BALANCES: i32 = 10_000;
/// Prime to the number of balances: neighbours in a batch lie on different pages, and
/// none comes again before all others have.
const STRIDE: u64 = 7_919;

/// A row, as it must be or as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// The sum of all amounts.
    pub(super) balance: i64,
    /// Updates that it got.
    pub(super) changes: i64,
    /// The update that was the last; all zero before the first.
    pub(super) last: Name,
}

/// The updates that were acknowledged, and the rows that were found.
#[derive(Debug)]
pub(super) struct Balances {
    /// By key, with whether it was found.
    rows: Vec<(Balance, bool)>,
    found: Ledger,
}

impl Balances {
    pub(super) fn new() -> Self {
        Self {
            rows: vec![(Balance::default(), false); BALANCES.unsigned_abs() as usize],
            found: Ledger::default(),
        }
    }

    /// The row that is changed at this turn.
    pub(super) fn key(turn: u64) -> i32 {
        let key = turn.wrapping_mul(STRIDE) % u64::from(BALANCES.unsigned_abs());
        i32::try_from(key).unwrap_or(0)
    }

    /// What the update of this name adds, from 1 to a million.
    pub(super) fn amount(name: Name) -> i64 {
        let mixed = mixed([name.run, i64::from(name.slice), name.number]);
        i64::try_from(mixed % 1_000_000).unwrap_or(0) + 1
    }

    /// An update was acknowledged.
    pub(super) fn acknowledged(&mut self, key: i32, name: Name) {
        let row = usize::try_from(key).ok().and_then(|i| self.rows.get_mut(i));
        if let Some((row, _)) = row {
            row.balance += Self::amount(name);
            row.changes += 1;
            row.last = name;
        }
    }

    /// A row that is there.
    pub(super) fn found(&mut self, key: i32, is: Balance) {
        let row = usize::try_from(key).ok().and_then(|i| self.rows.get_mut(i));
        let Some((must, found @ false)) = row else {
            self.found.unexpected += 1;
            return;
        };
        *found = true;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let (got, sent) = (count(is.changes), count(must.changes));
        if is == *must {
            self.found.committed += sent;
        } else if got < sent {
            self.found.committed += got;
            self.found.lost += sent - got;
        } else if got > sent {
            self.found.committed += sent;
            // One of its own came again, or one that was never meant for it came.
            if is.last == must.last {
                self.found.duplicate += got - sent;
            } else {
                self.found.unexpected += got - sent;
            }
        } else {
            // As many as it must have, and at least one of them is another.
            self.found.unexpected += 1;
            self.found.lost += 1.min(sent);
            self.found.committed += sent.saturating_sub(1);
        }
    }

    /// What became of the updates.
    pub(super) fn ledger(&self) -> Ledger {
        let changes = |(row, _): &(Balance, bool)| u64::try_from(row.changes).unwrap_or(0);
        let acked = self.rows.iter().map(changes).sum();
        let absent = self.rows.iter().filter(|(_, found)| !found);
        Ledger {
            sent: acked,
            acked,
            lost: self.found.lost + absent.map(changes).sum::<u64>(),
            ..self.found
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn name(number: i64) -> Name {
        Name {
            run: 7,
            slice: 3,
            number,
        }
    }

    /// Three updates of every row, and what a change leaves of the rows.
    fn judged(change: impl Fn(&mut Vec<(i32, Balance)>)) -> Ledger {
        let mut balances = Balances::new();
        let all = 3 * u64::from(BALANCES.unsigned_abs());
        for turn in 0..all {
            let number = i64::try_from(turn).expect("few");
            balances.acknowledged(Balances::key(turn), name(number));
        }
        let mut rows: Vec<_> = (0..)
            .zip(balances.rows.iter().map(|(row, _)| *row))
            .collect();
        change(&mut rows);
        for (key, row) in rows {
            balances.found(key, row);
        }
        let ledger = balances.ledger();
        assert_eq!(ledger.acked, all);
        // As every ledger must add up.
        let found = ledger.acked - ledger.lost;
        let possible = found..=found + ledger.unexpected;
        assert!(possible.contains(&ledger.committed), "{ledger:?}");
        ledger
    }

    fn wrong(change: impl Fn(&mut Vec<(i32, Balance)>)) -> (u64, u64, u64) {
        let ledger = judged(change);
        (ledger.lost, ledger.duplicate, ledger.unexpected)
    }

    #[test]
    fn an_update_that_is_lost_doubled_or_misplaced_is_found() {
        let last = |row: &Balance| Balances::amount(row.last);
        assert_eq!(wrong(|_| ()), (0, 0, 0));
        let lost = wrong(|rows| {
            rows[5].1.balance -= last(&rows[5].1);
            rows[5].1.changes -= 1;
            rows[5].1.last = name(1);
        });
        assert_eq!(lost, (1, 0, 0));
        let doubled = wrong(|rows| {
            rows[5].1.balance += last(&rows[5].1);
            rows[5].1.changes += 1;
        });
        assert_eq!(doubled, (0, 1, 0));
        let misplaced = wrong(|rows| {
            let to = rows[6].1.last;
            rows[5].1.balance += Balances::amount(to);
            rows[5].1.changes += 1;
            rows[5].1.last = to;
            rows[6].1.balance -= Balances::amount(to);
            rows[6].1.changes -= 1;
            rows[6].1.last = name(1);
        });
        assert_eq!(misplaced, (1, 0, 1));
    }

    #[test]
    fn an_update_in_place_of_another_is_found_by_its_name_and_by_its_amount() {
        assert_eq!(wrong(|rows| rows[5].1.last.run += 1), (1, 0, 1));
        assert_eq!(wrong(|rows| rows[5].1.last.slice += 1), (1, 0, 1));
        assert_eq!(wrong(|rows| rows[5].1.balance += 1), (1, 0, 1));
    }

    #[test]
    fn rows_that_are_gone_are_lost_and_others_are_unexpected() {
        assert_eq!(wrong(|rows| rows.truncate(rows.len() - 1)), (3, 0, 0));
        assert_eq!(wrong(|rows| rows.push(rows[5])), (0, 0, 1));
        let odd = Balance::default();
        assert_eq!(wrong(|rows| rows.push((BALANCES, odd))), (0, 0, 1));
        assert_eq!(wrong(|rows| rows.push((-1, odd))), (0, 0, 1));
    }

    #[test]
    fn updates_of_ten_thousand_in_a_row_do_not_meet_and_their_amounts_differ() {
        let turns = 0..u64::from(BALANCES.unsigned_abs());
        let keys: HashSet<i32> = turns.map(Balances::key).collect();
        assert_eq!(keys.len(), BALANCES.unsigned_abs() as usize);
        let amounts: HashSet<i64> = (0..1_000).map(|n| Balances::amount(name(n))).collect();
        assert!(amounts.len() > 990, "{}", amounts.len());
        assert!(
            amounts
                .iter()
                .all(|amount| (1..=1_000_000).contains(amount))
        );
    }
}
