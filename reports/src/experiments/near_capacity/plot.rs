//! Its picture: goodput over time, of all arms, in the worst of the conditions.

use plotters::style::RGBAColor;

use super::{Data, Findings, Trial};
use crate::{
    measure::{Recovery, WINDOW_US},
    numbers::seconds,
    plot::{
        Plot,
        legend::legend,
        palette::{FAULT, GRID, INK, LANE, MUTED, PURPLE, SKY, SMALL, VERMILION, arm},
        picture::{Align, Area, Picture, TextStyle},
        scale::Linear,
        sheet,
    },
    run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL, Outcome, Run},
};

const LEFT: f64 = 76.0;
const RIGHT: f64 = 1160.0;
const HEIGHT: f64 = 320.0;
/// Most of the time before the fault that is shown, in us.
const BEFORE_US: u64 = 1_500_000;

/// One arm in that condition.
struct Shown<'a> {
    position: usize,
    trial: &'a Trial,
    back: Option<Recovery>,
}

/// The condition is the one with the highest load, and of these the one with the most
/// retries; of several rounds the first is shown. `None` if it was not carried out.
pub(super) fn goodput(run: &Run, data: &Data, findings: &Findings) -> Option<Plot> {
    let conditions = data.conditions.iter().enumerate();
    let (worst, condition) = conditions.max_by(|(_, a), (_, b)| {
        let by_load = a.utilisation.total_cmp(&b.utilisation);
        by_load.then(a.retries.cmp(&b.retries))
    })?;
    let arms = run.arms.iter().enumerate();
    let shown = arms.filter_map(|(position, arm)| {
        let mut all = data.trials.iter().zip(&findings.measured);
        let of = |t: &Trial| t.condition == worst && t.injection.arm == arm.name;
        let (trial, measured) = all.find(|(t, _)| of(t))?;
        Some(Shown {
            position,
            trial,
            back: measured.client_recovery,
        })
    });
    let shown: Vec<Shown<'_>> = shown.collect();
    let first = shown.first()?;
    let title = title(&condition.name, &shown);
    let fault_us = length_us(first.trial);
    let subtitle = format!(
        "Operations that were answered well and in time, per second, by when they arrived. For {} \
         the database did not serve (shaded). Load: {} operations per second. PostgreSQL {}, {}; \
         seed {}.",
        seconds(fault_us as f64 / 1e6),
        first.trial.load.rate_per_s,
        run.environment.server_version,
        run.environment.kind,
        run.seed,
    );
    Some(Plot {
        name: "goodput".to_owned(),
        picture: picture(&title, &subtitle, &shown),
        title,
    })
}

