//! What an outage costs with each cell, by how often it opens for nothing: the cells that no
//! other one beats in both are the front.
//!
//! False opens are few, so each number of them that occurs has a group of rows, and each cell
//! a row of its own: however close costs are, no mark covers another, and no line crosses one.

use plotters::style::RGBAColor;

use crate::{
    numbers::seconds,
    plot::{
        Plot,
        legend::legend,
        palette::{BLUE, GREY, GRID, INK, LANE, MUTED, ORANGE, PAPER, SMALL, VERMILION},
        picture::{Align, Area, Picture, TextStyle},
        scale::Linear,
        sheet,
    },
};

use super::super::{CellFinding, Findings, ProbeMode, ship};

const LEFT: f64 = 290.0;
const RIGHT: f64 = 1060.0;
const ROW: f64 = 22.0;
/// What the heading of a group takes.
const HEADING: f64 = 30.0;
const RADIUS: f64 = 5.0;

/// A cell with what it costs, and how often it opened for nothing.
type Point<'a> = (&'a CellFinding, f64, u64);

/// `None` if no cell has both.
pub(super) fn picture(findings: &Findings) -> Option<Plot> {
    let cells = findings.cells.iter();
    let points =
        cells.filter_map(|cell| Some((cell, cell.outage_equivalent_s?, cell.false_opens?)));
    let mut points: Vec<Point<'_>> = points.collect();
    points.sort_by(|a, b| a.2.cmp(&b.2).then(a.1.total_cmp(&b.1)));
    if points.is_empty() {
        return None;
    }
    let title = title(findings, &points);
    let subtitle = format!(
        "A row for each cell: the further left its mark, the less an outage costs (median; {}). \
         Fewer opens on false alarms stand further up.",
        ship::scale(findings)
    );
    let (mut shapes, y) = sheet::begin(&title, &subtitle);
    let items = [
        (
            BLUE,
            "active probe: best, or too close to the one to ship to tell",
        ),
        (ORANGE, "passive probe: likewise"),
        (GREY, "beaten by another cell"),
        (VERMILION, "framed: to ship"),
    ];
    let y = legend(&mut shapes, "cell", &items, sheet::MARGIN, y) + 8.0;
    let bottom = rows(&mut shapes, findings, &points, y);
    Some(Plot {
        name: "front".to_owned(),
        title,
        picture: sheet::end(shapes, bottom + 52.0),
    })
}

