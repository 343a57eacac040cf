//! Its picture: latency by quantile, for each arm.

use super::{Findings, QUANTILES, page};
use crate::{
    numbers::{self, decade_us},
    plot::{
        Plot,
        legend::legend,
        palette::{GRID, LANE, MUTED, SMALL, arm},
        picture::{Align, Area, Picture, TextStyle},
        scale::{Linear, Log},
        sheet,
    },
};

const LEFT: f64 = 76.0;
const RIGHT: f64 = 1160.0;
const HEIGHT: f64 = 360.0;
const RADIUS: f64 = 4.0;

/// `None` if nothing was answered.
pub(super) fn latency(findings: &Findings) -> Option<Plot> {
    let answered = findings.arms.iter().filter(|a| !a.latency_s.is_empty());
    let arms: Vec<_> = answered.collect();
    let all = || arms.iter().flat_map(|a| &a.latency_s).map(|s| s * 1e6);
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    if arms.is_empty() {
        return None;
    }
    let medians: Vec<String> = arms
        .iter()
        .map(|a| {
            let at = |i: usize| numbers::latency(a.latency_s[i]);
            format!("{} {} (p99 {})", a.arm, at(0), at(4))
        })
        .collect();
    let title = format!("Median latency: {}", medians.join("; "));
    let subtitle = "From the scheduled arrival to the answer, by quantile: to the right the slowest \
                    of all. The axis of times is logarithmic.";
    let (mut shapes, y) = sheet::begin(&title, subtitle);
    let colors: Vec<_> = arms
        .iter()
        .enumerate()
        .map(|(i, a)| (arm(&a.arm, i), a.arm.as_str()))
        .collect();
    let y = legend(&mut shapes, "arm", &colors, LEFT, y + 6.0);
    let lane = Area {
        left: LEFT,
        top: (y + 16.0).round(),
        right: RIGHT,
        bottom: (y + 16.0 + HEIGHT).round(),
    };
    let time = Log::between(
        least.max(1.0) * 0.8,
        most.max(10.0) * 1.25,
        lane.bottom,
        lane.top,
    );
    let last = QUANTILES.len() - 1;
    let place = Linear {
        from: 0.0,
        to: last as f64,
        start: LEFT + 40.0,
        end: RIGHT - 40.0,
    };
    axes(&mut shapes, lane, &time, &place);
    for (found, (color, _)) in arms.iter().zip(&colors) {
        let points: Vec<(f64, f64)> = found
            .latency_s
            .iter()
            .enumerate()
            .map(|(i, s)| (place.at(i as f64), time.at(s * 1e6)))
            .collect();
        shapes.line(points.clone(), 2.0, *color);
        let named = QUANTILES.iter().zip(&found.latency_s);
        for ((x, y), (quantile, s)) in points.into_iter().zip(named) {
            let dot = Area {
                left: x - RADIUS,
                top: y - RADIUS,
                right: x + RADIUS,
                bottom: y + RADIUS,
            };
            shapes.rect(dot, *color);
            let name = page::name(*quantile);
            shapes.tip(
                dot,
                format!("{}, {name}: {}", found.arm, numbers::latency(*s)),
            );
        }
    }
    Some(Plot {
        name: "latency".to_owned(),
        title,
        picture: sheet::end(shapes, lane.bottom + 44.0),
    })
}

fn axes(shapes: &mut Picture, lane: Area, time: &Log, place: &Linear) {
    shapes.rect(lane, LANE);
    let mut last = f64::MAX;
    for tick in time.fine_ticks() {
        let at = time.at(tick).round();
        shapes.level(at, lane.left, lane.right, GRID);
        if last - at >= 16.0 {
            let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
            shapes.text(decade_us(tick), lane.left - 8.0, at, style);
            last = at;
        }
    }
    for (i, quantile) in QUANTILES.iter().enumerate() {
        let at = place.at(i as f64).round();
        shapes.upright(at, lane.top, lane.bottom, 1.0, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        shapes.text(page::name(*quantile), at, lane.bottom + 16.0, style);
    }
}
