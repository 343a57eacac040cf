//! Does after a failure what `settle` decides.

use std::{collections::VecDeque, sync::Arc};

use tokio_postgres::Row;

use super::{
    super::{
        batch::Chunk,
        flight::{Grouping, Unit, Work},
        outcome::Outcome,
        settle::{FailedAt, Failure, FailurePolicy, Step, settle},
    },
    Carrier, Lane, Todo,
    answers::Details,
};
use crate::{
    clock,
    error::{Error, ErrorClass},
};

impl Lane {
    /// Decides what becomes of units of which the first has failed, once all are answered;
    /// the server has skipped those behind it.
    pub(super) async fn failed(
        &mut self,
        carrier: &mut Carrier,
        units: VecDeque<Unit>,
        todo: &mut VecDeque<Todo>,
    ) {
        let mut units = units.into_iter();
        let Some(mut unit) = units.next() else {
            return;
        };
        let Some((at, error)) = unit.error.take() else {
            return;
        };
        carrier.failed(&error, unit.began);
        let now = clock::now();
        carrier.timed(unit.work.range.clone(), &unit.work.chunk, unit.began, now);
        for later in units.rev() {
            // The server skipped it.
            let Work { range, chunk, .. } = &later.work;
            carrier.timed(range.clone(), chunk, later.began, now);
            todo.push_front(Todo::Run(later.work));
        }
        let tries = unit.work.tries;
        let answers = if unit.readable {
            unit.answers
        } else {
            Vec::new()
        };
        if self.settled(unit.work, at, &error, answers, todo) {
            self.back_off(tries).await;
        }
    }

    /// Puts in front what is to be done after a failure. True if that is the same once
    /// more, after a while.
    pub(super) fn settled(
        &mut self,
        work: Work,
        at: FailedAt,
        error: &Arc<Error>,
        answers: Vec<(Vec<Row>, u64)>,
        todo: &mut VecDeque<Todo>,
    ) -> bool {
        if work.grouping == Grouping::Coalesced {
            // Which of the rows it was, only they can say.
            todo.push_front(Todo::Run(Work {
                grouping: Grouping::Together,
                ..work
            }));
            return false;
        }
        let lost_race = error.class() == ErrorClass::Conflict;
        let failure = Failure {
            at,
            may_retry: (lost_race || error.is_stale_statement())
                && work.tries < self.settings.retries,
            alone_only: error.sqlstate().is_some_and(|s| s.code() == "25001"),
        };
        let failures = work.failures + 1;
        let steps = settle(self.policy(), &work.range, failure, failures);
        if self.policy() == FailurePolicy::SkipRest
            && steps.iter().any(|s| matches!(s, Step::Failed(_)))
        {
            self.skip_rest(&work.chunk, error, todo);
        }
        let next = Work {
            tries: work.tries + u32::from(failure.may_retry),
            failures,
            ..work
        };
        self.take_steps(&next, steps, error, answers, todo);
        lost_race && failure.may_retry
    }

    /// Gives results where a step holds answers, and puts what is to be done in front.
    fn take_steps(
        &mut self,
        work: &Work,
        steps: Vec<Step>,
        error: &Arc<Error>,
        answers: Vec<(Vec<Row>, u64)>,
        todo: &mut VecDeque<Todo>,
    ) {
        let part = |range, grouping| Work {
            range,
            grouping,
            ..work.clone()
        };
        let conclude = |range, outcome| Todo::Conclude(part(range, work.grouping), outcome);
        let mut answers = answers.into_iter();
        let mut front = Vec::new();
        for step in steps {
            front.push(match step {
                Step::Done(range) if answers.len() >= range.len() => {
                    for (i, (rows, affected)) in range.zip(answers.by_ref()) {
                        let now = clock::now();
                        self.result(work, i, Outcome::Ok, Details::all(rows, affected), now);
                    }
                    continue;
                }
                // Where the failure came before anything was sent, they were not run.
                Step::Done(range) | Step::Together(range) => {
                    Todo::Run(part(range, Grouping::Together))
                }
                Step::Alone(range) => Todo::Run(part(range, Grouping::Each)),
                Step::Failed(k) => conclude(k..k + 1, refused(error)),
                Step::RolledBack(range) => conclude(
                    range,
                    Outcome::RolledBack {
                        cause: error.clone(),
                    },
                ),
                Step::Skipped(range) => conclude(
                    range,
                    Outcome::Skipped {
                        cause: error.clone(),
                    },
                ),
            });
        }
        let empty = |what: &Todo| match what {
            Todo::Run(work) | Todo::Conclude(work, _) => work.range.is_empty(),
        };
        for what in front.into_iter().rev().filter(|what| !empty(what)) {
            todo.push_front(what);
        }
    }