fn title(findings: &Findings, points: &[Point<'_>]) -> String {
    let opened = points.iter().filter(|(.., opens)| *opens > 0).count();
    let opened = match opened {
        0 => format!("none of {} cells opened on a false alarm", points.len()),
        n => format!("{n} of {} cells opened on false alarms", points.len()),
    };
    let best = points.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let shipped = points.iter().find(|point| is_shipped(findings, point.0));
    let costs = match (shipped, best) {
        (Some(shipped), Some(best)) if shipped.0.arm == best.0.arm => format!(
            "; an outage costs least with {}, to ship: {}",
            shipped.0.arm,
            seconds(shipped.1)
        ),
        (Some(shipped), Some(best)) if is_tied(findings, best.0) => format!(
            "; an outage costs {} with {}, to ship, and none costs less that can be told apart",
            seconds(shipped.1),
            shipped.0.arm
        ),
        (Some(shipped), Some(best)) => format!(
            "; an outage costs {} with {}, to ship, and at least {}, with {}",
            seconds(shipped.1),
            shipped.0.arm,
            seconds(best.1),
            best.0.arm
        ),
        (None, Some((cell, cost, _))) => {
            format!(
                "; an outage costs least with {}: {}",
                cell.arm,
                seconds(*cost)
            )
        }
        _ => String::new(),
    };
    format!(
        "False alarms and outages: {opened}{costs} ({})",
        ship::scale(findings)
    )
}

fn is_shipped(findings: &Findings, cell: &CellFinding) -> bool {
    let shipped = findings.recommended.as_ref();
    shipped.is_some_and(|shipped| shipped.arm == cell.arm)
}

fn is_tied(findings: &Findings, cell: &CellFinding) -> bool {
    let shipped = findings.recommended.as_ref();
    shipped.is_some_and(|shipped| shipped.tied.contains(&cell.arm))
}

/// What is not told apart from the one to ship is not beaten by another.
fn color(findings: &Findings, cell: &CellFinding) -> RGBAColor {
    match (
        cell.on_front || is_tied(findings, cell) || is_shipped(findings, cell),
        cell.probe,
    ) {
        (false, _) => GREY,
        (true, ProbeMode::Active) => BLUE,
        (true, ProbeMode::Passive) => ORANGE,
    }
}

fn rows(picture: &mut Picture, findings: &Findings, points: &[Point<'_>], top: f64) -> f64 {
    let groups = points.chunk_by(|a, b| a.2 == b.2);
    let height = groups.clone().count() as f64 * HEADING + points.len() as f64 * ROW + 8.0;
    let bottom = top + height;
    let most = points.iter().map(|(_, cost, _)| *cost).fold(0.1, f64::max);
    let x = Linear {
        from: 0.0,
        to: most * 1.05,
        start: LEFT,
        end: RIGHT,
    };
    let lane = Area {
        left: LEFT,
        top,
        right: RIGHT,
        bottom,
    };
    picture.rect(lane, LANE);
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    for tick in x.ticks(8.0) {
        let at = x.at(tick).round();
        picture.upright(at, top, bottom, 1.0, GRID);
        let label = format!("{} s", (tick * 1e3).round() / 1e3);
        picture.text(label, at, bottom + 14.0, style);
    }
    let label = "what an outage costs, as seconds of a full one";
    picture.text(label, f64::midpoint(LEFT, RIGHT), bottom + 34.0, style);
    let wasted = TextStyle::new(SMALL, MUTED).align(Align::Right);
    picture.text("wasted", sheet::WIDTH - sheet::MARGIN, top + 16.0, wasted);
    let mut y = top;
    for group in groups {
        let opens = match group[0].2 {
            0 => "no open on a false alarm".to_owned(),
            1 => "1 open on a false alarm".to_owned(),
            n => format!("{n} opens on false alarms"),
        };
        let style = TextStyle::new(SMALL, MUTED).bold();
        picture.text(opens, sheet::MARGIN, y + 16.0, style);
        y += HEADING;
        for point in group {
            row(picture, findings, point, &x, y + ROW / 2.0);
            y += ROW;
        }
    }
    bottom
}

fn row(picture: &mut Picture, findings: &Findings, point: &Point<'_>, x: &Linear, y: f64) {
    let (cell, cost, opens) = *point;
    let (at, y) = (x.at(cost).round(), y.round());
    let shipped = is_shipped(findings, cell);
    let week = cell.week.map_or(String::new(), |w| format!(" (week {w})"));
    let name = format!("{}{week}", cell.arm);
    let style = TextStyle::new(SMALL, INK);
    let style = if shipped { style.bold() } else { style };
    let frame = if shipped { RADIUS + 4.0 } else { RADIUS };
    picture.level(y, LEFT, at - frame, GREY);
    if shipped {
        mark(picture, (at, y), RADIUS + 4.0, VERMILION);
        mark(picture, (at, y), RADIUS + 1.5, PAPER);
    }
    mark(picture, (at, y), RADIUS, color(findings, cell));
    picture.text(&name, LEFT - 10.0, y, style.align(Align::Right));
    let wasted = cell
        .wasted
        .map_or_else(|| "-".to_owned(), |w| format!("{w:.1}"));
    let right = sheet::WIDTH - sheet::MARGIN;
    picture.text(&wasted, right, y, style.align(Align::Right));
    picture.text(seconds(cost), at + frame + 6.0, y, style);
    let whole = Area {
        left: sheet::MARGIN,
        top: y - ROW / 2.0,
        right,
        bottom: y + ROW / 2.0,
    };
    let to_ship = if shipped { ", to ship" } else { "" };
    picture.tip(
        whole,
        format!(
            "{name}{to_ship}: an outage costs {} (median of {}); {opens} opens on false alarms; \
             {wasted} operations wasted an outage",
            seconds(cost),
            cell.outages
        ),
    );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge, plot::picture::Shape, synthetic};

    fn is(color: RGBAColor, other: RGBAColor) -> bool {
        (color.0, color.1, color.2) == (other.0, other.1, other.2)
    }

    #[test]
    fn each_name_has_a_line_of_its_own_that_ends_at_its_own_mark() {
        // All cells cost the same: nothing is further apart than its row.
        let record = synthetic::sweep(12, |_, _| 120_000);
        let findings: Findings =
            serde_json::from_value(judge(&record).verdict.findings["sweep"].clone()).unwrap();
        let shapes = picture(&findings).unwrap().picture.shapes;
        let rects = |wanted: &dyn Fn(RGBAColor, Area) -> bool| -> Vec<Area> {
            let rects = shapes.iter().filter_map(|shape| match shape {
                Shape::Rect { area, color } if wanted(*color, *area) => Some(*area),
                _ => None,
            });
            rects.collect()
        };
        let leaders = rects(&|color, area| is(color, GREY) && area.left == LEFT);
        let side = 2.0 * RADIUS;
        let marks = rects(&|_, area| {
            area.left >= LEFT && area.right - area.left == side && area.bottom - area.top == side
        });
        assert_eq!(leaders.len(), findings.cells.len());
        assert_eq!(marks.len(), leaders.len());
        for (i, (leader, mark)) in leaders.iter().zip(&marks).enumerate() {
            assert!((mark.left - leader.right) <= 4.0, "{leader:?} {mark:?}");
            assert!(mark.top < leader.top && leader.bottom < mark.bottom);
            // Level, and each on a level of its own: no two meet.
            for other in &leaders[i + 1..] {
                assert!(
                    (other.top - leader.top).abs() >= ROW,
                    "{leader:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn the_cell_to_ship_is_drawn_as_chosen_even_where_another_one_costs_a_little_less() {
        let record = synthetic::sweep(12, |_, _| 120_000);
        let mut findings: Findings =
            serde_json::from_value(judge(&record).verdict.findings["sweep"].clone()).unwrap();
        let shipped = findings.recommended.clone().unwrap().arm;
        let cells = &mut findings.cells;
        cells
            .iter_mut()
            .for_each(|cell| cell.on_front = cell.arm != shipped);
        let cell = cells
            .iter()
            .find(|cell| cell.arm == shipped)
            .unwrap()
            .clone();
        assert!(!is(color(&findings, &cell), GREY));
        let plot = picture(&findings).unwrap();
        let frames = plot.picture.shapes.iter().filter(|shape| {
            matches!(shape, Shape::Rect { area, color }
                if is(*color, VERMILION) && area.right - area.left == 2.0 * RADIUS + 8.0)
        });
        assert_eq!(frames.count(), 1);
        assert!(
            plot.title.contains(&format!("{shipped}, to ship")),
            "{}",
            plot.title
        );
        let tips = plot.picture.tips.iter();
        assert_eq!(
            tips.clone()
                .filter(|of| of.says.starts_with(&shipped))
                .count(),
            1
        );
        assert_eq!(tips.count(), findings.cells.len());
    }
}
