//! What is claimed of a sweep's cells.
//!
//! What gates is said of the recommendation: no false open, and recoveries within
//! the guide's bound. What the guide says of its own weeks is judged and reported,
//! and does not gate: it is not our configuration.

use crate::{
    claim::{Claim, Decision, Noun, Source, Unit, at_most, id, no_loss},
    measure::stall_us,
    stats::{
        Interval,
        quantile::{self, ONE_SIDED, Observation, TWO_SIDED},
        survival,
    },
};

use super::{
    CLAIM_S,
    data::{Data, ProbeMode, Stretch},
    finding::{Findings, Week, false_opens_of},
};

/// The claim that a false alarm opens nothing.
pub const FALSE_OPENS: &str = "false-opens";
/// The claim that what was recommended does as well on fresh outages.
pub const CONFIRMATION: &str = "confirmation";

/// What a claim about all of them names as its arm.
const EVERY_CELL: &str = "every cell";
const CELLS: Noun = Noun::new("cell under load", "cells under load");
const OUTAGES: Noun = Noun::new("outage", "outages");

/// All of them, those that gate first.
pub(super) fn claims(data: &Data, findings: &Findings) -> Vec<Claim> {
    let mut claims = Vec::new();
    match &findings.recommended {
        Some(recommended) => {
            let arm = &*recommended.arm;
            claims.push(no_false_open(data, arm));
            let times = findings.recoveries(arm);
            let mut median = recovery(id::RECOVERY, arm, data, &times, 0.5);
            median.gating = true;
            claims.push(median);
            claims.push(recovery(id::RECOVERY_P95, arm, data, &times, 0.95));
            claims.extend(confirmation(data, findings, arm));
        }
        None => claims.push(nothing_to_ship(data, findings)),
    }
    claims.push(no_loss(data));
    for week in &findings.weeks {
        let times = findings.recoveries(&week.arm);
        let id = format!("recovery-week{}", week.week);
        let said = said(week);
        let mut median = recovery(&id, &week.arm, data, &times, 0.5);
        median.reason = Some(match median.reason {
            Some(reason) => format!("{said}; {reason}"),
            None => said,
        });
        claims.push(median);
        let p95 = recovery(&format!("{id}-p95"), &week.arm, data, &times, 0.95);
        claims.push(p95);
    }
    if let Some((longest_us, stretches)) = stalls(data) {
        let stretches = Noun::new("stretch", "stretches").of(stretches);
        // Nothing excuses a loss.
        claims
            .iter_mut()
            .filter(|claim| claim.id != id::NO_LOSS)
            .for_each(|claim| claim.stalled(longest_us, &stretches));
    }
    claims
}

/// Of every cell: no setting of a breaker may lose anything.
fn no_loss(data: &Data) -> Claim {
    let runs = data.stretches.iter().flat_map(|stretch| &stretch.runs);
    let ledgers: Vec<_> = runs.map(|run| run.ledger).collect();
    let mut claim = no_loss::of(EVERY_CELL, &ledgers, CELLS);
    claim.gating = true;
    claim
}

/// The longest stall of the load generator, and in how many stretches there was one. It stands
/// still for all cells at once, and all of their times, opens and differences are its doing.
fn stalls(data: &Data) -> Option<(u64, usize)> {
    let of_stretch = |stretch: &Stretch| {
        let stalls = stretch
            .runs
            .iter()
            .filter_map(|run| stall_us(&run.operations.lags_us));
        stalls.max()
    };
    let stalls: Vec<u64> = data.stretches.iter().filter_map(of_stretch).collect();
    Some((*stalls.iter().max()?, stalls.len()))
}

/// `P(<= 30 s) = 50 % [12 %, 88 %], 3 of 6; a wait that is uniform on (0, timeout)
/// gives 50 %`.
fn said(week: &Week) -> String {
    if week.n == 0 {
        return "no recovery was measured".to_owned();
    }
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let interval = match (week.low, week.high) {
        (Some(low), Some(high)) => format!(" [{}, {}]", percent(low), percent(high)),
        _ => String::new(),
    };
    let share = week.within as f64 / week.n as f64;
    format!(
        "P(<= {CLAIM_S} s) = {}{interval}, {} of {}; a wait that is uniform on (0, timeout) gives {}",
        percent(share),
        week.within,
        week.n,
        percent(week.expected)
    )
}

