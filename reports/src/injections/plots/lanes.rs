//! The lanes of an arm: goodput by outcome, latency of every operation, and the
//! breaker's state.

use std::collections::BTreeMap;

use crate::{
    measure::WINDOW_US,
    numbers::decade_us,
    plot::{
        palette::{self, GRID, INK, MUTED, PAPER, SMALL},
        picture::{Align, Area, Picture, TextStyle},
        scale::{Linear, Log},
    },
    run::{BreakerState, Injection, Span},
};

use super::answer::{Answer, Dot};

const WINDOW_S: f64 = WINDOW_US as f64 / 1e6;

/// Side of a dot. Dots that would fall on the same place are drawn once, and
/// neighbours of one colour as one bar, so that a file holds what can be seen.
const DOT: f64 = 3.0;

/// Where a lane is; its right end is where the load ended.
pub(super) struct Lane {
    pub(super) time: Linear,
    pub(super) area: Area,
}

impl Lane {
    fn caption(&self, picture: &mut Picture, lines: &[&str]) {
        let style = TextStyle::new(SMALL, INK);
        let mut y = self.area.top + 6.0;
        for line in lines {
            picture.text(*line, 16.0, y, style);
            y += 16.0;
        }
    }

    fn tick(&self, picture: &mut Picture, y: f64, label: String) {
        let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
        picture.text(label, self.area.left - 7.0, y, style);
        picture.level(y, self.area.left - 4.0, self.area.left, MUTED);
    }
}

/// Bars of 250 ms, stacked in the order of the legend. As every window holds
/// what was scheduled in it, all bars are as high as the scheduled rate.
pub(super) fn goodput(picture: &mut Picture, lane: &Lane, dots: &[Dot], rate_per_s: f64) {
    lane.caption(picture, &["operations", "per second,", "every 250 ms"]);
    let axis = Linear {
        from: 0.0,
        to: rate_per_s.max(1.0),
        start: lane.area.bottom,
        end: lane.area.top + 6.0,
    };
    for tick in axis.ticks(3.0) {
        lane.tick(picture, axis.at(tick), format!("{tick}"));
    }
    let shown: Vec<Dot> = dots
        .iter()
        .copied()
        .filter(|d| (lane.time.from..lane.time.to).contains(&d.at_s))
        .collect();
    for window in shown.chunk_by(|a, b| window(a.at_s) == window(b.at_s)) {
        let start = window
            .first()
            .map_or(0.0, |d| (d.at_s / WINDOW_S).floor() * WINDOW_S);
        let (left, right) = (
            lane.time.at(start.max(lane.time.from)).round(),
            lane.time.at(start + WINDOW_S).round().min(lane.area.right),
        );
        let mut done = 0.0;
        let mut said = Vec::new();
        for answer in Answer::ALL {
            let count = window.iter().filter(|d| d.answer == answer).count();
            if count > 0 {
                said.push(format!("{count} {}", answer.name()));
            }
            let share = count as f64;
            let upto = done + share / window.len() as f64 * axis.to;
            let area = Area {
                left,
                top: axis.at(upto).round(),
                right,
                bottom: axis.at(done).round(),
            };
            picture.rect(area, answer.color());
            done = upto;
        }
        let whole = Area {
            left,
            right,
            ..lane.area
        };
        let said = said.join(", ");
        picture.tip(whole, format!("from {start:.2} s on, for 250 ms: {said}"));
    }
}

fn window(at_s: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred windows")]
    let number = (at_s / WINDOW_S).floor() as i64;
    number
}

/// A dot for every operation that was sent, at its scheduled arrival.
pub(super) fn latency(
    picture: &mut Picture,
    lane: &Lane,
    dots: &[Dot],
    axis: &Log,
    deadline_us: f64,
) {
    lane.caption(picture, &["latency of", "each operation"]);
    for tick in axis.ticks() {
        let y = axis.at(tick).round();
        lane.tick(picture, y, decade_us(tick));
        picture.level(y, lane.area.left, lane.area.right, GRID);
    }
    let mut cells: BTreeMap<(i64, i64), [u32; Answer::ALL.len()]> = BTreeMap::new();
    let shown = lane.time.from..=lane.time.to;
    let sent = |d: &&Dot| d.answer != Answer::NotSent && shown.contains(&d.at_s);
    for d in dots.iter().filter(sent) {
        let place = (cell(axis.at(d.latency_us)), cell(lane.time.at(d.at_s)));
        cells.entry(place).or_default()[d.answer as usize] += 1;
    }
    for (answer, bar) in bars(&cells) {
        let area = Area {
            left: bar.left.max(lane.area.left),
            right: bar.right.min(lane.area.right),
            ..bar
        };
        picture.rect(area, answer.color());
    }
    unsent(picture, lane, dots);
    let y = axis.at(deadline_us).round();
    picture.dashes(y, lane.area.left, lane.area.right, INK);
    let label = format!("deadline {}", decade_us(deadline_us));
    let style = TextStyle::new(SMALL, INK);
    let behind = Area {
        left: lane.area.left + 4.0,
        top: y - 16.0,
        right: lane.area.left + 12.0 + style.width(&label),
        bottom: y - 2.0,
    };
    picture.rect(behind, PAPER);
    picture.text(label, lane.area.left + 8.0, y - 9.0, style);
}

