//! The grid as heatmaps: what an outage costs, and how long recovery takes, for
//! each threshold and timeout, by probe; and by error rate.

use crate::{
    numbers::seconds,
    plot::{
        Plot,
        palette::{INK, LANE, MUTED, SMALL, TEXT, VERMILION, heat},
        picture::{Align, Area, Picture, TextStyle},
        sheet,
    },
};

use super::super::{CellFinding, Findings, ProbeMode, ship};

const CELL: (f64, f64) = (92.0, 50.0);
const GAP: f64 = 3.0;
/// What stands left of the cells of a panel.
const LABELS: f64 = 92.0;
const PANEL: f64 = LABELS + 3.0 * (CELL.0 + GAP) + 20.0;

/// What is shown of a cell.
struct Quantity {
    name: &'static str,
    of: fn(&CellFinding) -> Option<f64>,
}

const QUANTITIES: [Quantity; 2] = [
    Quantity {
        name: "outage-equivalent of an outage, median",
        of: |cell| cell.outage_equivalent_s,
    },
    Quantity {
        name: "recovery, median (Kaplan-Meier)",
        of: |cell| cell.recover.median_s,
    },
];

/// Rows and columns of a panel, and which cell stands where.
struct Panel<'a> {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<&'a CellFinding>>)>,
}

/// `None` if no cell was measured.
pub(super) fn picture(findings: &Findings) -> Option<Plot> {
    let measured: Vec<&CellFinding> = findings.cells.iter().filter(|c| c.outages > 0).collect();
    // The guide's week in the middle, which the other cells differ from.
    let middle = measured.iter().find(|cell| cell.week == Some(2));
    let middle = middle.or(measured.first())?;
    let title = title(findings);
    let subtitle = format!(
        "Each square is a cell of the grid, standing out more where it costs more; false: opens on false alarms; \
         outlined: to ship. Seconds as measured ({}).",
        ship::scale(findings)
    );
    let (mut shapes, mut y) = sheet::begin(&title, &subtitle);
    let panels = [
        by_threshold(&measured, middle, ProbeMode::Passive),
        by_threshold(&measured, middle, ProbeMode::Active),
        by_rate(&measured, middle),
    ];
    let shipped = findings.recommended.as_ref().map(|r| &*r.arm);
    for quantity in &QUANTITIES {
        let values = measured.iter().filter_map(|cell| (quantity.of)(cell));
        let (least, most) = values.fold((f64::MAX, 0.0_f64), |(least, most), v| {
            (least.min(v), most.max(v))
        });
        let style = TextStyle::new(TEXT, INK).bold();
        shapes.text(quantity.name, sheet::MARGIN, y + 8.0, style);
        y += 30.0;
        let mut below = y;
        for (i, panel) in (0_u32..).zip(&panels) {
            let left = sheet::MARGIN + f64::from(i) * PANEL;
            let shade = |value: f64| (value - least) / (most - least).max(1e-9);
            below = below.max(draw(
                &mut shapes,
                panel,
                quantity,
                &shade,
                shipped,
                (left, y),
            ));
        }
        y = below + 24.0;
    }
    Some(Plot {
        name: "heatmap".to_owned(),
        title,
        picture: sheet::end(shapes, y),
    })
}

fn title(findings: &Findings) -> String {
    let scale = ship::scale(findings);
    let of = |probe| {
        let cells = findings.cells.iter().filter(move |c| c.probe == probe);
        let costs = cells.filter_map(|cell| cell.outage_equivalent_s);
        costs.fold(None, |range: Option<(f64, f64)>, v| {
            Some(range.map_or((v, v), |(a, b)| (a.min(v), b.max(v))))
        })
    };
    let said = |(least, most): (f64, f64)| format!("{} to {}", seconds(least), seconds(most));
    match (of(ProbeMode::Passive), of(ProbeMode::Active)) {
        (Some(passive), Some(active)) => format!(
            "An outage costs {} with an active probe, {} with a passive one ({scale})",
            said(active),
            said(passive)
        ),
        _ => format!("What an outage costs, by cell ({scale})"),
    }
}

fn sorted<T: PartialOrd + Copy>(mut values: Vec<T>) -> Vec<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.dedup_by(|a, b| a == b);
    values
}

