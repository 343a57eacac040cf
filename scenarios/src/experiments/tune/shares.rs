//! How the time is split among the parts. Pure.

use std::time::Duration;

use reports::experiments::tune::Part;

/// What the end of a run takes whatever its budget, and as a part of it: tables and the server
/// are taken down, and what was measured is written.
const END: Duration = Duration::from_secs(5);
const END_PART: u32 = 50;

/// So much of a budget is kept for the end.
pub(super) fn kept_for_end(budget: Duration) -> Duration {
    END + budget / END_PART
}

/// What the time is split for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Whether there are batches to be measured.
    pub(super) batches: bool,
    /// What the whole run may take.
    pub(super) budget: Duration,
    /// What all planned outages take at the most, as far as is known before.
    pub(super) outages: Duration,
}

impl Shares {
    /// What a part may take of the time that is left for it and for those behind it.
    pub(super) fn of(self, part: Part, left: Duration) -> Duration {
        if part == Part::Breaker {
            return left;
        }
        let behind = Part::ALL.into_iter().filter(|of| *of >= part);
        let all: u32 = behind.clone().map(|of| self.weight(of)).sum();
        let outages = self.weight(Part::Breaker);
        // There are as many outages as were planned, and more time is no use to them.
        let outages = (left * outages / all.max(1)).min(self.outages);
        let others = behind.filter(|of| *of != Part::Breaker);
        let others: u32 = others.map(|of| self.weight(of)).sum();
        left.saturating_sub(outages) * self.weight(part) / others.max(1)
    }

    /// Outages cannot be hurried: of a small budget most is theirs.
    fn weight(self, part: Part) -> u32 {
        let small = self.budget < Duration::from_secs(150);
        match part {
            Part::PoolSize => 20,
            Part::BatchSizes | Part::BatchSizesAgain if !self.batches => 0,
            Part::BatchSizes => 22,
            Part::BatchSizesAgain => 22,
            Part::Breaker if small => 56,
            Part::Breaker => 36,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(batches: bool, s: u64) -> Vec<Duration> {
        let budget = Duration::from_secs(s);
        let outages = Duration::from_secs(55);
        let shares = Shares {
            batches,
            budget,
            outages,
        };
        let mut left = budget.saturating_sub(kept_for_end(budget));
        let each = Part::ALL.map(|part| {
            let share = shares.of(part, left);
            left -= share;
            share
        });
        each.into()
    }

    #[test]
    fn no_more_is_given_than_there_is_and_every_part_has_its_share() {
        for s in [60, 75, 180, 600, 1_800, 86_400] {
            let each = split(true, s);
            let all: Duration = each.iter().sum();
            let budget = Duration::from_secs(s);
            assert!(all + kept_for_end(budget) <= budget, "{each:?}");
            assert!(all + kept_for_end(budget) * 2 > budget, "{each:?}");
            let (last, others) = each.split_last().expect("four parts");
            assert!(others.iter().all(|of| *of * 8 > all), "{each:?}");
            let outages = Duration::from_secs(55);
            assert!(*last * 3 >= all.min(outages * 3), "{each:?}");
        }
    }

    #[test]
    fn what_is_not_measured_leaves_its_time_to_the_others() {
        let [pool, coarse, refined, breaker] = split(false, 180)[..] else {
            panic!("four parts");
        };
        assert!(coarse.is_zero() && refined.is_zero());
        assert!(pool > split(true, 180)[0] && breaker >= split(true, 180)[3]);
    }

    /// What a part leaves is for those behind it.
    #[test]
    fn a_part_that_ends_early_leaves_its_time() {
        let budget = Duration::from_secs(180);
        let outages = Duration::from_secs(55);
        let shares = Shares {
            batches: true,
            budget,
            outages,
        };
        let (few, many) = (Duration::from_secs(80), Duration::from_secs(120));
        for part in Part::ALL {
            assert!(shares.of(part, many) > shares.of(part, few));
        }
    }
}
