//! [`settle`]: decides what is done after a transaction of several queries has failed. Pure.
//!
//! Everything in it was rolled back, and the server skipped what was behind it. What
//! has to come out is what would have come out one query at a time:
//!
//! - the queries before the one that failed are done again, in a transaction of their
//!   own: they did not fail before;
//! - the one that failed is run alone, if the others matter to it: on its own it may
//!   not fail (it cannot run in a transaction block, say), and its error is then the one
//!   that it would have had;
//! - what is behind it follows, in a transaction.
//!
//! If it was the commit that failed, nobody says for which query: the transaction is
//! done again in halves, down to one. And where query after query fails, transactions
//! only cost: from [`ALONE_AFTER`] failures on, the rest goes one by one.

use std::ops::Range;

/// From this many failures in one batch on its queries are no longer grouped. A failure
/// costs some three round trips, as much as a few dozen queries of their own.
pub(super) const ALONE_AFTER: u32 = 8;

/// The part of a transaction that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailedAt {
    /// A query.
    Query(usize),
    /// The commit, or the beginning.
    Transaction,
}

/// What is known of the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) at: FailedAt,
    /// The transaction lost against another one, and may be tried again.
    pub(super) may_retry: bool,
    /// It cannot run in a transaction block (25001).
    pub(super) alone_only: bool,
}

/// What a failed query means for the others of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailurePolicy {
    /// Nothing.
    Independent,
    /// Nothing, and those before it are not undone: they only read.
    IndependentReads,
    /// Those behind it are skipped.
    SkipRest,
    /// None of them is done.
    UndoAll,
}

/// What becomes of some queries of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// They are done: what the server answered holds.
    Done(Range<usize>),
    /// They go again, in a transaction.
    Together(Range<usize>),
    /// They go again, each on its own.
    Alone(Range<usize>),
    /// The error is this one's.
    Failed(usize),
    /// They were rolled back, and stay so.
    RolledBack(Range<usize>),
    /// They are not run.
    Skipped(Range<usize>),
}

/// Returns what is to be done, in order. Empty ranges may be among it.
pub(super) fn settle(
    policy: FailurePolicy,
    all: &Range<usize>,
    failure: Failure,
    failures: u32,
) -> Vec<Step> {
    let Range { start, end } = *all;
    if failure.may_retry {
        return vec![Step::Together(all.clone())];
    }
    match (policy, failure.at) {
        (FailurePolicy::UndoAll, FailedAt::Query(k)) => vec![
            Step::RolledBack(start..k),
            Step::Failed(k),
            Step::RolledBack(k + 1..end),
        ],
        (FailurePolicy::UndoAll, FailedAt::Transaction) => vec![Step::RolledBack(all.clone())],
        (FailurePolicy::IndependentReads, FailedAt::Query(k)) => {
            vec![
                Step::Done(start..k),
                Step::Failed(k),
                Step::Together(k + 1..end),
            ]
        }
        (FailurePolicy::SkipRest, FailedAt::Query(k)) if !failure.alone_only => vec![
            Step::Together(start..k),
            Step::Failed(k),
            Step::Skipped(k + 1..end),
        ],
        (_, FailedAt::Query(k))
            if failures >= ALONE_AFTER && policy == FailurePolicy::Independent =>
        {
            vec![Step::Together(start..k), Step::Alone(k..end)]
        }
        (_, FailedAt::Query(k)) => vec![
            Step::Together(start..k),
            Step::Alone(k..k + 1),
            Step::Together(k + 1..end),
        ],
        (_, FailedAt::Transaction) if all.len() <= 1 => vec![Step::Failed(start)],
        (_, FailedAt::Transaction) => {
            let middle = start + all.len() / 2;
            vec![Step::Together(start..middle), Step::Together(middle..end)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Failure = Failure {
        at: FailedAt::Query(2),
        may_retry: false,
        alone_only: false,
    };

    #[test]
    fn by_strategy() {
        use Step::{Alone, Done, Failed, RolledBack, Skipped, Together};
        for (policy, steps) in [
            (
                FailurePolicy::Independent,
                vec![Together(0..2), Alone(2..3), Together(3..5)],
            ),
            (
                FailurePolicy::IndependentReads,
                vec![Done(0..2), Failed(2), Together(3..5)],
            ),
            (
                FailurePolicy::SkipRest,
                vec![Together(0..2), Failed(2), Skipped(3..5)],
            ),
            (
                FailurePolicy::UndoAll,
                vec![RolledBack(0..2), Failed(2), RolledBack(3..5)],
            ),
        ] {
            assert_eq!(settle(policy, &(0..5), PLAIN, 1), steps, "{policy:?}");
            let again = Failure {
                may_retry: true,
                ..PLAIN
            };
            assert_eq!(settle(policy, &(0..5), again, 1), [Together(0..5)]);
        }
        let many = settle(FailurePolicy::Independent, &(0..5), PLAIN, ALONE_AFTER);
        assert_eq!(many, [Together(0..2), Alone(2..5)]);
        let alone_only = Failure {
            alone_only: true,
            ..PLAIN
        };
        let goes_on = settle(FailurePolicy::SkipRest, &(0..5), alone_only, 1);
        assert_eq!(goes_on, [Together(0..2), Alone(2..3), Together(3..5)]);
    }

    #[test]
    fn a_commit_that_fails_is_halved_down_to_one() {
        let commit = Failure {
            at: FailedAt::Transaction,
            ..PLAIN
        };
        let settled = |all| settle(FailurePolicy::Independent, &all, commit, 1);
        assert_eq!(settled(4..9), [Step::Together(4..6), Step::Together(6..9)]);
        assert_eq!(settled(4..5), [Step::Failed(4)]);
        let undone = settle(FailurePolicy::UndoAll, &(4..9), commit, 1);
        assert_eq!(undone, [Step::RolledBack(4..9)]);
    }

    /// Every query is in exactly one step, in order.
    #[test]
    fn none_is_forgotten() {
        for policy in [
            FailurePolicy::Independent,
            FailurePolicy::IndependentReads,
            FailurePolicy::SkipRest,
            FailurePolicy::UndoAll,
        ] {
            for n in 1..6 {
                for at in (3..3 + n)
                    .map(FailedAt::Query)
                    .chain([FailedAt::Transaction])
                {
                    for bits in 0..4 {
                        let failure = Failure {
                            at,
                            may_retry: bits & 1 > 0,
                            alone_only: bits & 2 > 0,
                        };
                        for failures in [1, ALONE_AFTER] {
                            let steps = settle(policy, &(3..3 + n), failure, failures);
                            let covered: Vec<usize> = steps
                                .into_iter()
                                .flat_map(|step| match step {
                                    Step::Failed(k) => k..k + 1,
                                    Step::Done(r)
                                    | Step::Together(r)
                                    | Step::Alone(r)
                                    | Step::RolledBack(r)
                                    | Step::Skipped(r) => r,
                                })
                                .collect();
                            assert_eq!(covered, (3..3 + n).collect::<Vec<_>>());
                        }
                    }
                }
            }
        }
    }
}
