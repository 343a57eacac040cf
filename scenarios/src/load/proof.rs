//! What is in a row follows from its key and from the last write to it, so that an answer
//! proves itself. Pure, but for counting.
//!
//! Each row holds the number of the operation that wrote it last (its version) and a
//! number that follows from run, key and version (its proof). A reader knows which
//! versions it may meet: none older than what was acknowledged before it began, none
//! newer than what was sent.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use reports::run::Ledger;
use tokio_postgres::Row;

/// How many rows of its own each client has.
pub const ROWS: i64 = 256;
/// Most rows that one read asks for.
pub const MOST: i64 = 4;

/// What clients may meet in their rows.
#[derive(Debug)]
pub struct Proofs {
    run: i64,
    /// The key of the first row.
    first: i64,
    rows: Vec<Versions>,
    reads: AtomicU64,
    stale: AtomicU64,
    foreign: AtomicU64,
    missing: AtomicU64,
}

#[derive(Debug, Default)]
struct Versions {
    acked: AtomicI64,
    sent: AtomicI64,
}

/// A number that follows from all of these, and changes with each: as `SplitMix64` mixes
/// (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).
#[must_use]
pub fn mixed(parts: [i64; 3]) -> u64 {
    parts.into_iter().fold(0, |mixed: u64, next| {
        let mut z = (mixed ^ next.cast_unsigned()).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

/// A row as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub id: i64,
    /// The operation that wrote it last; 0 for none.
    pub version: i64,
    /// What proves both.
    pub proof: i64,
}

/// What a read asks for, and the oldest versions that it may meet.
#[derive(Debug)]
pub struct Asked {
    /// The first key.
    pub first: i64,
    oldest: Vec<i64>,
}

impl Found {
    /// A row of a read: key, version, proof. What it does not hold is -1, which no row holds.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        Self::at(row, [0, 1, 2])
    }

    /// The same, with its columns from last to first.
    #[must_use]
    pub fn reversed(row: &Row) -> Self {
        Self::at(row, [2, 1, 0])
    }

    fn at(row: &Row, [id, version, proof]: [usize; 3]) -> Self {
        let column = |i: usize| row.try_get(i).unwrap_or(-1);
        Self {
            id: column(id),
            version: column(version),
            proof: column(proof),
        }
    }
}

impl Asked {
    /// The last key.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.first + i64::try_from(self.oldest.len()).unwrap_or(0) - 1
    }
}

impl Proofs {
    /// For the rows of the client with this number, none of which was written to yet.
    #[must_use]
    pub fn new(run: i64, client: i32) -> Self {
        Self {
            run,
            first: i64::from(client) * ROWS,
            rows: (0..ROWS).map(|_| Versions::default()).collect(),
            reads: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
            missing: AtomicU64::new(0),
        }
    }

    /// The keys of all rows.
    #[must_use]
    pub fn keys(&self) -> std::ops::RangeInclusive<i64> {
        self.first..=self.first + ROWS - 1
    }

