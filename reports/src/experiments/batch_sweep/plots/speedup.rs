//! Speed-up and latency of a class over batch size: what a larger batch gains, and
//! what it costs.

use plotters::style::RGBAColor;

use crate::{
    numbers::decade_us,
    plot::{
        Plot,
        apart::PITCH,
        palette::{CLAIMED, GREEN, GRID, INK, LANE, MUTED, SMALL},
        picture::{Align, Area, Picture, TextStyle},
        scale::Log,
        sheet,
    },
};

use super::{
    super::{CLAIM_HIGH, CLAIM_LOW, Cell, ClassFinding, Findings, ship},
    trace::{self, Curves, Trace, batch, traces},
};

const LEFT: f64 = 76.0;
const RIGHT: f64 = 956.0;
const BAND: RGBAColor = RGBAColor(0, 158, 115, 0.13);
/// What a label of the axis of batch sizes needs.
const LABEL: f64 = 40.0;

/// The name of a class's picture: `speedup-updates`. What a file name had better not
/// have is left out.
pub(in super::super) fn name(class: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') {
            c
        } else {
            '-'
        }
    };
    format!("speedup-{}", class.chars().map(plain).collect::<String>())
}

/// `None` if nothing was measured of it.
pub(in super::super) fn picture(findings: &Findings, class: &ClassFinding) -> Option<Plot> {
    let traces = traces(findings, class);
    if traces.is_empty() {
        return None;
    }
    let title = match &class.recommended {
        Some(recommended) => format!("{}: {}", class.name, ship::what(recommended)),
        None => format!("{}: how fast, by batch size", class.name),
    };
    let subtitle = "Above: how many times as fast as one at a time, with 95 % intervals. Below: the \
                    99th percentile of a query's latency. Both over queries a batch; all axes are \
                    logarithmic.";
    let (mut shapes, y) = sheet::begin(&title, subtitle);
    let y = trace::key(&mut shapes, &traces, class, y + 4.0);
    let x = sizes(&traces, class);
    let names = traces.len() as f64 * PITCH + 24.0;
    let gain = lane(y + 40.0, names.max(400.0));
    let cost = lane(gain.bottom + 74.0, names.max(240.0));
    faster(&mut shapes, &traces, x, gain);
    slower(&mut shapes, &traces, x, cost);
    chosen(&mut shapes, class, x, gain, cost);
    Some(Plot {
        name: name(&class.name),
        title,
        picture: sheet::end(shapes, cost.bottom + 52.0),
    })
}

fn lane(top: f64, height: f64) -> Area {
    let top = top.round();
    Area {
        left: LEFT,
        top,
        right: RIGHT,
        bottom: (top + height).round(),
    }
}

fn cells<'a>(traces: &'a [Trace<'a>]) -> impl Iterator<Item = &'a Cell> {
    traces.iter().flat_map(|trace| &trace.curve.cells)
}

/// Least and greatest.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let usable = values.filter(|v| v.is_finite() && *v > 0.0);
    usable.fold(None, |range: Option<(f64, f64)>, v| {
        Some(range.map_or((v, v), |(a, b)| (a.min(v), b.max(v))))
    })
}