/// Each threshold and timeout, at the error rate of the middle week.
fn by_threshold<'a>(
    cells: &[&'a CellFinding],
    middle: &CellFinding,
    probe: ProbeMode,
) -> Panel<'a> {
    let usual = || cells.iter().filter(|c| c.error_rate == middle.error_rate);
    let thresholds = sorted(usual().map(|c| c.failure_threshold).collect());
    let timeouts = sorted(usual().map(|c| c.recovery_timeout_s).collect());
    let at = |n: u32, s: f64| {
        let mut of = usual().filter(|c| c.probe == probe);
        let found = of.find(|c| c.failure_threshold == n && c.recovery_timeout_s == s);
        found.copied()
    };
    Panel {
        title: format!("{} probe", probe.name()),
        columns: timeouts.iter().map(|s| format!("{s} s")).collect(),
        rows: thresholds
            .iter()
            .map(|n| {
                let row = timeouts.iter().map(|s| at(*n, *s)).collect();
                (format!("{n} failures"), row)
            })
            .collect(),
    }
}

/// The middle week's threshold and timeout, at each error rate.
fn by_rate<'a>(cells: &[&'a CellFinding], middle: &CellFinding) -> Panel<'a> {
    let (threshold, timeout_s) = (middle.failure_threshold, middle.recovery_timeout_s);
    let like_it = || {
        let alike = |c: &&&CellFinding| {
            c.failure_threshold == threshold && c.recovery_timeout_s == timeout_s
        };
        cells.iter().filter(alike)
    };
    let rates = sorted(like_it().map(|c| c.error_rate).collect());
    let row = |probe: ProbeMode| {
        let at = |rate: f64| {
            let found = like_it().find(|c| c.probe == probe && c.error_rate == rate);
            found.copied()
        };
        let row = rates.iter().map(|rate| at(*rate)).collect();
        (probe.name().to_owned(), row)
    };
    Panel {
        title: format!("error rate, at {threshold} failures and {timeout_s} s"),
        columns: rates.iter().map(|rate| format!("{rate}")).collect(),
        rows: vec![row(ProbeMode::Passive), row(ProbeMode::Active)],
    }
}

fn draw(
    picture: &mut Picture,
    panel: &Panel<'_>,
    quantity: &Quantity,
    shade: &dyn Fn(f64) -> f64,
    shipped: Option<&str>,
    (left, top): (f64, f64),
) -> f64 {
    let muted = TextStyle::new(SMALL, MUTED);
    picture.text(&panel.title, left, top, TextStyle::new(SMALL, INK).bold());
    let mut x = left + LABELS;
    for column in &panel.columns {
        let middle = muted.align(Align::Center);
        picture.text(column, x + CELL.0 / 2.0, top + 20.0, middle);
        x += CELL.0 + GAP;
    }
    let mut y = top + 32.0;
    for (label, row) in &panel.rows {
        picture.text(label, left, y + CELL.1 / 2.0, muted);
        let mut x = left + LABELS;
        for cell in row {
            let area = Area {
                left: x,
                top: y,
                right: x + CELL.0,
                bottom: y + CELL.1,
            };
            square(picture, area, *cell, quantity, shade, shipped);
            x += CELL.0 + GAP;
        }
        y += CELL.1 + GAP;
    }
    y
}

fn square(
    picture: &mut Picture,
    area: Area,
    cell: Option<&CellFinding>,
    quantity: &Quantity,
    shade: &dyn Fn(f64) -> f64,
    shipped: Option<&str>,
) {
    let middle = f64::midpoint(area.left, area.right);
    let text = |color| TextStyle::new(SMALL, color).align(Align::Center);
    let Some(cell) = cell else {
        picture.rect(area, LANE);
        let y = f64::midpoint(area.top, area.bottom);
        picture.text("not run", middle, y, text(MUTED));
        return;
    };
    let value = (quantity.of)(cell);
    let part = value.map_or(0.0, shade);
    let mut inner = area;
    if shipped == Some(&*cell.arm) {
        picture.rect(area, VERMILION);
        inner = Area {
            left: area.left + 3.0,
            top: area.top + 3.0,
            right: area.right - 3.0,
            bottom: area.bottom - 3.0,
        };
    }
    let (tone, ink) = heat(part);
    picture.rect(inner, tone);
    let label = match value {
        Some(value) => seconds(value),
        None => format!("> {}", seconds(cell.recover.longest_s)),
    };
    picture.text(&label, middle, area.top + 18.0, text(ink).bold());
    let opens = cell.false_opens;
    let opens = opens.map_or_else(|| "? false".to_owned(), |n| format!("{n} false"));
    picture.text(&opens, middle, area.top + 36.0, text(ink));
    let to_ship = if shipped == Some(&*cell.arm) {
        ", to ship"
    } else {
        ""
    };
    let name = quantity.name;
    let outages = cell.outages;
    picture.tip(
        area,
        format!(
            "{}{to_ship}: {name}: {label} ({outages} outages); {opens} opens",
            cell.arm
        ),
    );
}
