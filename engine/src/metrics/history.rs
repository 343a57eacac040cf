//! [`History`]: what was counted in each second, for as long as it is kept. Pure.
//!
//! Two rings: a slot for each second of the whole retention, and one for each quarter of a
//! second of the last five minutes. A slot holds what was added and what was recorded in it, so
//! that any quantile of any span can be had. A slot that was filled late, because the runtime
//! was busy, is as much longer.

use std::{collections::VecDeque, time::Duration};

use super::{
    Snapshot,
    metric::Metric,
    slot::{BESIDE, Gauges, MOST, Slot},
};

/// How long a slot is, and a fine one.
const SECOND_MS: u64 = 1_000;
pub(crate) const FINE: Duration = Duration::from_millis(250);
const FINE_MS: u64 = 250;
/// For how long fine slots are kept.
const FINE_KEPT_MS: u64 = 5 * 60 * 1_000;
/// Most points that one question is answered with.
pub(super) const POINTS: u64 = 11_000;

/// A value at a moment.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Point {
    /// The end of the span that it is of, in milliseconds since 1970.
    pub unix_ms: u64,
    /// `None` where nothing is known, or nothing happened that it could be of.
    pub value: Option<f64>,
}

/// How often queries took how long.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Heatmap {
    /// The highest that counts for each row, in seconds; a last row is for all that took longer.
    pub bounds_s: Vec<f64>,
    /// In the order of time.
    pub columns: Vec<HeatmapColumn>,
}

/// The queries of one span.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct HeatmapColumn {
    /// The end of the span, in milliseconds since 1970.
    pub unix_ms: u64,
    /// How many there are in each row.
    pub counts: Vec<u64>,
}

/// What a history takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    /// For how long slots are kept, in minutes.
    pub retention_minutes: u32,
    /// Slots that there are.
    pub slots: usize,
    /// Bytes that they take.
    pub bytes: usize,
    /// Bytes that they can take at most.
    pub bytes_most: usize,
}

/// There is no such metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: no such metric{}", .nearest.as_ref().map(|n| format!(", did you mean {n}?")).unwrap_or_default())]
pub struct UnknownMetric {
    /// The name as it was asked for.
    pub name: String,
    /// The one that is most like it, if one is.
    pub nearest: Option<String>,
}

/// Slots in the order of time, at most so many.
#[derive(Debug)]
struct Ring {
    most: usize,
    slots: VecDeque<Slot>,
    bytes: usize,
    /// How everything stood at the end of the last slot.
    before: Snapshot,
    ended_ms: u64,
}

impl Ring {
    fn new(kept_ms: u64, slot_ms: u64, now: Snapshot) -> Self {
        Self {
            most: usize::try_from(kept_ms / slot_ms).unwrap_or(usize::MAX),
            slots: VecDeque::new(),
            bytes: 0,
            before: now,
            ended_ms: 0,
        }
    }

