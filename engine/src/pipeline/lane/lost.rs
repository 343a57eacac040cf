//! Sorts the queries that were under way on a lost connection by what is known of them.
//!
//! What had not left cannot have run. What had left and was not answered may have:
//! of queries of their own a part, from the first on; of a transaction all or nothing,
//! and only if its COMMIT had left.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    super::{
        flight::{Grouping, Unit, Work},
        outcome::Outcome,
        resolve::{Resolved, resolve},
    },
    Carrier, Lane, Todo,
};
use crate::{clock, error::Error, pool::Incarnation};

/// Wait between two attempts to reach the server again.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(50);

/// The longest wait for a server to be back and say what became of a transaction, beside that
/// for a connection: a statement may be given a day.
const PATIENCE: Duration = Duration::from_secs(60);

impl Lane {
    /// Tells the breaker of a lost connection, and gives it up.
    pub(super) async fn lost(
        &mut self,
        mut carrier: Carrier,
        units: VecDeque<Unit>,
        todo: &mut VecDeque<Todo>,
        error: Arc<Error>,
    ) {
        if let Some(unit) = units.front() {
            carrier.failed(&error, unit.began);
        }
        self.abandon(carrier, units, todo, error).await;
    }

    /// Gives up a connection that is lost, and sorts what was under way on it.
    pub(super) async fn abandon(
        &mut self,
        carrier: Carrier,
        units: VecDeque<Unit>,
        todo: &mut VecDeque<Todo>,
        error: Arc<Error>,
    ) {
        let left = carrier.cut();
        let now = clock::now();
        for unit in &units {
            carrier.timed(unit.untimed(), &unit.work.chunk, unit.began, now);
        }
        let who = carrier.incarnation();
        // Closes the connection: statements are under way on it.
        drop(carrier);
        let mut after: VecDeque<Todo> = VecDeque::new();
        // A transaction was not committed: then the server has run none behind it.
        let mut none_behind = false;
        for mut unit in units {
            if unit.work.grouping == Grouping::Each {
                self.lost_each(&unit, left, &error, &mut after);
                continue;
            }
            // One behind a failure was answered too: that it was skipped.
            if !none_behind && unit.is_through() {
                self.committed(unit, clock::now());
                continue;
            }
            if let Some((at, error)) = unit.error.take()
                && !none_behind
            {
                let mut steps = VecDeque::new();
                self.settled(unit.work, at, &error, unit.answers, &mut steps);
                after.append(&mut steps);
                none_behind = true;
                continue;
            }
            let stayed = left.is_some_and(|left| unit.commit_at() >= left);
            if none_behind || stayed {
                none_behind = true;
                self.again(unit.work, &error, &mut after);
                continue;
            }
            if self.may_repeat() {
                let work = self.doubted(unit.work);
                self.again(work, &error, &mut after);
                continue;
            }
            let xid = unit.xid.clone();
            match self.doubt(xid.as_deref(), who.as_ref()).await {
                Resolved::Committed => self.committed(unit, clock::now()),
                Resolved::NotCommitted => {
                    none_behind = true;
                    self.again(unit.work, &error, &mut after);
                }
                Resolved::Unknown => self.conclude(&unit.work, &Outcome::Unknown(error.clone())),
            }
        }
        let waits = after.iter().find_map(|what| match what {
            Todo::Run(work) => Some(work.tries),
            Todo::Conclude(..) => None,
        });
        after.append(todo);
        *todo = after;
        if let Some(tries) = waits {
            self.back_off(tries).await;
        }
    }

    fn may_repeat(&self) -> bool {
        self.settings.idempotent || self.settings.read_only || planted!(PipelineRepeatsDoubtful)
    }

    /// Marks work that left and was not answered, and is sent again all the same. What only
    /// reads has changed nothing, whatever became of it.
    fn doubted(&self, work: Work) -> Work {
        Work {
            in_doubt: !self.settings.read_only,
            ..work
        }
    }

    /// Sends work again, unless that was done often enough.
    fn again(&mut self, mut work: Work, error: &Arc<Error>, after: &mut VecDeque<Todo>) {
        if work.range.is_empty() {
            return;
        }
        if work.tries >= self.settings.retries {
            self.conclude(&work, &Outcome::NotSent(error.clone()));
            return;
        }
        work.tries += 1;
        after.push_back(Todo::Run(work));
    }

    fn lost_each(
        &mut self,
        unit: &Unit,
        left: Option<u64>,
        error: &Arc<Error>,
        after: &mut VecDeque<Todo>,
    ) {
        let range = unit.work.range.clone();
        let answered = range.start + unit.answered();
        let left = left.map_or(range.end, |left| {
            let left = usize::try_from(left.saturating_sub(unit.first)).unwrap_or(usize::MAX);
            range.start.saturating_add(left).clamp(answered, range.end)
        });
        let part = |range| Work {
            range,
            ..unit.work.clone()
        };
        if self.may_repeat() {
            let work = self.doubted(part(answered..left));
            self.again(work, error, after);
        } else {
            self.conclude(&part(answered..left), &Outcome::Unknown(error.clone()));
        }
        self.again(part(left..range.end), error, after);
    }

    /// Asks what became of a transaction, as long as it takes the server to be back, up
    /// to what a caller waits for a connection and an answer.
    async fn doubt(&mut self, xid: Option<&str>, who: Option<&Incarnation>) -> Resolved {
        let (Some(xid), Some(who)) = (xid, who) else {
            return Resolved::Unknown;
        };
        self.hand_over();
        let config = self.pool.config();
        let patience = config.acquire_timeout + config.statement_timeout.min(PATIENCE);
        let deadline = clock::now() + patience;
        loop {
            let asked = match self.pool.link().await {
                Ok(mut link) => resolve(&mut link, xid, who, deadline).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(resolved) => return resolved,
                Err(error) if clock::now() + RECONNECT_INTERVAL >= deadline => {
                    tracing::warn!(%error, "the outcome of a transaction could not be asked for");
                    return Resolved::Unknown;
                }
                Err(_) => clock::sleep(RECONNECT_INTERVAL).await,
            }
        }
    }
}
