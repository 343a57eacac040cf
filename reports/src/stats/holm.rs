//! Several hypotheses at once, and one chance of a false alarm for all of them.
//!
//! Of twenty true hypotheses that are each tested at 5 %, one is rejected by chance. Holm's
//! procedure keeps the probability that any true one is rejected at the level, whatever the
//! tests have to do with each other, and rejects all that Bonferroni's does (Holm, *A simple
//! sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6,
//! 1979).

/// The p-values adjusted for their number, in the same order: what is rejected at a level
/// is what has an adjusted p-value of at most that.
///
/// The smallest of k is multiplied by k, the next by k - 1, and so on; none is less than
/// the one before it, and none is more than 1.
#[must_use]
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 0.0_f64;
    for (before, i) in order.into_iter().enumerate() {
        let left = (p_values.len() - before) as f64;
        least = least.max(left * p_values[i]).min(1.0);
        adjusted[i] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{cases, numbers};
    use proptest::prelude::*;

    fn near(found: &[f64], expected: &[f64]) -> bool {
        let mut both = found.iter().zip(expected);
        found.len() == expected.len() && both.all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn by_hand() {
        // 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 is not less than the one before.
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005]);
        assert!(near(&found, &[0.03, 0.06, 0.06, 0.02]), "{found:?}");
        let found = adjusted(&[0.6, 0.9]);
        assert!(near(&found, &[1.0, 1.0]), "{found:?}");
        assert!(near(&adjusted(&[0.02]), &[0.02]));
        assert!(adjusted(&[]).is_empty());
    }

    #[test]
    fn as_statsmodels_finds() {
        let found = include_str!("../../tests/data/holm.json");
        for case in cases(found, "families") {
            let found = adjusted(&numbers(&case["p"]));
            assert!(
                near(&found, &numbers(&case["adjusted"])),
                "{found:?}: {case}"
            );
        }
    }

    /// Rejects step by step, as the procedure was published: the smallest p-value against
    /// alpha / k, the next against alpha / (k - 1), until one is not rejected.
    fn step_down(p_values: &[f64], alpha: f64) -> Vec<bool> {
        let mut rejected = vec![false; p_values.len()];
        for left in (1..=p_values.len()).rev() {
            let waiting = (0..p_values.len()).filter(|i| !rejected[*i]);
            let Some(next) = waiting.min_by(|a, b| p_values[*a].total_cmp(&p_values[*b])) else {
                break;
            };
            if p_values[next] > alpha / left as f64 {
                break;
            }
            rejected[next] = true;
        }
        rejected
    }

    proptest! {
        #[test]
        fn rejects_what_the_published_steps_reject(
            p_values in prop::collection::vec(0.0_f64..0.2, 0..12),
            alpha in 0.01_f64..0.2,
        ) {
            let adjusted: Vec<bool> = adjusted(&p_values).iter().map(|p| *p <= alpha).collect();
            prop_assert_eq!(adjusted, step_down(&p_values, alpha));
        }
    }

    /// Twenty true hypotheses, of which one is independently rejected by chance in each
    /// twenty: something is rejected in one family of twenty instead of in 64 of 100.
    #[test]
    fn a_family_of_true_hypotheses_is_rarely_rejected_from() {
        let mut rng = fastrand::Rng::with_seed(3);
        let families = 4_000;
        let alarms = (0..families)
            .filter(|_| {
                let p_values: Vec<f64> = (0..20).map(|_| rng.f64()).collect();
                adjusted(&p_values).iter().any(|p| *p <= 0.05)
            })
            .count();
        let share = alarms as f64 / f64::from(families);
        let error = 3.0 * (0.05 * 0.95 / f64::from(families)).sqrt();
        assert!((0.04..0.05 + error).contains(&share), "{share}");
    }
}
