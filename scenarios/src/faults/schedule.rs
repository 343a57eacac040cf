//! The schedule of a run, drawn from its seed before anything is started. Pure.
//!
//! Phase and length are random, since a fixed length aliases with fixed time-outs
//! of what is under test. Each fault has a generator of its own, so that leaving
//! one out does not change the others.

use std::{ops::RangeInclusive, time::Duration};

use reports::run::{Planned, Step};

use super::{
    kind::Parameter,
    plan::{Entry, Plan, Wish},
};

/// What to draw from.
#[derive(Debug, Clone)]
pub struct Draw {
    /// What is done, and how often.
    pub plan: Plan,
    /// The arms.
    pub arms: Vec<String>,
    /// Whether one injection is for all arms at once (side by side), or each arm
    /// has its own (interleaved).
    pub side_by_side: bool,
    /// Steady load before a fault whose plan does not say.
    pub phase: RangeInclusive<Duration>,
    /// How long a fault lasts whose plan does not say.
    pub length: RangeInclusive<Duration>,
    /// The operations' deadline, which some parameters are usually taken from.
    pub deadline: Duration,
}

/// Draws the schedule. Same arguments, same schedule.
///
/// Side by side: one entry for each of the plan's, in order. Interleaved: one for
/// each and each arm, the arms in random order, with the same phases and lengths
/// for all of them, so that they are compared on the same thing.
#[must_use]
pub fn draw(seed: u64, from: &Draw) -> Vec<Planned> {
    let mut schedule = Vec::new();
    for repeat in 0..from.plan.repeats {
        for entry in &from.plan.entries {
            let faults = steps(seed, from, entry, repeat);
            let mut arms = from.arms.clone();
            generator(seed, &entry.name, usize::MAX, repeat).shuffle(&mut arms);
            let groups = if from.side_by_side {
                vec![from.arms.clone()]
            } else {
                arms.into_iter().map(|arm| vec![arm]).collect()
            };
            schedule.extend(groups.into_iter().map(|arms| Planned {
                name: entry.name.clone(),
                faults: faults.clone(),
                arms,
            }));
        }
    }
    schedule
}

fn steps(seed: u64, from: &Draw, entry: &Entry, repeat: u32) -> Vec<Step> {
    let faults = entry.faults.iter().enumerate();
    faults
        .map(|(i, wish)| step(&mut generator(seed, &entry.name, i, repeat), from, wish))
        .collect()
}

fn step(rng: &mut fastrand::Rng, from: &Draw, wish: &Wish) -> Step {
    let deadline_ms = u32::try_from(from.deadline.as_millis()).unwrap_or(u32::MAX);
    let value = |parameter: &Parameter| {
        let set = wish.parameters.iter().find(|(n, _)| *n == parameter.name);
        set.map_or_else(|| parameter.usual.value(deadline_ms), |(_, value)| *value)
    };
    let parameters = wish.kind.parameters.iter();
    Step {
        phase_us: between(rng, wish.phase.as_ref().unwrap_or(&from.phase)),
        length_us: between(rng, wish.length.as_ref().unwrap_or(&from.length)),
        stream: wish.stream,
        toxicity: wish.toxicity,
        parameters: parameters.map(|p| (p.name.to_owned(), value(p))).collect(),
        ..wish.kind.step()
    }
}

/// One small generator for each (seed, entry, fault of it, repeat).
fn generator(seed: u64, entry: &str, fault: usize, repeat: u32) -> fastrand::Rng {
    // FNV-1a, 64 bits: spreads names apart, and is the same everywhere.
    let bytes = entry.bytes().chain(fault.to_le_bytes());
    let mixed = bytes
        .chain(repeat.to_le_bytes())
        .chain(seed.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    fastrand::Rng::with_seed(mixed)
}

fn between(rng: &mut fastrand::Rng, range: &RangeInclusive<Duration>) -> u64 {
    let us = |d: &Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    rng.u64(us(range.start())..=us(range.end()).max(us(range.start())))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Kind, network, process},
        *,
    };

    static KINDS: [&Kind; 3] = [&process::CRASH, &network::RESET, &network::LATENCY];

    fn from(side_by_side: bool) -> Draw {
        let ms = Duration::from_millis;
        let mut plan = Plan::of(&KINDS);
        plan.repeats = 4;
        Draw {
            plan,
            arms: vec!["bare".to_owned(), "seawall".to_owned()],
            side_by_side,
            phase: ms(100)..=ms(500),
            length: ms(1000)..=ms(2000),
            deadline: ms(400),
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_plan_and_another_seed_another() {
        assert_eq!(draw(7, &from(true)), draw(7, &from(true)));
        assert_ne!(draw(7, &from(true)), draw(8, &from(true)));
    }

    #[test]
    fn leaving_a_fault_out_changes_no_other() {
        let all = draw(7, &from(true));
        let mut fewer = from(true);
        fewer.plan.entries.retain(|e| e.name != "reset");
        let kept: Vec<_> = all.into_iter().filter(|p| p.name != "reset").collect();
        assert_eq!(draw(7, &fewer), kept);
    }

    #[test]
    fn interleaved_every_arm_gets_the_same_faults() {
        let plan = draw(7, &from(false));
        assert_eq!(plan.len(), 24);
        let of = |arm: &str| -> Vec<_> {
            let mine = plan.iter().filter(|p| p.arms == [arm]);
            mine.map(|p| (p.name.clone(), p.faults.clone())).collect()
        };
        assert_eq!(of("bare"), of("seawall"));
        let first: Vec<_> = plan.iter().step_by(2).map(|p| &p.arms[0]).collect();
        assert!(
            first.iter().any(|a| *a != first[0]),
            "never the other arm first"
        );
        let steps = || plan.iter().flat_map(|p| &p.faults);
        assert!(steps().all(|s| (100_000..=500_000).contains(&s.phase_us)));
        assert!(steps().all(|s| (1_000_000..=2_000_000).contains(&s.length_us)));
        let phases: std::collections::BTreeSet<u64> = steps().map(|s| s.phase_us).collect();
        assert_eq!(phases.len(), 12, "each its own");
    }

    #[test]
    fn what_the_plan_says_is_what_is_drawn() {
        let flags = [
            "latency,jitter_ms=7,latency_ms=20,length_ms=30..31,toxicity=0.5".to_owned(),
            "lock-storm,phase_ms=5".to_owned(),
        ];
        let plan = Plan::parse(None, &flags).expect("a plan");
        let drawn = draw(1, &Draw { plan, ..from(true) });
        let latency = &drawn[0].faults[0];
        assert!((30_000..=31_000).contains(&latency.length_us));
        assert_eq!(latency.toxicity, Some(0.5));
        assert_eq!(latency.parameters["jitter_ms"], 7);
        let storm = &drawn[1].faults[0];
        assert_eq!(storm.phase_us, 5_000);
        assert_eq!(
            storm.parameters["hold_ms"], 100,
            "a quarter of the deadline"
        );
        assert_eq!(storm.parameters["sessions"], 8, "as usual");
    }
}
