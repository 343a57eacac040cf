//! A histogram that many threads record into.
//!
//! HDR histograms (two significant digits) behind a few mutexes, one of them
//! picked by thread: recording is a short uncontended lock, a snapshot adds the
//! shards up.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use hdrhistogram::Histogram as Hdr;

const SHARDS: usize = 4;

/// A minute in microseconds: no deadline of a pool is allowed to be longer. What is higher
/// counts as this.
const HIGHEST: u64 = 60_000_000;

/// Whole numbers from 1 to 60 million with two significant digits. Whoever keeps one says
/// of what.
#[derive(Debug)]
pub struct Histogram {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug)]
struct Shard {
    hdr: Option<Hdr<u64>>,
    sum: u64,
}

/// A summary of a [`Histogram`], in the unit of what was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quantiles {
    /// How many were recorded.
    pub count: u64,
    /// All of them together, none of them rounded; what was higher than the highest counts as
    /// that.
    pub sum: u64,
    /// The median.
    pub p50: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The highest.
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            // The bounds are constants that HDR accepts; were they not, nothing
            // would be recorded, and `the_bounds_are_valid` would fail.
            shards: std::array::from_fn(|_| {
                Mutex::new(Shard {
                    hdr: empty(),
                    sum: 0,
                })
            }),
        }
    }
}

fn empty() -> Option<Hdr<u64>> {
    Hdr::new_with_bounds(1, HIGHEST, 2).ok()
}

impl Histogram {
    /// Records a value.
    pub fn record(&self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records a value `n` times.
    pub fn record_n(&self, value: u64, n: u64) {
        let mut shard = self.shards[shard()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(hdr) = shard.hdr.as_mut() {
            hdr.saturating_record_n(value, n);
            let added = value.min(HIGHEST).saturating_mul(n);
            shard.sum = shard.sum.saturating_add(added);
        }
    }

    /// Count and quantiles of everything recorded so far.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let Some(mut all) = empty() else {
            return Quantiles::default();
        };
        let mut sum = 0_u64;
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            sum = sum.saturating_add(shard.sum);
            if let Some(hdr) = shard.hdr.as_ref()
                && let Err(error) = all.add(hdr)
            {
                tracing::error!(%error, "histogram shards differ");
            }
        }
        if all.is_empty() {
            return Quantiles::default();
        }
        Quantiles {
            count: all.len(),
            sum,
            p50: all.value_at_quantile(0.5),
            p99: all.value_at_quantile(0.99),
            max: all.max(),
        }
    }
}

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    MINE.with(|mine| *mine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_valid_and_nothing_is_lost_between_threads() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for value in 1..=1000 {
                        histogram.record(value);
                    }
                });
            }
        });
        let q = histogram.quantiles();
        assert_eq!((q.count, q.sum), (8_000, 8 * 500_500));
        assert!((495..=505).contains(&q.p50), "{q:?}");
        assert!((985..=1000).contains(&q.p99), "{q:?}");
    }

    #[test]
    fn more_than_the_highest_counts_as_the_highest() {
        let histogram = Histogram::default();
        histogram.record(u64::MAX);
        histogram.record_n(0, 2);
        let q = histogram.quantiles();
        assert_eq!((q.count, q.sum), (3, HIGHEST));
        assert!(q.max >= HIGHEST, "{q:?}");
    }
}
