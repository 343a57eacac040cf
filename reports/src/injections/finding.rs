//! What failures came to, in a sentence for who reads no further.

use crate::{
    measure::Effect,
    numbers::seconds,
    page::capital,
    run::{ARM_BARE, ARM_CAREFUL, ARM_SEAWALL, Run},
};

/// Whether ours was served again after the failures, and what a pool without the engine did.
/// Only what was measured is said; where that is nothing, that it is missing.
pub(crate) fn finding(run: &Run, effects: &[Effect]) -> String {
    let arms = run.arms.iter().map(|arm| &*arm.name);
    let with_any = |name: &&str| effects.iter().any(|effect| effect.arm == *name);
    let measured: Vec<&str> = arms.filter(with_any).collect();
    let first = measured.iter().find(|name| **name == ARM_SEAWALL);
    let Some(first) = first.or(measured.first()) else {
        return "No failure was injected, so that nothing can be said of recovery.".to_owned();
    };
    let ours = Came::of(effects, first);
    let mut said = ours.leading(first);
    for other in [ARM_CAREFUL, ARM_BARE] {
        if other != *first && measured.contains(&other) {
            said += "; ";
            said += &Came::of(effects, other).following(other, ours.failures);
        }
    }
    said.push('.');
    let ledgers = effects.iter().filter(|effect| effect.arm == *first);
    let lost: u64 = ledgers.filter_map(|e| Some(e.ledger?.lost)).sum();
    match lost {
        0 => {}
        1 => said += " It lost a write that was acknowledged.",
        n => said += &format!(" It lost {n} writes that were acknowledged."),
    }
    said
}

/// What came of all failures of an arm.
struct Came {
    /// How many failures it went through.
    failures: usize,
    /// After how many of them it was served again.
    back: usize,
    /// After how many nobody can say that, since it was not served before them.
    unknown: usize,
    /// The longest it took, of those after which it was served again, once the server was back.
    longest_s: f64,
    /// The longest that it was watched without being served again.
    watched_s: f64,
}

impl Came {
    fn of(effects: &[Effect], arm: &str) -> Self {
        let mut came = Self {
            failures: 0,
            back: 0,
            unknown: 0,
            longest_s: 0.0,
            watched_s: 0.0,
        };
        for effect in effects.iter().filter(|effect| effect.arm == arm) {
            came.failures += 1;
            match effect.recover_client_s {
                None => came.unknown += 1,
                Some(s) if effect.censored => came.watched_s = came.watched_s.max(s),
                Some(s) => {
                    came.back += 1;
                    came.longest_s = came.longest_s.max(s);
                }
            }
        }
        came
    }

    fn not_back(&self) -> usize {
        self.failures - self.back - self.unknown
    }

    fn leading(&self, name: &str) -> String {
        let all = match self.failures {
            1 => "the one failure".to_owned(),
            n => format!("each of {n} failures"),
        };
        let said = match (self.not_back(), self.unknown) {
            (0, 0) if self.longest_s == 0.0 => {
                format!("served again as soon as the database was, after {all}")
            }
            (0, 0) => format!(
                "served again within {} of the database's return after {all}",
                seconds(self.longest_s)
            ),
            (0, unknown) => format!(
                "not served before {unknown} of {} failures, so that no recovery can be seen there",
                self.failures
            ),
            (not, _) => format!(
                "not served again after {not} of {} failures, though watched for {}",
                self.failures,
                seconds(self.watched_s)
            ),
        };
        capital(&if name == ARM_SEAWALL {
            said
        } else {
            format!("{} was {said}", called(name))
        })
    }

    /// After one that went through `of_first` failures.
    fn following(&self, name: &str, of_first: usize) -> String {
        let name = called(name);
        let of = if self.failures == of_first {
            String::new()
        } else {
            format!(" (in {} of the failures)", self.failures)
        };
        match (self.not_back(), self.unknown) {
            (0, 0) if self.longest_s == 0.0 => format!("{name} was, too{of}"),
            (0, 0) => format!("{name} needed up to {}{of}", seconds(self.longest_s)),
            (0, unknown) => format!(
                "{name} was not served before {unknown} of {}",
                self.failures
            ),
            (not, _) => format!("{name} did not come back from {not} of {}", self.failures),
        }
    }
}

/// What an arm is, for who does not know its name.
fn called(arm: &str) -> String {
    match arm {
        ARM_BARE => "a bare pool".to_owned(),
        ARM_CAREFUL => "a pool with deadlines".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge, run::Ledger, synthetic};

    /// The effects of a run with three arms, each recovery as told.
    fn effects(told: impl Fn(&str, usize) -> (Option<f64>, bool)) -> (Run, Vec<Effect>) {
        let record = synthetic::record(7, 1, &["bare", "careful", "seawall"]);
        let mut effects = judge(&record).verdict.injections;
        for arm in ["bare", "careful", "seawall"] {
            let of_arm = effects.iter_mut().filter(|effect| effect.arm == arm);
            for (i, effect) in of_arm.enumerate() {
                (effect.recover_client_s, effect.censored) = told(arm, i);
            }
        }
        (record.run, effects)
    }

    #[test]
    fn ours_comes_first_then_the_careful_pool_then_the_bare_one() {
        let (run, effects) = effects(|arm, i| match arm {
            "seawall" => (Some(0.1 + 0.01 * i as f64), false),
            "careful" => (Some(0.6), false),
            _ => (Some(3.0), i < 2),
        });
        assert_eq!(
            finding(&run, &effects),
            "Served again within 0.15 s of the database's return after each of 6 failures; a pool \
             with deadlines needed up to 0.60 s; a bare pool did not come back from 2 of 6."
        );
    }

    #[test]
    fn what_is_bad_for_ours_is_said_as_well() {
        let (run, mut all) = effects(|arm, i| match arm {
            "seawall" => (Some(3.0), i == 1),
            _ => (Some(0.0), false),
        });
        all.iter_mut().for_each(|effect| {
            effect.ledger = Some(Ledger {
                lost: u64::from(effect.arm == "seawall" && effect.fault == all_first()),
                ..Ledger::default()
            });
        });
        let said = finding(&run, &all);
        let start = "Not served again after 1 of 6 failures, though watched for 3.00 s; ";
        assert!(said.starts_with(start), "{said}");
        assert!(
            said.ends_with(" It lost a write that was acknowledged."),
            "{said}"
        );
        let (run, unserved) = effects(|_, i| (Some(0.2).filter(|_| i > 0), false));
        assert!(finding(&run, &unserved).starts_with("Not served before 1 of 6 failures"));
    }

    fn all_first() -> &'static str {
        synthetic::FAULTS[0].name()
    }

    #[test]
    fn what_is_missing_is_said_to_be() {
        let (run, all) = effects(|_, _| (Some(0.2), false));
        assert!(finding(&run, &[]).starts_with("No failure was injected"));
        // An interrupted run: the careful pool was through one failure less.
        let last = all.iter().rposition(|effect| effect.arm == "careful");
        let mut fewer = all.clone();
        fewer.remove(last.unwrap());
        assert!(finding(&run, &fewer).contains("needed up to 0.20 s (in 5 of the failures)"));
        let bare: Vec<Effect> = all.into_iter().filter(|e| e.arm == "bare").collect();
        let said = finding(&run, &bare[..1]);
        assert_eq!(
            said,
            "A bare pool was served again within 0.20 s of the database's return after the one failure."
        );
    }
}
