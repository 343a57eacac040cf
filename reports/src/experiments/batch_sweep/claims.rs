//! What is claimed of a sweep of batch sizes.
//!
//! What gates is said of what would be shipped: at its recommended size a class is at
//! least as much faster as the guide promises at the least. It is judged where it is
//! least sure: in a cell that refutes it if there is one, else in one that nothing is
//! known of, else in the one whose interval reaches lowest. The user's own classes
//! decide nothing: the guide's number is shown beside them, and was never said of them.
//! What gates in any case is what the engine costs one at a time, and that no row is lost.

use crate::{
    claim::{Claim, Decision, Noun, Source, Unit},
    run::ARM_SEAWALL,
    stats::{Ratio, proportion, settle::MOST_RUNS},
};

use super::{
    CLAIM_LOW, client,
    data::{Mode, Size},
    finding::{Cell, ClassFinding, ConditionFinding, Findings},
    guide, loss,
    more::More,
};

/// The claim of the noise floor.
pub const NOISE: &str = "noise";
/// The claim of how much faster pipelining is; `throughput-<class>` of one class.
pub const THROUGHPUT: &str = "throughput";

pub(super) const CONDITIONS: Noun = Noun::new("condition", "conditions");
pub(super) const ROUNDS: Noun = Noun::new("round", "rounds");
/// Of slices beside each other, [`PAIRS_PER_ROUND`] in each round.
pub(super) const PAIRS: Noun = Noun::new("pair", "pairs");
pub(super) const PAIRS_PER_ROUND: usize = 2;

/// All of them, those that gate first.
pub(super) fn claims(findings: &Findings, more: More<'_>) -> Vec<Claim> {
    let (guides, own): (Vec<&ClassFinding>, Vec<&ClassFinding>) = findings
        .classes
        .iter()
        .partition(|class| class.guide_batch.is_some());
    let base = baseline(findings);
    let mut claims = Vec::new();
    if own.is_empty() || !guides.is_empty() {
        let says =
            format!("pipelined as recommended, queries are at least 2 times as fast as {base}");
        let mut claim = shipped(THROUGHPUT, says, findings, &guides, more);
        claim.gating = true;
        claims.push(claim);
    }
    claims.push(client::claim(findings, more));
    claims.extend(loss::claim(findings));
    for class in guides.iter().chain(&own) {
        let says = format!(
            "{}: pipelined as recommended, at least 2 times as fast as {base}",
            class.name
        );
        let id = format!("{THROUGHPUT}-{}", class.name);
        claims.push(shipped(&id, says, findings, &[class], more));
    }
    claims.push(noise(findings));
    claims.extend(guide::claims(findings, &guides, more));
    claims
}

/// What all is compared with.
fn baseline(findings: &Findings) -> &'static str {
    if findings.has_bare() {
        "a bare client"
    } else {
        "one at a time"
    }
}

/// Of a record that was made before there was a bare client.
pub(super) const NO_BARE: &str = "the record has no bare client";

/// A size of a class under one condition, or why there is none.
pub(super) struct At<'a> {
    pub(super) condition: Option<&'a ConditionFinding>,
    pub(super) cell: Option<&'a Cell>,
    /// `updates, 10 ms, commit on, one transaction, 20 a batch`.
    pub(super) place: String,
    pub(super) speedup: Ratio,
    pub(super) doubt: Option<String>,
}

impl<'a> At<'a> {
    /// Of nothing that was measured.
    fn nothing(place: String, doubt: &str) -> Self {
        Self {
            condition: None,
            cell: None,
            place,
            speedup: Ratio::default(),
            doubt: Some(doubt.to_owned()),
        }
    }

    /// Looks it up.
    pub(super) fn of(condition: &'a ConditionFinding, mode: Mode, batch: u32) -> Self {
        let size = Size::Fixed(batch);
        let cell = condition.curve(mode).and_then(|curve| curve.cell(size));
        let place = format!(
            "{}, {}, {}, {batch} a batch",
            condition.class,
            condition.place(),
            mode.name()
        );
        Self {
            condition: Some(condition),
            cell,
            place,
            speedup: cell.map_or_else(Ratio::default, |cell| cell.speedup.clone()),
            doubt: match cell {
                Some(cell) => cell.doubt.clone(),
                None => Some(condition.missing(mode, size)),
            },
        }
    }

    /// Whether its interval lies wholly below.
    pub(super) fn is_below(&self, bound: f64) -> bool {
        self.speedup.high.is_some_and(|high| high < bound)
    }
}

