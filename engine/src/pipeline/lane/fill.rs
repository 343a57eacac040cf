//! Decides how much of the work is sent now, and sends it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    super::{
        flight::{Grouping, Unit, Work},
        outcome::Outcome,
        queue::Next,
        settings::BatchSize,
        settle::FailurePolicy,
    },
    Carrier, Lane, Todo,
    answers::Details,
};
use crate::{clock, error::Error};

/// How long a transaction runs until a Flush asks the server for the answers so far: a sign
/// of life well within any deadline.
const SIGN_OF_LIFE: Duration = Duration::from_millis(50);

impl Lane {
    /// Sends as much as may be under route.
    ///
    /// # Errors
    /// If the connection cannot be used any more; the breaker was told.
    pub(super) async fn fill(
        &mut self,
        carrier: &mut Carrier,
        todo: &mut VecDeque<Todo>,
        units: &mut VecDeque<Unit>,
    ) -> Result<(), Arc<Error>> {
        if self.pool.breaker().refuses() {
            return Ok(());
        }
        while let Some(work) = self.next_work(carrier, todo, units) {
            let prepared = match carrier.prepare(&self.pool, &work, &self.settings).await {
                Ok(prepared) => prepared,
                Err((at, error)) => {
                    self.unprepared(work, at, error, todo)?;
                    continue;
                }
            };
            // Behind a flush the caller waits; else there will be more before the answer.
            let last =
                todo.is_empty() && work.chunk.is_last() && work.range.end == work.chunk.len();
            let whole = matches!(
                self.policy(),
                FailurePolicy::SkipRest | FailurePolicy::UndoAll
            );
            let (synced, flush_every) = (whole || last, self.flush_every());
            let timeout = self.pool.config().statement_timeout;
            let (unit, left) = carrier
                .launch(work, prepared, synced, flush_every, timeout)
                .await;
            let began = unit.began;
            units.push_back(unit);
            let under_way = units.iter().map(Unit::under_way).sum();
            self.window.under_way(under_way, clock::now());
            left.map_err(|error| {
                carrier.failed(&error, began);
                Arc::new(error)
            })?;
        }
        Ok(())
    }

    /// Takes the work that may be sent now, cut to size, and gives outcomes that are due.
    fn next_work(
        &mut self,
        carrier: &mut Carrier,
        todo: &mut VecDeque<Todo>,
        units: &VecDeque<Unit>,
    ) -> Option<Work> {
        loop {
            let mut work = match todo.pop_front() {
                Some(Todo::Conclude(work, outcome)) if units.is_empty() => {
                    self.conclude(&work, &outcome);
                    continue;
                }
                Some(conclusion @ Todo::Conclude(..)) => {
                    todo.push_front(conclusion);
                    return None;
                }
                Some(Todo::Run(work)) => work,
                None => match self.queue.next(self.index, units.is_empty(), clock::now()) {
                    Next::Send(chunk) => self.work(chunk),
                    _ => return None,
                },
            };
            let stopped = self.stopped.as_ref();
            if let Some((_, cause)) = stopped.filter(|(c, _)| Arc::ptr_eq(c, &work.chunk)) {
                let (chunk, cause) = (work.chunk.clone(), cause.clone());
                todo.push_front(Todo::Run(work));
                self.skip_rest(&chunk, &cause, todo);
                continue;
            }
            let under_way: usize = units.iter().map(Unit::under_way).sum();
            let n = self.portion(&work, under_way, units.len());
            let follows = n > 0 && may_follow(units.back(), work.grouping);
            if !follows || !(units.is_empty() || carrier.has_prepared(&work)) {
                todo.push_front(Todo::Run(work));
                return None;
            }
            if units.is_empty() {
                carrier.progress = clock::now();
            }
            if n < work.range.len() {
                let rest = work.range.start + n..work.range.end;
                work.range.end = rest.start;
                todo.push_front(Todo::Run(Work {
                    range: rest,
                    ..work.clone()
                }));
            }
            if planted!(PipelineDropsLast) && work.range.len() > 1 {
                work.range.end -= 1;
                let done = Details::all(Vec::new(), 1);
                self.result(&work, work.range.end, Outcome::Ok, done, clock::now());
            }
            return Some(work);
        }
    }

    /// How many statements of a transaction a Flush goes out behind.
    fn flush_every(&self) -> usize {
        if self.mean.is_zero() {
            return 16;
        }
        (SIGN_OF_LIFE.as_nanos() / self.mean.as_nanos().max(1)).clamp(1, 256) as usize
    }

    /// How many queries a transaction may have so that their answers, which are held until it
    /// is committed, fit into half of `max_bytes`: there are two. As many as there are where
    /// they belong together.
    fn answers_within(&self) -> usize {
        match self.policy() {
            FailurePolicy::SkipRest | FailurePolicy::UndoAll => usize::MAX,
            _ => (self.settings.max_bytes / 2 / self.answer_bytes.max(1)).max(1),
        }
    }

    /// How many queries of `work` may be sent now.
    fn portion(&self, work: &Work, under_way: usize, units: usize) -> usize {
        let n = work.range.len();
        if planted!(PipelineOneByOne) && self.policy() == FailurePolicy::Independent {
            return n.min(usize::from(under_way == 0));
        }
        let limit = match self.settings.batch_size {
            BatchSize::Fixed(n) => n as usize,
            BatchSize::Auto => self.window.limit(),
        };
        if work.grouping == Grouping::Each {
            let room = limit.saturating_sub(under_way);
            // In bursts: each costs a wake-up.
            let burst = match self.settings.batch_size {
                BatchSize::Fixed(_) => limit.div_ceil(4),
                BatchSize::Auto => self.window.burst(),
            };
            return if under_way > 0 && room < burst {
                0
            } else {
                n.min(room)
            };
        }
        let fits = match self.settings.batch_size {
            // One that the server works on, and one that is on its route.
            BatchSize::Fixed(_) => units < 2,
            BatchSize::Auto => under_way == 0 || under_way + n <= limit,
        };
        if fits {
            n.min(self.answers_within())
        } else {
            0
        }
    }
}

/// Whether work of this kind may be sent while `last` is under way: not if it would run
/// whatever becomes of what is before it.
fn may_follow(last: Option<&Unit>, grouping: Grouping) -> bool {
    last.is_none_or(|last| match (last.work.grouping, grouping) {
        // Only a Sync, which does not fail.
        _ if last.work.range.is_empty() => true,
        (Grouping::Each, Grouping::Each) => true,
        (Grouping::Each, _) | (_, Grouping::Each) => false,
        _ => !last.synced,
    })
}
