//! One fault: what it did to each arm, one below the other on one time axis.
//!
//! Zero is when the fault took effect, for every arm by its own probe. Each arm
//! has three lanes (goodput, latency, breaker); what belongs to the fault runs
//! through all of them.

use crate::{
    measure::{Measured, WINDOW_US},
    numbers::seconds,
    plot::{
        legend::legend,
        palette::{self, FAULT, MUTED, SMALL, STARTING},
        picture::{Align, Picture, TextStyle},
        scale::Linear,
        sheet,
    },
    run::{Arm, BreakerState, Injection, Load, Planned},
};

use super::{
    super::{Injected, sentence},
    answer::{Answer, Dot, dots},
    arm,
};

pub(super) const WIDTH: f64 = sheet::WIDTH;
pub(super) const LEFT: f64 = 176.0;
pub(super) const RIGHT: f64 = WIDTH - 20.0;
/// Most of the time before the fault that is shown.
const BEFORE_S: f64 = 2.0;

/// An arm under the fault.
pub(super) struct Shown<'a> {
    pub(super) arm: &'a Arm,
    pub(super) injection: &'a Injection,
    pub(super) measured: &'a Measured,
}

/// What the arms have in common.
pub(super) struct Frame {
    /// Seconds since the fault took effect.
    pub(super) time: Linear,
    pub(super) rate_per_s: f64,
    /// Least and greatest latency to be shown.
    pub(super) latency_us: (f64, f64),
    pub(super) deadline_us: f64,
    /// Most sessions that any arm had.
    pub(super) sessions: u32,
}

