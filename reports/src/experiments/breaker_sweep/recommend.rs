//! The cell to ship.
//!
//! Of the cells that no false alarm opened, the one whose median outage costs
//! least. A cell that costs no more than can be measured beyond it, outage by
//! outage, is as good; of these, the one that wastes fewest operations, to a whole
//! one. What is left is not told apart by anything that was measured: then the one
//! that needs more failures to open, and the shortest recovery timeout, which
//! bounds the wait where a probe is mistaken.

use serde::{Deserialize, Serialize};

use crate::stats::median;

use super::{
    data::Data,
    finding::{CellFinding, Effects},
};

/// A cell, and why it is the one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Its name.
    pub arm: String,
    /// The block of configuration, in TOML, with the guide's keys.
    pub toml: String,
    /// Why, as a sentence.
    pub reason: String,
    /// The names of the other cells that are too close to it to tell apart.
    #[serde(skip)]
    pub tied: Vec<String>,
}

/// Half of the longest wait between two probes (`circuit_breaker_probe_interval_ms`):
/// where in it the server comes back is chance, and moves a median over a few
/// outages by about so much.
const PROBE_S: f64 = 0.125;

/// As close as two cells can be told apart: by that, or by two operations, since
/// begin and end of an outage are known to one each.
fn resolution_s(data: &Data) -> f64 {
    PROBE_S.max(2.0 / f64::from(data.load.rate_per_s.max(1)))
}

/// `None` if no cell has both outages and false alarms, without an open.
pub(super) fn recommend(
    data: &Data,
    effects: &Effects,
    cells: &[CellFinding],
) -> Option<Recommendation> {
    let candidates: Vec<(&CellFinding, f64, f64)> = cells
        .iter()
        .filter(|cell| cell.false_opens == Some(0))
        .filter_map(|cell| Some((cell, cell.outage_equivalent_s?, cell.wasted?)))
        .collect();
    let outages = |cell: &CellFinding| effects.of(&cell.arm, |fresh| !fresh);
    let (best, ..) = candidates
        .iter()
        .min_by(|(_, a, _), (_, b, _)| a.total_cmp(b))?;
    let of_best = outages(best);
    let within = resolution_s(data) + 1e-9;
    let tied = candidates.iter().filter(|(cell, ..)| {
        let of_cell = outages(cell);
        // The same outages in the same order: all cells were under load together.
        let more = of_cell.iter().zip(&of_best);
        let more = more.map(|(a, b)| a.outage_s - b.outage_s);
        median(more).is_some_and(|more| more <= within)
    });
    let (cell, outage, wasted) = tied.clone().min_by(|(a, _, wa), (b, _, wb)| {
        let fewest = wa.round().total_cmp(&wb.round());
        let patient = b.failure_threshold.cmp(&a.failure_threshold);
        let shortest = a.recovery_timeout_s.total_cmp(&b.recovery_timeout_s);
        fewest.then(patient).then(shortest)
    })?;
    let others = tied.map(|(other, ..)| other.arm.clone());
    let others: Vec<String> = others.filter(|arm| *arm != cell.arm).collect();
    let rest = others.len();
    let reason = format!(
        "of {} cells without a false open, an outage costs it {outage:.2} s (median){}; it wastes \
         {wasted:.1} operations an outage, and none of these a whole one less",
        candidates.len(),
        match rest {
            0 => ", the least".to_owned(),
            1 => ", and another one is too close to tell apart".to_owned(),
            n => format!(", and {n} others are too close to tell apart"),
        },
    );
    Some(Recommendation {
        arm: cell.arm.clone(),
        toml: toml(cell),
        reason,
        tied: others,
    })
}

fn toml(cell: &CellFinding) -> String {
    // A value that is whole still reads as a number with a fraction where the key
    // is one.
    format!(
        "circuit_breaker_failure_threshold = {}\n\
         circuit_breaker_recovery_timeout = {}\n\
         circuit_breaker_error_rate = {:?}\n\
         circuit_breaker_probe = \"{}\"\n",
        cell.failure_threshold,
        cell.recovery_timeout_s,
        cell.error_rate,
        cell.probe.name()
    )
}
