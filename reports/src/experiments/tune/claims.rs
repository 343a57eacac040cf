//! What is claimed of a configuration.
//!
//! What gates: it ended in time, no setting is missing, and no write is lost. Whether what was
//! chosen did as well on a fresh seed is told and does not gate: the file says it beside each
//! line.

use super::{Data, Findings, batch::OfClass};
use crate::{
    claim::{Claim, Decision, Noun, Source, Unit, no_loss},
    experiments::batch_sweep::SHARE,
    run::ARM_SEAWALL,
    stats::{Interval, micro},
};

/// It ended within its budget.
pub const IN_BUDGET: &str = "in-budget";
/// A setting was found for each key.
pub const CHOSEN: &str = "chosen";
/// What was recommended first reached as much again; behind it the class.
const AGAIN: &str = "again";

const RUNS: Noun = Noun::new("run", "runs");
const KEYS: Noun = Noun::new("key", "keys");
const ROUNDS: Noun = Noun::new("round", "rounds");
const LOADS: Noun = Noun::new("load", "loads");

/// All of them, those that gate first.
pub(super) fn claims(data: &Data, findings: &Findings) -> Vec<Claim> {
    let mut claims = vec![in_budget(data), chosen(findings)];
    let mut lossless = no_loss::of(ARM_SEAWALL, &data.checked(), LOADS);
    lossless.gating = true;
    claims.push(lossless);
    claims.extend(findings.batch.classes.iter().filter_map(again));
    claims.extend(findings.breaker.claim.clone().map(|claim| Claim {
        gating: false,
        ..claim
    }));
    claims
}

fn in_budget(data: &Data) -> Claim {
    let says = "the run ends within its budget";
    let (source, unit) = (Source::Seawall, Unit::Seconds);
    let mut claim = Claim::new(IN_BUDGET, ARM_SEAWALL, says, source, unit, RUNS);
    claim.gating = true;
    let s = |us: u64| micro(us as f64 / 1e6);
    claim.band_high = Some(s(data.budget_us));
    let Some(took_us) = data.took_us else {
        claim.reason = Some("it did not come to its end".to_owned());
        return claim;
    };
    let took = s(took_us.saturating_add(data.kept_us));
    (claim.n, claim.observed) = (1, Some(took));
    claim.decide(Interval {
        low: Some(took),
        high: Some(took),
    });
    claim.reason = Some(format!(
        "{:.1} s of it are kept for taking the server down",
        s(data.kept_us)
    ));
    claim
}

/// Missing data never hold, and refute nothing.
fn chosen(findings: &Findings) -> Claim {
    let says = "a setting was found for each key";
    let unit = Unit::count("missing");
    let mut claim = Claim::new(CHOSEN, ARM_SEAWALL, says, Source::Seawall, unit, KEYS);
    claim.gating = true;
    claim.band_high = Some(0.0);
    let missing = findings.missing.len();
    claim.n = findings.choices.len() + missing;
    let count = missing as f64;
    claim.observed = Some(count);
    (claim.low, claim.high) = (Some(count), Some(count));
    if missing == 0 {
        claim.verdict = Decision::Holds;
        return claim;
    }
    let first = findings.missing.iter().take(1);
    let first = first.map(|of| format!("{}: {}", of.key, of.reason));
    let first = first.collect::<String>();
    claim.reason = Some(format!("{first}; a larger --budget has time for it"));
    claim
}

/// Of a class that had a second run: what the first recommended is judged by that.
fn again(class: &OfClass) -> Option<Claim> {
    let first = class.first.filter(|_| class.confirmed)?;
    let says = format!(
        "{}: batches of {first} reach 0.8 of the best again",
        class.name
    );
    let id = format!("{AGAIN}-{}", class.name);
    let unit = Unit::Times;
    let mut claim = Claim::new(&id, ARM_SEAWALL, says, Source::Seawall, unit, ROUNDS);
    claim.band_low = Some(SHARE);
    let Some(share) = &class.again else {
        claim.reason = Some("it was not measured under every condition again".to_owned());
        return Some(claim);
    };
    claim.n = share.rounds.n();
    claim.observed = Some(share.least);
    claim.decide(share.rounds.interval());
    let place = format!("least: {}", share.place);
    claim.reason = Some(match claim.verdict {
        Decision::Inconclusive if share.rounds.low.is_none() => {
            format!("{place}; too few rounds, a larger --budget has more")
        }
        Decision::Inconclusive => format!("{place}; the interval reaches across {SHARE}"),
        Decision::Holds | Decision::Refuted => place,
    });
    Some(claim)
}
