//! [`Outcome`] and [`QueryResult`]: what became of a query.

use std::{sync::Arc, time::Duration};

use tokio_postgres::Row;

use crate::{
    error::Error,
    metrics::{OutcomeLabel, ResultLabel},
};

/// What became of a query, as far as can be known.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The query ran, and what it did is committed.
    Ok,
    /// The server refused the query, or a parameter could not be encoded. It changed
    /// nothing.
    Failed(Arc<Error>),
    /// The transaction of the query was rolled back, or not begun because another query of
    /// it could not be sent.
    RolledBack {
        /// What failed: another query, or the commit.
        cause: Arc<Error>,
    },
    /// The query was not run, because one before it failed.
    Skipped {
        /// What failed.
        cause: Arc<Error>,
    },
    /// The query changed nothing: it did not leave, or its transaction was not committed.
    NotSent(Arc<Error>),
    /// The query left, and the answer did not come: it may have been done.
    Unknown(Arc<Error>),
}

impl Outcome {
    /// The label of the outcome in metrics.
    #[must_use]
    pub fn label(&self) -> OutcomeLabel {
        match self {
            Self::Ok => OutcomeLabel::Ok,
            Self::Failed(_) => OutcomeLabel::Failed,
            Self::RolledBack { .. } => OutcomeLabel::RolledBack,
            Self::Skipped { .. } => OutcomeLabel::Skipped,
            Self::NotSent(_) => OutcomeLabel::NotSent,
            Self::Unknown(_) => OutcomeLabel::Unknown,
        }
    }

    /// The result of the query, as a label in metrics.
    pub(super) fn result(&self) -> ResultLabel {
        match self {
            Self::Ok => ResultLabel::Ok,
            Self::RolledBack { .. } => ResultLabel::RolledBack,
            Self::Skipped { .. } => ResultLabel::Skipped,
            Self::Failed(error) | Self::NotSent(error) | Self::Unknown(error) => {
                ResultLabel::Failed(error.class())
            }
        }
    }

    /// The name of that label.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.label().name()
    }
}

/// The result of one query.
#[derive(Debug)]
pub struct QueryResult {
    pub(super) index: u64,
    pub(super) outcome: Outcome,
    /// What the server answered, if that is known.
    pub(super) rows: Option<Vec<Row>>,
    pub(super) affected: Option<u64>,
    /// How much the rows weigh.
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

impl QueryResult {
    /// The number of the query among all queries of the pipeline, from 0 on, in the order
    /// they were added.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What became of the query.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Whether the query is done.
    #[must_use]
    pub fn success(&self) -> bool {
        matches!(self.outcome, Outcome::Ok)
    }

    /// The rows that the query returned. `None` unless it is done, and where they are not
    /// known: the answer was lost with the connection, and only the transaction's status said
    /// that it is committed; or its columns are others than when it was described.
    #[must_use]
    pub fn rows(&self) -> Option<&[Row]> {
        self.rows.as_deref()
    }

    /// The rows that the query returned, if [known](Self::rows).
    #[must_use]
    pub fn into_rows(self) -> Option<Vec<Row>> {
        self.rows
    }

    /// How many rows the query inserted, changed, removed or returned. `None` unless it is
    /// done, and where that is not known: as of [rows](Self::rows), and of an insert that went
    /// out together with others, if a trigger or a rule had it otherwise than a row each.
    #[must_use]
    pub fn rows_affected(&self) -> Option<u64> {
        self.affected
    }

    /// Why the query is not done.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.outcome {
            Outcome::Ok => None,
            Outcome::Failed(error) | Outcome::NotSent(error) | Outcome::Unknown(error) => {
                Some(error)
            }
            Outcome::RolledBack { cause } | Outcome::Skipped { cause } => Some(cause),
        }
    }

    /// The time from adding the query until its outcome was known.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }
}

/// How many bytes rows take, as far as that can be said.
pub(super) fn weight(rows: &[Row]) -> usize {
    let row = |row: &Row| size_of::<Row>() + row.raw_size_bytes();
    rows.iter().map(row).sum()
}
