//! One arm under a fault: its lanes, and what happened when.

use crate::{
    numbers::{percent, seconds},
    plot::{
        palette::{FAULT, GRID, INK, LANE, MUTED, SMALL, STARTING, TEXT},
        picture::{Align, Area, Picture, TextStyle},
        scale::Log,
    },
    run::Injection,
};

use super::{
    answer::Dot,
    fault::{Frame, LEFT, RIGHT, Shown, WIDTH},
    gauge,
    lanes::{self, Lane},
};

const GOODPUT: f64 = 96.0;
const LATENCY: f64 = 138.0;
const RIBBON: f64 = 18.0;
const GAUGE: f64 = 36.0;
/// A lane for each fault, where there are several.
const STRIP: f64 = 16.0;

/// One arm's lanes from `y` on; returns where the next arm begins.
pub(super) fn draw(
    picture: &mut Picture,
    frame: &Frame,
    shown: &Shown<'_>,
    dots: &[Dot],
    y: f64,
) -> f64 {
    heading(picture, shown, y + 14.0);
    let goodput_top = y + 48.0;
    let latency_top = goodput_top + GOODPUT + 16.0;
    let ribbon_top = latency_top + LATENCY + 10.0;
    let injection = shown.injection;
    // One fault by itself is what is shaded.
    let spans = match injection.spans.as_slice() {
        [_] => &[],
        several => several,
    };
    let gauge_top = ribbon_top + RIBBON + 6.0;
    let gauged = !injection.sessions.is_empty();
    let strips_top = if gauged {
        gauge_top + GAUGE + 6.0
    } else {
        gauge_top
    };
    let strips = spans.len() as f64 * (STRIP + 2.0);
    let bottom = if spans.is_empty() {
        strips_top - 6.0
    } else {
        strips_top + strips
    };
    let ended = from_injection(injection, injection.ended_us);
    let lane = |top: f64, height: f64| Lane {
        time: frame.time,
        area: Area {
            left: LEFT,
            top,
            right: frame.time.at(ended),
            bottom: top + height,
        },
    };
    let (goodput, latency) = (lane(goodput_top, GOODPUT), lane(latency_top, LATENCY));
    for lane in [&goodput, &latency] {
        picture.rect(lane.area, LANE);
        seconds_grid(picture, lane);
    }
    shade(picture, frame, injection, goodput_top - 4.0, bottom);
    lanes::goodput(picture, &goodput, dots, frame.rate_per_s);
    let axis = Log::new(
        frame.latency_us.0,
        frame.latency_us.1,
        latency.area.bottom,
        latency.area.top,
    );
    lanes::latency(picture, &latency, dots, &axis, frame.deadline_us);
    lanes::ribbon(picture, &lane(ribbon_top, RIBBON), injection);
    if gauged {
        gauge::sessions(picture, &lane(gauge_top, GAUGE), injection, frame.sessions);
    }
    for (i, span) in spans.iter().enumerate() {
        let strip = lane(strips_top + i as f64 * (STRIP + 2.0), STRIP);
        lanes::strip(picture, &strip, injection, span);
    }
    marks(picture, frame, shown, goodput_top, bottom);
    bottom + 18.0
}

fn heading(picture: &mut Picture, shown: &Shown<'_>, y: f64) {
    let bold = TextStyle::new(TEXT, INK).bold();
    picture.level(y - 15.0, 16.0, RIGHT, GRID);
    picture.text(&shown.arm.name, 16.0, y, bold);
    let mut figures = Vec::new();
    if let Some(availability) = shown.measured.availability {
        figures.push(format!("{} available", percent(availability)));
    }
    if let Some(outage) = shown.measured.outage_equivalent_s {
        figures.push(format!("outage-equivalent {}", seconds(outage)));
    }
    let figures = figures.join(", ");
    let muted = TextStyle::new(TEXT, MUTED);
    let about_at = 16.0 + bold.width(&shown.arm.name) + 12.0;
    let room = RIGHT - about_at - muted.width(&figures) - 24.0;
    let about = muted.fitting(&shown.arm.about, room);
    picture.text(about, about_at, y, muted);
    let style = TextStyle::new(TEXT, INK).align(Align::Right);
    picture.text(figures, RIGHT, y, style);
}

fn seconds_grid(picture: &mut Picture, lane: &Lane) {
    for tick in lane.time.ticks(10.0) {
        let x = lane.time.at(tick);
        if x < lane.area.right {
            picture.upright(x, lane.area.top, lane.area.bottom, 1.0, GRID);
        }
    }
}

fn from_injection(injection: &Injection, at_us: u64) -> f64 {
    (at_us as f64 - injection.injected_us as f64) / 1e6
}

fn shade(picture: &mut Picture, frame: &Frame, injection: &Injection, top: f64, bottom: f64) {
    let at = |us| frame.time.at(from_injection(injection, us));
    let area = |left, right| Area {
        left,
        top,
        right,
        bottom,
    };
    let (injected, cleared) = (at(injection.injected_us), at(injection.cleared_us));
    picture.rect(area(injected, cleared), FAULT);
    if starting(injection) {
        picture.rect(area(cleared, at(injection.ready_us)), STARTING);
    }
}

/// What happened when, above the lanes: the more important first, and what
/// would cover it is left out.
fn marks(picture: &mut Picture, frame: &Frame, shown: &Shown<'_>, top: f64, bottom: f64) {
    let (injection, measured) = (shown.injection, shown.measured);
    let at = |us: u64| from_injection(injection, us);
    let cleared = at(injection.cleared_us);
    let mut marks: Vec<(f64, String, Align)> = Vec::new();
    match measured.recovery {
        Some(r) if r.censored => {
            let after = seconds(r.after_us as f64 / 1e6);
            let beyond = at(injection.ended_us) > frame.time.to + 0.1;
            let longer = if beyond { ", longer than shown" } else { "" };
            let text = format!("not recovered within {after}{longer}");
            marks.push((at(injection.ended_us), text, Align::Right));
        }
        Some(r) => marks.push((
            cleared + r.after_us as f64 / 1e6,
            format!("recovered after {}", seconds(r.after_us as f64 / 1e6)),
            Align::Left,
        )),
        None => {}
    }
    if let Some(detect) = measured.detect_us {
        let detect = detect as f64 / 1e6;
        let text = format!("breaker opened after {}", seconds(detect));
        marks.push((detect, text, Align::Left));
    }
    marks.push((cleared, "fault gone".to_owned(), Align::Right));
    marks.push((0.0, "fault".to_owned(), Align::Right));
    let ended = at(injection.ended_us);
    if ended + 0.1 < frame.time.to {
        marks.push((ended, "load ended".to_owned(), Align::Left));
    }
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (at_s, text, align) in marks {
        let x = frame.time.at(at_s);
        picture.upright_dashes(x, top - 10.0, bottom, INK);
        let style = TextStyle::new(SMALL, INK).align(align);
        let width = style.width(&text);
        let (gap, span) = match align {
            Align::Right => (-4.0, (x - 4.0 - width, x - 4.0)),
            _ => (5.0, (x + 5.0, x + 5.0 + width)),
        };
        let free = taken
            .iter()
            .all(|t| span.1 + 6.0 < t.0 || span.0 > t.1 + 6.0);
        if free && span.0 >= LEFT - 40.0 && span.1 <= WIDTH - 4.0 {
            picture.text(text, x + gap, top - 9.0, style);
            taken.push(span);
        }
    }
}

/// Whether the server was back for a while before it took sessions.
pub(super) fn starting(injection: &Injection) -> bool {
    injection.ready_us > injection.cleared_us + 10_000
}
