//! What to ship, as sentences: the scale, the block, and whether fresh outages
//! confirm it.

use crate::claim::{Claim, Decision};

use super::{CONFIRMATION, FALSE_OPENS, Findings};

/// By what the guide's times were divided, for a title: `times / 60`.
pub(super) fn scale(findings: &Findings) -> String {
    match findings.scale {
        0 | 1 => "the guide's own times".to_owned(),
        scale => format!("the guide's times / {scale}"),
    }
}

/// The same, in full.
pub(super) fn scale_in_full(findings: &Findings) -> String {
    match findings.scale {
        0 | 1 => "All times are the guide's own.".to_owned(),
        scale => {
            let of = |s: f64| (s / f64::from(scale) * 1e3).round() / 1e3;
            format!(
                "The guide's times are divided by {scale}: recovery timeouts of 120, 60 and 45 s \
                 are {}, {} and {} s here, and its 30 s are {} s. Deadlines of operations and \
                 probe intervals of the engine are not divided. --full runs the real times.",
                of(120.0),
                of(60.0),
                of(45.0),
                of(30.0)
            )
        }
    }
}

/// Whether fresh outages bear the recommendation out.
pub(super) fn confirmed(claims: &[Claim]) -> String {
    let of = |id: &str| claims.iter().find(|c| c.id == id);
    let Some(claim) = of(CONFIRMATION) else {
        return "not confirmed: no fresh outage was carried out".to_owned();
    };
    let opened = of(FALSE_OPENS).is_some_and(|c| c.is(Decision::Refuted));
    let by = |claim: &Claim| {
        let difference = claim.observed.unwrap_or(0.0);
        let side = if difference > 0.0 { "more" } else { "less" };
        format!(
            "an outage costs {:.2} s {side} than with the guide's week 2 (median of {} pairs)",
            difference.abs(),
            claim.n
        )
    };
    match claim.verdict {
        _ if opened => "not confirmed: it opened on a false alarm".to_owned(),
        Decision::Holds => format!("confirmed on fresh outages: {}", by(claim)),
        Decision::Refuted => format!("not confirmed on fresh outages: {}", by(claim)),
        Decision::Inconclusive => format!(
            "not confirmed yet: {}",
            claim.reason.as_deref().unwrap_or("no data")
        ),
    }
}

/// Where no cell can be named.
pub(super) const NOTHING: &str = "nothing: no cell had outages, and false alarms without an open";
