//! What part of the best of its condition each size reaches, where that is least.

use crate::stats::{Ratio, micro};

use super::{ClassFinding, Findings, Size, choose::best};

/// A batch size of a class, beside the best of each condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The size.
    pub batch: u32,
    /// The least part of the best rate that it reaches, over conditions.
    pub least: f64,
    /// The condition where that is.
    pub place: String,
    /// That part in each round of this condition.
    pub rounds: Ratio,
}

/// Those of all fixed sizes that were measured in every condition of a class, in the mode
/// that would be shipped, the smallest first.
#[must_use]
pub fn shares(findings: &Findings, class: &ClassFinding) -> Vec<Share> {
    let Some(mode) = class.mode else {
        return Vec::new();
    };
    let of_class = findings.of_class(&class.name);
    let curves: Vec<_> = of_class.filter_map(|c| Some((c, c.curve(mode)?))).collect();
    let Some((_, first)) = curves.first() else {
        return Vec::new();
    };
    let each = first.fixed().filter_map(|(batch, _)| {
        let mut least: Option<Share> = None;
        for (condition, curve) in &curves {
            let (most, speedup) = best(curve)?;
            let cell = curve.cell(Size::Fixed(batch))?;
            let part = cell.speedup.median? / speedup;
            if least.as_ref().is_some_and(|least| least.least <= part) {
                continue;
            }
            let fastest = curve.cell(Size::Fixed(most))?;
            least = Some(Share {
                batch,
                least: micro(part),
                place: condition.place(),
                rounds: paired(&cell.speedup, &fastest.speedup),
            });
        }
        least
    });
    each.collect()
}

/// One over another, round by round: both are compared with the same baseline. Nothing if
/// they do not have the same rounds.
fn paired(one: &Ratio, other: &Ratio) -> Ratio {
    if one.n() != other.n() {
        return Ratio::default();
    }
    let pairs = one.pairs.iter().zip(&other.pairs);
    let pairs: Vec<f64> = pairs.map(|(one, other)| one / other).collect();
    Ratio::of(&pairs)
}
