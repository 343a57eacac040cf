//! Looking at results while they come in, without more false alarms for it.
//!
//! Who tests after every run and stops at the first p-value below 5 % finds a difference
//! where there is none far more often than that. A plan says before the first run after how
//! many there will be a look, and what level each look may test at: what a spending function
//! allows by then, less what it has allowed by the look before (Lan and DeMets, *Discrete
//! sequential boundaries for clinical trials*, Biometrika 70, 1983).
//!
//! The levels of all looks sum up to the level of the plan, so that the chance of a false
//! alarm at any of them is at most that, whatever the looks have to do with each other and
//! whatever the test is (Boole's inequality). Boundaries from the joint distribution of
//! normal sums would be somewhat less cautious; ranks of few runs are not normal, and this
//! needs nothing.

use super::distribution::{normal_at_least, normal_quantile};

/// How much of the level may be spent by when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// Next to nothing early, nearly all at the end, as by the boundaries of O'Brien and
    /// Fleming: `2 - 2 F(z / sqrt(t))`, where `F(z) = 1 - alpha / 2`. For a difference that
    /// will probably be small.
    OBrienFleming,
    /// Nearly evenly, as by the boundaries of Pocock: `alpha ln(1 + (e - 1) t)`. For one
    /// that shall be found early if it is great.
    Pocock,
}

impl Spending {
    /// What of a level may be spent by a share of all runs, both 0 to 1.
    #[must_use]
    pub fn by(self, share: f64, alpha: f64) -> f64 {
        let (share, alpha) = (share.clamp(0.0, 1.0), alpha.clamp(0.0, 1.0));
        if share == 0.0 || alpha == 0.0 {
            return 0.0;
        }
        match self {
            Self::OBrienFleming => {
                let z = -normal_quantile(alpha / 2.0);
                2.0 * normal_at_least(z / share.sqrt())
            }
            Self::Pocock => alpha * ((std::f64::consts::E - 1.0) * share).ln_1p(),
        }
    }
}

/// After how many runs there is a look, and at what level it tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    alpha: f64,
    /// Runs after each look, in order.
    looks: Vec<usize>,
    spending: Spending,
}

impl Plan {
    /// A plan that spends `alpha`, 0 to 1, over looks after so many runs each. They are
    /// taken in order, one that is named twice or before the first run once or not at all;
    /// the last ends it.
    #[must_use]
    pub fn new(alpha: f64, looks: &[usize], spending: Spending) -> Self {
        let mut looks: Vec<usize> = looks.iter().copied().filter(|runs| *runs > 0).collect();
        looks.sort_unstable();
        looks.dedup();
        Self {
            alpha: alpha.clamp(0.0, 1.0),
            looks,
            spending,
        }
    }

    /// The same without looks at which the test could not find anything, whatever the runs
    /// say: those of which the level is below the least p-value of so many runs. What they
    /// would have spent is left to the look that comes next. The last look stays.
    #[must_use]
    pub fn without_idle(mut self, least_p: impl Fn(usize) -> f64) -> Self {
        let mut kept = Self {
            looks: Vec::new(),
            ..self.clone()
        };
        let last = self.looks.pop();
        for runs in self.looks {
            let level = self.spending.by(kept.share(runs, last), self.alpha) - kept.spent(last);
            if least_p(runs) <= level {
                kept.looks.push(runs);
            }
        }
        kept.looks.extend(last);
        kept
    }

    /// The runs after which there is a look, in order.
    #[must_use]
    pub fn looks(&self) -> &[usize] {
        &self.looks
    }

    /// The look that comes after so many runs, counted from zero. `None` if there is none.
    #[must_use]
    pub fn look_after(&self, runs: usize) -> Option<usize> {
        self.looks.binary_search(&runs).ok()
    }

    /// The level at which look `k` tests, counted from zero: it finds something if its
    /// p-value, on one side, is at most this. Zero if there is no such look.
    #[must_use]
    pub fn alpha_at(&self, k: usize) -> f64 {
        if k >= self.looks.len() {
            return 0.0;
        }
        let before = k.checked_sub(1).map_or(0.0, |before| self.spent_by(before));
        (self.spent_by(k) - before).max(0.0)
    }

    /// What all looks up to look `k` spend, counted from zero.
    #[must_use]
    pub fn spent_by(&self, k: usize) -> f64 {
        match (self.looks.get(k), self.looks.last()) {
            (Some(runs), last) => self
                .spending
                .by(self.share(*runs, last.copied()), self.alpha),
            (None, None) => 0.0,
            (None, Some(_)) => self.alpha,
        }
    }

    fn share(&self, runs: usize, last: Option<usize>) -> f64 {
        last.map_or(0.0, |last| runs as f64 / last as f64)
    }

