//! Turns answers into results.

use std::{collections::VecDeque, sync::Arc};

use tokio_postgres::Row;

use super::{
    super::{
        flight::{Answer, Grouping, Part, Purpose, Unit, WireStatement, Work},
        outcome::{Outcome, QueryResult, weight},
        settings::BatchSize,
        settle::{FailedAt, FailurePolicy},
    },
    Carrier, Lane, Todo,
};
use crate::{
    clock::{self, Instant},
    error::Error,
    metrics::Counter,
};

/// The most results that are kept before they are handed over.
const OUTBOX: usize = 256;
/// The most bytes of them.
const OUTBOX_BYTES: usize = 64 * 1024;

/// What is known of a query beside its outcome.
#[derive(Default)]
pub(super) struct Details {
    rows: Option<Vec<Row>>,
    affected: Option<u64>,
}

impl Details {
    pub(super) fn all(rows: Vec<Row>, affected: u64) -> Self {
        Self {
            rows: Some(rows),
            affected: Some(affected),
        }
    }

    fn unreadable(affected: u64) -> Self {
        Self {
            rows: None,
            affected: Some(affected),
        }
    }
}

impl Lane {
    /// Ends a unit that is through.
    pub(super) fn complete(&mut self, carrier: &mut Carrier, unit: Unit) {
        let now = clock::now();
        let n = unit.work.range.len();
        if n == 0 {
            // Only a Sync.
            return;
        }
        let statements = u32::try_from(unit.statements).unwrap_or(u32::MAX);
        let took = (now - unit.began) / statements.max(1);
        self.mean = if self.mean.is_zero() {
            took
        } else {
            (self.mean * 7 + took) / 8
        };
        self.window.answered(n, unit.began, now);
        self.pace();
        let metrics = self.pool.metrics();
        metrics.count(Counter::PipelineBatches);
        metrics.batch(n);
        if unit.work.grouping == Grouping::Each {
            return;
        }
        let work = &unit.work;
        carrier.succeeded(work.range.clone(), &work.chunk, unit.began, now);
        if carrier.has_rolled_back() || planted!(PipelineCommittedIsRolledBack, one in 10) {
            // Never seen, and not to be taken for done.
            let cause = Arc::new(Error::RolledBack);
            self.conclude(&unit.work, &Outcome::RolledBack { cause });
        } else if unit.is_complete() {
            self.committed(unit, now);
        } else {
            // Never seen, and not to be taken for done.
            tracing::error!("a transaction was committed before its statements were answered");
            self.conclude(
                &unit.work,
                &Outcome::Unknown(Arc::new(Error::AnswersMissing)),
            );
        }
    }

    /// Paces the queue: lets as much be added as can be under way, and a little more: so
    /// there is always something to send, and nothing that waits for long.
    pub(super) fn pace(&self) {
        let whole = matches!(
            self.policy(),
            FailurePolicy::SkipRest | FailurePolicy::UndoAll
        );
        if self.settings.batch_size == BatchSize::Auto && !whole {
            let limit = self.window.limit();
            let (chunk, waiting) = if self.settings.grouped() {
                // Transactions of half of it: one that the server works on, and one on its
                // route.
                (limit / 2, limit / 4)
            } else {
                (self.window.burst(), self.window.burst())
            };
            let lanes = self.queue.lanes();
            self.queue.pace(chunk, lanes * (limit + waiting));
        }
    }

    /// Gives the queries of a committed unit their answers.
    pub(super) fn committed(&mut self, unit: Unit, now: Instant) {
        let answers = planted!(PipelineMixesAnswers, unit.answers =>
            unit.answers.into_iter().rev().collect());
        let mut answers = answers.into_iter();
        for Part { queries, merged } in unit.parts {
            // A row each, unless a trigger or a rule had it otherwise: of which query,
            // nobody knows then.
            let one_each = merged && {
                let rows = answers.next().map(|(_, rows)| rows);
                rows == u64::try_from(queries.len()).ok()
            };
            for i in queries {
                let answer = match (merged, one_each) {
                    (true, true) => Some((Vec::new(), 1)),
                    (true, false) => None,
                    (false, _) => answers.next(),
                };
                let answer = match answer {
                    Some((rows, affected)) if unit.readable => Details::all(rows, affected),
                    Some((_, affected)) => Details::unreadable(affected),
                    None => Details::default(),
                };
                self.result(&unit.work, i, Outcome::Ok, answer, now);
            }
        }
    }

