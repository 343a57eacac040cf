//! Tests and intervals from ranks: whether one set of runs lies above another, and by how
//! much.
//!
//! Ranks need no distribution to be assumed, and a stray value counts for no more than its
//! rank. Of few values the distributions are exact: every order is counted, by adding up
//! how many ways there are to each sum ([`EXACT_UP_TO`]); beyond, they are normal with a
//! correction for continuity.
//!
//! - Two sets of runs that have nothing to do with each other: [`mann_whitney`] tests,
//!   [`shift`] bounds by how much one lies above the other (Mann and Whitney, *On a test of
//!   whether one of two random variables is stochastically larger than the other*, Annals
//!   of Mathematical Statistics 18, 1947; Hodges and Lehmann, *Estimates of location based
//!   on rank tests*, Annals of Mathematical Statistics 34, 1963).
//! - Pairs, by their differences: [`signed_rank`] tests, [`pseudomedian`] bounds (Wilcoxon,
//!   *Individual comparisons by ranking methods*, Biometrics Bulletin 1, 1945; intervals by
//!   Hollander, Wolfe and Chicken, *Nonparametric Statistical Methods*, 3rd ed., sections
//!   3.3 and 4.3).
//!
//! # What is assumed
//!
//! The tests of two sets need runs that could as well have been drawn in any other order if
//! there is no difference; the interval of a shift, that the two sets differ by nothing but
//! a shift. Those of pairs need differences that lie symmetrically about their middle; where
//! that may not be, the exact interval of the median ([`quantile`](super::quantile)) needs
//! nothing.
//!
//! # Ties
//!
//! Equal values have the mean of their ranks, and the tests count what these very ranks can
//! sum up to, which is exact whatever is tied. The intervals have the ranks of untied values
//! and include their ends: with ties they hold at least what they say (Noether, *Wilcoxon
//! confidence intervals for location parameters in the discrete case*, JASA 62, 1967).
//!
//! What a side cannot be bounded by at a level, for there being too few values, is `None`.

mod one;
mod sums;
mod two;

use super::Interval;
use sums::{Null, Sums};

pub(super) use one::cut as cut_of_signed;
pub(super) use two::cut as cut_of_two;

pub use one::{pseudomedian, pseudomedian_at, signed_rank};
pub(crate) use two::cut;
pub use two::{fewest_per_side, least_p, mann_whitney, shift, shift_at, shift_of};

/// So many values, of two sets in each, have exact distributions: those of fifty a side
/// take some 20 ms. The normal p-value of as many is off by a tenth where it is 0.001, and by
/// less where it is greater. Of two sets one may have more if the other has so much fewer
/// that it takes no longer: 290 and 2, 196 and 6, 100 and 25.
pub const EXACT_UP_TO: usize = 50;

/// A probability may exceed a level by this share: what `1 - 0.95` is off by is rounding.
const ROUNDING: f64 = 1e-9;

/// On which side of no difference what is tested is suspected to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// The first set, or the differences, tend to be less.
    Less,
    /// They tend to be greater.
    Greater,
    /// Either: twice the smaller of both p-values, at most 1.
    TwoSided,
}

impl Alternative {
    /// What it is of the other set.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
            Self::TwoSided => Self::TwoSided,
        }
    }
}

/// By how much one set of values lies above another, or one of differences above zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shift {
    /// The Hodges-Lehmann estimate: the median of what all pairs say. `None` without pairs,
    /// and where it is only bounded.
    pub estimate: Option<f64>,
    /// Where it lies.
    pub interval: Interval,
}

impl Shift {
    /// From what all pairs say at least and at most, each in order, of which `cut` are cut
    /// off at either end and the next bound the interval.
    fn of(least: &[f64], most: &[f64], cut: Option<usize>) -> Self {
        let known = |value: &f64| value.is_finite();
        let at = |values: &[f64], rank: usize| values.get(rank).copied().filter(known);
        let count = least.len();
        let middle = |values: &[f64]| {
            let (below, above) = (count.checked_sub(1)? / 2, count / 2);
            Some(f64::midpoint(at(values, below)?, at(values, above)?))
        };
        Self {
            estimate: middle(most).filter(|most| middle(least) == Some(*most)),
            interval: Interval {
                low: cut.and_then(|cut| at(least, cut)),
                high: cut.and_then(|cut| at(most, count.checked_sub(cut + 1)?)),
            },
        }
    }
}

/// The ranks of values among each other, twice so that those of ties are whole, and the sum
/// of t^3 - t over the numbers t of those that are equal.
fn doubled_ranks(values: &[f64]) -> (Vec<usize>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0; values.len()];
    let (mut before, mut ties) = (0, 0.0);
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        // The mean of before + 1 and before + t, twice.
        for place in equal {
            ranks[*place] = 2 * before + equal.len() + 1;
        }
        let t = equal.len() as f64;
        ties += t * t * t - t;
        before += equal.len();
    }
    (ranks, ties)
}
