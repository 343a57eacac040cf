//! Which events there must be, and what is wrong with those that are there. Pure.
//!
//! A row names its run, its stretch and its number in that; its type and text follow from
//! these. So a row is known by what it says and not by how many there are: one that is
//! lost is not made up for by one that is there twice or that nobody sent.

use std::collections::{BTreeMap, HashSet};

use reports::run::Ledger;

const TYPES: [&str; 4] = ["login", "view", "order", "logout"];
/// Different texts among the events.
const TEXTS: usize = 64;
/// Bytes of each: with its name and type, an event has a hundred.
const TEXT: usize = 74;

/// Names a row: of one stretch of queries, the query with this number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// The run, among all runs that ever used this server.
    pub(super) run: i64,
    /// The stretch, among all of the run.
    pub(super) slice: i32,
    /// The query, among those of its stretch.
    pub(super) number: i64,
}

/// The rows that were acknowledged, and those that were found.
#[derive(Debug)]
pub(super) struct Events {
    run: i64,
    texts: Vec<String>,
    slices: BTreeMap<i32, Slice>,
    found: Ledger,
}

#[derive(Debug, Default)]
struct Slice {
    /// Queries that were answered, numbered from 0 on.
    answered: i64,
    /// Of these: with an error.
    failed: HashSet<i64>,
    /// By number: whether its row was found.
    found: Vec<bool>,
}

impl Events {
    /// Of a run. What is written in them is drawn at random.
    pub(super) fn new(run: i64, rng: &mut fastrand::Rng) -> Self {
        let text =
            |rng: &mut fastrand::Rng| -> String { (0..TEXT).map(|_| rng.alphanumeric()).collect() };
        Self {
            run,
            texts: (0..TEXTS).map(|_| text(rng)).collect(),
            slices: BTreeMap::new(),
            found: Ledger::default(),
        }
    }

    /// Type and text of the event of this name.
    pub(super) fn content(&self, name: Name) -> (&'static str, &str) {
        let turn = name.number.wrapping_add(i64::from(name.slice));
        let at = |n: usize| {
            let n = i64::try_from(n).unwrap_or(1);
            usize::try_from(turn.rem_euclid(n)).unwrap_or(0)
        };
        (TYPES[at(TYPES.len())], &self.texts[at(TEXTS)])
    }

    /// The next query of a stretch was answered: with an error or without.
    pub(super) fn answered(&mut self, name: Name, done: bool) {
        let slice = self.slices.entry(name.slice).or_default();
        slice.answered = slice.answered.max(name.number + 1);
        if !done {
            slice.failed.insert(name.number);
        }
    }

    /// A row that is there.
    pub(super) fn found(&mut self, name: Name, kind: &str, data: &str) {
        let right = name.run == self.run && (kind, data) == self.content(name);
        let slice = self.slices.get_mut(&name.slice).filter(|_| right);
        let sent = slice.filter(|slice| {
            (0..slice.answered).contains(&name.number) && !slice.failed.contains(&name.number)
        });
        let (Some(slice), Ok(at)) = (sent, usize::try_from(name.number)) else {
            self.found.unexpected += 1;
            return;
        };
        if slice.found.len() <= at {
            slice.found.resize(at + 1, false);
        }
        if slice.found[at] {
            self.found.duplicate += 1;
        } else {
            slice.found[at] = true;
            self.found.committed += 1;
        }
    }

    /// What became of them.
    pub(super) fn ledger(&self) -> Ledger {
        let acked = |slice: &Slice| {
            let answered = u64::try_from(slice.answered).unwrap_or(0);
            answered.saturating_sub(slice.failed.len() as u64)
        };
        let acked = self.slices.values().map(acked).sum();
        Ledger {
            sent: acked,
            acked,
            lost: acked - self.found.committed,
            ..self.found
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: i64 = 7;

    fn name(slice: i32, number: i64) -> Name {
        Name {
            run: RUN,
            slice,
            number,
        }
    }

    /// Two stretches of a hundred queries, the last of each refused; and the rows that are
    /// there, as a change leaves them.
    fn judged(change: impl Fn(&mut Vec<(Name, String, String)>)) -> Ledger {
        let mut events = Events::new(RUN, &mut fastrand::Rng::with_seed(1));
        let mut rows = Vec::new();
        for slice in [3, 4] {
            for number in 0..100 {
                let name = name(slice, number);
                events.answered(name, number < 99);
                if number < 99 {
                    let (kind, data) = events.content(name);
                    rows.push((name, kind.to_owned(), data.to_owned()));
                }
            }
        }
        change(&mut rows);
        for (name, kind, data) in rows {
            events.found(name, &kind, &data);
        }
        let ledger = events.ledger();
        assert_eq!((ledger.sent, ledger.acked), (198, 198));
        assert_eq!(ledger.lost, 198 - ledger.committed);
        ledger
    }

    #[test]
    fn every_row_that_was_acknowledged_is_there_once_and_no_other() {
        let wrong = |ledger: Ledger| (ledger.lost, ledger.duplicate, ledger.unexpected);
        assert_eq!(wrong(judged(|_| ())), (0, 0, 0));
        assert_eq!(wrong(judged(|rows| drop(rows.pop()))), (1, 0, 0));
        assert_eq!(wrong(judged(|rows| rows.push(rows[5].clone()))), (0, 1, 0));
        // As many as there should be, and not one of them too many.
        assert_eq!(wrong(judged(|rows| rows[6] = rows[5].clone())), (1, 1, 0));
    }

    #[test]
    fn a_row_that_nobody_sent_is_found_whatever_it_says() {
        let odd = |change: &dyn Fn(&mut Name)| {
            let ledger = judged(|rows| {
                let mut odd = rows[5].clone();
                change(&mut odd.0);
                rows.push(odd);
            });
            assert_eq!((ledger.lost, ledger.duplicate), (0, 0));
            ledger.unexpected
        };
        assert_eq!(odd(&|name| name.run += 1), 1, "another run");
        assert_eq!(odd(&|name| name.slice = 64 + 3), 1, "no such stretch");
        assert_eq!(odd(&|name| name.number += 64 * 4), 1, "no such number");
        assert_eq!(odd(&|name| name.number = -59), 1, "no number");
    }

    #[test]
    fn a_row_of_a_query_that_was_refused_is_unexpected() {
        let ledger = judged(|rows| {
            let refused = name(3, 99);
            let events = Events::new(RUN, &mut fastrand::Rng::with_seed(1));
            let (kind, data) = events.content(refused);
            rows.push((refused, kind.to_owned(), data.to_owned()));
        });
        assert_eq!((ledger.lost, ledger.unexpected), (0, 1));
    }

    #[test]
    fn a_row_with_what_another_should_hold_is_lost_and_unexpected() {
        let swapped = judged(|rows| {
            let (first, second) = (rows[5].clone(), rows[6].clone());
            rows[5].1.clone_from(&second.1);
            rows[6].2.clone_from(&first.2);
        });
        assert_eq!((swapped.lost, swapped.unexpected), (2, 2));
    }
}