    /// Takes the answer to a query of its own.
    pub(super) fn answered_each(
        &mut self,
        carrier: &mut Carrier,
        unit: &mut Unit,
        answer: Answer,
        todo: &mut VecDeque<Todo>,
    ) {
        let i = unit.work.range.start + unit.answered() - 1;
        match answer {
            Ok((rows, affected)) => {
                let now = clock::now();
                carrier.succeeded(i..i + 1, &unit.work.chunk, unit.began, now);
                let details = match carrier.doubts_rows() {
                    false => Details::all(rows, affected),
                    true => Details::unreadable(affected),
                };
                let work = unit.work.clone();
                self.result(&work, i, Outcome::Ok, details, now);
            }
            Err(error) => {
                let error = Error::Statement(error);
                let alone = unit.on_wire.len() == 1;
                carrier.failed(&error, unit.began);
                carrier.timed(i..i + 1, &unit.work.chunk, unit.began, clock::now());
                if alone && error.is_stale_statement() && unit.work.tries < self.settings.retries {
                    // Prepared for a table that has changed, or deallocated: that is our
                    // cache's fault, and nothing has run behind it.
                    let mut again = unit.work.clone();
                    again.tries += 1;
                    todo.push_front(Todo::Run(again));
                    return;
                }
                let error = Arc::new(error);
                let work = unit.work.clone();
                if self.policy() == FailurePolicy::SkipRest {
                    self.skip_rest(&work.chunk, &error, todo);
                }
                self.result(
                    &work,
                    i,
                    Outcome::Failed(error),
                    Details::default(),
                    clock::now(),
                );
            }
        }
    }

    /// Gives all queries of some work the same outcome.
    pub(super) fn conclude(&mut self, work: &Work, outcome: &Outcome) {
        let now = clock::now();
        if let (FailurePolicy::SkipRest, Outcome::NotSent(error) | Outcome::Unknown(error)) =
            (self.policy(), outcome)
        {
            self.stopped = Some((work.chunk.clone(), error.clone()));
        }
        let outcome = match outcome {
            Outcome::NotSent(error)
            | Outcome::RolledBack { cause: error }
            | Outcome::Skipped { cause: error }
                if work.in_doubt =>
            {
                // Not this time. Before, it may have been done.
                Outcome::Unknown(error.clone())
            }
            Outcome::RolledBack { .. } if planted!(PipelineRolledBackIsOk) => Outcome::Ok,
            Outcome::Unknown(_) if planted!(PipelineLostIsOk) => Outcome::Ok,
            Outcome::Unknown(error) if planted!(PipelineLostIsNotSent) => {
                Outcome::NotSent(error.clone())
            }
            outcome => outcome.clone(),
        };
        for i in work.range.clone() {
            self.result(work, i, outcome.clone(), Details::default(), now);
        }
    }

    pub(super) fn result(
        &mut self,
        work: &Work,
        i: usize,
        outcome: Outcome,
        Details { rows, affected }: Details,
        now: Instant,
    ) {
        let (kind, metrics) = (work.chunk.kind(i), self.pool.metrics());
        metrics.pipelined(kind, outcome.result(), outcome.label());
        let added = work.chunk.entries[i].added;
        let bytes = rows.as_deref().map_or(0, weight);
        self.answer_bytes = (self.answer_bytes * 7 + bytes) / 8;
        self.outbox_bytes += bytes;
        self.outbox.push(QueryResult {
            index: work.chunk.number(i),
            outcome,
            rows,
            affected,
            bytes,
            time: now.saturating_duration_since(added),
        });
        if self.outbox.len() >= OUTBOX || self.outbox_bytes >= OUTBOX_BYTES {
            self.hand_over();
        }
    }

    pub(super) fn hand_over(&mut self) {
        if !self.outbox.is_empty() {
            self.outbox_bytes = 0;
            self.queue.deliver(self.outbox.drain(..));
        }
    }
}

/// Takes the answer to a statement of a transaction.
pub(super) fn answered(carrier: &mut Carrier, unit: &mut Unit, answer: Answer) {
    let WireStatement { purpose, repeats } = unit.on_wire[unit.answered() - 1];
    let repeated = carrier.repeated(repeats);
    unit.readable &= !carrier.doubts_rows();
    if unit.error.is_some() {
        return;
    }
    let all = repeated.len() == repeats;
    let rows = |affected| (Vec::new(), affected);
    unit.answers.extend(repeated.into_iter().map(rows));
    match (purpose, answer) {
        (Purpose::Xid, Ok((rows, _))) => {
            unit.xid = rows.first().and_then(|row| row.try_get(0).ok());
        }
        (Purpose::Query, Ok(answer)) => unit.answers.push(answer),
        (_, Ok(_)) => {}
        (purpose, Err(error)) => {
            let of_query = purpose == Purpose::Query || !all;
            let at = unit.next_query().filter(|_| of_query);
            let at = at.map_or(FailedAt::Transaction, FailedAt::Query);
            unit.error = Some((at, Arc::new(Error::Statement(error))));
        }
    }
}