/// Lays the picture out, under a title. `which` says which of several such faults it is.
pub(super) fn picture(
    subject: &Injected<'_>,
    entry: &Planned,
    shown: &[Shown<'_>],
    (title, which): (&str, &str),
) -> Picture {
    let load = subject.load;
    let dots: Vec<Vec<Dot>> = shown
        .iter()
        .map(|s| dots(s.injection, load.rate_per_s, load.deadline_us))
        .collect();
    let frame = Frame::new(load, shown, &dots);
    let subtitle = subtitle(subject, entry, shown, which);
    let (mut picture, mut y) = sheet::begin(title, &subtitle);
    y = legends(&mut picture, shown, &dots, &frame, y);
    let top = y;
    for (shown, dots) in shown.iter().zip(&dots) {
        y = arm::draw(&mut picture, &frame, shown, dots, y);
    }
    time_axis(&mut picture, &frame, top, y);
    sheet::end(picture, y + 44.0)
}

impl Frame {
    fn new(load: &Load, shown: &[Shown<'_>], dots: &[Vec<Dot>]) -> Self {
        let span = |of: fn(&Injection) -> u64| {
            shown
                .iter()
                .map(|s| of(s.injection) as f64 / 1e6)
                .fold(0.0, f64::max)
        };
        let before = span(|i| i.injected_us.saturating_sub(i.steady_us)).min(BEFORE_S);
        let after = ends_s(shown, dots);
        let deadline_us = load.deadline_us as f64;
        let latencies = || {
            dots.iter()
                .flatten()
                .filter(|d| d.answer != Answer::NotSent && (-before..=after).contains(&d.at_s))
                .map(|d| d.latency_us.max(10.0))
        };
        let sessions = shown.iter().flat_map(|s| &s.injection.sessions);
        Self {
            time: Linear {
                from: -before,
                to: after,
                start: LEFT,
                end: RIGHT,
            },
            rate_per_s: f64::from(load.rate_per_s),
            latency_us: (
                latencies().fold(1_000.0, f64::min),
                latencies().fold(deadline_us, f64::max),
            ),
            deadline_us,
            sessions: sessions.map(|of| of.sessions).max().unwrap_or(0).max(1),
        }
    }
}

/// Where the axis ends, in seconds since the fault: where not all arms have data any more,
/// but not before all that came back have. An arm that does not is watched for longer, and
/// its load says nothing more.
fn ends_s(shown: &[Shown<'_>], dots: &[Vec<Dot>]) -> f64 {
    let since_s =
        |of: &Shown<'_>, us: u64| us.saturating_sub(of.injection.injected_us) as f64 / 1e6;
    let arms = || shown.iter().zip(dots);
    // As far as there are operations: what is recorded beside them may go on.
    let window_s = WINDOW_US as f64 / 1e6;
    let ended_s = |(of, dots): (&Shown<'_>, &Vec<Dot>)| {
        let last_s = dots.iter().map(|d| d.at_s).fold(0.0, f64::max);
        since_s(of, of.injection.ended_us).min(last_s + window_s)
    };
    let told_s = |(of, dots): (&Shown<'_>, &Vec<Dot>)| {
        let back = of.measured.recovery.filter(|recovery| !recovery.censored);
        let after_s = back.map_or(0.0, |recovery| recovery.after_us as f64 / 1e6);
        let told_s = since_s(of, of.injection.cleared_us) + after_s + 2.0 * window_s;
        told_s.min(ended_s((of, dots)))
    };
    let all_s = arms().map(ended_s).fold(f64::MAX, f64::min);
    let told_s = arms().map(told_s).fold(1.0, f64::max);
    if arms().next().is_some() {
        all_s.max(told_s)
    } else {
        told_s
    }
}

fn subtitle(subject: &Injected<'_>, entry: &Planned, shown: &[Shown<'_>], which: &str) -> String {
    let length = shown.first().map_or(0.0, |s| {
        let seen_us = s
            .injection
            .cleared_us
            .saturating_sub(s.injection.injected_us);
        seen_us as f64 / 1e6
    });
    format!(
        "For {}{which}, {}. {} operations per second, each to be answered within {} ms. \
         PostgreSQL {}, {}; seed {}.",
        seconds(length),
        sentence::about(entry),
        subject.load.rate_per_s,
        subject.load.deadline_us / 1000,
        subject.run.environment.server_version,
        subject.run.environment.kind,
        subject.run.seed,
    )
}

fn legends(
    picture: &mut Picture,
    shown: &[Shown<'_>],
    dots: &[Vec<Dot>],
    frame: &Frame,
    y: f64,
) -> f64 {
    let seen = |answer: Answer| {
        dots.iter()
            .flatten()
            .any(|d| d.answer == answer && (frame.time.from..=frame.time.to).contains(&d.at_s))
    };
    let answers: Vec<_> = Answer::ALL
        .into_iter()
        .filter(|answer| seen(*answer))
        .map(|answer| (answer.color(), answer.name()))
        .collect();
    let y = legend(picture, "operations", &answers, 16.0, y);
    let mut states = vec![(FAULT, "fault in effect")];
    if shown.iter().any(|s| arm::starting(s.injection)) {
        states.push((STARTING, "server back, but not ready"));
    }
    if shown.iter().any(|s| !s.injection.breaker.is_empty()) {
        for state in [
            BreakerState::Closed,
            BreakerState::HalfOpen,
            BreakerState::Open,
        ] {
            let name = match state {
                BreakerState::Closed => "breaker closed (admitting)",
                BreakerState::HalfOpen => "half-open (trying)",
                BreakerState::Open => "open (refusing)",
            };
            states.push((palette::breaker(state), name));
        }
    }
    if shown.iter().any(|s| !s.injection.sessions.is_empty()) {
        states.push((palette::GREEN, "sessions on the server"));
        states.push((
            palette::VERMILION,
            "of these, for a caller that has given up",
        ));
    }
    legend(picture, "state", &states, 16.0, y)
}

fn time_axis(picture: &mut Picture, frame: &Frame, top: f64, y: f64) {
    let style = TextStyle::new(SMALL, MUTED).align(Align::Center);
    if top >= y {
        return;
    }
    picture.level(y - 8.0, LEFT, RIGHT, MUTED);
    for tick in frame.time.ticks(10.0) {
        let x = frame.time.at(tick);
        picture.upright(x, y - 8.0, y - 3.0, 1.0, MUTED);
        picture.text(format!("{tick}"), x, y + 6.0, style);
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    let label = "seconds since the fault took effect (operations stand at their scheduled arrival)";
    picture.text(label, middle, y + 26.0, style);
}