/// The recommended cells of some classes, one for each condition.
fn recommended<'a>(findings: &'a Findings, classes: &[&'a ClassFinding]) -> Vec<At<'a>> {
    let mut cells = Vec::new();
    for class in classes {
        let of_class: Vec<At<'_>> = match &class.recommended {
            Some(r) => findings
                .of_class(&class.name)
                .map(|condition| At::of(condition, r.mode, r.batch))
                .collect(),
            None => vec![At::nothing(
                class.name.clone(),
                "no size can be recommended",
            )],
        };
        cells.extend(of_class);
    }
    cells
}

fn shipped(
    id: &str,
    says: String,
    findings: &Findings,
    classes: &[&ClassFinding],
    more: More<'_>,
) -> Claim {
    let mut claim = Claim::new(id, ARM_SEAWALL, says, Source::Guide, Unit::Times, ROUNDS);
    claim.band_low = Some(CLAIM_LOW);
    let cells = recommended(findings, classes);
    let worst = cells.iter().min_by(|a, b| {
        let refuted = b.is_below(CLAIM_LOW).cmp(&a.is_below(CLAIM_LOW));
        let least = |at: &At<'_>| at.speedup.low.unwrap_or(0.0);
        refuted.then(least(a).total_cmp(&least(b)))
    });
    let Some(worst) = worst else {
        claim.reason = Some("no class was measured".to_owned());
        return claim;
    };
    claim.n = worst.speedup.n();
    claim.observed = worst.speedup.median;
    claim.decide(worst.speedup.interval());
    let place = match cells.len() {
        1 => worst.place.clone(),
        n => format!("least of {n}: {}", worst.place),
    };
    claim.reason = Some(match &worst.doubt {
        Some(doubt) => format!("{place}: {doubt}"),
        None if claim.is(Decision::Inconclusive) => {
            format!("{place}: {}", unsettled(&worst.speedup, CLAIM_LOW, more))
        }
        None => place,
    });
    if !findings.has_bare() {
        let reason = claim.reason.get_or_insert_default();
        *reason += &format!("; compared with the engine itself one at a time, since {NO_BARE}");
    }
    claim
}

/// Of an interval that reaches across a bound: what would settle it.
pub(super) fn unsettled(ratio: &Ratio, bound: f64, more: More<'_>) -> String {
    unsettled_of((ROUNDS, 1), ratio, bound, more)
}

/// The same, of what comes so many times in a round.
pub(super) fn unsettled_of(
    (noun, in_a_round): (Noun, usize),
    ratio: &Ratio,
    bound: f64,
    more: More<'_>,
) -> String {
    let across = format!("the interval reaches across {bound}");
    match ratio.pairs_to_settle(bound) {
        Some(n) => format!(
            "{across}; about {} would settle it: {}",
            noun.of(n),
            more.for_rounds(n.div_ceil(in_a_round))
        ),
        None => format!("{across}; not even {} would settle it", noun.of(MOST_RUNS)),
    }
}

/// One at a time against itself. A 95 % interval leaves 1 out once in twenty times at
/// most, so it takes more than that to refute it.
fn noise(findings: &Findings) -> Claim {
    let says = "one at a time is as fast as itself";
    let (source, unit) = (Source::Seawall, Unit::Times);
    let mut claim = Claim::new(NOISE, ARM_SEAWALL, says, source, unit, CONDITIONS);
    let all = || findings.conditions.iter();
    claim.n = all().count();
    let bounded = || all().filter_map(|c| Some((c, c.noise.low?, c.noise.high?)));
    let widest = bounded().max_by(|a, b| (a.2 / a.1).total_cmp(&(b.2 / b.1)));
    let Some((condition, low, high)) = widest else {
        claim.reason = Some("no condition has the rounds to say it".to_owned());
        return claim;
    };
    claim.observed = condition.noise.median;
    (claim.low, claim.high) = (Some(low), Some(high));
    let known = bounded().count();
    let beside: Vec<&ConditionFinding> = bounded()
        .filter(|(_, low, high)| *low > 1.0 || *high < 1.0)
        .map(|(condition, ..)| condition)
        .collect();
    // The 95 % interval of how often intervals leave 1 out.
    let often = proportion::interval(beside.len(), known);
    let mut reason = format!(
        "widest of {known}: {}, {}",
        condition.class,
        condition.place()
    );
    if let Some(first) = beside.first() {
        let chance = known as f64 * 0.05;
        reason += &format!(
            "; leaving 1 out: {} of {known} ({}, {}), where chance gives at most {chance:.1}",
            beside.len(),
            first.class,
            first.place()
        );
    }
    if known < claim.n {
        reason += &format!("; {} have no interval", claim.n - known);
    }
    claim.verdict = match beside.len() {
        _ if often.low.is_some_and(|low| low > 0.05) => Decision::Refuted,
        0 if known == claim.n => Decision::Holds,
        _ => Decision::Inconclusive,
    };
    claim.reason = Some(reason);
    claim
}
