//! Time to recover, by fault and arm: bars on a logarithmic axis, because a
//! tenth of a second and half a minute shall both be readable.
//!
//! A bar ends at the median, its whisker spans the smallest to the largest, and
//! each injection is a tick. What did not recover is a striped bar with an
//! arrow: the recovery is somewhere to the right of it.

use plotters::style::RGBAColor;

use crate::{
    numbers::seconds,
    plot::{
        Plot,
        legend::legend,
        palette::{self, ALARM, GRID, INK, LANE, MUTED, SMALL, TEXT, VERMILION},
        picture::{Align, Area, Picture, TextStyle},
        scale::Log,
        sheet,
    },
    run::{Planned, Run},
    stats::quantile::Observation,
};

use super::{
    super::{
        Injected,
        recovery::RECOVERY_S,
        sentence::{self, leading},
    },
    bar,
};

pub(super) const LEFT: f64 = 350.0;
pub(super) const RIGHT: f64 = sheet::WIDTH - 200.0;
pub(super) const ROW: f64 = 22.0;
const GAP: f64 = 16.0;
/// A measured time is fine to 10 ms: the axis starts there.
const LEAST_S: f64 = 0.01;

/// The recoveries of one arm after one kind of fault.
pub(super) struct Row<'a> {
    pub(super) entry: &'a Planned,
    arm: usize,
    pub(super) times: Vec<Observation>,
}

/// `None` if nothing recovered, or was seen not to.
pub(super) fn picture(subject: &Injected<'_>) -> Option<Plot> {
    let run = subject.run;
    let rows = rows(subject);
    if rows.is_empty() {
        return None;
    }
    let title = title(run, &rows);
    let several = rows.iter().any(|row| row.times.len() > 1);
    let subtitle = format!(
        "Time from when the server took sessions again until goodput, latency and errors are \
         back for two seconds: what the server itself needed is not in it. Striped: not back when \
         the load ended, so longer than that. {}PostgreSQL {}, {}; seed {}.",
        if several {
            "Bar: median; whisker: smallest to largest; ticks: single faults. "
        } else {
            ""
        },
        run.environment.server_version,
        run.environment.kind,
        run.seed,
    );
    let (mut shapes, mut y) = sheet::begin(&title, &subtitle);
    let arms: Vec<(RGBAColor, &str)> = run
        .arms
        .iter()
        .enumerate()
        .map(|(i, arm)| (palette::arm(&arm.name, i), arm.name.as_str()))
        .collect();
    y = legend(&mut shapes, "arm", &arms, 16.0, y) + 18.0;
    let bottom = plot(&mut shapes, run, &rows, y);
    Some(Plot {
        name: "recovery".to_owned(),
        title,
        picture: sheet::end(shapes, bottom + 52.0),
    })
}

fn rows<'a>(subject: &Injected<'a>) -> Vec<Row<'a>> {
    let run = subject.run;
    let mut rows = Vec::new();
    for entry in run.entries() {
        for (arm, about) in run.arms.iter().enumerate() {
            let times: Vec<Observation> = subject
                .all()
                .filter(|(i, _)| i.fault == entry.name && i.arm == about.name)
                .filter(|(i, _)| !subject.is_cut_short(i))
                .filter_map(|(_, m)| m.client_recovery)
                .map(Observation::from)
                .collect();
            if !times.is_empty() {
                rows.push(Row { entry, arm, times });
            }
        }
    }
    rows
}

/// `seawall is back within 0.34 s of every server's return; bare was not seen to recover
/// after blackhole`.
fn title(run: &Run, rows: &[Row<'_>]) -> String {
    let arms: Vec<(&str, usize)> = run
        .arms
        .iter()
        .enumerate()
        .map(|(i, arm)| (arm.name.as_str(), i))
        .filter(|(_, i)| rows.iter().any(|row| row.arm == *i))
        .collect();
    let Some(first) = leading(&arms) else {
        return String::new();
    };
    let mut ordered = vec![arms[first]];
    ordered.extend(
        arms.iter()
            .enumerate()
            .filter(|(i, _)| *i != first)
            .map(|(_, a)| *a),
    );
    let clauses: Vec<String> = ordered
        .into_iter()
        .map(|(name, arm)| {
            let of_arm = || rows.iter().filter(move |row| row.arm == arm);
            let lost: Vec<String> = of_arm()
                .filter(|row| {
                    row.times
                        .iter()
                        .any(|t| matches!(t, Observation::AtLeast(_)))
                })
                .map(|row| sentence::title(row.entry))
                .collect();
            let worst = of_arm()
                .flat_map(|row| &row.times)
                .map(|t| t.least())
                .fold(0.0, f64::max);
            if lost.is_empty() {
                format!(
                    "{name} is back within {} of the server, after every fault",
                    seconds(worst)
                )
            } else {
                format!(
                    "{name} was not seen to recover after {}",
                    lost.join(", ").to_lowercase()
                )
            }
        })
        .collect();
    clauses.join("; ")
}

fn plot(picture: &mut Picture, run: &Run, rows: &[Row<'_>], top: f64) -> f64 {
    let most = rows
        .iter()
        .flat_map(|row| &row.times)
        .map(|t| t.least())
        .fold(RECOVERY_S, f64::max);
    let axis = Log::new(LEAST_S, most * 1.3, LEFT, RIGHT);
    let gaps = rows.chunk_by(|a, b| a.entry.name == b.entry.name).count() as f64;
    let bottom = top + rows.len() as f64 * ROW + gaps * GAP;
    scale(picture, &axis, top, bottom);
    let mut y = top + GAP / 2.0;
    for group in rows.chunk_by(|a, b| a.entry.name == b.entry.name) {
        let entry = group[0].entry;
        let middle = y + group.len() as f64 * ROW / 2.0;
        let name = TextStyle::new(TEXT, INK).bold();
        picture.text(sentence::title(entry), 16.0, middle - 8.0, name);
        // Several clauses would not fit.
        if let Some(fault) = entry.only() {
            let muted = TextStyle::new(SMALL, MUTED);
            picture.text(&fault.during, 16.0, middle + 9.0, muted);
        }
        for row in group {
            let arm = &*run.arms[row.arm].name;
            let color = palette::arm(arm, row.arm);
            bar::draw(picture, &axis, row, (arm, color), y);
            y += ROW;
        }
        y += GAP;
    }
    bottom
}

fn scale(picture: &mut Picture, axis: &Log, top: f64, bottom: f64) {
    let lane = Area {
        left: LEFT,
        top,
        right: RIGHT,
        bottom,
    };
    picture.rect(lane, LANE);
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    for tick in axis.ticks() {
        let x = axis.at(tick).round();
        picture.upright(x, top, bottom, 1.0, GRID);
        picture.text(format!("{tick} s"), x, bottom + 14.0, style);
    }
    let label = "time to recover, logarithmic";
    picture.text(label, f64::midpoint(LEFT, RIGHT), bottom + 34.0, style);
    let x = axis.at(RECOVERY_S).round();
    picture.upright_dashes(x, top - 4.0, bottom, VERMILION);
    let style = TextStyle::new(SMALL, ALARM).align(Align::Center);
    picture.text(format!("the guide's {RECOVERY_S} s"), x, top - 12.0, style);
}
