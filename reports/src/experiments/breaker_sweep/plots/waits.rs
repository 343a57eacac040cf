//! How long the guide's weeks, and the cell to ship, are still out after the server
//! is back: Kaplan and Meier's curves, beside what a uniform wait gives.

use plotters::style::{Color, RGBAColor};

use crate::{
    plot::{
        Plot,
        palette::{BLUE, CLAIMED, GREEN, GRID, INK, LANE, MUTED, ORANGE, PURPLE, SMALL, VERMILION},
        picture::{Align, Area, Picture, TextStyle},
        scale::Linear,
        sheet,
    },
    stats::{quantile::Observation, survival},
};

use super::super::{CLAIM_S, Findings, ship};

const LEFT: f64 = 76.0;
const RIGHT: f64 = 1160.0;
const HEIGHT: f64 = 320.0;
const ROW: f64 = 22.0;

/// One cell's recoveries.
struct Line {
    label: String,
    color: RGBAColor,
    times: Vec<Observation>,
    /// Its recovery timeout, as it was run, if the wait should be uniform over it.
    timeout_s: Option<f64>,
}

/// `None` if no cell was measured.
pub(super) fn picture(findings: &Findings) -> Option<Plot> {
    let lines = lines(findings);
    if lines.iter().all(|line| line.times.is_empty()) {
        return None;
    }
    let title = title(findings);
    let subtitle = format!(
        "Share of outages after which a cell is still out, over the time since the server takes \
         sessions again ({}). Steps: Kaplan-Meier; dots: a wait that is uniform on (0, timeout).",
        ship::scale(findings)
    );
    let (mut shapes, mut y) = sheet::begin(&title, &subtitle);
    for line in &lines {
        let swatch = Area {
            left: sheet::MARGIN,
            top: y - 6.0,
            right: sheet::MARGIN + 12.0,
            bottom: y + 6.0,
        };
        shapes.rect(swatch, line.color);
        let style = TextStyle::new(SMALL, INK);
        shapes.text(&line.label, sheet::MARGIN + 18.0, y, style);
        y += ROW;
    }
    let bottom = plot(&mut shapes, findings, &lines, y + 16.0);
    Some(Plot {
        name: "recovery".to_owned(),
        title,
        picture: sheet::end(shapes, bottom + 52.0),
    })
}

fn lines(findings: &Findings) -> Vec<Line> {
    let scale = f64::from(findings.scale.max(1));
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let colors = [VERMILION, ORANGE, PURPLE];
    let weeks = findings.weeks.iter().zip(colors).map(|(week, color)| {
        let cell = findings.cells.iter().find(|cell| cell.arm == week.arm);
        Line {
            label: format!(
                "week {}, {}: {} of {} within {CLAIM_S} s, {}; uniform: {}",
                week.week,
                week.arm,
                week.within,
                week.n,
                percent(week.within as f64 / week.n.max(1) as f64),
                percent(week.expected)
            ),
            color,
            times: findings.recoveries(&week.arm),
            timeout_s: cell.map(|cell| cell.recovery_timeout_s / scale),
        }
    });
    let shipped = findings.recommended.iter().map(|recommended| {
        let times = findings.recoveries(&recommended.arm);
        let within = times.iter().filter(|t| t.most() <= CLAIM_S / scale).count();
        Line {
            label: format!(
                "to ship, {}: {within} of {} within {CLAIM_S} s",
                recommended.arm,
                times.len()
            ),
            color: BLUE,
            times,
            timeout_s: None,
        }
    });
    weeks.chain(shipped).collect()
}

fn title(findings: &Findings) -> String {
    let share = |of: usize, n: usize| format!("in {:.0} %", of as f64 / n.max(1) as f64 * 100.0);
    let mut cells: Vec<String> = findings
        .weeks
        .iter()
        .map(|week| format!("week {} {}", week.week, share(week.within, week.n)))
        .collect();
    let bound_s = CLAIM_S / f64::from(findings.scale.max(1));
    cells.extend(findings.recommended.iter().map(|recommended| {
        let times = findings.recoveries(&recommended.arm);
        let within = times.iter().filter(|t| t.most() <= bound_s).count();
        format!("{} {}", recommended.arm, share(within, times.len()))
    }));
    format!(
        "Back within the guide's {CLAIM_S} s of the server's return: {} of the outages ({})",
        cells.join(", "),
        ship::scale(findings)
    )
}