    /// What the looks so far spend in a plan that ends with `last`.
    fn spent(&self, last: Option<usize>) -> f64 {
        let runs = self.looks.last();
        runs.map_or(0.0, |runs| {
            self.spending.by(self.share(*runs, last), self.alpha)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{
        coverage::Draw,
        ranks::{Alternative::Greater, least_p, mann_whitney},
        reference::{cases, count, number, numbers},
    };
    use Spending::{OBrienFleming, Pocock};
    use proptest::prelude::*;

    const FOUND: &str = include_str!("../../tests/data/spending.json");

    #[test]
    fn as_scipy_finds() {
        for case in cases(FOUND, "plans") {
            let spending = match case["spending"].as_str() {
                Some("pocock") => Pocock,
                _ => OBrienFleming,
            };
            let looks = case["looks"].as_array().expect("looks");
            let looks: Vec<usize> = looks.iter().map(count).collect();
            let plan = Plan::new(number(&case["alpha"]), &looks, spending);
            for (k, expected) in numbers(&case["alpha_at"]).into_iter().enumerate() {
                let found = plan.alpha_at(k);
                assert!(
                    (found - expected).abs() < 1e-12,
                    "look {k}: {found}, {case}"
                );
            }
            for (k, expected) in numbers(&case["spent"]).into_iter().enumerate() {
                let found = plan.spent_by(k);
                assert!(
                    (found - expected).abs() < 1e-12,
                    "look {k}: {found}, {case}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn all_looks_together_spend_the_level(
            looks in prop::collection::vec(0_usize..40, 0..8),
            alpha in 0.001_f64..0.5,
            spending in prop::sample::select(vec![OBrienFleming, Pocock]),
        ) {
            let plan = Plan::new(alpha, &looks, spending);
            prop_assert!(plan.looks().is_sorted() && !plan.looks().contains(&0));
            let levels = |plan: &Plan| -> f64 { (0..60).map(|k| plan.alpha_at(k)).sum() };
            let expected = if plan.looks().is_empty() { 0.0 } else { alpha };
            prop_assert!((levels(&plan) - expected).abs() < 1e-12);
            let busy = plan.clone().without_idle(least_p);
            prop_assert!((levels(&busy) - expected).abs() < 1e-12);
            prop_assert_eq!(busy.looks().last(), plan.looks().last());
            // Only the last look may be one that can find nothing.
            for (k, runs) in busy.looks().iter().enumerate() {
                let last = k + 1 == busy.looks().len();
                prop_assert!(last || least_p(*runs) <= busy.alpha_at(k) + 1e-15);
                prop_assert!(plan.looks().contains(runs));
            }
        }
    }

    #[test]
    fn looks_that_can_find_nothing_leave_their_level_to_the_next() {
        // Of three runs a side the least p-value is 0.05, of five 0.004.
        let plan = Plan::new(0.05, &[3, 5, 10], Pocock);
        let busy = plan.clone().without_idle(least_p);
        assert_eq!(busy.looks(), [5, 10]);
        let both = plan.alpha_at(0) + plan.alpha_at(1);
        assert!((busy.alpha_at(0) - both).abs() < 1e-15);
        assert_eq!(busy.look_after(10), Some(1));
        assert_eq!((busy.look_after(3), busy.look_after(6)), (None, None));
        let few = Plan::new(0.01, &[2, 3], OBrienFleming).without_idle(least_p);
        assert_eq!(few.looks(), [3], "which is the end");
    }

    #[test]
    fn without_looks_nothing_is_spent() {
        let plan = Plan::new(0.05, &[0], Pocock);
        assert_eq!((plan.alpha_at(0), plan.spent_by(0)), (0.0, 0.0));
        assert_eq!(plan.clone().without_idle(least_p), plan);
        assert_eq!(Plan::new(0.05, &[9, 9], Pocock).alpha_at(0), 0.05);
        assert_eq!(Plan::new(0.05, &[9, 4, 9], Pocock).looks(), [4, 9]);
    }

    /// How often something is found where there is nothing: by the plan, and by who tests at
    /// the whole level each time.
    #[test]
    fn a_plan_rarely_finds_what_is_not_there() {
        let mut rng = fastrand::Rng::with_seed(8);
        let alpha = 0.1;
        let rounds = 2_000;
        for spending in [OBrienFleming, Pocock] {
            let plan = Plan::new(alpha, &[4, 6, 8, 10, 12], spending);
            let (mut by_plan, mut naive) = (0, 0);
            for _ in 0..rounds {
                let mut draw = || (0..12).map(|_| Draw::LogNormal.value(&mut rng)).collect();
                let (a, b): (Vec<f64>, Vec<f64>) = (draw(), draw());
                let p = plan
                    .looks()
                    .iter()
                    .map(|n| mann_whitney(&a[..*n], &b[..*n], Greater));
                let p: Vec<f64> = p.collect();
                by_plan += u32::from(p.iter().enumerate().any(|(k, p)| *p <= plan.alpha_at(k)));
                naive += u32::from(p.iter().any(|p| *p <= alpha));
            }
            let error = 3.0 * (alpha * (1.0 - alpha) / f64::from(rounds)).sqrt();
            let share = |of: u32| f64::from(of) / f64::from(rounds);
            assert!(share(by_plan) <= alpha + error, "{}", share(by_plan));
            assert!(share(by_plan) > alpha / 5.0, "{}", share(by_plan));
            assert!(share(naive) > alpha + error, "{}", share(naive));
        }
    }
}
