//! What an outage costs against what opens for nothing: the cells that no other
//! one beats in both are the front.
//!
//! False opens are few, so each number of them that occurs has a column of its own,
//! with the names beside it, pushed apart where costs are close.

use plotters::style::RGBAColor;

use crate::{
    numbers::seconds,
    plot::{
        Plot,
        apart::{PITCH, apart},
        legend::legend,
        palette::{BLUE, GREY, GRID, INK, LANE, MUTED, ORANGE, PAPER, SMALL, VERMILION},
        picture::{Align, Area, Picture, TextStyle},
        scale::Linear,
        sheet,
    },
};

use super::super::{CellFinding, Findings, ProbeMode, ship};

const LEFT: f64 = 90.0;
const RIGHT: f64 = 1184.0;
/// What a name needs; more columns than fit share the last.
const COLUMN: f64 = 270.0;
const COLUMNS: usize = 4;

/// `None` if no cell has both.
pub(super) fn picture(findings: &Findings) -> Option<Plot> {
    let mut points: Vec<(&CellFinding, f64, u64)> = findings
        .cells
        .iter()
        .filter_map(|cell| Some((cell, cell.outage_equivalent_s?, cell.false_opens?)))
        .collect();
    points.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut opens: Vec<u64> = points.iter().map(|(.., opens)| *opens).collect();
    opens.sort_unstable();
    opens.dedup();
    if points.is_empty() {
        return None;
    }
    let title = title(findings, &points);
    let subtitle = format!(
        "Each mark is a cell: left is better (fewer opens on false alarms), and so is lower (an \
         outage costs less, median; {}). Behind each name: operations wasted an outage.",
        ship::scale(findings)
    );
    let (mut shapes, y) = sheet::begin(&title, &subtitle);
    let items = [
        (BLUE, "active probe, on the front"),
        (ORANGE, "passive probe, on the front"),
        (GREY, "beaten by another cell"),
        (VERMILION, "to ship"),
    ];
    let y = legend(&mut shapes, "cell", &items, sheet::MARGIN, y) + 8.0;
    let bottom = plot(&mut shapes, findings, &points, &opens, y);
    Some(Plot {
        name: "front".to_owned(),
        title,
        picture: sheet::end(shapes, bottom + 52.0),
    })
}

fn title(findings: &Findings, points: &[(&CellFinding, f64, u64)]) -> String {
    let scale = ship::scale(findings);
    let opened = points.iter().filter(|(.., opens)| *opens > 0).count();
    let opened = match opened {
        0 => format!("none of {} cells opened on a false alarm", points.len()),
        n => format!("{n} of {} cells opened on false alarms", points.len()),
    };
    let best = points.first().map_or(String::new(), |(cell, outage, _)| {
        format!(
            "; an outage costs least with {}, {}",
            cell.arm,
            seconds(*outage)
        )
    });
    format!("False alarms and outages: {opened}{best} ({scale})")
}

fn plot(
    picture: &mut Picture,
    findings: &Findings,
    points: &[(&CellFinding, f64, u64)],
    opens: &[u64],
    top: f64,
) -> f64 {
    let column = |n: u64| {
        let i = opens.iter().position(|o| *o == n).unwrap_or(0);
        i.min(COLUMNS - 1)
    };
    let in_column = |i: usize| points.iter().filter(move |(.., n)| column(*n) == i);
    let most = (0..COLUMNS)
        .map(|i| in_column(i).count())
        .max()
        .unwrap_or(0);
    let height = (most as f64 * PITCH + 40.0).max(260.0);
    let bottom = top + height;
    let lane = Area {
        left: LEFT,
        top,
        right: RIGHT,
        bottom,
    };
    picture.rect(lane, LANE);
    let costs = || points.iter().map(|(_, outage, _)| *outage);
    let (least, highest) = (
        costs().fold(f64::MAX, f64::min),
        costs().fold(0.0, f64::max),
    );
    let room = (highest - least).max(0.1) * 0.08;
    let y = Linear {
        from: (least - room).max(0.0),
        to: highest + room,
        start: bottom,
        end: top,
    };
    for tick in y.ticks(6.0) {
        let at = y.at(tick).round();
        picture.level(at, LEFT, RIGHT, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
        let label = format!("{} s", (tick * 1e3).round() / 1e3);
        picture.text(label, LEFT - 8.0, at, style);
    }
    let shipped = findings.recommended.as_ref().map(|r| &*r.arm);
    for i in 0..opens.len().min(COLUMNS) {
        let x = LEFT + 40.0 + i as f64 * COLUMN;
        let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
        let more = i == COLUMNS - 1 && opens.len() > COLUMNS;
        let label = format!("{}{}", opens[i], if more { " or more" } else { "" });
        picture.text(label, x, bottom + 14.0, style);
        let of: Vec<_> = in_column(i).copied().collect();
        marks(picture, &y, &of, shipped, (x, top, bottom));
    }
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    let label = "opens on false alarms";
    picture.text(label, f64::midpoint(LEFT, RIGHT), bottom + 34.0, style);
    bottom
}

/// The cells of a column, cheapest first, and their names.
fn marks(
    picture: &mut Picture,
    y: &Linear,
    points: &[(&CellFinding, f64, u64)],
    shipped: Option<&str>,
    (x, top, bottom): (f64, f64, f64),
) {
    let names = apart(
        points.iter().map(|(_, outage, _)| y.at(*outage)),
        top,
        bottom,
    );
    for ((cell, outage, _), name) in points.iter().zip(names) {
        let at = y.at(*outage).round();
        let color = match (cell.on_front, cell.probe) {
            (false, _) => GREY,
            (true, ProbeMode::Active) => BLUE,
            (true, ProbeMode::Passive) => ORANGE,
        };
        picture.level(at, x, x + 24.0, GREY);
        picture.upright(x + 24.0, at.min(name), at.max(name) + 1.0, 1.0, GREY);
        picture.level(name, x + 24.0, x + 34.0, GREY);
        if shipped == Some(&*cell.arm) {
            mark(picture, (x, at), 9.0, VERMILION);
            mark(picture, (x, at), 6.0, PAPER);
        }
        mark(picture, (x, at), 5.0, color);
        let style = TextStyle::new(SMALL, INK);
        let style = if shipped == Some(&*cell.arm) {
            style.bold()
        } else {
            style
        };
        let wasted = cell.wasted.map_or(String::new(), |w| format!(", {w:.1}"));
        let week = cell.week.map_or(String::new(), |w| format!(" (week {w})"));
        picture.text(format!("{}{week}{wasted}", cell.arm), x + 40.0, name, style);
    }
}

fn mark(picture: &mut Picture, (x, y): (f64, f64), radius: f64, color: RGBAColor) {
    let area = Area {
        left: x - radius,
        top: y - radius,
        right: x + radius,
        bottom: y + radius,
    };
    picture.rect(area, color);
}
