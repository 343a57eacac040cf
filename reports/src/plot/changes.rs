//! Changes of many measures under each other, on one logarithmic axis.

use plotters::style::RGBAColor;

use super::{
    Plot,
    palette::{GRID, INK, LANE, MUTED, SMALL},
    picture::{Align, Area, TextStyle},
    scale::Log,
    sheet,
};
use crate::numbers::times;

/// A change with its interval, in times of what it was.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    /// What changed.
    pub(crate) name: String,
    /// The estimate.
    pub(crate) estimate: Option<f64>,
    /// The ends of the interval; `None` where it does not end.
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    /// The values one by one, if they are to be seen.
    pub(crate) values: Vec<f64>,
    /// What it is shaded for: what counts as no change.
    pub(crate) shaded: Option<[f64; 2]>,
    pub(crate) color: RGBAColor,
}

/// Most that names may take.
const NAMES: f64 = 420.0;
const RIGHT: f64 = 1160.0;
const ROW: f64 = 26.0;
const RADIUS: f64 = 4.0;
/// What is changed by more than this stands at the end of the axis.
const MOST: f64 = 1_000.0;

/// `None` without any.
pub(crate) fn changes(name: &str, title: String, subtitle: &str, bars: &[Bar]) -> Option<Plot> {
    let ends = bars.iter().flat_map(|bar| {
        let ends = [bar.estimate, bar.low, bar.high];
        let shaded = bar.shaded.into_iter().flatten();
        ends.into_iter()
            .flatten()
            .chain(shaded)
            .chain(bar.values.iter().copied())
    });
    let ends = ends
        .filter(|end| *end > 0.0)
        .map(|end| end.clamp(1.0 / MOST, MOST));
    let (least, most) = ends.fold((0.9_f64, 1.1_f64), |(least, most), end| {
        (least.min(end), most.max(end))
    });
    if bars.is_empty() {
        return None;
    }
    let (mut shapes, top) = sheet::begin(&title, subtitle);
    let top = (top + 12.0).round();
    let style = TextStyle::new(SMALL, INK).align(Align::Right);
    let longest = bars
        .iter()
        .map(|bar| style.width(&bar.name))
        .fold(0.0, f64::max);
    let left = (longest + 12.0 + sheet::MARGIN).min(NAMES).round();
    let bottom = top + ROW * bars.len() as f64;
    let axis = Log::between(least / 1.05, most * 1.05, left, RIGHT);
    let lane = Area {
        left,
        top,
        right: RIGHT,
        bottom,
    };
    shapes.rect(lane, LANE);
    let mut last = f64::MIN;
    for tick in axis.fine_ticks().into_iter().chain([1.1, 1.25, 0.8, 0.9]) {
        let x = axis.at(tick).round();
        let on_axis = tick >= least / 1.05 && tick <= most * 1.05;
        let crowded = (x - last).abs() < 44.0 || (tick != 1.0 && (x - axis.at(1.0)).abs() < 44.0);
        if !on_axis || crowded {
            continue;
        }
        last = x;
        shapes.upright(x, top, bottom, 1.0, if tick == 1.0 { INK } else { GRID });
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        shapes.text(times(tick), x, bottom + 16.0, style);
    }
    for (i, bar) in bars.iter().enumerate() {
        let middle = (top + ROW * (i as f64 + 0.5)).round();
        let label = TextStyle::new(SMALL, INK).align(Align::Right);
        shapes.text(
            label.fitting(&bar.name, NAMES - 12.0 - sheet::MARGIN),
            left - 12.0,
            middle,
            label,
        );
        if let Some([from, to]) = bar.shaded {
            let area = Area {
                left: axis.at(from),
                top: middle - 9.0,
                right: axis.at(to),
                bottom: middle + 9.0,
            };
            shapes.rect(area, GRID);
        }
        let (from, to) = (
            bar.low.map_or(left, |v| axis.at(v)),
            bar.high.map_or(RIGHT, |v| axis.at(v)),
        );
        let interval = Area {
            left: from,
            top: middle - 1.0,
            right: to.max(from + 2.0),
            bottom: middle + 2.0,
        };
        if bar.low.is_some() || bar.high.is_some() {
            shapes.rect(interval, bar.color);
        }
        for value in &bar.values {
            shapes.upright(axis.at(*value), middle - 5.0, middle + 6.0, 1.0, bar.color);
        }
        if let Some(estimate) = bar.estimate {
            let x = axis.at(estimate);
            let dot = Area {
                left: x - RADIUS,
                top: middle - RADIUS,
                right: x + RADIUS,
                bottom: middle + RADIUS + 1.0,
            };
            shapes.rect(dot, bar.color);
        }
    }
    Some(Plot {
        name: name.to_owned(),
        title,
        picture: sheet::end(shapes, bottom + 36.0),
    })
}
