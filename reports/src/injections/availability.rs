//! `availability`: a fault costs an arm little more than it costs the careful pool.
//!
//! What is compared is the time in which an arm was not available, in seconds an
//! injection: a share would depend on how long the run happened to watch. The
//! n-th injection of a fault meets both arms with the same phase and length, so
//! the difference is taken within each pair.
//!
//! Each injection has a margin of its own: one wait between probes and what a machine is
//! late by; and what failing fast gives up by what it is: in the last deadline before the
//! server is back, a caller of the other arm that keeps hanging is answered just in time. As
//! many as were are granted, to an arm that refuses; one whose callers wait gives up nothing. And a client that gambles no caller sees the return of the server
//! when its probe does. Nothing beyond that is granted, in no kind of fault: what is won in
//! one does not pay for another.

use crate::{
    claim::{
        Claim, INJECTIONS, Source, Unit, id,
        seldom::{Case, Cases, decide_kinds},
    },
    measure::Measured,
    run::{Injection, Outcome},
    stats::{median, micro},
};

use super::{Injected, served::counted, settings::Settings};

/// What a busy machine may add, in seconds.
const LATE_S: f64 = 0.15;
/// More than this beyond the margin is no matter of the machine, in seconds.
const FAR_S: f64 = 1.0;

/// What one injection cost, beyond the other arm and beyond the margin, in seconds.
#[derive(Clone, Copy)]
struct Cost {
    difference_s: f64,
    margin_s: f64,
}

impl Cost {
    fn case(self) -> Case {
        match self.difference_s - self.margin_s {
            beyond if beyond <= 0.0 => Case::Within,
            beyond if beyond <= FAR_S => Case::Beyond,
            _ => Case::FarBeyond,
        }
    }
}

/// Of all kinds together: how many injections cost more than their margin. `None` for an
/// arm without the engine, and where it met no fault that the other arm met.
pub(crate) fn all(subject: &Injected<'_>, arm: &str) -> Option<Claim> {
    let settings = subject.settings(arm)?;
    let control = subject.control_arm()?;
    let says = if settings.waits {
        format!("a fault costs little more than {control}: a probe's wait")
    } else {
        format!(
            "a fault costs little more than {control}: a probe's wait, and those that it answers \
             just in time"
        )
    };
    counted(
        subject,
        arm,
        id::AVAILABILITY,
        &says,
        |injection, measured| case(subject, &settings, injection, measured),
    )
}

fn case(
    subject: &Injected<'_>,
    settings: &Settings,
    injection: &Injection,
    measured: &Measured,
) -> Case {
    if !subject.is_paired(injection) {
        return Case::Apart;
    }
    cost(subject, settings, injection, measured).map_or(Case::Unknown, Cost::case)
}

/// Of each kind, in seconds, with what it may cost at most.
pub(crate) fn by_kind(subject: &Injected<'_>, arm: &str) -> Vec<Claim> {
    let (Some(settings), Some(control)) = (subject.settings(arm), subject.control_arm()) else {
        return Vec::new();
    };
    let mut claims = Vec::new();
    for kind in subject.kinds() {
        let of_kind = || subject.judged(arm).filter(|(i, _)| i.fault == kind);
        let cases: Cases = of_kind()
            .map(|(i, m)| case(subject, &settings, i, m))
            .collect();
        if cases.known() + cases.unknown == 0 {
            continue;
        }
        let costs: Vec<Cost> = of_kind()
            .filter_map(|(i, m)| cost(subject, &settings, i, m))
            .collect();
        let says = format!("a fault costs little more than {control}");
        let (source, unit) = (Source::Seawall, Unit::Seconds);
        let mut claim =
            Claim::new(id::AVAILABILITY, arm, says, source, unit, INJECTIONS).of_kind(kind);
        claim.difference = true;
        // To the hundredth, for readers: what decides is each injection's own.
        let margin_s = median(costs.iter().map(|c| c.margin_s));
        claim.band_high = margin_s.map(|margin_s| (margin_s * 100.0).round() / 100.0);
        let differences = || costs.iter().map(|c| c.difference_s);
        claim.observed = median(differences()).map(micro);
        claim.low = differences().reduce(f64::min).map(micro);
        claim.high = differences().reduce(f64::max).map(micro);
        claims.push((claim, cases));
    }
    decide_kinds(claims)
}

fn cost(
    subject: &Injected<'_>,
    settings: &Settings,
    injection: &Injection,
    measured: &Measured,
) -> Option<Cost> {
    let (control, of_control) = subject.control(injection)?;
    let down_us = injection.ready_us.saturating_sub(injection.injected_us);
    let given_up_s = if settings.waits {
        settings.probe_wait_s(down_us as f64 / 1e6)
    } else {
        granted_s(subject, control) + settings.probe_s
    };
    Some(Cost {
        difference_s: measured.unavailable_s? - of_control.unavailable_s?,
        margin_s: given_up_s + LATE_S,
    })
}

/// The operations of the other arm that came in the last deadline before the server was back
/// and were answered without error, as the time that they came in.
fn granted_s(subject: &Injected<'_>, control: &Injection) -> f64 {
    let from_us = control.ready_us.saturating_sub(subject.load.deadline_us);
    let answers = control.operations.answers(subject.load.rate_per_s);
    let just_in_time = answers.filter(|answer| {
        let last = (from_us..control.ready_us).contains(&answer.due_us);
        last && answer.outcome == Outcome::Ok
    });
    just_in_time.count() as f64 / f64::from(subject.load.rate_per_s.max(1))
}
