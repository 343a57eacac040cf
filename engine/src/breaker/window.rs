//! Outcomes of the recent past, in a ring of buckets. Pure: time is an argument.
//!
//! Exact counts over a sliding window, not a moving average: the rate is then a
//! number that can be explained ("12 of 20 in the last 10 s"), it forgets
//! completely, and a quiet spell does not leave an old failure weighing for ever.
//! The window slides by whole buckets, so it spans between `BUCKETS - 1` and
//! `BUCKETS` buckets of time.
//!
//! Invariant: a bucket counts only outcomes of its own slice of time; time never
//! runs backwards (an earlier `now` counts as the latest one seen).

use std::time::Duration;

use crate::clock::Instant;

/// Buckets of a window. Ten make the error of the edge at most a tenth.
pub const BUCKETS: usize = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    ok: u32,
    failed: u32,
}

/// Successes and failures of the last `span`.
#[derive(Debug, Clone)]
pub struct Window {
    bucket: Duration,
    start: Instant,
    /// Number of slices since `start` that the newest bucket stands for.
    newest: u128,
    buckets: [Bucket; BUCKETS],
}

/// What a [`Window`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Outcomes that were good.
    pub ok: u32,
    /// Outcomes that were not.
    pub failed: u32,
}

impl Counts {
    /// All outcomes.
    #[must_use]
    pub fn total(self) -> u32 {
        self.ok.saturating_add(self.failed)
    }

    /// Share of failures, 0..=1; 0 if there are no outcomes.
    #[must_use]
    pub fn failure_rate(self) -> f64 {
        if self.total() == 0 {
            0.0
        } else {
            f64::from(self.failed) / f64::from(self.total())
        }
    }
}

impl Window {
    /// An empty window over the last `span`, at least 1 us a bucket.
    #[must_use]
    pub fn new(span: Duration, now: Instant) -> Self {
        let buckets = u32::try_from(BUCKETS).unwrap_or(u32::MAX);
        Self {
            bucket: (span / buckets).max(Duration::from_micros(1)),
            start: now,
            newest: 0,
            buckets: [Bucket::default(); BUCKETS],
        }
    }

    /// Counts one outcome.
    pub fn record(&mut self, ok: bool, now: Instant) {
        self.advance(now);
        let bucket = &mut self.buckets[slot(self.newest)];
        let count = if ok {
            &mut bucket.ok
        } else {
            &mut bucket.failed
        };
        *count = count.saturating_add(1);
    }

    /// What the window holds at `now`.
    pub fn counts(&mut self, now: Instant) -> Counts {
        self.advance(now);
        self.buckets
            .iter()
            .fold(Counts { ok: 0, failed: 0 }, |sum, b| Counts {
                ok: sum.ok.saturating_add(b.ok),
                failed: sum.failed.saturating_add(b.failed),
            })
    }

    fn advance(&mut self, now: Instant) {
        let slice = now.saturating_duration_since(self.start).as_nanos() / self.bucket.as_nanos();
        let steps = slice.saturating_sub(self.newest).min(BUCKETS as u128);
        for step in 1..=steps {
            self.buckets[slot(slice - steps + step)] = Bucket::default();
        }
        self.newest = self.newest.max(slice);
    }
}

fn slot(slice: u128) -> usize {
    usize::try_from(slice % BUCKETS as u128).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock;

    /// Keeps every outcome with its time, and counts those of the last slices.
    #[derive(Default)]
    struct Naive(Vec<(u64, bool)>);

    impl Naive {
        fn counts(&self, now_ms: u64, bucket_ms: u64) -> Counts {
            let oldest = (now_ms / bucket_ms + 1).saturating_sub(BUCKETS as u64);
            let live = |ok: bool| {
                let n = self
                    .0
                    .iter()
                    .filter(|(t, o)| *o == ok && t / bucket_ms >= oldest);
                u32::try_from(n.count()).unwrap()
            };
            Counts {
                ok: live(true),
                failed: live(false),
            }
        }
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_list_of_all_outcomes(
            steps in prop::collection::vec((0_u64..40, any::<bool>()), 1..200),
            long in 0_u64..500,
        ) {
            let start = clock::now();
            let mut window = Window::new(Duration::from_millis(100), start);
            let mut naive = Naive::default();
            let mut now_ms = 0;
            for (i, (step, ok)) in steps.into_iter().enumerate() {
                now_ms += if i == 20 { long } else { step };
                let now = start + Duration::from_millis(now_ms);
                window.record(ok, now);
                naive.0.push((now_ms, ok));
                prop_assert_eq!(window.counts(now), naive.counts(now_ms, 10));
            }
        }
    }

    #[test]
    fn time_that_runs_backwards_forgets_nothing() {
        let start = clock::now();
        let mut window = Window::new(Duration::from_millis(100), start);
        window.record(false, start + Duration::from_millis(55));
        window.record(true, start);
        assert_eq!(window.counts(start), Counts { ok: 1, failed: 1 });
    }
}
