//! The guide's claim as it is written: "2 to 10 times the throughput", at the batch
//! size it recommends for the class, each statement a transaction of its own where
//! that was tried.
//!
//! It is said without a condition, so one condition in which it is not so refutes it:
//! one that is slower, and, as written, one that is faster. That costs nobody anything
//! and decides no exit code.

use crate::{
    claim::{Claim, Decision, Source, Unit},
    run::ARM_GUIDE,
    stats::{median, micro},
};

use super::{
    CLAIM_HIGH, CLAIM_LOW,
    claims::{At, CONDITIONS, THROUGHPUT, unsettled},
    data::Mode,
    finding::{ClassFinding, ConditionFinding, Findings},
    more::More,
};

/// From this many disk flushes (or commits) a query on, each statement is said to wait
/// for its own.
const EACH: f64 = 0.9;

pub(super) fn claims(findings: &Findings, classes: &[&ClassFinding], more: More<'_>) -> Vec<Claim> {
    if classes.is_empty() {
        return Vec::new();
    }
    let says = "pipelined at the guide's sizes, 2 to 10 times the throughput".to_owned();
    let mut claims = vec![as_written(THROUGHPUT, says, findings, classes, more)];
    for class in classes {
        let id = format!("{THROUGHPUT}-{}", class.name);
        let batch = class.guide_batch.unwrap_or_default();
        let says = format!(
            "{}, {batch} a batch: 2 to 10 times the throughput",
            class.name
        );
        claims.push(as_written(&id, says, findings, &[class], more));
    }
    claims
}

/// How the guide would have it under a condition: `best_effort`, where that was tried.
fn guide_mode(condition: &ConditionFinding) -> Mode {
    [Mode::Autocommit, Mode::OneTransaction, Mode::Reads]
        .into_iter()
        .find(|mode| condition.curve(*mode).is_some())
        .unwrap_or(Mode::Autocommit)
}

/// What the claim comes to in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Holds,
    Exceeded,
    Fails,
    Unsettled,
}

fn there(cell: &At<'_>) -> There {
    match (cell.speedup.low, cell.speedup.high) {
        (Some(low), _) if low > CLAIM_HIGH => There::Exceeded,
        (_, Some(high)) if high < CLAIM_LOW => There::Fails,
        (Some(low), Some(high)) if low >= CLAIM_LOW && high <= CLAIM_HIGH => There::Holds,
        _ => There::Unsettled,
    }
}

fn as_written(
    id: &str,
    says: String,
    findings: &Findings,
    classes: &[&ClassFinding],
    more: More<'_>,
) -> Claim {
    let mut claim = Claim::new(id, ARM_GUIDE, says, Source::Guide, Unit::Times, CONDITIONS);
    (claim.band_low, claim.band_high) = (Some(CLAIM_LOW), Some(CLAIM_HIGH));
    let mut cells = Vec::new();
    for class in classes {
        let batch = class.guide_batch.unwrap_or_default();
        let of_class = findings.of_class(&class.name);
        cells.extend(of_class.map(|c| At::of(c, guide_mode(c), batch)));
    }
    claim.n = cells.len();
    if cells.is_empty() {
        claim.reason = Some("no condition was measured".to_owned());
        return claim;
    }
    claim.observed = median(cells.iter().filter_map(|c| c.speedup.median)).map(micro);
    let all =
        |of: fn(&At<'_>) -> Option<f64>| -> Option<Vec<f64>> { cells.iter().map(of).collect() };
    let least = all(|c| c.speedup.low).and_then(|all| all.into_iter().min_by(f64::total_cmp));
    let most = all(|c| c.speedup.high).and_then(|all| all.into_iter().max_by(f64::total_cmp));
    (claim.low, claim.high) = (least.map(micro), most.map(micro));
    let count = |there: There| cells.iter().filter(|c| self::there(c) == there).count();
    let empty = classes
        .iter()
        .find(|class| findings.of_class(&class.name).next().is_none());
    claim.verdict = if count(There::Exceeded) + count(There::Fails) > 0 {
        Decision::Refuted
    } else if count(There::Holds) == cells.len() && empty.is_none() {
        Decision::Holds
    } else {
        Decision::Inconclusive
    };
    claim.reason = Some(match empty {
        Some(class) => format!("{}; {} was not measured", reason(&cells, more), class.name),
        None => reason(&cells, more),
    });
    claim
}

/// `holds in 3 of 8 cells; faster than that in 4 (up to 52.1x: updates, 10 ms, commit off, ...);
/// fails in 1 (1.20x: ...)`.
fn reason(cells: &[At<'_>], more: More<'_>) -> String {
    let of =
        |wanted: There| -> Vec<&At<'_>> { cells.iter().filter(|c| there(c) == wanted).collect() };
    let speedup = |cell: &At<'_>| cell.speedup.median.unwrap_or_default();
    let holds = format!(
        "holds in {} of {} cells",
        of(There::Holds).len(),
        cells.len()
    );
    let mut parts = vec![holds];
    let exceeded = of(There::Exceeded);
    if let Some(most) = exceeded
        .iter()
        .max_by(|a, b| speedup(a).total_cmp(&speedup(b)))
    {
        parts.push(format!(
            "faster than that in {} (up to {:.0}x: {})",
            exceeded.len(),
            speedup(most),
            most.place
        ));
    }
    let fails = of(There::Fails);
    if let Some(least) = fails
        .iter()
        .min_by(|a, b| speedup(a).total_cmp(&speedup(b)))
    {
        let why = waits(least).map_or_else(String::new, |why| format!(": {why}"));
        parts.push(format!(
            "fails in {} ({:.1}x: {}{why})",
            fails.len(),
            speedup(least),
            least.place
        ));
    }
    let unsettled = of(There::Unsettled);
    if let Some(first) = unsettled.first() {
        let why = match &first.doubt {
            Some(doubt) => doubt.clone(),
            None => self::unsettled(&first.speedup, nearer(first), more),
        };
        parts.push(format!(
            "not settled in {} ({}: {why})",
            unsettled.len(),
            first.place
        ));
    }
    if cells.len() > 1 {
        parts.push("the figures are the median of the cells and their range".to_owned());
    }
    parts.join("; ")
}

/// The end of the band that an interval reaches across.
fn nearer(cell: &At<'_>) -> f64 {
    if cell.speedup.low.is_some_and(|low| low < CLAIM_LOW) {
        CLAIM_LOW
    } else {
        CLAIM_HIGH
    }
}

/// Why pipelined statements that each commit are hardly faster, as far as the server
/// counted it.
fn waits(cell: &At<'_>) -> Option<String> {
    let condition = cell.condition?;
    if condition.synchronous_commit != Some(true) || guide_mode(condition) != Mode::Autocommit {
        return None;
    }
    let truth = cell.cell?.truth?;
    match (truth.fsyncs, truth.commits) {
        (Some(fsyncs), _) if fsyncs >= EACH => Some(format!(
            "each statement waits for its own disk flush, {fsyncs:.2} a query"
        )),
        (None, Some(commits)) if commits >= EACH => Some(format!(
            "each statement waits for its own commit, {commits:.2} a query"
        )),
        _ => None,
    }
}
