//! How long the oldest call has been under way, without a list of calls.
//!
//! Each thread keeps a ring of slices of time in a shard of its own: how many calls
//! began in each and are not over. The oldest slice that is not empty tells the age,
//! to a slice. Beside it stands when a call last went well: a server that answers
//! others is not hanging.
//!
//! A call that began in the very slice in which another went well may have begun
//! before that: it is not held against the server, those that follow it are. Calls
//! that are older than the ring share its last place with newer ones, which
//! only makes them look younger.

use super::sync::{AtomicU64, Ordering};

/// Slices that the age in question is divided into: an age is known to an eighth.
const SLICES: u64 = 8;
/// Slices of the ring, three times that age: a call that is under way for longer than the
/// age in question is found for that long again.
const RING: usize = 24;

#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    /// For each place the slice (40 bits) and the calls of it under way (24 bits).
    ring: [AtomicU64; RING],
    /// The last slice in which a call went well, plus one; zero for none.
    well: AtomicU64,
}

/// The ages of calls under way.
#[derive(Debug)]
pub(super) struct Ages {
    slice_ns: u64,
    shards: Box<[Shard]>,
    /// The slice in which the epoch began: what began before does not count.
    from: AtomicU64,
}

impl Ages {
    /// Keeps the ages of calls, which hang if they are older than `age_ns`.
    pub(super) fn new(age_ns: u64, shards: usize) -> Self {
        let shard = |_| Shard {
            ring: std::array::from_fn(|_| AtomicU64::new(0)),
            well: AtomicU64::new(0),
        };
        Self {
            slice_ns: (age_ns / SLICES).max(1),
            shards: (0..shards).map(shard).collect(),
            from: AtomicU64::new(0),
        }
    }

    pub(super) fn slice_ns(&self) -> u64 {
        self.slice_ns
    }

    fn shard(&self, shard: usize) -> &Shard {
        &self.shards[shard % self.shards.len()]
    }

    /// Counts a call that begins. Returns its place in the ring, for `end`.
    pub(super) fn begin(&self, shard: usize, now_ns: u64) -> u32 {
        let slice = now_ns / self.slice_ns;
        let place = usize::try_from(slice % RING as u64).unwrap_or(0);
        let cell = &self.shard(shard).ring[place];
        let mut word = cell.load(Ordering::Relaxed);
        loop {
            // Calls of an older slice that are still there go on as newer ones.
            let next = slice << 24 | (word & 0xff_ffff).saturating_add(1).min(0xff_ffff);
            match cell.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return u32::try_from(place).unwrap_or(0),
                Err(now) => word = now,
            }
        }
    }

    /// Ends a call, by the place that [`begin`](Self::begin) returned for it.
    pub(super) fn end(&self, shard: usize, place: u32) {
        let cell = &self.shard(shard).ring[place as usize % RING];
        let mut word = cell.load(Ordering::Relaxed);
        while word & 0xff_ffff > 0 {
            match cell.compare_exchange_weak(word, word - 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Notes that a call went well.
    pub(super) fn answered(&self, shard: usize, now_ns: u64) {
        let slice = now_ns / self.slice_ns + 1;
        let well = &self.shard(shard).well;
        if well.load(Ordering::Relaxed) < slice {
            well.store(slice, Ordering::Relaxed);
        }
    }

    /// Leaves all calls that began before out of account.
    pub(super) fn forget(&self, now_ns: u64) {
        self.from.store(now_ns / self.slice_ns, Ordering::Relaxed);
    }

    /// Returns the age of the oldest call, if it hangs: it is too old, and no call has gone
    /// well since it began.
    pub(super) fn hanging(&self, now_ns: u64) -> Option<u64> {
        let now = now_ns / self.slice_ns;
        let from = self.from.load(Ordering::Relaxed);
        let words = self.shards.iter().flat_map(|shard| &shard.ring);
        let begun = words.map(|cell| cell.load(Ordering::Relaxed));
        let under_way = begun
            .filter(|word| word & 0xff_ffff > 0)
            .map(|word| word >> 24);
        // Of those that began after one last went well: they are all behind it.
        let wells = self.shards.iter().map(|s| s.well.load(Ordering::Relaxed));
        let from = wells.max().unwrap_or(0).max(from);
        let oldest = under_way.filter(|slice| *slice >= from).min()?;
        let age = now.saturating_sub(oldest);
        (age > SLICES).then_some(age * self.slice_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: u64 = 8_000;

    #[test]
    fn a_call_that_is_not_over_is_seen_and_one_that_is_over_is_not() {
        let ages = Ages::new(AGE, 2);
        let first = ages.begin(0, 1_500);
        assert_eq!(ages.hanging(9_900), None, "not yet");
        assert_eq!(ages.hanging(10_000), Some(9_000));
        let second = ages.begin(1, 9_000);
        ages.end(0, first);
        assert_eq!(ages.hanging(12_000), None, "the other is young");
        assert_eq!(ages.hanging(18_000), Some(9_000));
        ages.end(1, second);
        assert_eq!(ages.hanging(90_000), None);
    }

    /// Once a call that had been under way when another went well hid all that came
    /// after it.
    #[test]
    fn a_hang_is_seen_behind_a_call_that_is_only_long() {
        let ages = Ages::new(AGE, 1);
        let _long = ages.begin(0, 1_000);
        ages.answered(0, 1_500);
        let _hangs = ages.begin(0, 3_000);
        assert_eq!(ages.hanging(11_000), None);
        assert_eq!(ages.hanging(12_000), Some(9_000));
    }

    #[test]
    fn who_serves_others_is_not_hanging() {
        let ages = Ages::new(AGE, 2);
        let _long = ages.begin(0, 1_000);
        ages.answered(1, 5_000);
        assert_eq!(ages.hanging(30_000), None);
        let _next = ages.begin(1, 40_000);
        ages.forget(45_000);
        assert_eq!(ages.hanging(60_000), None, "from before the epoch");
        let _third = ages.begin(0, 61_000);
        assert_eq!(ages.hanging(70_000), Some(9_000));
    }
}
