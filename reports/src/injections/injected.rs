//! Injections with their measures: what the claims about recovery are judged on.

use crate::{
    claim::{Claim, Decision, INJECTIONS},
    measure::Measured,
    run::{ARM_BARE, ARM_CAREFUL, Ended, Injection, Load, Run},
};

use super::settings::Settings;

/// Injections of a run, with their measures.
pub struct Injected<'a> {
    /// The run.
    pub run: &'a Run,
    /// What its arms were given to do.
    pub load: &'a Load,
    /// What was recorded.
    pub injections: &'a [Injection],
    /// One entry for each of the injections.
    pub measured: &'a [Measured],
    /// Whether those are left out in which the load generator itself stood still: what it
    /// measured then is its own doing.
    pub(crate) timed: bool,
}

impl<'a> Injected<'a> {
    /// All of them, in the order of the record.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        self.injections.iter().zip(self.measured)
    }

    /// The injections of an arm.
    pub(super) fn of_arm(&self, arm: &str) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        self.all()
            .filter(move |(injection, _)| injection.arm == arm)
    }

    /// The injections of an arm that claims are judged on: not those that the user ended,
    /// which were not watched for as long as they should have been, and accuse nobody.
    pub(super) fn judged(&self, arm: &str) -> impl Iterator<Item = (&'a Injection, &'a Measured)> {
        self.of_arm(arm).filter(|(injection, measured)| {
            !(self.is_cut_short(injection) || (self.timed && measured.stalled_us.is_some()))
        })
    }

    /// Whether the user ended the run while an injection was watched.
    pub(super) fn is_cut_short(&self, injection: &Injection) -> bool {
        let last = self.injections.iter().map(|i| i.planned).max();
        self.run.ended == Ended::Interrupted && Some(injection.planned) == last
    }

    /// Whether one of these kinds of fault was planned for it.
    pub(super) fn is_of(&self, injection: &Injection, kinds: &[&str]) -> bool {
        let planned = self.run.schedule.get(injection.planned);
        let mut steps = planned.iter().flat_map(|planned| &planned.faults);
        steps.any(|step| kinds.contains(&&*step.kind))
    }

    /// The arm that the others are compared with.
    pub(super) fn control_arm(&self) -> Option<&'static str> {
        [ARM_CAREFUL, ARM_BARE]
            .into_iter()
            .find(|name| self.has_arm(name))
    }

    /// What the same fault of the same round did to that arm.
    pub(super) fn control(&self, injection: &Injection) -> Option<(&'a Injection, &'a Measured)> {
        let control = self.control_arm().filter(|arm| *arm != injection.arm)?;
        self.pair(injection, control)
    }

    /// What the same fault of the same round did to another arm.
    pub(super) fn pair(
        &self,
        injection: &Injection,
        arm: &str,
    ) -> Option<(&'a Injection, &'a Measured)> {
        let round = self.run.round(injection);
        self.judged(arm)
            .find(|(other, _)| other.fault == injection.fault && self.run.round(other) == round)
    }

    /// Whether that arm was to meet the same fault in the same round.
    pub(super) fn is_paired(&self, injection: &Injection) -> bool {
        let Some(control) = self.control_arm() else {
            return false;
        };
        let planned = self.run.schedule.iter();
        let of_fault = planned.filter(|entry| entry.name == injection.fault);
        let rounds = of_fault.filter(|entry| entry.arms.iter().any(|arm| arm == control));
        rounds.count() > self.run.round(injection)
    }

    /// What an arm's configuration promises. `None` for one without the engine.
    pub(super) fn settings(&self, arm: &str) -> Option<Settings> {
        let arm = self.run.arms.iter().find(|a| a.name == arm)?;
        Settings::of(arm)
    }

    /// The names of the kinds of fault, in the order of the plan.
    pub(crate) fn kinds(&self) -> Vec<&'a str> {
        self.run
            .entries()
            .map(|entry| entry.name.as_str())
            .collect()
    }

    /// Judges a claim about times without the injections in which the load generator stood
    /// still. If the others refute it, it is refuted; else nothing is known, if there are any.
    pub(crate) fn unless_stalled<C: IntoIterator<Item = Claim>>(
        &self,
        claims: impl FnOnce(&Injected<'a>) -> C,
    ) -> Vec<Claim> {
        let timed = Injected {
            timed: true,
            ..*self
        };
        let mut claims: Vec<Claim> = claims(&timed).into_iter().collect();
        for claim in claims.iter_mut().filter(|c| !c.is(Decision::Refuted)) {
            let of_arm = self.of_arm(&claim.arm);
            let stalls: Vec<u64> = of_arm.filter_map(|(_, m)| m.stalled_us).collect();
            if let Some(longest_us) = stalls.iter().max() {
                claim.stalled(*longest_us, &INJECTIONS.of(stalls.len()));
            }
        }
        claims
    }

    pub(super) fn has_arm(&self, arm: &str) -> bool {
        self.run.arms.iter().any(|a| a.name == arm)
    }
}
