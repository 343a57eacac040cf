//! The claim that a quantile of times is at most so much, and what to say when
//! the times at hand do not decide it.

use crate::stats::quantile::{self, Observation};

use super::{Claim, Decision};

/// Decides a claim that the `q`-quantile of `values` is at most the band's upper
/// end, and says what would settle it if these values do not.
pub(crate) fn enter(claim: &mut Claim, values: &[Observation], q: f64, tail: f64) {
    claim.n = values.len();
    claim.censored = values
        .iter()
        .filter(|value| matches!(value, Observation::AtLeast(_)))
        .count();
    claim.decide(quantile::interval(values, q, tail));
    if claim.is(Decision::Inconclusive) {
        claim.reason = Some(unsettled(claim, values, q, tail));
    }
}

fn unsettled(claim: &Claim, values: &[Observation], q: f64, tail: f64) -> String {
    let counts = &claim.counts;
    let limit = claim.band_high.unwrap_or(f64::INFINITY);
    let within = values.iter().filter(|v| v.most() <= limit).count();
    let beyond = values.iter().filter(|v| v.least() > limit).count();
    let known = within + beyond;
    let share = if known == 0 && !values.is_empty() {
        return format!(
            "none of {} was watched long enough",
            counts.of(values.len())
        );
    } else if known == 0 {
        1.0
    } else {
        within as f64 / known as f64
    };
    let fewest = quantile::runs_to_settle(1.0, q, tail).unwrap_or(quantile::MOST_RUNS);
    let settle = match quantile::runs_to_settle(share, q, tail) {
        Some(n) if n <= fewest && values.len() < fewest => {
            return format!("{} are the fewest that can say it", counts.of(fewest));
        }
        Some(n) if n > values.len() => format!("about {} would settle it", counts.of(n)),
        Some(_) if claim.censored == 0 => format!("a few more {} would settle it", counts.many()),
        Some(_) => format!("{} that are watched longer would settle it", counts.many()),
        None => format!(
            "not even {} would settle it",
            counts.of(quantile::MOST_RUNS)
        ),
    };
    if values.len() < fewest {
        return format!(
            "{} are the fewest that can say it; {settle}",
            counts.of(fewest)
        );
    }
    format!("the interval reaches across the band's end; {settle}")
}
