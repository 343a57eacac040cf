//! [`Histogram`]: how often each value was recorded, to two significant digits.

use hdrhistogram::Histogram as Hdr;

/// An hour in microseconds. What is higher counts as this.
pub(super) const HIGHEST: u64 = 3_600_000_000;

/// Whole numbers from 1 to 3.6 billion with two significant digits (each is off by less than
/// 1 in 100), and their exact sum. Whoever keeps one says of what. Takes no memory until
/// something is recorded, and then 27 KB.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    hdr: Option<Box<Hdr<u64>>>,
    sum: u64,
    /// Higher than what the buckets say is nothing.
    max: u64,
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
    /// The 90th percentile.
    pub p90: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// 999 of 1000 were no higher.
    pub p999: u64,
    /// The highest.
    pub max: u64,
}

fn empty() -> Option<Box<Hdr<u64>>> {
    // The bounds are constants that HDR accepts; were they not, nothing would be recorded, and
    // `the_bounds_are_valid` would fail.
    Hdr::new_with_bounds(1, HIGHEST, 2).ok().map(Box::new)
}

impl Histogram {
    /// Records a value `n` times.
    pub fn record_n(&mut self, value: u64, n: u64) {
        if n == 0 {
            return;
        }
        if self.hdr.is_none() {
            self.hdr = empty();
        }
        if let Some(hdr) = &mut self.hdr {
            let value = value.min(HIGHEST);
            hdr.saturating_record_n(value, n);
            self.sum = self.sum.saturating_add(value.saturating_mul(n));
            self.max = self.max.max(value);
        }
    }

    /// Adds all that another has recorded.
    pub fn add(&mut self, other: &Self) {
        let Some(theirs) = &other.hdr else {
            return;
        };
        match &mut self.hdr {
            None => self.hdr.clone_from(&other.hdr),
            // The bounds are the same, so all of it fits.
            Some(hdr) => hdr.add(&**theirs).unwrap_or_default(),
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// What was recorded since it was as `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        if self.count() == before.count() {
            return Self::default();
        }
        let mut since = self.clone();
        if let (Some(hdr), Some(old)) = (&mut since.hdr, &before.hdr) {
            // It has all that was recorded then.
            hdr.subtract(&**old).unwrap_or_default();
            since.max = hdr.max().min(since.max);
        }
        since.sum = self.sum.saturating_sub(before.sum);
        since
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.hdr.as_ref().map_or(0, |hdr| hdr.len())
    }

    /// All of them together, none of them rounded.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest value that a share of all, above 0 and at most 1, is not above. `None` if
    /// nothing was recorded.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let hdr = self.hdr.as_ref().filter(|hdr| !hdr.is_empty())?;
        let count = hdr.len() as f64;
        // 0.56 of 175 are 98, but the nearest numbers to 0.56 make it a little more: what
        // exceeds a whole number by no more than rounding is that number.
        let rank = (share * count * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
        // Half a rank below, the histogram rounds up to this one, whatever the rounding.
        Some(hdr.value_at_quantile((rank - 0.5) / count).min(self.max))
    }

    /// How many were at most this, as exactly as the buckets are.
    #[must_use]
    pub fn count_up_to(&self, value: u64) -> u64 {
        let hdr = self.hdr.as_ref();
        hdr.map_or(0, |hdr| hdr.count_between(0, value.min(HIGHEST)))
    }

    /// The values that were recorded, rounded up to those that a bucket stands for, and how often.
    /// In ascending order.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        let hdr = self.hdr.iter();
        hdr.flat_map(|hdr| hdr.iter_recorded())
            .map(|at| (at.value_iterated_to(), at.count_at_value()))
    }

    /// Takes the sum for that of what was recorded: it was known better before.
    pub(super) fn set_sum(&mut self, sum: u64) {
        self.sum = sum;
    }

    /// Count and quantiles of everything recorded so far.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let at = |share: f64| self.quantile(share).unwrap_or_default();
        Quantiles {
            count: self.count(),
            sum: self.sum,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: self.max,
        }
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let hdr = self.hdr.as_ref();
        size_of::<Self>() + hdr.map_or(0, |hdr| size_of::<Hdr<u64>>() + hdr.distinct_values() * 8)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bounds_are_valid() {
        let mut histogram = Histogram::default();
        histogram.record_n(u64::MAX, 1);
        histogram.record_n(0, 2);
        let q = histogram.quantiles();
        assert_eq!((q.count, q.sum, q.max), (3, HIGHEST, HIGHEST));
        assert!(histogram.bytes() < 32_000, "{}", histogram.bytes());
    }

    #[test]
    fn a_percentile_of_so_many_is_the_value_of_that_rank() {
        // Up to 255, each value has a bucket of its own.
        for count in 1..=255 {
            let mut histogram = Histogram::default();
            (1..=count).for_each(|value| histogram.record_n(value, 1));
            for percent in 1..=100 {
                let rank = (percent * count).div_ceil(100);
                let got = histogram.quantile(percent as f64 / 100.0);
                assert_eq!(got, Some(rank), "{percent} % of {count}");
            }
        }
    }

    proptest! {
        /// Every quantile is within the precision of the exact one, by rank: the smallest value
        /// that at least this share of all is not above.
        #[test]
        fn quantiles_are_those_of_the_sorted_values(
            mut values in proptest::collection::vec(1_u64..10_000_000, 1..400),
            percent in 1_usize..=100,
        ) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record_n(*value, 1));
            values.sort_unstable();
            let rank = (percent * values.len()).div_ceil(100).clamp(1, values.len());
            let exact = values[rank - 1];
            let got = histogram.quantile(percent as f64 / 100.0).unwrap();
            prop_assert!(got >= exact, "{got} below {exact}");
            prop_assert!(got as f64 <= exact as f64 * 1.01 + 1.0, "{got} above {exact}");
            prop_assert_eq!(histogram.sum(), values.iter().sum::<u64>());
        }

        #[test]
        fn what_was_recorded_since_is_what_was_added(
            before in proptest::collection::vec(1_u64..1_000_000, 0..50),
            after in proptest::collection::vec(1_u64..1_000_000, 0..50),
        ) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::default();
                values.iter().for_each(|value| histogram.record_n(*value, 1));
                histogram
            };
            let (old, new) = (of(&before), of(&after));
            let mut both = old.clone();
            both.add(&new);
            let since = both.since(&old);
            prop_assert_eq!(since.count(), new.count());
            prop_assert_eq!(since.sum(), new.sum());
            let recorded = |h: &Histogram| h.recorded().collect::<Vec<_>>();
            prop_assert_eq!(recorded(&since), recorded(&new));
        }
    }
}