/// `95 % with 5 retries: seawall is back after 0.10 s; bare is not within 8.00 s`.
fn title(condition: &str, shown: &[Shown<'_>]) -> String {
    let mut ordered: Vec<&Shown<'_>> = shown.iter().collect();
    ordered.sort_by_key(|shown| shown.trial.injection.arm != ARM_SEAWALL);
    let clauses = ordered.into_iter().map(|shown| {
        let arm = &shown.trial.injection.arm;
        match shown.back {
            None => format!("{arm} was not served before the fault"),
            Some(r) if r.censored => {
                let s = seconds(r.after_us as f64 / 1e6);
                format!("{arm} is not within {s}")
            }
            Some(Recovery { after_us: 0, .. }) => format!("{arm} is back as soon as the server is"),
            Some(r) => {
                let s = seconds(r.after_us as f64 / 1e6);
                format!("{arm} is back after {s}")
            }
        }
    });
    let clauses: Vec<String> = clauses.collect();
    format!("{condition}: {}", clauses.join("; "))
}

fn length_us(trial: &Trial) -> u64 {
    let injection = &trial.injection;
    injection.ready_us.saturating_sub(injection.injected_us)
}

fn picture(title: &str, subtitle: &str, shown: &[Shown<'_>]) -> Picture {
    let (mut shapes, y) = sheet::begin(title, subtitle);
    let names: Vec<_> = shown
        .iter()
        .map(|s| {
            let name = s.trial.injection.arm.as_str();
            (color(name, s.position), name)
        })
        .collect();
    let y = legend(&mut shapes, "arm", &names, LEFT, y + 6.0);
    let lane = Area {
        left: LEFT,
        top: (y + 16.0).round(),
        right: RIGHT,
        bottom: (y + 16.0 + HEIGHT).round(),
    };
    let after_us = |s: &Shown<'_>| {
        let injection = &s.trial.injection;
        injection.ended_us.saturating_sub(injection.injected_us)
    };
    let time = Linear {
        from: -(BEFORE_US as f64) / 1e6,
        to: shown.iter().map(after_us).max().unwrap_or(0) as f64 / 1e6,
        start: lane.left,
        end: lane.right,
    };
    let rate = shown.iter().map(|s| s.trial.load.rate_per_s).max();
    let rate = f64::from(rate.unwrap_or(1));
    let goodput = Linear {
        from: 0.0,
        to: rate * 1.1,
        start: lane.bottom,
        end: lane.top,
    };
    shapes.rect(lane, LANE);
    let fault_us = shown.first().map_or(0, |s| length_us(s.trial));
    let shaded = Area {
        left: time.at(0.0),
        right: time.at(fault_us as f64 / 1e6),
        ..lane
    };
    shapes.rect(shaded, FAULT);
    axes(&mut shapes, lane, &time, &goodput);
    shapes.dashes(goodput.at(rate).round(), lane.left, lane.right, INK);
    for (s, (color, _)) in shown.iter().zip(&names) {
        let points = windows(s.trial);
        let points = points.into_iter().map(|(at_s, share)| {
            let per_s = share * f64::from(s.trial.load.rate_per_s);
            (time.at(at_s), goodput.at(per_s))
        });
        shapes.line(points.collect(), 2.0, *color);
    }
    sheet::end(shapes, lane.bottom + 56.0)
}

fn axes(shapes: &mut Picture, lane: Area, time: &Linear, goodput: &Linear) {
    for tick in goodput.ticks(5.0) {
        let at = goodput.at(tick).round();
        shapes.level(at, lane.left, lane.right, GRID);
        let style = TextStyle::new(SMALL, MUTED).align(Align::Right);
        shapes.text(format!("{tick:.0}/s"), lane.left - 8.0, at, style);
    }
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    for tick in time.ticks(12.0) {
        let at = time.at(tick).round();
        shapes.upright(at, lane.top, lane.bottom, 1.0, GRID);
        shapes.text(format!("{tick:.0} s"), at, lane.bottom + 16.0, style);
    }
    let middle = f64::midpoint(lane.left, lane.right);
    let label = "since the fault took effect; the dashed line is the load";
    shapes.text(label, middle, lane.bottom + 38.0, style);
}

/// The pools that are known from other reports look as they do there.
fn color(name: &str, position: usize) -> RGBAColor {
    match name {
        ARM_BARE | ARM_SEAWALL => arm(name, 0),
        ARM_CAREFUL => arm(name, 1),
        _ => [PURPLE, SKY, VERMILION][position % 3],
    }
}

/// Share of good operations by window: the window's middle, in seconds since the fault.
fn windows(trial: &Trial) -> Vec<(f64, f64)> {
    let injection = &trial.injection;
    let from_us = injection.injected_us.saturating_sub(BEFORE_US);
    // Windows begin with the fault.
    let windows_before = (injection.injected_us - from_us) / WINDOW_US;
    let from_us = injection.injected_us - windows_before * WINDOW_US;
    let n = injection.ended_us.saturating_sub(from_us) / WINDOW_US;
    let mut counts = vec![(0_u32, 0_u32); usize::try_from(n).unwrap_or(0)];
    for answer in injection.operations.answers(trial.load.rate_per_s) {
        let Some(since_us) = answer.due_us.checked_sub(from_us) else {
            continue;
        };
        let window = usize::try_from(since_us / WINDOW_US).unwrap_or(usize::MAX);
        if let Some((scheduled, good)) = counts.get_mut(window) {
            let in_time = answer.end_us - answer.due_us <= trial.load.deadline_us;
            *scheduled += 1;
            *good += u32::from(in_time && answer.outcome == Outcome::Ok);
        }
    }
    let before_s = (injection.injected_us - from_us) as f64 / 1e6;
    let points = counts.into_iter().enumerate();
    points
        .filter(|(_, (scheduled, _))| *scheduled > 0)
        .map(|(i, (scheduled, good))| {
            let middle_s = (i as f64 + 0.5) * WINDOW_US as f64 / 1e6 - before_s;
            (middle_s, f64::from(good) / f64::from(scheduled))
        })
        .collect()
}
