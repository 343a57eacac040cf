//! Which candidates the data do not tell from the chosen one, by the rule it was chosen by:
//! the smallest that reaches so much of the best.

use crate::stats::Ratio;

/// A candidate, and what part of the best it reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Contender {
    pub(super) value: u32,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// How much wider than what was seen the bounds of few rounds are taken to be.
const FEW: f64 = 1.1;

impl Contender {
    /// By its rounds. Fewer than bound a median are taken for as far apart as they are, and
    /// a tenth more; a single one bounds nothing.
    pub(super) fn of(value: u32, rounds: &Ratio) -> Self {
        let most = rounds.pairs.iter().copied().fold(0.0, f64::max);
        let least = rounds.pairs.iter().copied().fold(f64::MAX, f64::min);
        let few = (rounds.n() >= 2).then_some((least / FEW, most * FEW));
        Self {
            value,
            low: rounds.low.or(few.map(|(low, _)| low)),
            high: rounds.high.or(few.map(|(_, high)| high)),
        }
    }
}

/// Every value that the smallest to reach `bar` may be, of candidates that stand by value: those
/// that may reach it, up to the first that does so for certain.
pub(super) fn possible(contenders: &[Contender], bar: f64) -> Vec<u32> {
    let certain = contenders
        .iter()
        .position(|of| of.low.is_some_and(|low| low >= bar));
    let last = certain.map_or(contenders.len(), |at| at + 1);
    let open = contenders.iter().take(last);
    let open = open.filter(|of| of.high.is_none_or(|high| high >= bar));
    open.map(|of| of.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_smallest_is_left_open() {
        let of = |value, low, high| Contender { value, low, high };
        let all = [
            of(2, Some(0.3), Some(0.4)),
            of(4, Some(0.8), Some(0.95)),
            of(8, None, None),
            of(16, Some(0.92), Some(1.0)),
            of(32, Some(1.0), Some(1.0)),
        ];
        assert_eq!(possible(&all, 0.9), [4, 8, 16]);
        assert_eq!(possible(&all[..2], 0.9), [4]);
        assert_eq!(possible(&all, 0.2), [2]);
        assert!(possible(&[], 0.9).is_empty());
    }

    #[test]
    fn few_rounds_bound_less_and_one_bounds_nothing() {
        let one = Contender::of(4, &Ratio::of(&[0.5]));
        assert_eq!((one.low, one.high), (None, None));
        let two = Contender::of(4, &Ratio::of(&[0.5, 0.66]));
        assert!(two.low < Some(0.5) && two.high > Some(0.7), "{two:?}");
        let many = Contender::of(4, &Ratio::of(&[0.5; 6]));
        assert_eq!((many.low, many.high), (Some(0.5), Some(0.5)));
    }
}
