//! Whether groups differ in how long they take.
//!
//! At each time at which something ends, each group is expected to have a share of the ends
//! as great as its share of those still at risk; what it has beyond that, over all times, is
//! compared with the variance that chance gives it (Mantel, *Evaluation of survival data and
//! two new rank order statistics arising in its consideration*, Cancer Chemotherapy Reports
//! 50, 1966; for several groups Peto and Peto, *Asymptotically Efficient Rank Invariant Test
//! Procedures*, JRSS A 135, 1972).
//!
//! The p-value is that of a chi-squared distribution, which is right for many ends: of two
//! equal groups of six to fifteen, 6 to 7 % are told apart at 5 %, of fifty 5.4 %. With few
//! it is a hint, no verdict: where all were watched for equally long,
//! [`mann_whitney`](crate::stats::ranks::mann_whitney) with what did not end at infinity is
//! exact.

use crate::stats::{distribution::chi_squared_at_least, quantile::Observation};

/// What the test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRank {
    /// How much the groups differ: chi-squared, if they do not but by chance.
    pub chi_squared: f64,
    /// With so many degrees of freedom: one fewer than groups.
    pub degrees: usize,
    /// How likely they differ as much by chance.
    pub p: f64,
}

/// Tests two groups or more. One in which nobody is at risk any more when something first
/// ends is left out. `None` with fewer than two others, and if nothing ended that could
/// have been of either.
#[must_use]
pub fn log_rank(groups: &[&[Observation]]) -> Option<LogRank> {
    let mut ended: Vec<f64> = groups.iter().flat_map(|of| ends(of)).collect();
    ended.sort_by(f64::total_cmp);
    ended.dedup();
    let first = *ended.first()?;
    let at_risk = |group: &[Observation], at: f64| {
        let at_risk = group.iter().filter(|o| o.least() >= at);
        at_risk.count() as f64
    };
    let watched = groups.iter().filter(|group| at_risk(group, first) > 0.0);
    let watched: Vec<&[Observation]> = watched.copied().collect();
    // The last group has what the others do not.
    let degrees = watched
        .len()
        .checked_sub(1)
        .filter(|degrees| *degrees > 0)?;
    let mut beyond = vec![0.0; degrees];
    let mut variance = vec![vec![0.0; degrees]; degrees];
    for at in ended {
        let shares: Vec<f64> = watched.iter().map(|group| at_risk(group, at)).collect();
        let all: f64 = shares.iter().sum();
        let shares: Vec<f64> = shares.iter().map(|at_risk| at_risk / all).collect();
        let here = watched
            .iter()
            .map(|group| ends(group).filter(|end| *end == at).count());
        let here: Vec<f64> = here.map(|ends| ends as f64).collect();
        let ends: f64 = here.iter().sum();
        // Of the hypergeometric distribution; of one alone there is no choice.
        let spread = if all > 1.0 {
            ends * (all - ends) / (all - 1.0)
        } else {
            0.0
        };
        for i in 0..degrees {
            beyond[i] += here[i] - ends * shares[i];
            for j in 0..degrees {
                let same = if i == j { shares[i] } else { 0.0 };
                variance[i][j] += spread * (same - shares[i] * shares[j]);
            }
        }
    }
    let solved = solve(variance, beyond.clone())?;
    let products = beyond.iter().zip(&solved).map(|(a, b)| a * b);
    let chi_squared = products.sum();
    Some(LogRank {
        chi_squared,
        degrees,
        p: chi_squared_at_least(chi_squared, degrees),
    })
}

fn ends(group: &[Observation]) -> impl Iterator<Item = f64> {
    group.iter().filter_map(|o| match o {
        Observation::Exact(at) => Some(*at),
        Observation::AtLeast(_) => None,
    })
}

