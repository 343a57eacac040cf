//! [`SyncPlan`]: which Syncs of the statements to come are passed on. Pure.

use std::collections::VecDeque;

use super::Repeats;

/// How a batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BatchEnd {
    /// It ends with a Sync: what comes behind it runs whatever became of the batch.
    Sync,
    /// It ends with a Flush: the server answers as well, and if a statement of the batch
    /// fails it skips all that comes behind, up to the next Sync.
    Flush,
    /// Its last statement is repeated for each of these parameters, and nothing goes out
    /// behind them. They go out in front of the next statement, and a failure among them is
    /// its answer. Only for a statement that returns no rows.
    Repeats(Repeats),
}

/// A batch that was announced: what is done with the Syncs of its statements.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    /// Statements that are still to come, 1 or more.
    statements: usize,
    /// Every so many statements a Flush goes out, so that answers come before the end.
    flush_every: usize,
    /// Statements since the last.
    since_flush: usize,
    end: BatchEnd,
}

/// The batches to come.
#[derive(Debug, Default)]
pub(in crate::wire) struct SyncPlan(VecDeque<Batch>);

/// What becomes of a Sync.
#[derive(Debug)]
pub(super) enum SyncFate {
    Passes,
    /// A Flush goes out in its place.
    Flush,
    Omitted,
    /// It is omitted, and these follow, with a Flush behind every so many.
    Repeated(Repeats, usize),
}

impl SyncPlan {
    /// Announces a batch, behind those that are there.
    pub(in crate::wire) fn push(&mut self, statements: usize, flush_every: usize, end: BatchEnd) {
        if statements > 0 {
            self.0.push_back(Batch {
                statements,
                flush_every: flush_every.max(1),
                since_flush: 0,
                end,
            });
        }
    }

    pub(super) fn next(&mut self) -> SyncFate {
        let Some(batch) = self.0.front_mut() else {
            return SyncFate::Passes;
        };
        batch.statements -= 1;
        batch.since_flush += 1;
        if batch.statements == 0 {
            return match self.0.pop_front() {
                Some(Batch {
                    end: BatchEnd::Repeats(repeats),
                    flush_every,
                    ..
                }) => SyncFate::Repeated(repeats, flush_every),
                Some(Batch {
                    end: BatchEnd::Flush,
                    ..
                }) => SyncFate::Flush,
                _ => SyncFate::Passes,
            };
        }
        if batch.since_flush < batch.flush_every {
            return SyncFate::Omitted;
        }
        batch.since_flush = 0;
        SyncFate::Flush
    }

    /// Whether the next statement will be repeated.
    pub(super) fn repeats_next(&self) -> bool {
        let batch = self.0.front();
        batch
            .is_some_and(|batch| batch.statements == 1 && matches!(batch.end, BatchEnd::Repeats(_)))
    }
}