/// The axis of batch sizes.
fn sizes(traces: &[Trace<'_>], class: &ClassFinding) -> Log {
    let tried = cells(traces).filter_map(batch);
    let all = tried.chain(class.guide_batch.map(f64::from));
    let (least, most) = range(all).unwrap_or((1.0, 10.0));
    Log::between(least * 0.85, most * 1.1, LEFT, RIGHT)
}

fn faster(picture: &mut Picture, traces: &[Trace<'_>], x: Log, lane: Area) {
    let speedups = cells(traces).map(|cell| &cell.speedup);
    let values = speedups.flat_map(|s| [s.median, s.low, s.high]).flatten();
    let (least, most) = range(values.chain([1.0, CLAIM_HIGH])).unwrap_or((1.0, 10.0));
    let y = Log::between(least * 0.85, most * 1.15, lane.bottom, lane.top);
    picture.rect(lane, LANE);
    let band = Area {
        top: y.at(CLAIM_HIGH).round(),
        bottom: y.at(CLAIM_LOW).round(),
        ..lane
    };
    picture.rect(band, BAND);
    levels(picture, lane, &y, &y.fine_ticks(), |v| format!("{v}x"));
    uprights(picture, lane, &x, traces);
    trace::draw(
        picture,
        traces,
        &Curves {
            of: &|cell| cell.speedup.median,
            range: &|cell| cell.speedup.low.zip(cell.speedup.high),
            x,
            y,
            lane,
            knee: true,
        },
    );
    // A batch of B is hardly more than B times as fast: up here there are no curves.
    let style = TextStyle::new(SMALL, CLAIMED).bold();
    let label = format!("the guide: {CLAIM_LOW} to {CLAIM_HIGH} times");
    picture.text(label, LEFT + 10.0, band.top + 12.0, style);
}

fn slower(picture: &mut Picture, traces: &[Trace<'_>], x: Log, lane: Area) {
    let p99_us = |cell: &Cell| cell.p99_s.map(|s| s * 1e6).filter(|us| *us > 0.0);
    let (least, most) = range(cells(traces).filter_map(p99_us)).unwrap_or((1e3, 1e4));
    let y = Log::between(least * 0.8, most * 1.25, lane.bottom, lane.top);
    picture.rect(lane, LANE);
    levels(picture, lane, &y, &y.fine_ticks(), decade_us);
    uprights(picture, lane, &x, traces);
    let style = TextStyle::new(SMALL, MUTED).bold();
    picture.text("p99 latency of a query", LEFT, lane.top - 12.0, style);
    trace::draw(
        picture,
        traces,
        &Curves {
            of: &p99_us,
            range: &|_| None,
            x,
            y,
            lane,
            knee: false,
        },
    );
}

/// Level lines at the ticks, with labels where there is room: decades first.
fn levels(
    picture: &mut Picture,
    lane: Area,
    y: &Log,
    ticks: &[f64],
    label: impl Fn(f64) -> String,
) {
    let decade = |tick: &f64| (tick.log10() - tick.log10().round()).abs() < 1e-6;
    let (decades, others): (Vec<f64>, Vec<f64>) = ticks.iter().partition(|tick| decade(tick));
    let mut labelled: Vec<f64> = Vec::new();
    for tick in decades.into_iter().chain(others) {
        let at = y.at(tick).round();
        picture.level(at, lane.left, lane.right, GRID);
        if labelled.iter().all(|other| (other - at).abs() >= PITCH) {
            let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
            let value = (tick * 1e6).round() / 1e6;
            picture.text(label(value), lane.left - 8.0, at, style);
            labelled.push(at);
        }
    }
}

/// Upright lines at the sizes that were tried, with labels where there is room.
fn uprights(picture: &mut Picture, lane: Area, x: &Log, traces: &[Trace<'_>]) {
    let fixed = traces.iter().flat_map(|trace| trace.curve.fixed());
    let mut sizes: Vec<u32> = fixed.map(|(size, _)| size.max(1)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    let mut last = f64::MIN;
    for size in sizes {
        let at = x.at(f64::from(size)).round();
        picture.upright(at, lane.top, lane.bottom, 1.0, GRID);
        if at - last >= LABEL {
            picture.text(size.to_string(), at, lane.bottom + 14.0, style);
            last = at;
        }
    }
    let middle = f64::midpoint(lane.left, lane.right);
    picture.text("queries a batch", middle, lane.bottom + 34.0, style);
}

/// The guide's size and the one to ship, through both lanes.
fn chosen(picture: &mut Picture, class: &ClassFinding, x: Log, gain: Area, cost: Area) {
    let style = |color| TextStyle::new(SMALL, color).align(Align::Center).bold();
    if let Some(batch) = class.guide_batch {
        let at = x.at(f64::from(batch.max(1))).round();
        for lane in [gain, cost] {
            picture.upright_dashes(at, lane.top, lane.bottom, GREEN);
        }
        picture.upright_dashes(at, gain.top - 6.0, gain.top, GREEN);
        let label = format!("the guide: {batch}");
        picture.text(label, at, gain.top - 12.0, style(CLAIMED));
    }
    if let Some(recommended) = &class.recommended {
        let at = x.at(f64::from(recommended.batch.max(1))).round() - 1.0;
        for lane in [gain, cost] {
            picture.upright(at, lane.top, lane.bottom, 1.0, INK);
        }
        let label = format!("to ship: {}", recommended.batch);
        picture.text(label, at, gain.top - 29.0, style(INK));
    }
}
