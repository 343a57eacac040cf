//! The pool's gauge of an arm: how many sessions it had on the server.

use crate::{
    plot::{
        palette::{GREEN, INK, LANE, MUTED, SMALL, VERMILION},
        picture::{Align, Area, Picture, TextStyle},
    },
    run::{Injection, SessionCount},
};

use super::lanes::Lane;

/// How long an answer of the server is taken to be true: two and a half times as long as it
/// is asked again after.
const KNOWN_US: u64 = 250_000;

/// Steps, each as long as until the server was asked again. Below them, in another colour,
/// those that run a query whose caller has given up. `most` is the top of the lane.
pub(super) fn sessions(picture: &mut Picture, lane: &Lane, injection: &Injection, most: u32) {
    let area = lane.area;
    let style = TextStyle::new(SMALL, INK);
    picture.text("sessions", 16.0, area.top + 8.0, style);
    picture.rect(area, LANE);
    let muted = TextStyle::new(SMALL, MUTED).align(Align::Right);
    picture.text(most.to_string(), area.left - 7.0, area.top + 6.0, muted);
    picture.text("0", area.left - 7.0, area.bottom - 5.0, muted);
    let at = |us: u64| {
        let since_s = (us as f64 - injection.injected_us as f64) / 1e6;
        lane.time.at(since_s).clamp(area.left, area.right).round()
    };
    let high = |n: u32| {
        let part = f64::from(n.min(most)) / f64::from(most.max(1));
        (area.bottom - part * (area.bottom - area.top)).round()
    };
    let same = |a: &SessionCount, b: &SessionCount| {
        b.at_us <= a.at_us.saturating_add(KNOWN_US)
            && (a.sessions, a.orphans) == (b.sessions, b.orphans)
    };
    let mut steps = injection.sessions.chunk_by(same).peekable();
    while let Some(step) = steps.next() {
        let (sessions, orphans) = (step[0].sessions, step[0].orphans);
        let end_us = steps
            .peek()
            .map_or(injection.ended_us, |next| next[0].at_us);
        // A server that is down tells nobody how many sessions it has.
        let known_us = step[step.len() - 1].at_us.saturating_add(KNOWN_US);
        let end_us = end_us.min(known_us);
        let bar = |n: u32| Area {
            left: at(step[0].at_us),
            right: at(end_us),
            top: high(n),
            bottom: area.bottom,
        };
        picture.rect(bar(sessions), GREEN);
        picture.rect(bar(orphans), VERMILION);
        let whole = Area {
            top: area.top,
            ..bar(sessions)
        };
        let orphans = match orphans {
            0 => String::new(),
            n => format!(", {n} of them for a caller that has given up"),
        };
        picture.tip(whole, format!("{sessions} sessions on the server{orphans}"));
    }
}