    /// Counts an answer that is wrong in another way than by its rows.
    pub fn count_wrong(&self) {
        self.foreign.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a row may be as it was found once all is over: its proof is right, and its
    /// version none that was never sent.
    #[must_use]
    pub fn is_possible(&self, row: Found) -> bool {
        let newest = self
            .row(row.id - self.first)
            .map_or(0, |row| row.sent.load(Ordering::Acquire));
        row.proof == self.of(row.id, row.version) && row.version <= newest
    }

    /// The newest version of a row that was acknowledged; 0 if none was.
    #[must_use]
    pub fn acknowledged(&self, id: i64) -> i64 {
        let row = self.row(id - self.first);
        row.map_or(0, |row| row.acked.load(Ordering::Acquire))
    }

    /// All rows as they are before anything was written.
    pub fn initial(&self) -> impl Iterator<Item = Found> {
        self.keys().map(|id| Found {
            id,
            version: 0,
            proof: self.of(id, 0),
        })
    }

    /// What proves a version of a row: all that it follows from, [mixed].
    #[must_use]
    pub fn of(&self, id: i64, version: i64) -> i64 {
        mixed([self.run, id, version]).cast_signed()
    }

    /// The row that operation `seq` writes to.
    #[must_use]
    pub fn written_by(&self, seq: i64) -> i64 {
        // A prime, so that neighbours in time are none in the table.
        self.first + (seq.wrapping_mul(7_919)).rem_euclid(ROWS)
    }

    /// What operation `seq` reads; it may be as old as this, from now on.
    #[must_use]
    pub fn ask(&self, seq: i64) -> Asked {
        let rows = 1 + seq.rem_euclid(MOST);
        let from = seq.rem_euclid(ROWS - MOST + 1);
        Asked {
            first: self.first + from,
            oldest: (from..from + rows)
                .map(|i| {
                    self.row(i)
                        .map_or(0, |row| row.acked.load(Ordering::Acquire))
                })
                .collect(),
        }
    }

    /// One row, of which the caller itself has just written a version.
    #[must_use]
    pub fn ask_own(&self, id: i64, version: i64) -> Asked {
        Asked {
            first: id,
            oldest: vec![version],
        }
    }

    /// A version of a row may be there from now on.
    pub fn sent(&self, id: i64, version: i64) {
        if let Some(row) = self.row(id - self.first) {
            row.sent.fetch_max(version, Ordering::AcqRel);
        }
    }

    /// A version of a row, or a newer one, is there from now on.
    pub fn acked(&self, id: i64, version: i64) {
        if let Some(row) = self.row(id - self.first) {
            row.acked.fetch_max(version, Ordering::AcqRel);
        }
    }

    /// Compares an answer with what was asked for, and counts what is wrong with it. True
    /// if nothing is.
    pub fn check(&self, asked: &Asked, found: &[Found]) -> bool {
        let count = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        let (mut stale, mut foreign, mut missing) = (0, 0, 0);
        for (id, oldest) in (asked.first..).zip(&asked.oldest) {
            let mut of_key = found.iter().filter(|row| row.id == id);
            let Some(row) = of_key.next() else {
                missing += 1;
                continue;
            };
            if !self.is_possible(*row) {
                foreign += 1;
            } else if row.version < *oldest {
                stale += 1;
            }
            foreign += of_key.count() as u64;
        }
        let strangers = found
            .iter()
            .filter(|row| !(asked.first..=asked.last()).contains(&row.id));
        foreign += strangers.count() as u64;
        count(&self.reads, asked.oldest.len() as u64);
        count(&self.stale, stale);
        count(&self.foreign, foreign);
        count(&self.missing, missing);
        stale + foreign + missing == 0
    }

    /// What was counted so far, as the part of a ledger that is about reads.
    #[must_use]
    pub fn counted(&self) -> Ledger {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ledger {
            reads: of(&self.reads),
            stale_reads: of(&self.stale),
            foreign_reads: of(&self.foreign),
            missing_reads: of(&self.missing),
            ..Ledger::default()
        }
    }

    fn row(&self, i: i64) -> Option<&Versions> {
        self.rows.get(usize::try_from(i).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proofs() -> Proofs {
        Proofs::new(99, 3)
    }

    fn rows(proofs: &Proofs, versions: &[(i64, i64)]) -> Vec<Found> {
        let row = |(id, version): &(i64, i64)| Found {
            id: *id,
            version: *version,
            proof: proofs.of(*id, *version),
        };
        versions.iter().map(row).collect()
    }

    fn wrong(proofs: &Proofs, asked: &Asked, found: &[Found]) -> [u64; 3] {
        let before = proofs.counted();
        let right = proofs.check(asked, found);
        let after = proofs.counted();
        let wrong = [
            after.stale_reads - before.stale_reads,
            after.foreign_reads - before.foreign_reads,
            after.missing_reads - before.missing_reads,
        ];
        assert_eq!(right, wrong == [0; 3]);
        wrong
    }

    #[test]
    fn an_answer_that_is_as_it_must_be_is_accepted() {
        let proofs = proofs();
        // Operation 2 asks for three rows from the third on.
        let asked = proofs.ask(2);
        let ids: Vec<i64> = (asked.first..=asked.last()).collect();
        assert_eq!(ids, [770, 771, 772]);
        let all: Vec<Found> = proofs.initial().collect();
        assert_eq!(all.len(), 256);
        assert_eq!(wrong(&proofs, &asked, &all[2..5]), [0, 0, 0]);
        assert_eq!(proofs.counted().reads, 3);
    }

    #[test]
    fn each_way_to_be_wrong_is_told_from_the_others() {
        let proofs = proofs();
        let fresh = rows(&proofs, &[(770, 0), (771, 0), (772, 0)]);
        proofs.sent(771, 40);
        let asked = proofs.ask(2);
        assert_eq!(wrong(&proofs, &asked, &fresh), [0, 0, 0], "not yet known");
        let newer = rows(&proofs, &[(770, 0), (771, 40), (772, 0)]);
        assert_eq!(wrong(&proofs, &asked, &newer), [0, 0, 0], "in doubt");
        proofs.acked(771, 40);
        assert_eq!(wrong(&proofs, &asked, &fresh), [0, 0, 0], "begun before");
        let asked = proofs.ask(2);
        assert_eq!(wrong(&proofs, &asked, &fresh), [1, 0, 0], "stale");
        assert_eq!(wrong(&proofs, &asked, &newer), [0, 0, 0]);
        assert_eq!(wrong(&proofs, &asked, &newer[..2]), [0, 0, 1], "missing");
        assert_eq!(wrong(&proofs, &asked, &[]), [0, 0, 3], "missing");
        let future = rows(&proofs, &[(770, 41), (771, 40), (772, 0)]);
        assert_eq!(wrong(&proofs, &asked, &future), [0, 1, 0], "nobody's");
        let mut other = newer.clone();
        other[2].proof ^= 1;
        assert_eq!(wrong(&proofs, &asked, &other), [0, 1, 0], "content");
        let of_others = rows(&proofs, &[(770, 0), (771, 40), (773, 0)]);
        assert_eq!(wrong(&proofs, &asked, &of_others), [0, 1, 1], "another key");
        let twice: Vec<Found> = newer.iter().chain(&newer[..1]).copied().collect();
        assert_eq!(wrong(&proofs, &asked, &twice), [0, 1, 0], "twice");
    }

    #[test]
    fn versions_only_grow() {
        let proofs = proofs();
        for version in [7, 5] {
            proofs.sent(768, version);
            proofs.acked(768, version);
        }
        let asked = proofs.ask_own(768, 7);
        assert_eq!(wrong(&proofs, &asked, &rows(&proofs, &[(768, 7)])), [0; 3]);
        let asked = proofs.ask(0);
        assert_eq!(
            wrong(&proofs, &asked, &rows(&proofs, &[(768, 5)])),
            [1, 0, 0]
        );
    }

    #[test]
    fn a_proof_depends_on_all_that_it_proves() {
        let one = proofs().of(1, 2);
        assert_ne!(one, proofs().of(2, 1));
        assert_ne!(one, proofs().of(1, 3));
        assert_ne!(one, Proofs::new(98, 3).of(1, 2));
    }
}
