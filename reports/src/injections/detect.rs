//! `detect`: the circuit opens when the threshold says so.
//!
//! Two things are promised. By the failure that makes the threshold full the circuit is
//! open: the failures that callers were told of, in a row, say when that was, to the
//! millisecond and on any machine. And a caller is told after one deadline at the latest,
//! so that the circuit is open one deadline and so many arrivals after the fault took
//! effect, even if nothing is answered at all.
//!
//! A breaker that looks for a server that says nothing does not wait for a deadline: it opens
//! a quarter of a second after the last answer, if it has seen enough answers before to know
//! what they usually take, and no session is answered either. A server whose statements all
//! wait for a lock takes sessions.
//!
//! Where callers wait within a deadline of their own, what it cuts short is no failure of the
//! server: then neither time-outs in a row say that the circuit has to be open, nor a deadline.
//!
//! All of it holds where the server answers nobody. Where it answers some, failures are in a row
//! only as far as the breaker sees them, which looks at the class of each and at all callers:
//! of such faults nothing is claimed.

use crate::{
    claim::{
        Claim, INJECTIONS, Source, Unit, id,
        seldom::{Case, Cases, decide_kinds},
    },
    run::{Answer, Injection, Outcome},
    stats::{median, micro},
};

use super::{Injected, served::counted, settings::Settings};

/// What timers and the scheduler of a busy machine may add, in seconds.
const LATE_S: f64 = 0.15;
/// The same, where nothing but the last failure is waited for.
const AT_ONCE_S: f64 = 0.08;
/// Later than this is no matter of the machine, in seconds; where nothing but the last failure is
/// waited for, a quarter of it.
const FAR_S: f64 = 1.0;
/// How long nobody is answered until an arm that detects early opens the circuit, in seconds: a
/// fifth of a second, and some answers more.
const EARLY_S: f64 = 0.25;
/// Faults under which no session is answered.
const MUTE: [&str; 3] = ["blackhole", "latency", "pause"];
/// Answers before the fault by which it surely knows what they usually take.
const KNOWN: usize = 100;

/// When the circuit opened, and when it should have.
struct Detection {
    /// When it should have at the latest, from the fault on, in seconds; infinite if no time
    /// says so.
    promise_s: f64,
    /// From the fault on, in seconds. `None` if it did not open while the fault lasted.
    after_s: Option<f64>,
    /// So long after the failure that made the threshold full. `None` if there was none.
    overdue_s: Option<f64>,
    /// How long the fault lasted.
    lasted_s: f64,
    /// Whether nothing was answered without error from a quarter of a second after it on.
    silent: bool,
}

/// Of all kinds of fault together. `None` for an arm that promises nothing, and without a
/// fault in which the circuit has to open.
pub(crate) fn all(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let settings = subject.settings(arm)?;
    settings.detection_s(subject.load)?;
    let says = format!(
        "the circuit opens at failure {} in a row",
        settings.threshold?
    );
    counted(subject, arm, id::DETECT, &says, |injection, _| {
        detection(subject, injection, &settings).map_or(Case::Apart, |d| case(&d))
    })
}

/// Of each kind, in seconds.
pub(crate) fn by_kind(subject: &Injected<'_>, arm: &str) -> Vec<Claim> {
    let Some(settings) = subject.settings(arm) else {
        return Vec::new();
    };
    let mut claims = Vec::new();
    for kind in subject.kinds() {
        let of_kind = subject.judged(arm).filter(|(i, _)| i.fault == kind);
        let detections: Vec<Detection> = of_kind
            .filter_map(|(injection, _)| detection(subject, injection, &settings))
            .filter(|detection| detection.due() && detection.promise_s.is_finite())
            .collect();
        let Some(promise_s) = detections.iter().map(|d| d.promise_s).reduce(f64::max) else {
            continue;
        };
        let says = if settings.early {
            "the circuit opens a quarter of a second after the last answer, or when failures in a \
             row say so"
        } else {
            "the circuit opens within a deadline, and as many arrivals as its threshold says"
        };
        let (source, unit) = (Source::Seawall, Unit::Seconds);
        let mut claim = Claim::new(id::DETECT, arm, says, source, unit, INJECTIONS).of_kind(kind);
        claim.band_high = Some(promise_s + LATE_S);
        let seen: Vec<f64> = detections.iter().filter_map(|d| d.after_s).collect();
        if seen.len() == detections.len() {
            claim.observed = median(seen.iter().copied()).map(micro);
            claim.low = seen.iter().copied().reduce(f64::min).map(micro);
            claim.high = seen.iter().copied().reduce(f64::max).map(micro);
        }
        let cases: Cases = detections.iter().map(case).collect();
        claims.push((claim, cases));
    }
    decide_kinds(claims)
}