    fn push(&mut self, at_ms: u64, now: &Snapshot, gauges: &Gauges) {
        if at_ms <= self.ended_ms || self.most == 0 {
            return;
        }
        let slot = Slot::new(self.ended_ms, at_ms, &now.since(&self.before), gauges);
        self.before.clone_from(now);
        self.ended_ms = at_ms;
        self.bytes += slot.bytes();
        self.slots.push_back(slot);
        if self.slots.len() > self.most
            && let Some(oldest) = self.slots.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

/// What is kept of a pool's past. Times are milliseconds since it was made.
#[derive(Debug)]
pub(crate) struct History {
    retention_minutes: u32,
    seconds: Ring,
    fine: Ring,
    empty: Snapshot,
}

/// A part of it, cheap to take out.
pub(crate) struct Part {
    slots: Vec<Slot>,
    empty: Snapshot,
}

impl History {
    /// Of a pool that stands so. `empty` has nothing in it.
    pub(crate) fn new(retention_minutes: u32, now: &Snapshot, empty: Snapshot) -> Self {
        let kept_ms = u64::from(retention_minutes) * 60_000;
        Self {
            retention_minutes,
            seconds: Ring::new(kept_ms, SECOND_MS, now.clone()),
            fine: Ring::new(kept_ms.min(FINE_KEPT_MS), FINE_MS, now.clone()),
            empty,
        }
    }

    /// Adds how everything stands; to be called every [`FINE`].
    pub(crate) fn push(&mut self, at_ms: u64, now: &Snapshot, gauges: &Gauges) {
        self.fine.push(at_ms, now, gauges);
        if at_ms / SECOND_MS > self.seconds.ended_ms / SECOND_MS {
            self.seconds.push(at_ms, now, gauges);
        }
    }

    /// What it takes.
    pub(crate) fn memory(&self) -> Memory {
        let beside = self.seconds.before.bytes() + self.fine.before.bytes();
        let slots = self.seconds.most + self.fine.most;
        Memory {
            retention_minutes: self.retention_minutes,
            slots: self.seconds.slots.len() + self.fine.slots.len(),
            bytes: self.seconds.bytes + self.fine.bytes + beside,
            bytes_most: slots * (MOST + BESIDE) + 2 * Snapshot::BYTES_MOST,
        }
    }

    /// The slots that ended behind `from_ms` and began before `to_ms`. Fine ones where a step is
    /// shorter than a second, or the span is, if there are any that old.
    pub(crate) fn part(&self, from_ms: u64, to_ms: u64, step_ms: u64) -> Part {
        let short = step_ms < SECOND_MS || to_ms.saturating_sub(from_ms) <= 2 * SECOND_MS;
        let oldest = self
            .fine
            .slots
            .front()
            .map_or(u64::MAX, |slot| slot.from_ms);
        let ring = if short && oldest <= from_ms.max(step_ms) {
            &self.fine
        } else {
            &self.seconds
        };
        let first = ring.slots.partition_point(|slot| slot.to_ms <= from_ms);
        let of = ring.slots.range(first..);
        Part {
            slots: of
                .take_while(|slot| slot.from_ms < to_ms)
                .cloned()
                .collect(),
            empty: self.empty.clone(),
        }
    }
}

/// What was added in a span, and how the pool stood in it.
pub(super) struct Span {
    pub(super) added: Snapshot,
    pub(super) ms: u64,
    /// The mean over the slots.
    pub(super) gauges: [f64; 5],
    /// The worst.
    pub(super) state: u64,
}

impl Part {
    fn span(&self, slots: &[Slot], histograms: bool) -> Option<Span> {
        let mut span = Span {
            added: self.empty.clone(),
            ms: 0,
            gauges: [0.0; 5],
            state: 0,
        };
        for slot in slots {
            let g = slot.read(&mut span.added, histograms);
            let ms = slot.to_ms - slot.from_ms;
            span.ms += ms;
            let now = [
                g.active,
                g.idle,
                g.max,
                g.waiting_for_slot,
                g.waiting_for_circuit,
            ];
            for (mean, now) in span.gauges.iter_mut().zip(now) {
                *mean += now as f64 * ms as f64;
            }
            span.state = span.state.max(g.state);
        }
        let ms = span.ms as f64;
        span.gauges.iter_mut().for_each(|mean| *mean /= ms);
        (span.ms > 0).then_some(span)
    }

    /// The slots of each step, and where it ends.
    fn steps(
        &self,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> impl Iterator<Item = (u64, &[Slot])> {
        let mut rest = &self.slots[..];
        let ends = (1..=POINTS).map(move |i| (from_ms + i * step_ms).min(to_ms));
        let mut last = from_ms;
        ends.map_while(move |end_ms| {
            let begins = std::mem::replace(&mut last, end_ms);
            (begins < end_ms).then(|| {
                // A slot belongs to the step that it ends in.
                let n = rest.partition_point(|slot| slot.to_ms <= end_ms);
                let (of, later) = rest.split_at(n);
                rest = later;
                (end_ms, of)
            })
        })
    }

    /// The value in each step.
    pub(crate) fn points(
        &self,
        metric: &Metric,
        from_ms: u64,
        to_ms: u64,
        step_ms: u64,
    ) -> Vec<Point> {
        let steps = self.steps(from_ms, to_ms, step_ms.max(1));
        let value = |slots: &[Slot]| metric.value(&self.span(slots, metric.needs_histograms())?);
        steps
            .map(|(unix_ms, slots)| Point {
                unix_ms,
                value: value(slots),
            })
            .collect()
    }

    /// The value over all of it.
    pub(crate) fn value(&self, metric: &Metric) -> Option<f64> {
        metric.value(&self.span(&self.slots, metric.needs_histograms())?)
    }

    /// All that was counted in it, without times. `None` if there is nothing of it.
    pub(crate) fn added(&self) -> Option<Snapshot> {
        Some(self.span(&self.slots, false)?.added)
    }

    /// How often queries took how long, in each step.
    pub(crate) fn heatmap(&self, from_ms: u64, to_ms: u64, step_ms: u64) -> Heatmap {
        let column = |(unix_ms, slots): (u64, &[Slot])| {
            let span = self.span(slots, true);
            let counts = span.map_or_else(Vec::new, |span| {
                let times = span.added.histogram(super::Timing::Query);
                let up_to = HEAT_US.map(|us| times.count_up_to(us));
                let mut below = 0;
                let rows = up_to.into_iter().chain([times.count()]);
                rows.map(|n| n - std::mem::replace(&mut below, n)).collect()
            });
            HeatmapColumn { unix_ms, counts }
        };
        Heatmap {
            bounds_s: HEAT_US.iter().map(|us| *us as f64 / 1e6).collect(),
            columns: self
                .steps(from_ms, to_ms, step_ms.max(1))
                .map(column)
                .collect(),
        }
    }
}

/// The rows of a heatmap, in microseconds: 1, 2, 5.
const HEAT_US: [u64; 18] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
