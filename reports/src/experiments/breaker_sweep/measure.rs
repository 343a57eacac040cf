//! What one outage did to one cell, and what false alarms did.

use crate::{
    measure::Recovery,
    run::{BreakerState, Outcome},
};

use super::data::{Alarm, CellRun, Data, Outage, Stretch};

/// A cell is back when so many of the operations that follow are good ...
const GOOD_SHARE: f64 = 0.95;
/// An answer that comes later than this was held up by the stall of 200 ms.
const STALLED_US: u64 = 100_000;

/// Operations in the order of their schedule, perhaps from a later one on.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// Scheduled operations a second, evenly spaced.
    pub rate_per_s: u32,
    /// What comes later is not good.
    pub deadline_us: u64,
    /// Which operation the first one is.
    pub first: u64,
    /// As in [`Operations`](crate::run::Operations).
    pub outcomes: &'a str,
    /// As in [`Operations`](crate::run::Operations).
    pub latencies_us: &'a [u64],
}

impl<'a> Columns<'a> {
    fn of(data: &Data, run: &'a CellRun) -> Self {
        Self {
            rate_per_s: data.load.rate_per_s,
            deadline_us: data.load.deadline_us,
            first: 0,
            outcomes: &run.operations.outcomes,
            latencies_us: &run.operations.latencies_us,
        }
    }

    /// When each was scheduled, what became of it, and after how long.
    fn each(self) -> impl Iterator<Item = (u64, Outcome, u64)> + Clone + 'a {
        let rate = u64::from(self.rate_per_s.max(1));
        let outcomes = self.outcomes.chars().map_while(Outcome::from_letter);
        (self.first..)
            .zip(outcomes.zip(self.latencies_us))
            .map(move |(i, (outcome, latency_us))| (i * 1_000_000 / rate, outcome, *latency_us))
    }

    fn is_good(self, outcome: Outcome, latency_us: u64) -> bool {
        outcome == Outcome::Ok && latency_us <= self.deadline_us
    }

    /// The first good operation at or after `from_us` from which on almost all are
    /// good for `settled_us`, all of it before `until_us`: when it was scheduled.
    #[must_use]
    pub fn back_us(self, from_us: u64, until_us: u64, settled_us: u64) -> Option<u64> {
        let good: Vec<(u64, bool)> = self
            .each()
            .filter(|(at, ..)| (from_us..until_us).contains(at))
            .map(|(at, outcome, latency_us)| (at, self.is_good(outcome, latency_us)))
            .collect();
        let spacing_us = 1_000_000 / u64::from(self.rate_per_s.max(1));
        // Until where the operations are known.
        let known_us = good.last().map_or(0, |(at, _)| at + spacing_us);
        let known_us = known_us.min(until_us);
        (0..good.len())
            .filter(|i| good[*i].1)
            .take_while(|i| good[*i].0 + settled_us <= known_us)
            .find(|i| {
                let span = good[*i..].iter();
                let span = span.take_while(|(at, _)| *at < good[*i].0 + settled_us);
                let (all, well) = span.fold((0_u32, 0_u32), |(all, well), (_, good)| {
                    (all + 1, well + u32::from(*good))
                });
                f64::from(well) >= GOOD_SHARE * f64::from(all)
            })
            .map(|i| good[i].0)
    }
}

/// What one outage did to one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutageEffect {
    /// Which outage: index into the schedule.
    pub planned: usize,
    /// TTD: until the breaker opened. `None` if it did not.
    pub detect_us: Option<u64>,
    /// TTR: from when the server took sessions again until the cell was back.
    pub recovery: Recovery,
    /// Operations that were not good, as seconds of a full outage.
    pub outage_s: f64,
    /// Operations that went to the server and came to nothing.
    pub wasted: u64,
}

/// The effects of all outages of a stretch on a cell.
pub(super) fn effects(data: &Data, stretch: &Stretch, run: &CellRun) -> Vec<OutageEffect> {
    let outages = stretch.outages.iter();
    outages.map(|outage| effect(data, run, outage)).collect()
}

fn effect(data: &Data, run: &CellRun, outage: &Outage) -> OutageEffect {
    let columns = Columns::of(data, run);
    let back = columns.back_us(outage.cleared_us, outage.until_us, data.settled_us);
    let lasted = outage.injected_us..outage.until_us;
    let during = || columns.each().filter(|(at, ..)| lasted.contains(at));
    let bad = during().filter(|(_, outcome, latency_us)| !columns.is_good(*outcome, *latency_us));
    let wasted = bad.clone().filter(|(_, outcome, _)| {
        // An answer that came too late was work as well.
        !matches!(outcome, Outcome::Rejected | Outcome::NotSent)
    });
    let opened = run.breaker.iter().find(|change| {
        change.state == BreakerState::Open
            && (outage.requested_us..outage.until_us).contains(&change.at_us)
    });
    OutageEffect {
        planned: outage.planned,
        detect_us: opened.map(|change| change.at_us.saturating_sub(outage.injected_us)),
        recovery: match back {
            Some(at) => Recovery {
                after_us: at.saturating_sub(outage.ready_us),
                censored: false,
            },
            None => Recovery {
                after_us: outage
                    .until_us
                    .saturating_sub(data.settled_us)
                    .saturating_sub(outage.ready_us),
                censored: true,
            },
        },
        outage_s: bad.count() as f64 / f64::from(data.load.rate_per_s.max(1)),
        wasted: wasted.count() as u64,
    }
}

/// How often a cell met each kind of false alarm in a stretch.
pub(super) fn met(data: &Data, stretch: &Stretch, run: &CellRun, kind: Alarm) -> u64 {
    let told = run.alarms.get(&kind).copied().unwrap_or(0);
    let spans = || stretch.alarms.iter().filter(|span| span.kind == kind);
    match kind {
        Alarm::Stall => {
            let columns = Columns::of(data, run);
            let late = columns.each().filter(|(at, _, latency_us)| {
                let within = spans().any(|span| (span.began_us..span.ended_us).contains(at));
                within && *latency_us >= STALLED_US
            });
            late.count() as u64
        }
        // Told of a span that was not recorded, it is nothing.
        _ => spans().next().map_or(0, |_| told),
    }
}

/// How often the breaker opened while false alarms were raised.
pub(super) fn false_opens(stretch: &Stretch, run: &CellRun) -> u64 {
    let began = stretch.alarms.iter().map(|span| span.began_us).min();
    let ended = stretch.alarms.iter().map(|span| span.ended_us).max();
    let (Some(began), Some(ended)) = (began, ended) else {
        return 0;
    };
    let opens = run.breaker.iter().filter(|change| {
        change.state == BreakerState::Open && (began..=ended).contains(&change.at_us)
    });
    opens.count() as u64
}
