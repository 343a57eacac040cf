//! Which settings of the circuit breaker.

use super::{Choice, Data, Missing, data::of_breaker};
use crate::{
    claim::Claim,
    experiment::Experiment as _,
    experiments::breaker_sweep::{
        BreakerSweep, CONFIRMATION, CellFinding, Findings, confirmed, find as find_cells,
    },
    numbers::seconds,
    run::Run,
};

/// What was found of breaker settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BreakerFinding {
    pub(super) found: Findings,
    /// Whether fresh outages bear the recommended cell out, as a sentence.
    pub(super) confirmed: String,
    /// The claim of that, if there were any.
    pub(super) claim: Option<Claim>,
}

/// Finds it.
pub(super) fn find(run: &Run, data: &Data) -> BreakerFinding {
    let found = find_cells(&data.breaker);
    let claims = BreakerSweep::claims(&of_breaker(run, data), &data.breaker, &found);
    BreakerFinding {
        confirmed: confirmed(&claims),
        claim: claims.into_iter().find(|claim| claim.id == CONFIRMATION),
        found,
    }
}

/// A key, and the value that a cell has of it, in TOML.
type Key = (&'static str, fn(&CellFinding) -> String);

const KEYS: [Key; 4] = [
    ("circuit_breaker_failure_threshold", |cell| {
        cell.failure_threshold.to_string()
    }),
    ("circuit_breaker_recovery_timeout", |cell| {
        cell.recovery_timeout_s.to_string()
    }),
    ("circuit_breaker_error_rate", |cell| {
        format!("{:?}", cell.error_rate)
    }),
    ("circuit_breaker_probe", |cell| {
        format!("{:?}", cell.probe.name())
    }),
];

/// The settings, or what is missing.
pub(super) fn choices(found: &BreakerFinding) -> (Vec<Choice>, Vec<Missing>) {
    let cells = &found.found.cells;
    let chosen = found.found.recommended.as_ref().and_then(|recommended| {
        let cell = cells.iter().find(|cell| cell.arm == recommended.arm)?;
        Some((recommended, cell))
    });
    let Some((recommended, cell)) = chosen else {
        let missing = KEYS.map(|(key, _)| Missing {
            key: key.to_owned(),
            reason: "no cell had outages, and every false alarm without opening".to_owned(),
        });
        return (Vec::new(), missing.into());
    };
    let evidence = format!(
        "{} of {} outages: {}; {}",
        cell.arm, cell.outages, recommended.reason, found.confirmed
    );
    let tied: Vec<&CellFinding> = cells
        .iter()
        .filter(|cell| recommended.tied.contains(&cell.arm))
        .collect();
    let choices = KEYS.iter().enumerate().map(|(i, (key, value))| {
        let mut close: Vec<String> = tied.iter().map(|cell| value(cell)).collect();
        close.retain(|other| *other != value(cell));
        close.sort();
        close.dedup();
        Choice {
            key: (*key).to_owned(),
            value: value(cell),
            evidence: match i {
                0 => evidence.clone(),
                _ => format!(
                    "the same cell, {}, of the same {} outages",
                    cell.arm, cell.outages
                ),
            },
            if_wrong: if_wrong(cells, cell, i),
            close,
        }
    });
    (choices.collect(), Vec::new())
}

/// What the cells did that differ from this one in one key only, or the worst of all.
fn if_wrong(cells: &[CellFinding], chosen: &CellFinding, key: usize) -> String {
    let same = |cell: &CellFinding| {
        let keys = KEYS.iter().enumerate();
        let same = keys.map(|(i, (_, value))| (i, value(cell) == value(chosen)));
        same.into_iter().all(|(i, same)| same == (i != key))
    };
    let (_, value) = KEYS[key];
    let costs = |cell: &CellFinding| {
        let outage = cell.outage_equivalent_s.map(seconds)?;
        let opens = match cell.false_opens {
            Some(n @ 1..) => format!(" and {n} false opens"),
            _ => String::new(),
        };
        Some(format!("{outage}{opens}"))
    };
    let beside = cells.iter().filter(|cell| same(cell));
    let beside: Vec<String> = beside
        .filter_map(|cell| Some(format!("{} with {}", costs(cell)?, value(cell))))
        .collect();
    let own = costs(chosen).unwrap_or_else(|| "an unknown time".to_owned());
    if !beside.is_empty() {
        return format!("an outage costs {own}; {}", beside.join(", "));
    }
    let known = cells
        .iter()
        .filter(|cell| cell.outage_equivalent_s.is_some());
    let worst = known.max_by(|a, b| {
        let of = |cell: &CellFinding| cell.outage_equivalent_s.unwrap_or(0.0);
        of(a).total_cmp(&of(b))
    });
    match worst.and_then(|worst| Some((worst, costs(worst)?))) {
        Some((worst, cost)) => format!(
            "an outage costs {own}; nothing else was tried of this key alone, and the worst cell, \
             {}, costs {cost}",
            worst.arm
        ),
        None => "nothing else was measured".to_owned(),
    }
}