/// Solves symmetric linear equations of a variance, by elimination. `None` if they have no
/// one solution. A variance needs no other order: what is left of its diagonal is above zero.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    let least: Vec<f64> = (0..n).map(|i| matrix[i][i] * 1e-12).collect();
    for pivot in 0..n {
        if matrix[pivot][pivot] <= least[pivot] {
            return None;
        }
        let (above, below) = matrix.split_at_mut(pivot + 1);
        for (row, values) in below.iter_mut().enumerate() {
            let times = values[pivot] / above[pivot][pivot];
            for (value, of_pivot) in values.iter_mut().zip(&above[pivot]) {
                *value -= times * of_pivot;
            }
            right[pivot + 1 + row] -= times * right[pivot];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|j| matrix[row][j] * right[j]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{
        coverage::Draw,
        reference::{cases, near, number, observations},
    };
    use Observation::{AtLeast, Exact};
    use proptest::prelude::*;

    const FOUND: &str = include_str!("../../../tests/data/survival.json");

    fn of(groups: &[Vec<Observation>]) -> Option<LogRank> {
        let groups: Vec<&[Observation]> = groups.iter().map(Vec::as_slice).collect();
        log_rank(&groups)
    }

    #[test]
    fn as_lifelines_finds() {
        for case in cases(FOUND, "log_rank") {
            let groups = case["groups"].as_array().expect("groups");
            let groups: Vec<Vec<Observation>> = groups.iter().map(observations).collect();
            let found = of(&groups).expect("a test");
            assert_eq!(found.degrees, groups.len() - 1);
            let (chi_squared, p) = (number(&case["chi_squared"]), number(&case["p"]));
            assert!(
                near(found.chi_squared, chi_squared, 1e-9),
                "{found:?}: {chi_squared}"
            );
            assert!(near(found.p, p, 1e-9), "{found:?}: {p}");
        }
    }

    #[test]
    fn what_says_nothing() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[vec![Exact(1.0)]]), None);
        assert_eq!(of(&[vec![Exact(1.0), Exact(2.0)], vec![]]), None);
        assert_eq!(
            of(&[vec![AtLeast(1.0)], vec![AtLeast(2.0)]]),
            None,
            "none ended"
        );
        assert_eq!(
            of(&[vec![Exact(1.0)], vec![Exact(1.0)]]),
            None,
            "all at once"
        );
        let none_left = [vec![Exact(5.0)], vec![Exact(6.0)], vec![AtLeast(1.0)]];
        assert_eq!(of(&none_left).map(|found| found.degrees), Some(1));
        assert_eq!(of(&none_left), of(&none_left[..2]));
    }

    proptest! {
        #[test]
        fn the_order_and_the_unit_do_not_matter_and_equal_groups_do_not_differ(
            times in prop::collection::vec((1_u32..20, any::<bool>(), 0_usize..3), 6..40),
        ) {
            let mut groups = vec![vec![]; 3];
            for (at, ended, group) in times {
                let at = f64::from(at);
                groups[group].push(if ended { Exact(at) } else { AtLeast(at) });
            }
            let turned: Vec<Vec<Observation>> = groups.iter().rev().cloned().collect();
            let longer = |o: &Observation| match *o {
                Exact(at) => Exact(at * at),
                AtLeast(at) => AtLeast(at * at),
            };
            let squared: Vec<Vec<Observation>> = groups.iter().map(|of| of.iter().map(longer).collect()).collect();
            let (found, turned, squared) = (of(&groups), of(&turned), of(&squared));
            prop_assert_eq!(found, squared);
            prop_assert_eq!(found.is_some(), turned.is_some());
            if let (Some(found), Some(turned)) = (found, turned) {
                prop_assert!((found.chi_squared - turned.chi_squared).abs() < 1e-6 * (1.0 + found.chi_squared));
                prop_assert!((0.0..=1.0).contains(&found.p) && found.degrees == turned.degrees);
            }
            if let Some(same) = of(&[groups[0].clone(), groups[0].clone()]) {
                prop_assert!(same.chi_squared < 1e-9 && same.p > 0.999);
            }
        }
    }

    #[test]
    fn equal_groups_are_told_apart_as_rarely_as_the_level_says() {
        let mut rng = fastrand::Rng::with_seed(1);
        let rounds = 2_000;
        let mut found = |times: f64| {
            let found = (0..rounds).filter(|_| {
                let groups = [1.0, times].map(|times| {
                    let at = (0..25).map(|_| times * Draw::Exponential.value(&mut rng));
                    at.map(|at| if at < 2.0 { Exact(at) } else { AtLeast(2.0) })
                        .collect()
                });
                of(&groups).is_some_and(|found| found.p <= 0.05)
            });
            found.count() as f64 / f64::from(rounds)
        };
        let (same, longer) = (found(1.0), found(3.0));
        assert!((0.03..0.07).contains(&same), "{same}");
        assert!(longer > 0.8, "{longer}");
    }
}
