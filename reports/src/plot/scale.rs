//! From a quantity to a pixel.

/// A linear axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    /// The quantity at either end ...
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// ... and its pixel.
    pub(crate) start: f64,
    pub(crate) end: f64,
}

impl Linear {
    pub(crate) fn at(&self, value: f64) -> f64 {
        let part = (value - self.from) / (self.to - self.from).max(f64::MIN_POSITIVE);
        self.start + part.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Round values on the axis, about `count` of them: steps of 1, 2 or 5.
    pub(crate) fn ticks(&self, count: f64) -> Vec<f64> {
        let rough = (self.to - self.from).max(f64::MIN_POSITIVE) / count;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * decade)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(decade);
        let first = (self.from / step).ceil();
        (0..100)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|tick| *tick <= self.to + step * 1e-6)
            .collect()
    }
}

/// A logarithmic axis over whole decades.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    decades: Linear,
}

impl Log {
    /// From the decade at or below `least` to the one at or above `most`; both
    /// are above zero.
    pub(crate) fn new(least: f64, most: f64, start: f64, end: f64) -> Self {
        let from = (least.log10() + 1e-9).floor();
        Self {
            decades: Linear {
                from,
                to: (most.log10() - 1e-9).ceil().max(from + 1.0),
                start,
                end,
            },
        }
    }

    /// From one value to another, both above zero, which need not be decades.
    pub(crate) fn between(least: f64, most: f64, start: f64, end: f64) -> Self {
        let (from, to) = (least.log10(), most.log10());
        Self {
            decades: Linear {
                from,
                to: to.max(from + 1e-6),
                start,
                end,
            },
        }
    }

    /// 1, 2 and 5 of every decade, as far as they are on the axis.
    pub(crate) fn fine_ticks(&self) -> Vec<f64> {
        let first = self.decades.from.floor();
        let decades = (0..40).map(|i| 10_f64.powf(first + f64::from(i)));
        let (from, to) = (self.decades.from - 1e-9, self.decades.to + 1e-9);
        decades
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|part| part * decade))
            .filter(|tick| (from..=to).contains(&tick.log10()))
            .collect()
    }

    /// Zero and what is below the axis stand at its lower end.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.decades.at(value.max(f64::MIN_POSITIVE).log10())
    }

    /// The decades.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        (0..40)
            .map(|i| self.decades.from + f64::from(i))
            .take_while(|exponent| *exponent <= self.decades.to)
            .map(|exponent| 10_f64.powf(exponent))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        let axis = Linear {
            from: -1.9,
            to: 8.1,
            start: 100.0,
            end: 1100.0,
        };
        assert_eq!(
            axis.ticks(10.0),
            [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
        );
        assert_eq!(axis.at(-1.9), 100.0);
        assert_eq!(axis.at(99.0), 1100.0);
        let within = Log::between(0.5, 60.0, 0.0, 100.0);
        let ticks = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
        assert_eq!(within.fine_ticks(), ticks);
        assert_eq!((within.at(0.5), within.at(60.0)), (0.0, 100.0));
        let log = Log::new(20.0, 300_000.0, 50.0, 0.0);
        assert_eq!(log.ticks(), [10.0, 100.0, 1e3, 1e4, 1e5, 1e6]);
        assert_eq!((log.at(10.0), log.at(0.0), log.at(1e6)), (50.0, 50.0, 0.0));
    }
}
