//! What is claimed: that everything is seen, and what that costs.

use super::{Findings, Price};
use crate::{
    claim::{Claim, Decision, Noun, Source, Unit},
    run::ARM_SEAWALL,
};

/// What the metrics say is what happened.
pub const COMPLETE_VISIBILITY: &str = "complete-visibility";
/// What is scraped never contradicts itself.
pub const SCRAPES: &str = "scrapes";
/// A histogram's quantiles are the exact ones.
pub const QUANTILES: &str = "quantiles";
/// Observing costs little throughput.
pub const PRICE: &str = "price";

/// The most throughput that observing may cost.
const MOST: f64 = 0.01;
const EVENTS: Noun = Noun::new("event", "events");
const OF_SCRAPES: Noun = Noun::new("scrape", "scrapes");
const OF_QUANTILES: Noun = Noun::new("quantile", "quantiles");
const PAIRS: Noun = Noun::new("pair", "pairs");

pub(super) fn claims(findings: &Findings) -> Vec<Claim> {
    let mut all = vec![visibility(findings), scrapes(findings), quantiles(findings)];
    all.extend(findings.prices.iter().map(price));
    all
}

/// One that is wrong refutes it.
fn none_wrong(
    id: &str,
    (says, source): (&str, Source),
    (many, counts): (&'static str, Noun),
    n: u64,
    wrong: &[String],
) -> Claim {
    let mut claim = Claim::new(id, ARM_SEAWALL, says, source, Unit::count(many), counts);
    claim.gating = true;
    claim.band_high = Some(0.0);
    claim.n = usize::try_from(n).unwrap_or(usize::MAX);
    if n == 0 {
        claim.reason = Some("nothing was measured".to_owned());
        return claim;
    }
    let count = wrong.len() as f64;
    claim.observed = Some(count);
    (claim.low, claim.high) = (Some(count), Some(count));
    claim.verdict = if wrong.is_empty() {
        Decision::Holds
    } else {
        let more = wrong.len().saturating_sub(5);
        let mut shown = wrong[..wrong.len() - more].join("; ");
        if more > 0 {
            shown += &format!("; and {more} more");
        }
        claim.reason = Some(shown);
        Decision::Refuted
    };
    claim
}

fn visibility(findings: &Findings) -> Claim {
    let events = findings.exams.iter().map(|exam| exam.events).sum();
    let wrong: Vec<String> = findings
        .exams
        .iter()
        .flat_map(|exam| {
            exam.differ
                .iter()
                .map(|text| format!("{}: {text}", exam.fault))
        })
        .collect();
    let says = "complete visibility: what the metrics say is what happened, event for event";
    let words = (says, Source::Guide);
    none_wrong(
        COMPLETE_VISIBILITY,
        words,
        ("discrepancies", EVENTS),
        events,
        &wrong,
    )
}

fn scrapes(findings: &Findings) -> Claim {
    let n = findings.exams.iter().map(|exam| exam.scrapes).sum();
    let wrong: Vec<String> = findings
        .exams
        .iter()
        .flat_map(|exam| {
            exam.contradictions
                .iter()
                .map(|text| format!("{}: {text}", exam.fault))
        })
        .collect();
    let says = "what is scraped in the middle of it never contradicts itself, and never goes back";
    let words = (says, Source::Seawall);
    none_wrong(SCRAPES, words, ("contradictions", OF_SCRAPES), n, &wrong)
}

fn quantiles(findings: &Findings) -> Claim {
    let wrong: Vec<String> = findings
        .quantiles
        .iter()
        .filter(|found| !found.close)
        .map(|found| {
            let q = found.quantile;
            format!(
                "p{}: {} us, and {} us in the histogram",
                q.share * 100.0,
                q.exact_us,
                q.histogram_us
            )
        })
        .collect();
    let says = "the histogram's quantiles are the exact ones, to 1 in 100";
    let n = findings.quantiles.len() as u64;
    let words = (says, Source::Seawall);
    none_wrong(QUANTILES, words, ("quantiles", OF_QUANTILES), n, &wrong)
}

/// Windows on a shared machine differ by more than this claims, so it is seldom settled, and
/// decides nothing.
fn price(found: &Price) -> Claim {
    let says = format!(
        "{} costs at most {:.0} % of throughput",
        match found.of.name() {
            "everything" => "observing everything",
            "history" => "a history of an hour",
            "scrapes" => "being scraped twice a second",
            "dashboard" => "an open dashboard",
            other => other,
        },
        MOST * 100.0
    );
    let id = format!("{PRICE}-{}", found.of.name());
    let mut claim = Claim::new(&id, ARM_SEAWALL, says, Source::Seawall, Unit::Times, PAIRS);
    claim.band_low = Some(1.0 - MOST);
    claim.n = found.throughput.n();
    claim.observed = found.throughput.median;
    claim.decide(found.throughput.interval());
    if claim.is(Decision::Inconclusive) {
        claim.reason = Some("windows differ by more than that; --full has more of them".to_owned());
    }
    claim
}
