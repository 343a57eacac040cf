//! What became of each operation of a load, while it runs.
//!
//! A million operations take 24 bytes each here, in pieces that are never moved: whoever adds
//! one never waits for all before it to be copied.

use reports::{record::Interval, run::Outcome};

/// Operations of one piece.
const PIECE: usize = 4096;

/// An operation, on the clock of its load.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// When it was due.
    pub due_us: u64,
    /// From then to the answer.
    latency_us: u64,
    /// How late its arm was called. More than an hour is said to be 71 minutes.
    lag_us: u32,
    outcome: Option<Outcome>,
    /// A statement of it was handed to a connection.
    pub sent: bool,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// How it ended.
    pub outcome: Outcome,
    /// From when it was due to its end.
    pub latency_us: u64,
    /// How late its arm was called.
    pub lag_us: u64,
}

impl Entry {
    /// What became of it, if it is over.
    #[must_use]
    pub fn settled(&self) -> Option<Settled> {
        Some(Settled {
            outcome: self.outcome?,
            latency_us: self.latency_us,
            lag_us: self.lag_us.into(),
        })
    }
}

/// How many operations of a load have come to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that are over or under way.
    pub begun: u64,
    /// Answered without error.
    pub ok: u64,
    /// Over, in any other way.
    pub not_ok: u64,
}

impl Counts {
    /// Those under way.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.begun.saturating_sub(self.ok + self.not_ok)
    }
}

/// All operations of a load, by their number.
#[derive(Debug, Default)]
pub struct History {
    pieces: Vec<Vec<Entry>>,
    counts: Counts,
    /// Those that ended since somebody asked for them.
    interval: Interval,
}

impl History {
    /// Adds one that is due at a moment, and returns its number.
    pub fn begin(&mut self, due_us: u64) -> u64 {
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(Entry {
                due_us,
                latency_us: 0,
                lag_us: 0,
                outcome: None,
                sent: false,
            });
        }
        self.counts.begun += 1;
        self.counts.begun - 1
    }

    /// Notes that a statement of one was handed to a connection.
    pub fn mark_sent(&mut self, i: u64) {
        if let Some(entry) = self.entry(i) {
            entry.sent = true;
        }
    }

    /// Notes what became of one. Only the first time counts.
    pub fn settle(&mut self, i: u64, settled: Settled) {
        let Some(entry) = self.entry(i).filter(|entry| entry.outcome.is_none()) else {
            return;
        };
        entry.outcome = Some(settled.outcome);
        entry.latency_us = settled.latency_us;
        entry.lag_us = u32::try_from(settled.lag_us).unwrap_or(u32::MAX);
        match settled.outcome {
            Outcome::Ok => self.counts.ok += 1,
            _ => self.counts.not_ok += 1,
        }
        self.interval.record(settled.outcome, settled.latency_us);
    }

    /// Hands over those that ended since the last time, and goes on with an empty one.
    pub fn swap_interval(&mut self, empty: &mut Interval) {
        std::mem::swap(&mut self.interval, empty);
    }

    /// How many have come to what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces
            .last()
            .map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// One by its number.
    #[must_use]
    pub fn get(&self, i: u64) -> Option<&Entry> {
        let i = usize::try_from(i).ok()?;
        self.pieces.get(i / PIECE)?.get(i % PIECE)
    }

    fn entry(&mut self, i: u64) -> Option<&mut Entry> {
        let i = usize::try_from(i).ok()?;
        self.pieces.get_mut(i / PIECE)?.get_mut(i % PIECE)
    }

    /// Those from a number on, with their numbers.
    pub fn since(&self, first: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let skipped = usize::try_from(first).unwrap_or(usize::MAX);
        let (pieces, within) = (skipped / PIECE, skipped % PIECE);
        let left = self.pieces.iter().skip(pieces).flatten().skip(within);
        (first..).zip(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(outcome: Outcome, latency_us: u64) -> Settled {
        Settled {
            outcome,
            latency_us,
            lag_us: 7,
        }
    }

    #[test]
    fn an_operation_takes_24_bytes_and_none_is_moved() {
        assert_eq!(size_of::<Entry>(), 24);
        let mut history = History::default();
        history.begin(0);
        assert!(history.pieces[0].capacity() >= PIECE, "room from the start");
        let first: *const Entry = history.get(0).expect("it is there");
        for i in 1..1_000_000 {
            assert_eq!(history.begin(i), i);
        }
        assert!(std::ptr::eq(first, history.get(0).expect("it is there")));
        let capacity: usize = history.pieces.iter().map(Vec::capacity).sum();
        assert!(capacity <= 1_000_000 + PIECE, "{capacity}");
        assert_eq!(history.len(), 1_000_000);
    }

    #[test]
    fn each_is_found_by_its_number_and_counted_once() {
        let n = 3 * PIECE as u64 + 5;
        let mut history = History::default();
        assert_eq!((history.len(), history.since(0).count()), (0, 0));
        for i in 0..n {
            history.begin(i * 10);
        }
        for i in (0..n).rev().step_by(2) {
            history.settle(i, settled(Outcome::Ok, i));
            history.settle(i, settled(Outcome::Failed, 0));
        }
        history.settle(1, settled(Outcome::NotSent, 0));
        history.settle(n, settled(Outcome::Ok, 0));
        history.mark_sent(n);
        let counts = history.counts();
        assert_eq!(
            (counts.begun, counts.ok, counts.not_ok),
            (n, n.div_ceil(2), 1)
        );
        assert_eq!(counts.in_flight(), n / 2 - 1);
        for first in [0, 1, 4_095, 4_096, 8_192, n - 1, n, n + 9] {
            let left: Vec<(u64, u64)> = history
                .since(first)
                .map(|(i, entry)| (i, entry.due_us))
                .collect();
            let expected: Vec<(u64, u64)> = (first..n).map(|i| (i, i * 10)).collect();
            assert_eq!(left, expected, "from {first} on");
        }
        let last = history
            .get(n - 1)
            .and_then(Entry::settled)
            .expect("settled");
        assert_eq!((last.latency_us, last.lag_us), (n - 1, 7));
        assert!(history.get(n).is_none());
    }
}