impl Detection {
    /// Whether the circuit had to open.
    fn due(&self) -> bool {
        let has_to = self.overdue_s.is_some() || self.lasted_s > self.promise_s;
        self.silent && (has_to || self.after_s.is_some())
    }
}

fn case(detection: &Detection) -> Case {
    let promise_s = detection.promise_s;
    if !detection.due() {
        return Case::Apart;
    }
    // It opened at the failure that made the threshold full, whenever that was.
    if let Some(overdue_s) = detection.overdue_s {
        return match overdue_s {
            s if s <= AT_ONCE_S => Case::Within,
            s if s <= FAR_S / 4.0 => Case::Beyond,
            _ => Case::FarBeyond,
        };
    }
    match detection.after_s {
        Some(after_s) if after_s <= promise_s + LATE_S => Case::Within,
        Some(after_s) if after_s <= promise_s + FAR_S => Case::Beyond,
        None if detection.lasted_s <= promise_s + LATE_S => Case::Unknown,
        _ => Case::FarBeyond,
    }
}

/// `None` for an arm that promises nothing.
fn detection(
    subject: &Injected<'_>,
    injection: &Injection,
    settings: &Settings,
) -> Option<Detection> {
    let promise_s = settings.detection_s(subject.load)?;
    let opened_us = injection.opened_us();
    let opened_us = opened_us.filter(|at| *at <= injection.cleared_us);
    let threshold = settings.threshold.unwrap_or(u32::MAX);
    let is_failure = |answer: &Answer| {
        let cut_short = settings.waits && answer.outcome != Outcome::Failed;
        answer.failed() && !cut_short
    };
    // When each was answered, and whether it failed; what was refused is neither.
    let answers = injection.operations.answers(subject.load.rate_per_s);
    let mut answers: Vec<(u64, bool)> = answers
        .filter(|answer| is_failure(answer) || answer.outcome == Outcome::Ok)
        .map(|answer| (answer.end_us, is_failure(&answer)))
        .filter(|(end_us, _)| (injection.requested_us..injection.cleared_us).contains(end_us))
        .collect();
    answers.sort_unstable();
    let mut in_a_row = 0;
    let full_us = answers.iter().find_map(|(end_us, failed)| {
        in_a_row = if *failed { in_a_row + 1 } else { 0 };
        (in_a_row >= threshold).then_some(*end_us)
    });
    let seconds = |us: u64| us as f64 / 1e6;
    let quiet_from_us = injection.injected_us + 250_000;
    let lasted_us = injection.cleared_us.saturating_sub(injection.injected_us);
    let rate_per_s = f64::from(subject.load.rate_per_s.max(1));
    let all = injection.operations.answers(subject.load.rate_per_s);
    let before = all.filter(|a| a.outcome == Outcome::Ok && a.end_us < injection.requested_us);
    // Two have to wait.
    let early_s = EARLY_S + 2.0 / rate_per_s;
    let mute = subject.is_of(injection, &MUTE);
    let early = settings.early && mute && before.take(KNOWN).count() == KNOWN;
    Some(Detection {
        promise_s: match (early, settings.waits) {
            (true, _) => promise_s.min(early_s),
            (false, true) => f64::INFINITY,
            (false, false) => promise_s,
        },
        after_s: opened_us.map(|at| seconds(at.saturating_sub(injection.injected_us))),
        overdue_s: full_us.map(|full| {
            let until = opened_us.unwrap_or(injection.cleared_us);
            seconds(until.saturating_sub(full))
        }),
        lasted_s: seconds(lasted_us),
        silent: !answers
            .iter()
            .any(|(end_us, failed)| !failed && *end_us > quiet_from_us),
    })
}
