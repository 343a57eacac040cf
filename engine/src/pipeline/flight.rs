//! [`Unit`]: queries under way on one connection, and the statements that carry them.
//!
//! tokio-postgres puts a statement on the wire when its future is first polled, in the
//! order of those polls. So all statements of a unit are polled once, in order, before
//! any is waited for; then they are waited for in the same order, which is that of the
//! answers.

use std::{
    collections::VecDeque,
    future::poll_fn,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use deadpool_postgres::ClientWrapper;
use futures_util::TryStreamExt as _;
use tokio_postgres::{Row, RowStream, Statement};

use super::{
    batch::{Chunk, Param},
    settle::FailedAt,
    unnest,
};
use crate::{
    clock::{self, Instant},
    error::Error,
};

/// The answer to a statement: rows, and how many it affected.
pub(super) type Answer = Result<(Vec<Row>, u64), tokio_postgres::Error>;

/// After this many statements the connection's task gets a turn, so that the server has
/// work while the rest is encoded.
const TURN: usize = 32;

/// A statement under route.
pub(super) enum Flying {
    Pending(Pin<Box<dyn Future<Output = Answer> + Send>>),
    /// Its first poll was its last: it never left, or the answer was there already.
    Over(Answer),
    /// Its answer was the end of the connection.
    Lost,
}

impl Flying {
    /// Sends a statement without parameters.
    pub(super) fn bare(client: Arc<ClientWrapper>, statement: Statement) -> Self {
        Self::Pending(Box::pin(async move {
            let none = std::iter::empty::<Param<'_>>();
            all(client.query_raw(&statement, none).await?).await
        }))
    }

    /// Sends a query as it was added.
    pub(super) fn query(
        client: Arc<ClientWrapper>,
        statement: Statement,
        chunk: Arc<Chunk>,
        i: usize,
    ) -> Self {
        Self::Pending(Box::pin(async move {
            all(client.query_raw(&statement, chunk.params(i)).await?).await
        }))
    }

    /// Sends a run of inserts as one statement.
    pub(super) fn run(
        client: Arc<ClientWrapper>,
        statement: Statement,
        chunk: Arc<Chunk>,
        run: Range<usize>,
    ) -> Self {
        Self::Pending(Box::pin(async move {
            let types = match &chunk.entries[run.start].shape {
                Ok(shape) => &shape.params[..],
                Err(_) => &[],
            };
            let arrays = unnest::arrays(&chunk, run, types);
            let params = arrays.iter().map(|array| Param(Some(array)));
            all(client.query_raw(&statement, params).await?).await
        }))
    }

    /// Sends a Sync, the end of a batch that has failed: the server answers for all of it.
    pub(super) fn sync(client: Arc<ClientWrapper>) -> Self {
        Self::Pending(Box::pin(async move {
            client.check_connection().await?;
            Ok((Vec::new(), 0))
        }))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        match std::mem::replace(self, Self::Lost) {
            Self::Pending(mut future) => match future.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending => {
                    *self = Self::Pending(future);
                    Poll::Pending
                }
            },
            Self::Over(answer) => Poll::Ready(answer),
            Self::Lost => Poll::Pending,
        }
    }
}

async fn all(rows: RowStream) -> Answer {
    let mut rows = std::pin::pin!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row);
    }
    Ok((all, rows.rows_affected().unwrap_or(0)))
}

/// How the queries of a unit are grouped on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    /// Each is a transaction of its own, with its Sync.
    Each,
    /// All are one transaction.
    Together,
    /// All are one transaction, with runs of inserts as one statement.
    Coalesced,
}

/// Queries that are to be run.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) chunk: Arc<Chunk>,
    pub(super) range: Range<usize>,
    pub(super) grouping: Grouping,
    /// How often the work was begun before.
    pub(super) tries: u32,
    /// Queries of the same batch that failed before.
    pub(super) failures: u32,
    /// The work was sent before and not answered, and may have been done then.
    pub(super) in_doubt: bool,
}

/// What a statement on the wire is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Begin,
    Xid,
    Query,
    Commit,
    /// A Sync behind the last statement, if the batch has failed.
    Sync,
}

/// A statement of a unit, and those in front of it that are not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WireStatement {
    pub(super) purpose: Purpose,
    /// How many in front of it repeat the statement before. They are answered when this one
    /// is, and a failure among them is its answer.
    pub(super) repeats: usize,
}

impl From<Purpose> for WireStatement {
    fn from(purpose: Purpose) -> Self {
        Self {
            purpose,
            repeats: 0,
        }
    }
}

/// Queries of a unit that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) queries: Range<usize>,
    /// Whether they are one statement.
    pub(super) merged: bool,
}

impl Part {
    pub(super) fn statements(&self) -> usize {
        if self.merged { 1 } else { self.queries.len() }
    }
}

