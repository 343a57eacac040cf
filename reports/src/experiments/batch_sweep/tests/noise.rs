//! One at a time against itself.

use super::*;

#[test]
fn the_noise_floor_is_that_of_one_at_a_time() {
    let quiet = judge(&exact(|_, _| 5.0));
    let noise = claim(&quiet, "seawall", NOISE);
    assert_eq!((noise.gating, noise.n), (false, 21));
    let loud = judge(&few_sizes(batches(guide_classes(), 8, 7, 0.3, usual)));
    let wide = claim(&loud, "seawall", NOISE);
    assert!(wide.high > noise.high && wide.low < noise.low);
    assert!(reason(wide).starts_with("widest of 21: "));
    // The second slice is always the slower one: that is no noise.
    let mut record = exact(|_, _| 5.0);
    let rounds = conditions(&mut record)
        .iter_mut()
        .flat_map(|c| &mut c.rounds);
    for round in rounds {
        round.slices.last_mut().unwrap().took_us *= 2;
    }
    let drifts = judge(&record);
    let noise = claim(&drifts, "seawall", NOISE);
    assert!(noise.is(Decision::Refuted), "{noise:#?}");
    assert!(reason(noise).contains("leaving 1 out: 21 of 21 (small-events, 0 ms, commit off)"));
    assert!((noise.observed.unwrap() - 2.0).abs() < 0.05);
    // It decides nothing, but it is half of what all are compared with.
    assert_eq!(drifts.exit_code, exit::HOLDS);
}

#[test]
fn noise_that_leaves_one_out_once_is_not_refuted_and_does_not_hold() {
    let mut record = exact(|_, _| 5.0);
    let all = conditions(&mut record);
    for condition in all.iter_mut() {
        for (i, round) in condition.rounds.iter_mut().enumerate() {
            let one = 1_000_000 + 1_000 * (i as u64 % 2);
            round.slices[0].took_us = one;
            round.slices.last_mut().unwrap().took_us = 2_001_000 - one;
        }
    }
    let verdict = judge(&record);
    let holds = claim(&verdict, "seawall", NOISE);
    assert!(holds.is(Decision::Holds), "{holds:#?}");
    for round in &mut conditions(&mut record)[0].rounds {
        round.slices[0].took_us *= 2;
    }
    let verdict = judge(&record);
    let once = claim(&verdict, "seawall", NOISE);
    assert!(once.is(Decision::Inconclusive), "{once:#?}");
    assert!(reason(once).contains(
        "leaving 1 out: 1 of 21 (small-events, 0 ms, commit off), where chance gives at most 1.1"
    ));
}
