//! Outcomes of the recent past, counted by many threads at once. Pure: time and the
//! thread's shard are arguments.
//!
//! Exact counts over a sliding window, not a moving average: the rate is then a
//! number that can be explained ("12 of 20 in the last 10 s"), it forgets
//! completely, and a quiet spell does not leave an old failure weighing for ever.
//!
//! [`TimeWindow`] slides by whole buckets, so it spans between `BUCKETS - 1` and
//! `BUCKETS` buckets of time. Each thread counts in a shard of its own: nothing that
//! another thread writes is read on the way of a call that goes well, and nothing has
//! to be locked, so a call costs the same with one thread and with many. The last
//! shard is for all threads that came too late for one. [`CountWindow`] holds the last N
//! outcomes of all threads, so they share a line there.
//!
//! Invariants: a bucket counts only outcomes of its own slice of time and of its own
//! epoch, both of which stand in the word that counts; a counter never runs over
//! into them. Time that runs backwards counts in the latest slice seen.

use super::sync::{AtomicU8, AtomicU64, Ordering};

/// Buckets of a time window. Ten make the error of the edge at most a tenth.
pub(super) const BUCKETS: u64 = RING as u64;
const RING: usize = 10;

/// Bits of a counter: 16 million outcomes in a slice, a shard.
const COUNT_BITS: u32 = 24;
const COUNT_MOST: u64 = (1 << COUNT_BITS) - 1;
/// Bits of the slice beside it; 194 days of slices of a second.
const SLICE_BITS: u32 = 24;
const SLICE_MOST: u64 = (1 << SLICE_BITS) - 1;

/// The outcomes in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Successes.
    pub ok: u32,
    /// Failures.
    pub failed: u32,
    /// How many of both took long.
    pub slow: u32,
}

impl Counts {
    /// Successes and failures.
    #[must_use]
    pub fn total(self) -> u32 {
        self.ok.saturating_add(self.failed)
    }

    /// Share of failures, 0..=1; 0 if there are no outcomes.
    #[must_use]
    pub fn failure_rate(self) -> f64 {
        self.share(self.failed)
    }

    /// Share of slow calls, 0..=1; 0 if there are no outcomes.
    #[must_use]
    pub fn slow_rate(self) -> f64 {
        self.share(self.slow)
    }

    fn share(self, part: u32) -> f64 {
        if self.total() == 0 {
            0.0
        } else {
            f64::from(part) / f64::from(self.total())
        }
    }
}

/// An outcome to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) ok: bool,
    pub(super) slow: bool,
}

/// A counter with the epoch and the slice that it counts in: 16, 24 and 24 bits.
#[derive(Debug)]
struct Cell(AtomicU64);

impl Cell {
    fn new() -> Self {
        Self(AtomicU64::new(u64::MAX << COUNT_BITS))
    }

