//! [`Slot`]: what was added in a span of time, in few bytes. Pure.
//!
//! Almost everything in a second is zero, and times lie close together: so a slot holds what is
//! not zero, as differences, seven bits to the byte (LEB128).

use std::sync::Arc;

use super::{Histogram, Snapshot, registry::SERIES};

/// Most bytes of a slot. Times that are spread out so far that they take more are merged with
/// their neighbours until they do not.
pub(super) const MOST: usize = 4_096;
/// What a slot takes beside its bytes: two times, a pointer with its length, two counts of
/// references.
pub(super) const BESIDE: usize = size_of::<Slot>() + 2 * size_of::<usize>();

/// How the pool stood at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gauges {
    pub(crate) active: u64,
    pub(crate) idle: u64,
    pub(crate) max: u64,
    pub(crate) waiting_for_slot: u64,
    pub(crate) waiting_for_circuit: u64,
    /// The place of the circuit's state in [`STATES`](super::STATES).
    pub(crate) state: u64,
}

impl Gauges {
    const N: usize = 6;

    fn numbers(&self) -> [u64; Self::N] {
        [
            self.active,
            self.idle,
            self.max,
            self.waiting_for_slot,
            self.waiting_for_circuit,
            self.state,
        ]
    }

    fn of(
        [
            active,
            idle,
            max,
            waiting_for_slot,
            waiting_for_circuit,
            state,
        ]: [u64; Self::N],
    ) -> Self {
        Self {
            active,
            idle,
            max,
            waiting_for_slot,
            waiting_for_circuit,
            state,
        }
    }
}

/// What was added between two moments, and how the pool stood at the second.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Milliseconds since the history began.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    bytes: Arc<[u8]>,
}

impl Slot {
    pub(super) fn new(from_ms: u64, to_ms: u64, added: &Snapshot, gauges: &Gauges) -> Self {
        let mut merged = 1;
        let bytes = loop {
            let bytes = encode(added, gauges, merged);
            if bytes.len() <= MOST || merged > MOST {
                break bytes;
            }
            merged *= 2;
        };
        Self {
            from_ms,
            to_ms,
            bytes: bytes.into(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + BESIDE
    }

    /// Adds what was added to `all`, histograms only if they are wanted, and returns how the
    /// pool stood.
    pub(super) fn read(&self, all: &mut Snapshot, histograms: bool) -> Gauges {
        let mut reader = Reader(&self.bytes);
        let gauges = Gauges::of(std::array::from_fn(|_| reader.number()));
        let mut numbers = all.numbers_mut();
        for i in 0..reader.number() {
            let ahead = usize::try_from(reader.number()).unwrap_or(usize::MAX);
            // Behind the first, the next is the one after the last.
            let skipped = if i == 0 {
                ahead
            } else {
                ahead.saturating_sub(1)
            };
            let n = reader.number();
            if let Some(number) = numbers.nth(skipped) {
                *number += n;
            }
        }
        drop(numbers);
        if !histograms {
            return gauges;
        }
        loop {
            let series = usize::try_from(reader.number()).unwrap_or_default();
            let Some(series) = series.checked_sub(1) else {
                break;
            };
            let mut histogram = Histogram::default();
            let sum = reader.number();
            let (mut value, entries) = (0, reader.number());
            for _ in 0..entries {
                value += reader.number();
                histogram.record_n(value, reader.number());
            }
            histogram.set_sum(sum);
            if let Some(all) = all.series.get_mut(series) {
                all.add(&histogram);
            }
        }
        gauges
    }
}

/// `merged`: how many neighbouring values are made one.
fn encode(added: &Snapshot, gauges: &Gauges, merged: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    gauges
        .numbers()
        .into_iter()
        .for_each(|n| put(&mut bytes, n));
    let some: Vec<_> = added
        .numbers()
        .enumerate()
        .filter(|(_, n)| *n > 0)
        .collect();
    put(&mut bytes, some.len() as u64);
    let mut last = 0;
    for (i, n) in some {
        put(&mut bytes, (i - last) as u64);
        put(&mut bytes, n);
        last = i;
    }
    for (i, histogram) in added.series.iter().enumerate() {
        if histogram.count() == 0 {
            continue;
        }
        put(&mut bytes, i as u64 + 1);
        put(&mut bytes, histogram.sum());
        let recorded: Vec<_> = histogram.recorded().collect();
        put(&mut bytes, recorded.len().div_ceil(merged) as u64);
        let mut last = 0;
        for group in recorded.chunks(merged) {
            let (highest, _) = group[group.len() - 1];
            put(&mut bytes, highest - last);
            put(&mut bytes, group.iter().map(|(_, n)| n).sum());
            last = highest;
        }
    }
    put(&mut bytes, 0);
    bytes
}

fn put(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    bytes.push(n.to_le_bytes()[0]);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// The next number; zero behind the last.
    fn number(&mut self) -> u64 {
        let (mut n, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            n |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        n
    }
}

const _: () = assert!(SERIES < 0x80, "the number of a series is one byte");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{Counter, Metrics, QueryKind, ResultLabel, Timing};

    fn empty() -> Snapshot {
        Metrics::default().snapshot()
    }

    type Seen = (Vec<u64>, Vec<Vec<(u64, u64)>>, Vec<u64>);

    fn seen(snapshot: &Snapshot) -> Seen {
        let series = snapshot.series.iter();
        (
            snapshot.numbers().collect(),
            series.clone().map(|h| h.recorded().collect()).collect(),
            series.map(Histogram::sum).collect(),
        )
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_put_in(
            counts in proptest::collection::vec((0..Counter::ALL.len(), 0_u64..1 << 40), 0..20),
            times in proptest::collection::vec((0..4_usize, 1_u64..100_000_000), 0..80),
            gauges in any::<[u32; 6]>(),
        ) {
            let metrics = Metrics::default();
            for (counter, n) in counts {
                metrics.add(Counter::ALL[counter], n);
            }
            for (kind, us) in times {
                let took = Duration::from_micros(us);
                metrics.query(QueryKind::ALL[kind], ResultLabel::Ok, Some(took));
                metrics.time(Timing::Hold, took * 2);
            }
            let (added, gauges) = (metrics.snapshot(), Gauges::of(gauges.map(u64::from)));
            let slot = Slot::new(1, 2, &added, &gauges);
            let mut read = empty();
            prop_assert_eq!(slot.read(&mut read, true), gauges);
            prop_assert_eq!(seen(&read), seen(&added));
        }
    }

    #[test]
    fn times_that_are_spread_out_are_merged_and_none_is_lost() {
        let metrics = Metrics::default();
        for us in (1..3_000_000).step_by(500) {
            for kind in QueryKind::ALL {
                let took = Some(Duration::from_micros(us));
                metrics.query(*kind, ResultLabel::Ok, took);
            }
        }
        let added = metrics.snapshot();
        let slot = Slot::new(0, 1, &added, &Gauges::default());
        assert!(slot.bytes() <= MOST + BESIDE, "{}", slot.bytes());
        let mut read = empty();
        slot.read(&mut read, true);
        let (now, then) = (
            read.histogram(Timing::Query),
            added.histogram(Timing::Query),
        );
        assert_eq!((now.count(), now.sum()), (then.count(), then.sum()));
        let p50 = |h: &Histogram| h.quantile(0.5).unwrap() as f64;
        assert!((p50(&now) / p50(&then) - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_second_in_which_nothing_happened_takes_few_bytes() {
        let slot = Slot::new(0, 1, &empty(), &Gauges::default());
        assert!(slot.bytes() < 80, "{}", slot.bytes());
    }
}
