//! [`Asking`]: counts what becomes of a caller that wants a connection.

use crate::{
    clock,
    error::{AcquireStage, Error},
    metrics::{Counter, Metrics, QueryKind, ResultLabel},
};

/// A caller that has no connection yet. Dropped before it is told one way or the other, it has
/// given up.
pub(super) struct Asking<'a> {
    metrics: &'a Metrics,
    /// The query that it is for, if it is for one.
    query: Option<QueryKind>,
    over: bool,
}

impl<'a> Asking<'a> {
    pub(super) fn new(metrics: &'a Metrics, query: Option<QueryKind>) -> Self {
        Self {
            metrics,
            query,
            over: false,
        }
    }

    /// Counts how it ended. A query that got its connection is counted when it is over.
    pub(super) fn ends<T>(mut self, got: &Result<T, Error>) {
        self.over = true;
        let Err(error) = got else {
            return;
        };
        self.metrics.error(error, clock::now());
        let all_in_use = AcquireStage::WaitingForSlot;
        if matches!(error, Error::AcquireTimeout { stage, .. } if *stage == all_in_use) {
            self.metrics.count(Counter::Exhaustions);
        }
        if let Some(kind) = self.query {
            let result = ResultLabel::Failed(error.class());
            self.metrics.query(kind, result, None);
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.metrics.count(Counter::AcquiresGivenUp);
        if let Some(kind) = self.query {
            self.metrics.query(kind, ResultLabel::GivenUp, None);
        }
    }
}