/// Says of the longest time without a dot that nothing was sent then, where there is room.
fn unsent(picture: &mut Picture, lane: &Lane, dots: &[Dot]) {
    let sent = dots.iter().filter(|d| d.answer != Answer::NotSent);
    let sent = sent.map(|d| d.at_s).filter(|at| *at >= lane.time.from);
    let places = sent.map(|at_s| lane.time.at(at_s));
    let ends = [lane.area.left]
        .into_iter()
        .chain(places)
        .chain([lane.area.right]);
    let ends: Vec<f64> = ends.collect();
    let gaps = ends.windows(2).map(|pair| (pair[0], pair[1]));
    let Some((from, to)) = gaps.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0))) else {
        return;
    };
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    let text = "nothing was sent";
    if to - from > style.width(text) + 24.0 {
        let y = lane.area.bottom - 24.0;
        picture.text(text, f64::midpoint(from, to), y, style);
    }
}

fn cell(pixel: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand pixels")]
    let number = ((pixel - DOT / 2.0) / DOT).round() as i64;
    number
}

/// Cells (row, column) of one class that follow each other in a row, as one bar.
fn bars(cells: &BTreeMap<(i64, i64), [u32; Answer::ALL.len()]>) -> Vec<(Answer, Area)> {
    let mut bars: Vec<(Answer, Area)> = Vec::new();
    let mut last = None;
    for ((row, column), counts) in cells {
        let answer = prevailing(counts);
        let right = (*column + 1) as f64 * DOT;
        match bars.last_mut() {
            Some((of, bar)) if last == Some((*row, column - 1)) && *of == answer => {
                bar.right = right;
            }
            _ => {
                let area = Area {
                    left: *column as f64 * DOT,
                    top: *row as f64 * DOT,
                    right,
                    bottom: (*row + 1) as f64 * DOT,
                };
                bars.push((answer, area));
            }
        }
        last = Some((*row, *column));
    }
    bars
}

/// What a place with several operations shows: the most frequent of those that
/// are not ok, so that no failure hides behind a success.
fn prevailing(counts: &[u32; Answer::ALL.len()]) -> Answer {
    let most = Answer::ALL
        .into_iter()
        .filter(|answer| *answer != Answer::Ok && counts[*answer as usize] > 0)
        .max_by_key(|answer| counts[*answer as usize]);
    most.unwrap_or(Answer::Ok)
}

/// The breaker's states; short ones are two pixels wide, and on top.
pub(super) fn ribbon(picture: &mut Picture, lane: &Lane, injection: &Injection) {
    let style = TextStyle::new(SMALL, INK);
    let middle = f64::midpoint(lane.area.top, lane.area.bottom);
    if injection.breaker.is_empty() {
        let style = TextStyle::new(SMALL, MUTED);
        picture.text("no breaker", 16.0, middle, style);
        return;
    }
    picture.text("breaker", 16.0, middle, style);
    let at = |us: u64| {
        lane.time
            .at((us as f64 - injection.injected_us as f64) / 1e6)
            .min(lane.area.right)
    };
    let ends = injection
        .breaker
        .iter()
        .skip(1)
        .map(|next| next.at_us)
        .chain([injection.ended_us]);
    let mut spans: Vec<_> = injection
        .breaker
        .iter()
        .zip(ends)
        .map(|(transition, end)| (at(transition.at_us), at(end), transition.state))
        .collect();
    spans.sort_by(|a, b| (b.1 - b.0).total_cmp(&(a.1 - a.0)));
    for (from, to, state) in spans {
        let area = Area {
            left: from.round(),
            right: to.round().max(from.round() + 2.0).min(lane.area.right),
            ..lane.area
        };
        picture.rect(area, palette::breaker(state));
        let name = palette::breaker_name(state);
        if style.width(name) + 16.0 < to - from {
            let color = if state == BreakerState::Open {
                PAPER
            } else {
                INK
            };
            let style = TextStyle::new(SMALL, color).align(Align::Left);
            picture.text(name, from + 6.0, middle, style);
        }
    }
}

/// When one of several faults was in effect.
pub(super) fn strip(picture: &mut Picture, lane: &Lane, injection: &Injection, span: &Span) {
    let middle = f64::midpoint(lane.area.top, lane.area.bottom);
    let style = TextStyle::new(SMALL, INK);
    picture.text(&span.kind, 16.0, middle, style);
    let at = |us: u64| {
        lane.time
            .at((us as f64 - injection.injected_us as f64) / 1e6)
            .min(lane.area.right)
    };
    let left = at(span.effective_us).round();
    let area = Area {
        left,
        right: at(span.cleared_us).round().max(left + 2.0),
        ..lane.area
    };
    picture.rect(area, palette::VERMILION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_a_row_become_one_bar_and_failures_show() {
        let [mut ok, mut one_failed] = [[0; Answer::ALL.len()]; 2];
        ok[Answer::Ok as usize] = 9;
        one_failed[Answer::Ok as usize] = 9;
        one_failed[Answer::Failed as usize] = 1;
        let cells = BTreeMap::from([
            ((0, 1), ok),
            ((0, 2), ok),
            ((0, 3), one_failed),
            ((0, 5), ok),
            ((1, 6), ok),
        ]);
        let bars: Vec<_> = bars(&cells)
            .into_iter()
            .map(|(answer, bar)| (answer, bar.left, bar.right))
            .collect();
        assert_eq!(
            bars,
            [
                (Answer::Ok, 3.0, 9.0),
                (Answer::Failed, 9.0, 12.0),
                (Answer::Ok, 15.0, 18.0),
                (Answer::Ok, 18.0, 21.0),
            ]
        );
    }
}