    /// Counts one in the slice of `tag`, or in a later one that it is at already.
    /// `alone`: no other thread counts here, so nothing has to be locked.
    #[inline]
    fn add(&self, tag: u64, alone: bool) {
        let word = self.0.load(Ordering::Relaxed);
        // The usual case.
        if word >> COUNT_BITS == tag && word & COUNT_MOST != COUNT_MOST {
            if alone {
                self.0.store(word + 1, Ordering::Relaxed);
            } else {
                // Should the slice change just now, one outcome counts in its
                // neighbour.
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        } else {
            self.add_to_another(tag, word);
        }
    }

    fn add_to_another(&self, tag: u64, mut word: u64) {
        loop {
            let next = if word >> COUNT_BITS == tag {
                if word & COUNT_MOST == COUNT_MOST {
                    return;
                }
                word + 1
            } else if newer(word >> COUNT_BITS, tag) {
                // Time ran backwards, or this thread was asleep.
                if word & COUNT_MOST == COUNT_MOST {
                    return;
                }
                word + 1
            } else {
                (tag << COUNT_BITS) | 1
            };
            match self
                .0
                .compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Returns what was counted in the slices `from..=to` of an epoch.
    fn count(&self, epoch: u64, from: u64, to: u64) -> u32 {
        let word = self.0.load(Ordering::Relaxed);
        let tag = word >> COUNT_BITS;
        let live = tag >> SLICE_BITS == epoch & 0xffff && (from..=to).contains(&(tag & SLICE_MOST));
        if live {
            u32::try_from(word & COUNT_MOST).unwrap_or(u32::MAX)
        } else {
            0
        }
    }
}

/// Whether a cell stands for the same epoch as `tag` and a later slice.
fn newer(cell: u64, tag: u64) -> bool {
    cell >> SLICE_BITS == tag >> SLICE_BITS && cell & SLICE_MOST > tag & SLICE_MOST
}

#[derive(Debug)]
struct Bucket {
    ok: Cell,
    failed: Cell,
    slow: Cell,
}

/// Two lines, since processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    /// The slice that was counted in last: most outcomes fall into the same again, and
    /// a multiplication tells, where finding it takes a division.
    slice: AtomicU64,
    /// When a call last went well, plus one; zero for never.
    well_ns: AtomicU64,
    buckets: [Bucket; RING],
}

/// Outcomes of the last span of time.
#[derive(Debug)]
pub(super) struct TimeWindow {
    bucket_ns: u64,
    shards: Box<[Shard]>,
}

impl TimeWindow {
    /// Makes an empty window over `span_ns`, at least 1 us a bucket.
    pub(super) fn new(span_ns: u64, shards: usize) -> Self {
        let bucket = || Bucket {
            ok: Cell::new(),
            failed: Cell::new(),
            slow: Cell::new(),
        };
        let shard = |_| Shard {
            slice: AtomicU64::new(0),
            well_ns: AtomicU64::new(0),
            buckets: std::array::from_fn(|_| bucket()),
        };
        Self {
            bucket_ns: (span_ns / BUCKETS).max(1_000),
            shards: (0..shards).map(shard).collect(),
        }
    }

    /// Counts an outcome of an epoch that began at `since_ns`.
    #[inline]
    pub(super) fn record(
        &self,
        shard: usize,
        epoch: u64,
        since_ns: u64,
        tally: Tally,
        now_ns: u64,
    ) {
        // Threads beyond those that have a shard of their own share the last.
        let own = self
            .shards
            .get(shard)
            .filter(|_| shard + 1 < self.shards.len());
        let (shard, alone) = match (own, self.shards.last()) {
            (Some(own), _) => (own, true),
            (None, Some(last)) => (last, false),
            (None, None) => return,
        };
        let slice = self.slice_near(&shard.slice, since_ns, now_ns);
        let bucket = &shard.buckets[index(slice)];
        let tag = (epoch & 0xffff) << SLICE_BITS | slice;
        if tally.ok {
            bucket.ok.add(tag, alone);
            shard.well_ns.store(now_ns + 1, Ordering::Relaxed);
        } else {
            bucket.failed.add(tag, alone);
        }
        if tally.slow {
            bucket.slow.add(tag, alone);
        }
    }

    /// Returns when a call last went well, in whatever epoch.
    pub(super) fn last_well_ns(&self) -> Option<u64> {
        let wells = self.shards.iter();
        let wells = wells.map(|shard| shard.well_ns.load(Ordering::Relaxed));
        wells.max().and_then(|well| well.checked_sub(1))
    }

    /// Returns the outcomes of the last span.
    pub(super) fn counts(&self, epoch: u64, since_ns: u64, now_ns: u64) -> Counts {
        let to = self.slice(since_ns, now_ns);
        let from = (to + 1).saturating_sub(BUCKETS);
        let mut counts = Counts::default();
        for bucket in self.shards.iter().flat_map(|shard| &shard.buckets) {
            let count = |cell: &Cell| cell.count(epoch, from, to);
            counts.ok = counts.ok.saturating_add(count(&bucket.ok));
            counts.failed = counts.failed.saturating_add(count(&bucket.failed));
            counts.slow = counts.slow.saturating_add(count(&bucket.slow));
        }
        counts
    }

    /// [`slice`](Self::slice), if it is not the one that was seen last.
    #[inline]
    fn slice_near(&self, last: &AtomicU64, since_ns: u64, now_ns: u64) -> u64 {
        let seen = last.load(Ordering::Relaxed);
        let past_ns = now_ns.saturating_sub(since_ns);
        let within_ns = past_ns.wrapping_sub(seen.wrapping_mul(self.bucket_ns));
        if within_ns < self.bucket_ns {
            return seen & SLICE_MOST;
        }
        let slice = self.slice(since_ns, now_ns);
        last.store(slice, Ordering::Relaxed);
        slice
    }

    fn slice(&self, since_ns: u64, now_ns: u64) -> u64 {
        (now_ns.saturating_sub(since_ns) / self.bucket_ns) & SLICE_MOST
    }
}

fn index(slice: u64) -> usize {
    usize::try_from(slice % BUCKETS).unwrap_or(0)
}

/// The last N outcomes of all threads.
#[derive(Debug)]
pub(super) struct CountWindow {
    next: AtomicU64,
    /// One of [`CountWindow::code`], or zero.
    slots: Box<[AtomicU8]>,
    /// Where the epoch began.
    base: AtomicU64,
}

impl CountWindow {
    pub(super) fn new(size: usize) -> Self {
        Self {
            next: AtomicU64::new(0),
            slots: (0..size.max(1)).map(|_| AtomicU8::new(0)).collect(),
            base: AtomicU64::new(0),
        }
    }

    pub(super) fn record(&self, epoch: u64, tally: Tally) {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len() as u64;
        let at = usize::try_from(at).unwrap_or(0);
        self.slots[at].store(Self::code(epoch, tally), Ordering::Relaxed);
    }

    /// The low bits of the epoch, so that an outcome that was overtaken by a change
    /// does not count in it; and never zero.
    fn code(epoch: u64, tally: Tally) -> u8 {
        let epoch = u8::try_from(epoch & 0x1f).unwrap_or(0);
        epoch << 3 | u8::from(tally.slow) << 2 | u8::from(tally.ok) << 1 | 1
    }

    /// Returns the outcomes of this epoch.
    pub(super) fn counts(&self, epoch: u64) -> Counts {
        let next = self.next.load(Ordering::Relaxed);
        let size = self.slots.len() as u64;
        let from = self
            .base
            .load(Ordering::Relaxed)
            .max(next.saturating_sub(size));
        let mut counts = Counts::default();
        for at in from..next {
            let slot = usize::try_from(at % size).unwrap_or(0);
            let code = self.slots[slot].load(Ordering::Relaxed);
            // Another's: overtaken, or counted and about to be written.
            if code == 0 || u64::from(code >> 3) != epoch & 0x1f {
                continue;
            }
            counts.ok += u32::from(code & 2 != 0);
            counts.failed += u32::from(code & 2 == 0);
            counts.slow += u32::from(code & 4 != 0);
        }
        counts
    }

    /// Forgets all outcomes, for a new epoch.
    pub(super) fn clear(&self) {
        let next = self.next.load(Ordering::Relaxed);
        self.base.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    /// Keeps every outcome with its time, and counts those of the last slices.
    #[derive(Default)]
    struct Naive(Vec<(u64, Tally)>);

    fn counted<'a>(live: impl Iterator<Item = &'a Tally>) -> Counts {
        let mut counts = Counts::default();
        for tally in live {
            counts.ok += u32::from(tally.ok);
            counts.failed += u32::from(!tally.ok);
            counts.slow += u32::from(tally.slow);
        }
        counts
    }

    impl Naive {
        fn counts(&self, now_ms: u64, bucket_ms: u64) -> Counts {
            let oldest = (now_ms / bucket_ms + 1).saturating_sub(BUCKETS);
            let live = self.0.iter().filter(|(t, _)| t / bucket_ms >= oldest);
            counted(live.map(|(_, tally)| tally))
        }
    }

    fn tally() -> impl Strategy<Value = Tally> {
        (any::<bool>(), any::<bool>()).prop_map(|(ok, slow)| Tally { ok, slow })
    }

    proptest! {
        #[test]
        fn a_span_is_that_of_a_list_of_all_outcomes(
            steps in prop::collection::vec((0_u64..40, 0_usize..5, tally()), 1..200),
            long in 0_u64..500,
        ) {
            let window = TimeWindow::new(100 * MS, 3);
            let since = 7 * MS;
            // What another epoch counted is not seen.
            window.record(0, 4, since, Tally { ok: false, slow: true }, since);
            let mut naive = Naive::default();
            let mut now_ms = 0;
            for (i, (step, shard, tally)) in steps.into_iter().enumerate() {
                now_ms += if i == 20 { long } else { step };
                let now = since + now_ms * MS;
                window.record(shard, 5, since, tally, now);
                naive.0.push((now_ms, tally));
                prop_assert_eq!(window.counts(5, since, now), naive.counts(now_ms, 10));
            }
        }

        #[test]
        fn the_last_n_are_those_of_a_list(
            tallies in prop::collection::vec(tally(), 0..60),
            clear_at in 0_usize..60,
        ) {
            let window = CountWindow::new(9);
            let mut list = Vec::new();
            let mut epoch = 30;
            for (i, tally) in tallies.into_iter().enumerate() {
                if i == clear_at {
                    window.clear();
                    list.clear();
                    epoch += 1;
                }
                window.record(epoch, tally);
                list.push(tally);
                let last = &list[list.len().saturating_sub(9)..];
                prop_assert_eq!(window.counts(epoch), counted(last.iter()));
            }
        }
    }

    #[test]
    fn time_that_runs_backwards_forgets_nothing() {
        let window = TimeWindow::new(100 * MS, 1);
        let good = Tally {
            ok: true,
            slow: false,
        };
        window.record(0, 0, 0, good, 155 * MS);
        window.record(0, 0, 0, good, 55 * MS);
        assert_eq!(window.counts(0, 0, 155 * MS).ok, 2, "in the same bucket");
    }

    #[test]
    fn a_full_counter_stays_full() {
        let cell = Cell::new();
        cell.0
            .store((9 << COUNT_BITS) | (COUNT_MOST - 1), Ordering::Relaxed);
        cell.add(9, false);
        cell.add(9, true);
        assert_eq!(u64::from(cell.count(0, 9, 9)), COUNT_MOST);
        assert_eq!(cell.count(0, 10, 11), 0, "and does not run over");
    }
}
