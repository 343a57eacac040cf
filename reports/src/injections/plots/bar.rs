//! A bar of the summary: to the median, or striped and with an arrow where that
//! is only known to be later.

use plotters::style::{Color, RGBAColor};

use crate::{
    numbers::seconds,
    plot::{
        palette::{INK, LANE, SMALL},
        picture::{Area, Picture, TextStyle},
        scale::Log,
    },
    stats::quantile::{Observation, median},
};

use super::recovery::{LEFT, RIGHT, ROW, Row};

/// Draws the recoveries of an arm after one kind of fault, from `y` on.
pub(super) fn draw(
    picture: &mut Picture,
    axis: &Log,
    row: &Row<'_>,
    (arm, color): (&str, RGBAColor),
    y: f64,
) {
    let Some(middle) = median(&row.times) else {
        return;
    };
    let censored = matches!(middle, Observation::AtLeast(_));
    let area = Area {
        left: LEFT,
        top: y + 3.0,
        right: axis.at(middle.least()).round().max(LEFT + 2.0),
        bottom: y + ROW - 3.0,
    };
    if censored {
        stripes(picture, area, color);
        arrow(picture, area, color);
    } else {
        picture.rect(area, color);
    }
    let mut end = if censored {
        area.right + 12.0
    } else {
        area.right
    };
    if row.times.len() > 1 {
        end = end.max(whisker(picture, axis, row, &area));
    }
    let not = row
        .times
        .iter()
        .filter(|t| matches!(t, Observation::AtLeast(_)))
        .count();
    let mut label = bounded(middle.least(), censored);
    if censored && row.times.len() == 1 {
        label += " (not seen to recover)";
    } else if not > 0 {
        label += &format!(" ({not} of {} not seen to recover)", row.times.len());
    }
    let style = TextStyle::new(SMALL, INK);
    let behind = Area {
        left: end + 3.0,
        right: (end + 9.0 + style.width(&label)).min(RIGHT),
        ..area
    };
    picture.rect(behind, LANE);
    let whole = Area {
        right: end.max(LEFT + 12.0),
        ..area
    };
    let (fault, n) = (&row.entry.name, row.times.len());
    picture.tip(whole, format!("{arm} after {fault}: {label}, of {n}"));
    picture.text(label, end + 6.0, y + ROW / 2.0, style);
}

/// Smallest to largest, and a tick for each. Returns its right end.
fn whisker(picture: &mut Picture, axis: &Log, row: &Row<'_>, bar: &Area) -> f64 {
    let ends = || row.times.iter().map(|t| axis.at(t.least()).round());
    let (from, to) = (ends().fold(RIGHT, f64::min), ends().fold(LEFT, f64::max));
    let middle = f64::midpoint(bar.top, bar.bottom).round();
    picture.level(middle, from, to, INK);
    for x in ends() {
        picture.upright(x, bar.top + 3.0, bar.bottom - 3.0, 1.0, INK);
    }
    to
}

fn stripes(picture: &mut Picture, area: Area, color: RGBAColor) {
    picture.rect(area, color.mix(0.25));
    let mut left = area.left;
    while left < area.right {
        let stripe = Area {
            left,
            right: (left + 4.0).min(area.right),
            ..area
        };
        picture.rect(stripe, color);
        left += 9.0;
    }
}

fn arrow(picture: &mut Picture, area: Area, color: RGBAColor) {
    let middle = f64::midpoint(area.top, area.bottom);
    let points = vec![
        (area.right, area.top - 2.0),
        (area.right + 11.0, middle),
        (area.right, area.bottom + 2.0),
    ];
    picture.polygon(points, color);
}

/// `0.21 s`, or `> 3.00 s`.
fn bounded(value_s: f64, censored: bool) -> String {
    if censored {
        format!("> {}", seconds(value_s))
    } else {
        seconds(value_s)
    }
}
