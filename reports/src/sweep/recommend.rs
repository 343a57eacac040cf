//! The cell to ship.
//!
//! Of the cells that no false alarm opened, the one whose median outage costs
//! least. Where two differ by less than can be measured, the one that wastes fewer
//! operations; where that is the same too, the one that needs more failures to
//! open, and then the first of the grid.

use serde::{Deserialize, Serialize};

use crate::record::Record;

use super::finding::CellFinding;

/// A cell, and why it is the one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Its name.
    pub arm: String,
    /// The block of configuration, in TOML, with the guide's keys.
    pub toml: String,
    /// Why, as a sentence.
    pub reason: String,
}

/// Two operations apart is as close as two cells can be told from each other: each
/// one's begin and end of an outage is known to one operation.
fn resolution_s(record: &Record) -> f64 {
    2.0 / f64::from(record.settings.rate_per_s.max(1))
}

/// `None` if no cell has both outages and false alarms, without an open.
#[must_use]
pub fn recommend(record: &Record, cells: &[CellFinding]) -> Option<Recommendation> {
    let candidates: Vec<(&CellFinding, f64, f64)> = cells
        .iter()
        .filter(|cell| cell.false_opens == Some(0))
        .filter_map(|cell| Some((cell, cell.outage_equivalent_s?, cell.wasted?)))
        .collect();
    let least = candidates
        .iter()
        .map(|(_, outage, _)| *outage)
        .fold(f64::INFINITY, f64::min);
    let within = least + resolution_s(record) + 1e-9;
    let tied = candidates.iter().filter(|(_, outage, _)| *outage <= within);
    let (cell, outage, wasted) = tied.clone().min_by(|(a, _, wa), (b, _, wb)| {
        let thresholds = b.failure_threshold.cmp(&a.failure_threshold);
        wa.total_cmp(wb).then(thresholds)
    })?;
    let rest = tied.count() - 1;
    let reason = format!(
        "of {} cells without a false open, an outage costs it {outage:.2} s (median){}; it wastes \
         {wasted:.1} operations an outage",
        candidates.len(),
        match rest {
            0 => ", the least".to_owned(),
            n => format!(", with {n} more too close to tell apart"),
        },
    );
    Some(Recommendation {
        arm: cell.arm.clone(),
        toml: toml(cell),
        reason,
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
