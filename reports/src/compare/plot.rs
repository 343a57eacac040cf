//! Pictures of two runs laid over each other, and of many runs after one another.

use crate::{
    plot::{
        Plot,
        legend::legend,
        palette::{BLUE, GREY, GRID, INK, LANE, MUTED, SMALL, arm},
        picture::{Align, Area, TextStyle},
        scale::Log,
        sheet,
    },
    sample::Sample,
    stats::quantile::Observation,
};

use super::{
    history::{Line, Point},
    two::Compared,
};

const LEFT: f64 = 330.0;
const RIGHT: f64 = 1160.0;
const ROW: f64 = 34.0;
/// Most places of a measure that are drawn.
const PLACES: usize = 24;

/// The values of both runs at every place of one measure, on one axis.
pub(super) fn overlaid(of: &[&Compared]) -> Option<Plot> {
    let first = of.first()?;
    let measure = &first.measure;
    let places = &of[..of.len().min(PLACES)];
    let values = places
        .iter()
        .flat_map(|c| c.a.observations().chain(c.b.observations()));
    let above = values.map(Observation::least).filter(|value| *value > 0.0);
    let (least, most) = above.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    if most <= 0.0 {
        return None;
    }
    let title = format!("{}: {}", measure.name, measure.about);
    let subtitle = "Each mark is a value of a run; the long one is all of it as one number. The axis \
                    is logarithmic; zero stands at its left end.";
    let (mut shapes, y) = sheet::begin(&title, subtitle);
    let y = legend(
        &mut shapes,
        "run",
        &[(GREY, "first"), (BLUE, "second")],
        sheet::MARGIN,
        y + 8.0,
    );
    let lane = Area {
        left: LEFT,
        top: (y + 6.0).round(),
        right: RIGHT,
        bottom: (y + 6.0 + ROW * places.len() as f64).round(),
    };
    shapes.rect(lane, LANE);
    let axis = Log::between(
        least / 1.1,
        (most * 1.1).max(least * 1.3),
        LEFT + 8.0,
        RIGHT - 8.0,
    );
    let mut last = f64::MIN;
    for tick in axis.fine_ticks() {
        let x = axis.at(tick).round();
        if x - last < 70.0 {
            continue;
        }
        last = x;
        shapes.upright(x, lane.top, lane.bottom, 1.0, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        shapes.text(
            measure.said(Some(Observation::Exact(tick))),
            x,
            lane.bottom + 16.0,
            style,
        );
    }
    for (i, compared) in places.iter().enumerate() {
        let middle = (lane.top + ROW * (i as f64 + 0.5)).round();
        let style = TextStyle::new(SMALL, INK).align(Align::Right);
        shapes.text(
            style.fitting(&compared.a.place(), LEFT - 10.0 - sheet::MARGIN),
            LEFT - 10.0,
            middle,
            style,
        );
        for (sample, whole, at, color) in [
            (&compared.a, compared.wholes[0], middle - 8.0, GREY),
            (&compared.b, compared.wholes[1], middle + 8.0, BLUE),
        ] {
            for value in sample.observations() {
                shapes.upright(axis.at(value.least()), at - 4.0, at + 4.0, 2.0, color);
            }
            if let Some(whole) = whole {
                shapes.upright(axis.at(whole.least()) - 1.0, at - 8.0, at + 8.0, 4.0, color);
            }
        }
    }
    Some(Plot {
        name: format!("values-{}", measure.name.replace('.', "-")),
        title,
        picture: sheet::end(shapes, lane.bottom + 36.0),
    })
}

const HEIGHT: f64 = 200.0;
const LEGEND: usize = 8;

/// A measure over runs: a line for each place.
pub(super) fn over_runs(lines: &[&Line], runs: &[String]) -> Option<Plot> {
    let measure = &lines.first()?.measure;
    let points = || lines.iter().flat_map(|line| line.points.iter().flatten());
    let ends = points().flat_map(|point: &Point| [point.least, point.whole, point.most]);
    let above = ends.filter(|value| *value > 0.0);
    let (least, most) = above.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    if most <= 0.0 {
        return None;
    }
    let title = format!("{}: {}", measure.name, measure.about);
    let subtitle = "One run after another, the oldest first. A line joins what all of a run is as one \
                    number; a bar reaches from its least to its greatest value.";
    let (mut shapes, y) = sheet::begin(&title, subtitle);
    let named: Vec<(plotters::style::RGBAColor, &str)> = lines
        .iter()
        .take(LEGEND)
        .enumerate()
        .map(|(i, line)| (arm(&line.place, i), line.place.as_str()))
        .collect();
    let y = legend(&mut shapes, "of", &named, sheet::MARGIN, y + 8.0);
    let left = 110.0;
    let lane = Area {
        left,
        top: (y + 6.0).round(),
        right: RIGHT,
        bottom: (y + 6.0 + HEIGHT).round(),
    };
    shapes.rect(lane, LANE);
    let axis = Log::between(
        least / 1.1,
        (most * 1.1).max(least * 1.3),
        lane.bottom - 6.0,
        lane.top + 6.0,
    );
    let mut last = f64::MAX;
    for tick in axis.fine_ticks() {
        let at = axis.at(tick).round();
        if last - at < 22.0 {
            continue;
        }
        last = at;
        shapes.level(at, lane.left, lane.right, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
        shapes.text(
            measure.said(Some(Observation::Exact(tick))),
            left - 8.0,
            at,
            style,
        );
    }
    let step = (RIGHT - left) / runs.len().max(1) as f64;
    let x = |run: usize| left + step * (run as f64 + 0.5);
    let mut last = f64::MIN;
    for (run, name) in runs.iter().enumerate() {
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        let half = style.width(name) / 2.0;
        if x(run) - half < last + 10.0 || x(run) + half > sheet::WIDTH {
            continue;
        }
        last = x(run) + half;
        shapes.text(name.clone(), x(run), lane.bottom + 16.0, style);
    }
    for (i, line) in lines.iter().enumerate().take(LEGEND) {
        let color = arm(&line.place, i);
        // Beside each other, so that bars are not on top of each other.
        let aside = (i as f64 - (lines.len().min(LEGEND) - 1) as f64 / 2.0) * 4.0;
        let mut joined = Vec::new();
        for (run, point) in line.points.iter().enumerate() {
            let Some(point) = point else { continue };
            let at = x(run) + aside;
            joined.push((at, axis.at(point.whole)));
            shapes.upright(
                at - 0.5,
                axis.at(point.most),
                axis.at(point.least).max(axis.at(point.most) + 1.0),
                1.0,
                color,
            );
            let y = axis.at(point.whole);
            let dot = Area {
                left: at - 3.0,
                top: y - 3.0,
                right: at + 3.0,
                bottom: y + 3.0,
            };
            shapes.rect(dot, color);
        }
        shapes.line(joined, 2.0, color);
    }
    let name = format!("history-{}", measure.name.replace('.', "-"));
    Some(Plot {
        name,
        title,
        picture: sheet::end(shapes, lane.bottom + 36.0),
    })
}

/// The least, all as one number, and the greatest; `None` of nothing.
pub(super) fn point(sample: &Sample, whole: Option<Observation>) -> Option<Point> {
    let values: Vec<f64> = sample.observations().map(Observation::least).collect();
    let whole = whole?.least();
    let fold = |of: fn(f64, f64) -> f64| values.iter().copied().fold(whole, of);
    Some(Point {
        least: fold(f64::min),
        whole,
        most: fold(f64::max),
    })
}
