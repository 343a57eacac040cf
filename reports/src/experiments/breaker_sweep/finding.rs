//! What all outages and false alarms came to, for each cell.

use serde::{Deserialize, Serialize};

use crate::stats::{median, micro, proportion, quantile::Observation, survival};

use super::{
    CLAIM_S,
    data::{Alarm, Cell, Data, ProbeMode},
    measure::{OutageEffect, effects, false_opens, met},
    recommend::{Recommendation, recommend},
};

/// What a sweep found. In seconds as measured: where the guide's times were
/// divided, these are of the divided kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// What the guide's times were divided by.
    pub scale: u32,
    /// The cells, as listed in the record.
    pub cells: Vec<CellFinding>,
    /// What the guide claims of its three weeks, beside what to expect.
    pub weeks: Vec<Week>,
    /// What to ship. `None` if no cell could be chosen.
    pub recommended: Option<Recommendation>,
    /// What all of it was found from.
    #[serde(skip)]
    pub(super) effects: Effects,
}

/// What the outages did to the cells: by cell, and whether the outages were fresh.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Effects(Vec<(String, bool, Vec<OutageEffect>)>);

impl Effects {
    fn measure(data: &Data) -> Self {
        let stretches = data.stretches.iter();
        let each = stretches.flat_map(|stretch| {
            let runs = stretch.runs.iter();
            runs.map(move |run| (run.arm.clone(), stretch.fresh, effects(data, stretch, run)))
        });
        Self(each.collect())
    }

    /// On a cell: those of the sweep, of the fresh outages, or of both.
    pub(super) fn of(&self, arm: &str, wanted: impl Fn(bool) -> bool) -> Vec<&OutageEffect> {
        let all = self.0.iter();
        all.filter(|(of, fresh, _)| of == arm && wanted(*fresh))
            .flat_map(|(.., effects)| effects)
            .collect()
    }
}

impl Findings {
    /// All recoveries of a cell, in seconds as measured: of the sweep, and fresh ones.
    #[must_use]
    pub fn recoveries(&self, arm: &str) -> Vec<Observation> {
        times(&self.effects.of(arm, |_| true))
    }
}

/// What the sweep found of one cell. Fresh outages are not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellFinding {
    /// Its name.
    pub arm: String,
    /// Which of the guide's weeks it is, if one.
    pub week: Option<u8>,
    /// `circuit_breaker_failure_threshold`.
    pub failure_threshold: u32,
    /// `circuit_breaker_recovery_timeout`, as it would be shipped: not divided.
    pub recovery_timeout_s: f64,
    /// `circuit_breaker_error_rate`.
    pub error_rate: f64,
    /// `circuit_breaker_probe`.
    pub probe: ProbeMode,
    /// Outages that it was measured in.
    pub outages: usize,
    /// TTD: median of the outages in which its breaker opened.
    pub detect_s: Option<f64>,
    /// TTR.
    pub recover: Recovered,
    /// Median of what an outage cost, as seconds of a full outage.
    pub outage_equivalent_s: Option<f64>,
    /// Opens on false alarms; `None` if not all of them were met.
    pub false_opens: Option<u64>,
    /// Operations an outage that went to the server and came to nothing.
    pub wasted: Option<f64>,
    /// No other cell is better in one of outage and false opens, and at least as
    /// good in the other.
    pub on_front: bool,
}

/// Recoveries, some perhaps only bounded from below: Kaplan and Meier's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// How many were measured.
    pub n: usize,
    /// Of these: not seen to end.
    pub censored: usize,
    /// The median; `None` if less than half were seen to end.
    pub median_s: Option<f64>,
    /// The 95th percentile; likewise.
    pub p95_s: Option<f64>,
    /// The 95 % interval of the median, by Greenwood's variance.
    pub median_low_s: Option<f64>,
    /// Its upper end.
    pub median_high_s: Option<f64>,
    /// The longest that any was waited for.
    pub longest_s: f64,
}

/// The guide's claim of one of its weeks, as a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Week {
    /// Which.
    pub week: u8,
    /// The cell.
    pub arm: String,
    /// The guide's 30 s, divided like the timeouts.
    pub within_s: f64,
    /// Recoveries that were measured.
    pub n: usize,
    /// Of these: within it, for certain.
    pub within: usize,
    /// The 95 % interval of the probability (Clopper and Pearson).
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// What to expect if the wait is uniform on (0, timeout): half-open comes a
    /// timeout after opening, whenever the server is back.
    pub expected: f64,
}

