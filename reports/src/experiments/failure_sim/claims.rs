//! Which claims it makes, of which arms, and which of them gate.

use super::{Data, windows};
use crate::{
    claim::{Claim, Decision, Noun, Source, Unit, id},
    injections::{
        Injected, availability, detect, fail_fast, no_loss, no_worse, recovery, served,
        settings::is_engine, towards,
    },
    run::{ARM_SEAWALL, Arm},
    stats::quantile::FEWEST_FOR_MEDIAN,
};

/// All of them: those of the arm that we would ship come first.
///
/// What is claimed of a configuration of the engine gates. How soon it is back, and what
/// that costs, gates for ours alone: the guide's is not our configuration. Of the pools
/// without the engine it is only said whether they recover and lose nothing.
pub(super) fn claims(subject: &Injected<'_>, data: &Data) -> Vec<Claim> {
    let mut arms: Vec<&Arm> = subject.run.arms.iter().collect();
    arms.sort_by_key(|arm| arm.name != ARM_SEAWALL);
    let of_arm = arms.into_iter().flat_map(|arm| {
        if is_engine(arm) {
            of_engine(subject, data, &arm.name)
        } else {
            let mut claims = subject.unless_stalled(|subject| {
                [
                    recovery::median(subject, &arm.name),
                    recovery::p95(subject, &arm.name, false, data.patience_us),
                ]
            });
            claims.push(no_loss(subject, data, &arm.name));
            claims
        }
    });
    of_arm.map(|claim| with_flag(subject, claim)).collect()
}

/// Names the flag that would do, where there were too few injections to say something.
fn with_flag(subject: &Injected<'_>, mut claim: Claim) -> Claim {
    let of_arm = || subject.injections.iter().filter(|i| i.arm == claim.arm);
    let rounds = of_arm()
        .map(|i| subject.run.round(i) + 1)
        .max()
        .unwrap_or(1);
    let a_round = of_arm().count().div_ceil(rounds);
    let fewest = match &*claim.id {
        id::RECOVERY_P95 => recovery::MIN_FOR_P95,
        id::RECOVERY => FEWEST_FOR_MEDIAN,
        of_kind if of_kind.starts_with(id::NO_WORSE) => FEWEST_FOR_MEDIAN * subject.kinds().len(),
        _ => return claim,
    };
    if a_round > 0
        && of_arm().count() < fewest
        && let Some(reason) = &mut claim.reason
    {
        *reason = format!("{reason}: --repeats {}", fewest.div_ceil(a_round));
    }
    claim
}

fn of_engine(subject: &Injected<'_>, data: &Data, arm: &str) -> Vec<Claim> {
    let ours = arm == ARM_SEAWALL;
    let gates = |claim: Claim| Claim {
        gating: true,
        ..claim
    };
    let gates_if_ours = |claim: Claim| Claim {
        gating: ours,
        ..claim
    };
    let opened = opened_unserved(data, arm);
    let mut claims = vec![gates(served_before(data, arm))];
    claims.extend(subject.unless_stalled(|subject| {
        let mut claims = Vec::new();
        let no_failure = served::no_failure(subject, arm);
        let no_failure = no_failure.map(|claim| windows::none_failed(data, claim));
        let again = served::again(subject, arm);
        claims.extend(no_failure.into_iter().chain(again).map(gates));
        let median = recovery::median(subject, arm);
        let watched = recovery::watched_for_guide(&median, data.patience_us);
        claims.push(Claim {
            gating: ours && watched,
            ..median
        });
        claims.push(recovery::p95(subject, arm, ours, data.patience_us));
        claims.extend(
            recovery::by_kind(subject, arm)
                .into_iter()
                .map(gates_if_ours),
        );
        let detected = detect::all(subject, arm).into_iter();
        let detected = detected.chain(detect::by_kind(subject, arm));
        claims.extend(detected.map(gates));
        claims.extend(fail_fast::claim(subject, arm).map(gates));
        let others = [
            served::in_time(subject, arm),
            served::no_false_alarm(subject, arm, opened),
            served::fresh(subject, arm),
            served::waiters(subject, arm),
        ];
        claims.extend(others.into_iter().flatten().map(gates));
        claims
    }));
    claims.push(gates(no_loss(subject, data, arm)));
    claims.extend(subject.unless_stalled(|subject| {
        let cost = availability::all(subject, arm).into_iter();
        let cost = cost.chain(availability::by_kind(subject, arm));
        let mut claims: Vec<Claim> = cost.map(gates_if_ours).collect();
        claims.extend(no_worse::by_kind(subject, arm));
        claims
    }));
    let towards = [
        towards::attempts(subject, arm),
        towards::connections(subject, arm),
        towards::stopped(subject, arm),
    ];
    claims.extend(towards.into_iter().flatten().map(gates));
    claims.extend(windows::claims(data, arm).into_iter().map(gates));
    claims
}

/// Of the injections, and of what was answered in the windows without faults.
fn no_loss(subject: &Injected<'_>, data: &Data, arm: &str) -> Claim {
    let answers = data.window_answers.iter().filter(|(of, _)| of == arm);
    no_loss::claim(subject, arm, answers.map(|(_, ledger)| *ledger).sum())
}

fn opened_unserved(data: &Data, arm: &str) -> u32 {
    let of_arm = data.unserved.iter().filter(|unserved| unserved.arm == arm);
    of_arm.map(|unserved| unserved.opened).sum()
}

/// `served-before`: while nothing is wrong, it is served as those without the engine are.
fn served_before(data: &Data, arm: &str) -> Claim {
    let says = "while nothing is wrong, load is served as by the pools without the engine";
    let unit = Unit::count("times");
    let counts = Noun::new("load", "loads");
    let mut claim = Claim::new(id::SERVED_BEFORE, arm, says, Source::Seawall, unit, counts);
    claim.band_high = Some(0.0);
    let unserved: Vec<&str> = data
        .unserved
        .iter()
        .filter(|unserved| unserved.arm == arm)
        .map(|unserved| unserved.reason.as_str())
        .collect();
    let served = data.injections.iter().filter(|i| i.arm == arm).count();
    claim.n = served + unserved.len();
    let not = unserved.len() as f64;
    claim.observed = Some(not);
    claim.out_of = Some(claim.n as u64);
    (claim.low, claim.high) = (Some(not), Some(not));
    if !unserved.is_empty() {
        claim.verdict = Decision::Refuted;
        claim.reason = Some(unserved.join("; "));
    } else if served > 0 {
        claim.verdict = Decision::Holds;
    } else {
        claim.reason = Some("no load was seen".to_owned());
    }
    claim
}