fn plot(picture: &mut Picture, findings: &Findings, lines: &[Line], top: f64) -> f64 {
    let scale = f64::from(findings.scale.max(1));
    let bottom = top + HEIGHT;
    let timeouts = lines.iter().filter_map(|line| line.timeout_s);
    let seen = lines.iter().flat_map(|line| &line.times).map(|t| t.least());
    let most = timeouts.chain(seen).fold(CLAIM_S / scale, f64::max) * 1.05;
    let x = Linear {
        from: 0.0,
        to: most,
        start: LEFT,
        end: RIGHT,
    };
    let y = Linear {
        from: 0.0,
        to: 1.0,
        start: bottom,
        end: top,
    };
    grid(picture, &x, &y, (top, bottom));
    let claim = x.at(CLAIM_S / scale).round();
    picture.upright_dashes(claim, top - 4.0, bottom, GREEN);
    let style = TextStyle::new(SMALL, CLAIMED).align(Align::Center);
    picture.text(format!("the guide's {CLAIM_S} s"), claim, top - 12.0, style);
    for line in lines {
        uniform(picture, &x, &y, line);
        steps(picture, &x, &y, line);
    }
    bottom
}

fn grid(picture: &mut Picture, x: &Linear, y: &Linear, (top, bottom): (f64, f64)) {
    let lane = Area {
        left: LEFT,
        top,
        right: RIGHT,
        bottom,
    };
    picture.rect(lane, LANE);
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let at = y.at(share).round();
        picture.level(at, LEFT, RIGHT, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
        picture.text(format!("{:.0} %", share * 100.0), LEFT - 8.0, at, style);
    }
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    for tick in x.ticks(10.0) {
        let at = x.at(tick).round();
        picture.upright(at, top, bottom, 1.0, GRID);
        let label = format!("{} s", (tick * 1e3).round() / 1e3);
        picture.text(label, at, bottom + 14.0, style);
    }
    let label = "since the server takes sessions again, as measured";
    picture.text(label, f64::midpoint(LEFT, RIGHT), bottom + 34.0, style);
}

/// What a wait that is uniform on (0, timeout) gives, as dots.
fn uniform(picture: &mut Picture, x: &Linear, y: &Linear, line: &Line) {
    let Some(timeout_s) = line.timeout_s else {
        return;
    };
    for i in 0..=60_u32 {
        let part = f64::from(i) / 60.0;
        let (left, top) = (x.at(part * timeout_s) - 1.0, y.at(1.0 - part) - 1.0);
        let dot = Area {
            left,
            top,
            right: left + 2.0,
            bottom: top + 2.0,
        };
        picture.rect(dot, line.color.mix(0.7));
    }
}

fn steps(picture: &mut Picture, x: &Linear, y: &Linear, line: &Line) {
    const WIDE: f64 = 3.0;
    let longest = line.times.iter().map(|t| t.least()).fold(0.0, f64::max);
    let (mut from, mut share) = (0.0, 1.0);
    let curve = survival::curve(&line.times);
    let mut ends: Vec<(f64, f64)> = curve.steps.iter().map(|s| (s.at, s.survival)).collect();
    // As far as somebody was still watched.
    ends.push((longest, ends.last().map_or(1.0, |(_, share)| *share)));
    for (at, next) in ends {
        let level = Area {
            left: x.at(from).round(),
            top: y.at(share).round() - 1.0,
            right: x.at(at).round() + WIDE - 1.0,
            bottom: y.at(share).round() + WIDE - 1.0,
        };
        picture.rect(level, line.color);
        let (high, low) = (y.at(share).round(), y.at(next).round());
        picture.upright(x.at(at).round(), high, low, WIDE, line.color);
        (from, share) = (at, next);
    }
}
