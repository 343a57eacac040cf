//! A latency histogram that many threads record into.
//!
//! HDR histograms (two significant digits) behind a few mutexes, one of them
//! picked by thread: recording is a short uncontended lock, a snapshot adds the
//! shards up.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram as Hdr;

const SHARDS: usize = 4;

/// A minute in microseconds; longer counts as a minute. No deadline of a pool
/// is allowed to be longer.
const HIGHEST_US: u64 = 60_000_000;

/// Latencies from 1 us to 60 s with two significant digits.
#[derive(Debug)]
pub struct Histogram {
    shards: [Mutex<Option<Hdr<u64>>>; SHARDS],
}

/// A summary of a [`Histogram`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// How many were recorded.
    pub count: u64,
    /// The median, in microseconds.
    pub p50_us: u64,
    /// The 99th percentile, in microseconds.
    pub p99_us: u64,
    /// The highest, in microseconds.
    pub max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            // The bounds are constants that HDR accepts; were they not, nothing
            // would be recorded, and `the_bounds_are_valid` would fail.
            shards: std::array::from_fn(|_| Mutex::new(empty())),
        }
    }
}

fn empty() -> Option<Hdr<u64>> {
    Hdr::new_with_bounds(1, HIGHEST_US, 2).ok()
}

impl Histogram {
    /// Records one latency.
    pub fn record(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let mut shard = self.shards[shard()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(hdr) = shard.as_mut() {
            hdr.saturating_record(us);
        }
    }

    /// Count and quantiles of everything recorded so far.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let Some(mut sum) = empty() else {
            return Quantiles::default();
        };
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(hdr) = shard.as_ref()
                && let Err(error) = sum.add(hdr)
            {
                tracing::error!(%error, "histogram shards differ");
            }
        }
        if sum.is_empty() {
            return Quantiles::default();
        }
        Quantiles {
            count: sum.len(),
            p50_us: sum.value_at_quantile(0.5),
            p99_us: sum.value_at_quantile(0.99),
            max_us: sum.max(),
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
                    for us in 1..=1000 {
                        histogram.record(Duration::from_micros(us));
                    }
                });
            }
        });
        let q = histogram.quantiles();
        assert_eq!(q.count, 8_000);
        assert!((495..=505).contains(&q.p50_us), "{q:?}");
        assert!((985..=1000).contains(&q.p99_us), "{q:?}");
    }

    #[test]
    fn longer_than_the_highest_counts_as_the_highest() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_secs(3600));
        histogram.record(Duration::ZERO);
        let q = histogram.quantiles();
        assert_eq!(q.count, 2);
        assert!(q.max_us >= HIGHEST_US, "{q:?}");
    }
}
