//! Its picture: what each part of observing costs, pair by pair.

use super::Findings;
use crate::plot::{
    Plot,
    palette::{self, GRID, INK, LANE, MUTED, SMALL, TEXT, VERMILION},
    picture::{Align, Area, TextStyle},
    scale::Linear,
    sheet,
};

const LEFT: f64 = 150.0;
const RIGHT: f64 = 1160.0;
const ROW: f64 = 54.0;
const RADIUS: f64 = 3.0;

/// `None` if nothing was measured.
pub(super) fn prices(findings: &Findings) -> Option<Plot> {
    let all = findings
        .prices
        .iter()
        .flat_map(|price| &price.throughput.pairs);
    let (least, most) = all.fold((0.9_f64, 1.1_f64), |(least, most), ratio| {
        (least.min(*ratio), most.max(*ratio))
    });
    let last = findings.prices.last()?;
    let title = match last.throughput.median {
        Some(median) => format!(
            "Observing everything leaves {:.1} % of throughput",
            median * 100.0
        ),
        None => "What observing costs".to_owned(),
    };
    let subtitle = "Queries per second with a part of it, of those without: each pair of windows a \
                    dot, the median a bar with its interval. The red line is where 1 % is lost.";
    let (mut shapes, y) = sheet::begin(&title, subtitle);
    let top = (y + 20.0).round();
    let lane = Area {
        left: LEFT,
        top,
        right: RIGHT,
        bottom: top + ROW * findings.prices.len() as f64,
    };
    let place = Linear {
        from: least - 0.01,
        to: most + 0.01,
        start: LEFT + 20.0,
        end: RIGHT - 20.0,
    };
    shapes.rect(lane, LANE);
    for step in 0..60 {
        let at = f64::from(step) * 0.05;
        if !(least..=most).contains(&at) {
            continue;
        }
        let x = place.at(at).round();
        shapes.upright(x, lane.top, lane.bottom, 1.0, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        shapes.text(format!("{at:.2}"), x, lane.bottom + 16.0, style);
    }
    let bound = place.at(0.99).round();
    shapes.upright(bound, lane.top, lane.bottom, 1.5, VERMILION);
    for (i, price) in findings.prices.iter().enumerate() {
        let y = lane.top + ROW * (i as f64 + 0.5);
        let style = TextStyle::new(TEXT, INK).align(Align::Right);
        shapes.text(price.of.name(), LEFT - 12.0, y, style);
        let color = palette::arm(price.of.name(), i);
        for ratio in &price.throughput.pairs {
            let x = place.at(*ratio);
            let dot = Area {
                left: x - RADIUS,
                top: y + 8.0 - RADIUS,
                right: x + RADIUS,
                bottom: y + 8.0 + RADIUS,
            };
            shapes.rect(dot, color);
            shapes.tip(dot, format!("{}: a pair with {ratio:.3}", price.of.name()));
        }
        let (low, high) = (price.throughput.low, price.throughput.high);
        if let (Some(low), Some(high)) = (low, high) {
            shapes.level((y - 8.0).round(), place.at(low), place.at(high), INK);
        }
        if let Some(median) = price.throughput.median {
            let x = place.at(median);
            shapes.upright(x, y - 14.0, y - 2.0, 3.0, INK);
        }
    }
    Some(Plot {
        name: "price".to_owned(),
        title,
        picture: sheet::end(shapes, lane.bottom + 40.0),
    })
}