/// Finds it.
#[must_use]
pub fn find(data: &Data) -> Findings {
    let effects = Effects::measure(data);
    let cells = data.cells.iter();
    let mut cells: Vec<CellFinding> = cells.map(|cell| of_cell(data, &effects, cell)).collect();
    front(&mut cells);
    let weeks = data.cells.iter();
    Findings {
        scale: data.scale,
        weeks: weeks
            .filter_map(|cell| week(data, &effects, cell))
            .collect(),
        recommended: recommend(data, &effects, &cells),
        cells,
        effects,
    }
}

/// Opens of a cell on false alarms; `None` if a kind of them was not met.
pub(super) fn false_opens_of(data: &Data, arm: &str, wanted: impl Fn(bool) -> bool) -> Option<u64> {
    let mut opens = None;
    for stretch in data.stretches.iter().filter(|s| wanted(s.fresh)) {
        let run = stretch.runs.iter().find(|run| run.arm == arm)?;
        let of_stretch = false_opens(stretch, run);
        let all_met = Alarm::ALL
            .into_iter()
            .all(|kind| met(data, stretch, run, kind) > 0);
        // One that was seen counts, whatever was not.
        if !all_met && of_stretch == 0 {
            return None;
        }
        opens = Some(opens.unwrap_or(0) + of_stretch);
    }
    opens
}

fn times(effects: &[&OutageEffect]) -> Vec<Observation> {
    let times = effects.iter().map(|effect| effect.recovery.into());
    times.collect()
}

fn of_cell(data: &Data, effects: &Effects, cell: &Cell) -> CellFinding {
    let effects = effects.of(&cell.arm, |fresh| !fresh);
    let detected = effects.iter().filter_map(|e| e.detect_us);
    let n = effects.len();
    CellFinding {
        arm: cell.arm.clone(),
        week: cell.week,
        failure_threshold: cell.failure_threshold,
        recovery_timeout_s: cell.recovery_timeout_us as f64 / 1e6,
        error_rate: cell.error_rate,
        probe: cell.probe,
        outages: n,
        detect_s: median(detected.map(|us| us as f64 / 1e6)).map(micro),
        recover: recovered(&times(&effects)),
        outage_equivalent_s: median(effects.iter().map(|e| e.outage_s)).map(micro),
        false_opens: false_opens_of(data, &cell.arm, |fresh| !fresh),
        wasted: (n > 0).then(|| {
            let wasted: u64 = effects.iter().map(|e| e.wasted).sum();
            micro(wasted as f64 / n as f64)
        }),
        on_front: false,
    }
}

fn recovered(times: &[Observation]) -> Recovered {
    let curve = survival::curve(times);
    let interval = curve.quantile_interval(0.5);
    let censored = times
        .iter()
        .filter(|t| matches!(t, Observation::AtLeast(_)));
    Recovered {
        n: times.len(),
        censored: censored.count(),
        median_s: curve.quantile(0.5).map(micro),
        p95_s: curve.quantile(0.95).map(micro),
        median_low_s: interval.low.map(micro),
        median_high_s: interval.high.map(micro),
        longest_s: micro(times.iter().map(|t| t.least()).fold(0.0, f64::max)),
    }
}

fn week(data: &Data, effects: &Effects, cell: &Cell) -> Option<Week> {
    // The guide's own: the same thresholds with our probe are another matter.
    if cell.probe != ProbeMode::Passive {
        return None;
    }
    let week = cell.week?;
    let within_s = CLAIM_S / f64::from(data.scale.max(1));
    let times = times(&effects.of(&cell.arm, |_| true));
    let within = times.iter().filter(|t| t.most() <= within_s).count();
    // One that was given up before may have been within it or not.
    let beyond = times.iter().filter(|t| t.least() > within_s).count();
    let n = times.len();
    Some(Week {
        week,
        arm: cell.arm.clone(),
        within_s: micro(within_s),
        n,
        within,
        low: proportion::interval(within, n).low.map(micro),
        high: proportion::interval(n - beyond, n).high.map(micro),
        expected: micro((CLAIM_S / (cell.recovery_timeout_us as f64 / 1e6)).min(1.0)),
    })
}

/// Marks the cells that no other one beats. One whose false opens are not known
/// is not on the front, and beats none.
fn front(cells: &mut [CellFinding]) {
    let points: Vec<Option<(f64, u64)>> = cells
        .iter()
        .map(|cell| Some((cell.outage_equivalent_s?, cell.false_opens?)))
        .collect();
    for (cell, point) in cells.iter_mut().zip(&points) {
        let Some((outage, opens)) = *point else {
            continue;
        };
        cell.on_front = !points
            .iter()
            .flatten()
            .any(|(o, n)| (*o <= outage && *n <= opens) && (*o < outage || *n < opens));
    }
}
