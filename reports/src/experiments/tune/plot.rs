//! Its picture: the rate over the pool size.

use super::Findings;
use crate::{
    numbers::latency,
    plot::{
        Plot,
        palette::{GRID, LANE, MUTED, SMALL, arm},
        picture::{Align, Area, TextStyle},
        scale::Linear,
        sheet,
    },
};

const LEFT: f64 = 96.0;
const RIGHT: f64 = 1160.0;
const HEIGHT: f64 = 300.0;
const RADIUS: f64 = 4.0;
const TICKS: u32 = 5;

/// `None` if nothing was measured.
pub(super) fn rates(findings: &Findings) -> Option<Plot> {
    let pool = &findings.pool;
    let most = pool
        .sizes
        .iter()
        .map(|of| of.rate_per_s)
        .fold(0.0, f64::max);
    let best = pool.size(pool.best?)?;
    if most <= 0.0 {
        return None;
    }
    let title = match pool.chosen.and_then(|chosen| pool.size(chosen)) {
        Some(chosen) => format!(
            "{} connections do {:.0} operations a second, at a p99 of {}; the best is {} with {:.0}",
            chosen.connections,
            chosen.rate_per_s,
            latency(chosen.p99_s),
            best.connections,
            best.rate_per_s
        ),
        None => "No pool size reaches 0.9 of the best".to_owned(),
    };
    let subtitle = "Operations a second by pool size: medians of all windows. Candidates that were \
                    given up had fewer.";
    let (mut shapes, y) = sheet::begin(&title, subtitle);
    let lane = Area {
        left: LEFT,
        top: (y + 16.0).round(),
        right: RIGHT,
        bottom: (y + 16.0 + HEIGHT).round(),
    };
    let rate = Linear {
        from: 0.0,
        to: most * 1.1,
        start: lane.bottom,
        end: lane.top,
    };
    let last = pool.sizes.len().saturating_sub(1).max(1);
    let place = Linear {
        from: 0.0,
        to: last as f64,
        start: LEFT + 40.0,
        end: RIGHT - 40.0,
    };
    shapes.rect(lane, LANE);
    for tick in 0..=TICKS {
        let value = most * f64::from(tick) / f64::from(TICKS);
        let at = rate.at(value).round();
        shapes.level(at, lane.left, lane.right, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
        shapes.text(format!("{value:.0}/s"), lane.left - 8.0, at, style);
    }
    let color = arm("seawall", 0);
    let mut points = Vec::new();
    for (i, of) in pool.sizes.iter().enumerate() {
        let x = place.at(i as f64);
        points.push((x, rate.at(of.rate_per_s)));
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        shapes.text(of.connections.to_string(), x, lane.bottom + 16.0, style);
    }
    shapes.line(points.clone(), 2.0, color);
    for ((x, y), of) in points.into_iter().zip(&pool.sizes) {
        let radius = if pool.chosen == Some(of.connections) {
            2.0 * RADIUS
        } else {
            RADIUS
        };
        let dot = Area {
            left: x - radius,
            top: y - radius,
            right: x + radius,
            bottom: y + radius,
        };
        shapes.rect(dot, color);
        let p99 = latency(of.p99_s);
        let (connections, rate) = (of.connections, of.rate_per_s);
        let chosen = if pool.chosen == Some(connections) {
            ", to ship"
        } else {
            ""
        };
        let says = format!("{connections} connections{chosen}: {rate:.0} a second, p99 {p99}");
        shapes.tip(dot, says);
    }
    Some(Plot {
        name: "pool-size".to_owned(),
        title,
        picture: sheet::end(shapes, lane.bottom + 44.0),
    })
}