    /// Decides what becomes of work of which a query cannot be prepared. Nothing of it is
    /// under route.
    ///
    /// # Errors
    /// If that is the connection's fault, which was told the breaker.
    pub(super) fn unprepared(
        &mut self,
        mut work: Work,
        at: FailedAt,
        error: Arc<Error>,
        todo: &mut VecDeque<Todo>,
    ) -> Result<(), Arc<Error>> {
        let gone = matches!(
            error.class(),
            ErrorClass::Network | ErrorClass::Timeout | ErrorClass::Unavailable
        ) || matches!(*error, Error::Unusable);
        let known = match at {
            FailedAt::Query(i) => work.chunk.entries[i].shape.is_ok(),
            FailedAt::Transaction => true,
        };
        if gone && known {
            if work.tries < self.settings.retries {
                work.tries += 1;
                todo.push_front(Todo::Run(work));
            } else {
                self.conclude(&work, &Outcome::NotSent(error.clone()));
            }
            return Err(error);
        }
        match (at, work.grouping) {
            (FailedAt::Query(i), Grouping::Each) => {
                let part = |range| Work {
                    range,
                    ..work.clone()
                };
                if self.policy() == FailurePolicy::SkipRest {
                    self.skip_rest(&work.chunk, &error, todo);
                }
                todo.push_front(Todo::Run(part(i + 1..work.range.end)));
                todo.push_front(Todo::Conclude(part(i..i + 1), refused(&error)));
                todo.push_front(Todo::Run(part(work.range.start..i)));
                todo.retain(|what| match what {
                    Todo::Run(work) | Todo::Conclude(work, _) => !work.range.is_empty(),
                });
            }
            (FailedAt::Transaction, _) => self.conclude(&work, &refused(&error)),
            (FailedAt::Query(_), _) => {
                if !known && self.policy() == FailurePolicy::UndoAll && !is_refusal(&error) {
                    self.conclude(&work, &Outcome::NotSent(error));
                } else {
                    self.settled(work, at, &error, Vec::new(), todo);
                }
            }
        }
        Ok(())
    }

    /// Marks what is left of a batch as skipped.
    pub(super) fn skip_rest(
        &self,
        chunk: &Arc<Chunk>,
        error: &Arc<Error>,
        todo: &mut VecDeque<Todo>,
    ) {
        for what in todo.iter_mut() {
            let (Todo::Run(work) | Todo::Conclude(work, _)) = what;
            if Arc::ptr_eq(&work.chunk, chunk) {
                let cause = error.clone();
                *what = Todo::Conclude(work.clone(), Outcome::Skipped { cause });
            }
        }
    }
}

/// Whether an error is about the query, not about the server or the way to it.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Statement(_) => !matches!(
            error.class(),
            ErrorClass::Network | ErrorClass::Timeout | ErrorClass::Unavailable
        ),
        Error::Parameter { .. } | Error::Parameters { .. } | Error::PipelineRefused { .. } => true,
        _ => false,
    }
}

/// The outcome of a query that failed with this error and did not run.
fn refused(error: &Arc<Error>) -> Outcome {
    if is_refusal(error) || error.sqlstate().is_some() {
        Outcome::Failed(error.clone())
    } else {
        Outcome::NotSent(error.clone())
    }
}