/// `30 s`, or `30 s/60` where the guide's times were divided.
fn bound(data: &Data) -> String {
    match data.scale {
        0 | 1 => format!("{CLAIM_S} s"),
        scale => format!("{CLAIM_S} s/{scale}"),
    }
}

fn recovery(id: &str, arm: &str, data: &Data, times: &[Observation], q: f64) -> Claim {
    let share = if q > 0.5 { "95 of 100" } else { "half of all" };
    let says = format!("{share} recoveries take at most {}", bound(data));
    let mut claim = Claim::new(id, arm, says, Source::Guide, Unit::Seconds, OUTAGES);
    claim.band_high = Some(CLAIM_S / f64::from(data.scale.max(1)));
    let tail = if q > 0.5 { ONE_SIDED } else { TWO_SIDED };
    at_most::enter(&mut claim, times, q, tail);
    let longest = times.iter().map(|t| t.least()).fold(0.0, f64::max);
    claim.observe(match survival::curve(times).quantile(q) {
        Some(time) => Some(Observation::Exact(time)),
        None if times.is_empty() => None,
        None => Some(Observation::AtLeast(longest)),
    });
    claim
}

/// That none of the false alarms opens an arm's circuit; not judged yet.
fn false_opens(data: &Data, arm: &str) -> Claim {
    let says = "no false alarm opens the circuit";
    let unit = Unit::count("opens");
    let counts = Noun::new("false alarm", "false alarms");
    let mut claim = Claim::new(FALSE_OPENS, arm, says, Source::Seawall, unit, counts);
    claim.gating = true;
    claim.band_high = Some(0.0);
    claim.n = data.stretches.iter().map(|s| s.alarms.len()).sum();
    claim
}

fn no_false_open(data: &Data, arm: &str) -> Claim {
    let mut claim = false_opens(data, arm);
    match false_opens_of(data, arm, |_| true) {
        Some(opens) => {
            let opens = opens as f64;
            claim.observed = Some(opens);
            claim.decide(Interval {
                low: Some(opens),
                high: Some(opens),
            });
        }
        None => claim.reason = Some("not every kind of false alarm was met".to_owned()),
    }
    claim
}

/// That no cell can be shipped is a finding where all of them open for nothing.
fn nothing_to_ship(data: &Data, findings: &Findings) -> Claim {
    let mut claim = false_opens(data, "every cell");
    let opens: Option<Vec<u64>> = findings.cells.iter().map(|c| c.false_opens).collect();
    match opens.and_then(|opens| opens.into_iter().min()) {
        Some(least @ 1..) => {
            claim.observed = Some(least as f64);
            claim.decide(Interval {
                low: Some(least as f64),
                high: None,
            });
            claim.reason = Some("every cell opened on false alarms".to_owned());
        }
        _ => claim.reason = Some("no cell met both outages and every false alarm".to_owned()),
    }
    claim
}

/// On outages that nothing was chosen by: what one costs, less what the same one
/// costs with the guide's week 2.
fn confirmation(data: &Data, findings: &Findings, arm: &str) -> Option<Claim> {
    let week2 = data
        .cells
        .iter()
        .find(|cell| cell.week == Some(2) && cell.probe == ProbeMode::Passive)?;
    let says = "fresh outages cost no more than with week 2";
    let (source, unit) = (Source::Seawall, Unit::Seconds);
    let mut claim = Claim::new(CONFIRMATION, arm, says, source, unit, OUTAGES);
    claim.difference = true;
    claim.band_high = Some(0.0);
    let [ours, theirs] = [arm, &week2.arm].map(|a| findings.effects.of(a, |fresh| fresh));
    let pairs = ours.iter().filter_map(|ours| {
        let theirs = theirs.iter().find(|t| t.planned == ours.planned)?;
        Some(Observation::Exact(ours.outage_s - theirs.outage_s))
    });
    let pairs: Vec<Observation> = pairs.collect();
    claim.n = pairs.len();
    claim.observe(quantile::median(&pairs));
    claim.decide(quantile::interval(&pairs, 0.5, TWO_SIDED));
    if claim.is(Decision::Inconclusive) {
        claim.reason = Some(match pairs.len() {
            0..6 => format!(
                "{} in both; 6 are the fewest that can say it",
                OUTAGES.of(pairs.len())
            ),
            _ => "the interval reaches across zero".to_owned(),
        });
    }
    Some(claim)
}
