//! What to ship, as sentences: the scale, the block, and whether fresh outages
//! confirm it.

use crate::{
    claim::{Claim, Decision},
    numbers::seconds,
    page::{listed, sentence},
};

use super::{CLAIM_S, CONFIRMATION, FALSE_OPENS, Findings, ProbeMode};

/// By what the guide's times were divided, for a title: `times / 60`.
pub(super) fn scale(findings: &Findings) -> String {
    match findings.scale {
        0 | 1 => "the guide's own times".to_owned(),
        scale => format!("the guide's times / {scale}"),
    }
}

/// The same, in full.
pub(crate) fn scale_in_full(findings: &Findings) -> String {
    let scale = match findings.scale {
        0 | 1 => return "All times are the guide's own.".to_owned(),
        scale => f64::from(scale),
    };
    let divided = |s: f64| ((s / scale * 1e3).round() / 1e3).to_string();
    let weeks = findings.cells.iter();
    let mut weeks: Vec<_> = weeks
        .filter(|cell| cell.probe == ProbeMode::Passive)
        .filter_map(|cell| Some((cell.week?, cell.recovery_timeout_s)))
        .collect();
    weeks.sort_by_key(|(week, _)| *week);
    let all = |show: &dyn Fn(f64) -> String| {
        let shown = weeks.iter().map(|(_, s)| show(*s));
        listed(&shown.collect::<Vec<_>>())
    };
    let timeouts = match weeks.len() {
        0 => String::new(),
        _ => format!(
            "recovery timeouts of {} s are {} s here, and ",
            all(&|s| s.to_string()),
            all(&divided)
        ),
    };
    format!(
        "The guide's times are divided by {scale}: {timeouts}its {CLAIM_S} s are {} s. Deadlines \
         of operations and probe intervals of the engine are not divided. --full runs the real \
         times.",
        divided(CLAIM_S)
    )
}

/// What came out: the settings to ship, and what they save.
pub(super) fn finding(findings: &Findings, claims: &[Claim]) -> String {
    let shipped = findings.recommended.as_ref();
    let cell = |arm: &str| findings.cells.iter().find(|cell| cell.arm == arm);
    let Some(cell) = shipped.and_then(|shipped| cell(&shipped.arm)) else {
        return format!(
            "No breaker settings can be named: {}.",
            NOTHING.trim_start_matches("nothing: ")
        );
    };
    let mut said = format!(
        "Ship a failure threshold of {}, a recovery timeout of {} s, an error rate of {} and an \
         {} probe",
        cell.failure_threshold,
        cell.recovery_timeout_s,
        cell.error_rate,
        cell.probe.name()
    );
    said = said.replace("an passive", "a passive");
    if let Some(outage_s) = cell.outage_equivalent_s {
        said += &format!(": an outage costs {} of service", seconds(outage_s));
    }
    let others = findings.cells.iter();
    let mut weeks = others.filter(|other| other.week == Some(GUIDE) && other.arm != cell.arm);
    if let Some(guide_s) = weeks.find_map(|other| other.outage_equivalent_s) {
        said += &format!(", the guide's week {GUIDE} {}", seconds(guide_s));
    }
    format!(
        "{said} (medians, {}). {}",
        scale(findings),
        sentence(&confirmed(claims))
    )
}

/// The week of the guide's that is compared with: what fresh outages are run beside, too.
const GUIDE: u8 = 2;

/// Whether fresh outages bear the recommendation out.
pub(crate) fn confirmed(claims: &[Claim]) -> String {
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