/// Work under route.
pub(super) struct Unit {
    pub(super) work: Work,
    pub(super) parts: Vec<Part>,
    /// Its statements on the wire, in order; the first are answered.
    pub(super) on_wire: Vec<WireStatement>,
    pub(super) flying: VecDeque<Flying>,
    /// The number of its first statement among all of the connection.
    pub(super) first: u64,
    pub(super) began: Instant,
    /// The number of its statements.
    pub(super) statements: usize,
    /// Answers to its statements with queries, in order, as long as none has failed.
    pub(super) answers: Vec<(Vec<Row>, u64)>,
    pub(super) xid: Option<String>,
    pub(super) error: Option<(FailedAt, Arc<Error>)>,
    /// Whether the rows among its answers are what they are taken for.
    pub(super) readable: bool,
    /// Whether it ends with a Sync: what is sent behind it then runs whatever becomes of
    /// it.
    pub(super) synced: bool,
}

impl Unit {
    /// How many of its statements are answered.
    pub(super) fn answered(&self) -> usize {
        self.on_wire.len() - self.flying.len()
    }

    /// Whether all of it was answered, and nothing failed. Behind one that failed this
    /// says nothing: the server skips it.
    pub(super) fn is_through(&self) -> bool {
        self.flying.is_empty() && self.error.is_none()
    }

    /// Counts the queries under way: of a transaction all, until it is through.
    pub(super) fn under_way(&self) -> usize {
        match self.work.grouping {
            Grouping::Each => self.flying.len(),
            _ if self.flying.is_empty() => 0,
            _ => self.work.range.len(),
        }
    }

    /// The queries that were not timed yet: of a transaction all, until it is settled.
    pub(super) fn untimed(&self) -> Range<usize> {
        let Range { start, end } = self.work.range;
        match self.work.grouping {
            Grouping::Each => end.saturating_sub(self.flying.len()).max(start)..end,
            _ => start..end,
        }
    }

    /// The number of its commit, the last that was sent, among all statements of the
    /// connection.
    pub(super) fn commit_at(&self) -> u64 {
        self.first + self.statements as u64 - 1
    }

    /// The first query without an answer.
    pub(super) fn next_query(&self) -> Option<usize> {
        let mut before = self.answers.len();
        for part in &self.parts {
            if before < part.statements() {
                return Some(part.queries.start + before);
            }
            before -= part.statements();
        }
        None
    }

    /// Whether every query has its answer.
    pub(super) fn is_complete(&self) -> bool {
        self.next_query().is_none()
    }
}

/// Puts statements on the wire. False if one was over at its first poll without an
/// answer: what was announced for the connection does not hold then. An answer may be
/// there already, where the thread was stopped between sending and looking for it.
pub(super) async fn launch(flying: &mut VecDeque<Flying>) -> bool {
    let mut all_left = true;
    let mut at = 0;
    while at < flying.len() {
        let end = (at + TURN).min(flying.len());
        poll_fn(|cx| {
            for flying in flying.range_mut(at..end) {
                if let Poll::Ready(answer) = flying.poll(cx) {
                    all_left &= answer
                        .as_ref()
                        .map_or_else(|e| e.code().is_some(), |_| true);
                    *flying = Flying::Over(answer);
                }
            }
            Poll::Ready(())
        })
        .await;
        if end < flying.len() {
            tokio::task::yield_now().await;
        }
        at = end;
    }
    all_left
}

/// Puts the first statement on the wire, and waits for its answer: what is behind it
/// would run whatever that is. False if there was none until then.
pub(super) async fn begin(flying: &mut VecDeque<Flying>, until: Instant) -> bool {
    let Some(first) = flying.front_mut() else {
        return true;
    };
    let answer = poll_fn(|cx| first.poll(cx));
    let Ok(answer) = clock::timeout_at(until, answer).await else {
        return false;
    };
    let began = answer.is_ok();
    *first = Flying::Over(answer);
    if !began {
        flying.truncate(1);
    }
    true
}

/// The answer that comes next, of the oldest unit that waits for one.
pub(super) fn poll_next(units: &mut VecDeque<Unit>, cx: &mut Context<'_>) -> Poll<Answer> {
    for unit in units.iter_mut() {
        if let Some(front) = unit.flying.front_mut() {
            let answer = std::task::ready!(front.poll(cx));
            unit.flying.pop_front();
            return Poll::Ready(answer);
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_answered_at_once_has_left() {
        let answered = Flying::Pending(Box::pin(async { Ok((Vec::new(), 1)) }));
        let waiting = Flying::Pending(Box::pin(std::future::pending()));
        let mut flying = VecDeque::from([waiting, answered]);
        assert!(launch(&mut flying).await);
        assert!(matches!(flying[1], Flying::Over(Ok((_, 1)))));
        let closed = async { Err(tokio_postgres::Error::__private_api_timeout()) };
        let mut flying = VecDeque::from([Flying::Pending(Box::pin(closed))]);
        assert!(!launch(&mut flying).await);
    }
}
