//! The plan of a run, drawn from its seed before anything is started. Pure.
//!
//! Phase and length are random, since a fixed length aliases with fixed time-outs
//! of what is under test. Each entry has a generator of its own, so that leaving
//! one out does not change the others.

use std::{ops::RangeInclusive, time::Duration};

use reports::record::{Fault, Planned};

/// What to draw from.
#[derive(Debug, Clone)]
pub struct Draw {
    /// The kinds, each of them carried out `repeats` times.
    pub faults: Vec<Fault>,
    /// How often each kind is carried out for each arm.
    pub repeats: u32,
    /// The arms.
    pub arms: Vec<String>,
    /// Whether one injection is for all arms at once (side by side), or each arm
    /// has its own (interleaved).
    pub side_by_side: bool,
    /// Steady load before the fault.
    pub phase: RangeInclusive<Duration>,
    /// How long the fault lasts.
    pub length: RangeInclusive<Duration>,
}

/// Draws the plan. Same arguments, same plan.
///
/// Side by side: one entry a fault, in order. Interleaved: one entry a fault and
/// arm, the arms in random order within each fault, with the same phase and
/// length for all arms of one fault, so that they are compared on the same thing.
#[must_use]
pub fn draw(seed: u64, from: &Draw) -> Vec<Planned> {
    let mut plan = Vec::new();
    for repeat in 0..from.repeats {
        for fault in &from.faults {
            let mut rng = generator(seed, *fault, repeat);
            let phase_us = between(&mut rng, &from.phase);
            let length_us = between(&mut rng, &from.length);
            let mut arms = from.arms.clone();
            rng.shuffle(&mut arms);
            let groups = if from.side_by_side {
                vec![from.arms.clone()]
            } else {
                arms.into_iter().map(|arm| vec![arm]).collect()
            };
            plan.extend(groups.into_iter().map(|arms| Planned {
                fault: *fault,
                arms,
                phase_us,
                length_us,
            }));
        }
    }
    plan
}

/// One small generator for each (seed, fault, repeat).
fn generator(seed: u64, fault: Fault, repeat: u32) -> fastrand::Rng {
    let index = Fault::ALL
        .iter()
        .position(|f| *f == fault)
        .unwrap_or_default() as u64;
    // Fractional digits of the golden ratio spread neighbouring seeds apart
    // (Knuth, TAOCP 3, section 6.4).
    let mixed = seed
        .wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(u64::from(repeat).wrapping_mul(0xd1b5_4a32_d192_ed03));
    fastrand::Rng::with_seed(mixed)
}

fn between(rng: &mut fastrand::Rng, range: &RangeInclusive<Duration>) -> u64 {
    let us = |d: &Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    rng.u64(us(range.start())..=us(range.end()).max(us(range.start())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(side_by_side: bool) -> Draw {
        let ms = Duration::from_millis;
        Draw {
            faults: Fault::ALL.to_vec(),
            repeats: 2,
            arms: vec!["bare".to_owned(), "seawall".to_owned()],
            side_by_side,
            phase: ms(100)..=ms(500),
            length: ms(1000)..=ms(2000),
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
        fewer.faults.retain(|f| *f != Fault::Reset);
        let kept: Vec<_> = all
            .into_iter()
            .filter(|p| p.fault != Fault::Reset)
            .collect();
        assert_eq!(draw(7, &fewer), kept);
    }

    #[test]
    fn interleaved_every_arm_gets_the_same_faults() {
        let plan = draw(7, &from(false));
        assert_eq!(plan.len(), 24);
        let of = |arm: &str| -> Vec<_> {
            let mine = plan.iter().filter(|p| p.arms == [arm]);
            mine.map(|p| (p.fault, p.phase_us, p.length_us)).collect()
        };
        assert_eq!(of("bare"), of("seawall"));
        let first: Vec<_> = plan.iter().step_by(2).map(|p| &p.arms[0]).collect();
        assert!(
            first.iter().any(|a| *a != first[0]),
            "never the other arm first"
        );
        assert!(
            plan.iter()
                .all(|p| (100_000..=500_000).contains(&p.phase_us))
        );
        assert!(
            plan.iter()
                .all(|p| (1_000_000..=2_000_000).contains(&p.length_us))
        );
    }
}
