//! [`Connection`]: a connection on loan.
//!
//! It goes back to the pool when dropped, if it is fit for the next borrower:
//! not with a statement under way (its answer would be read by somebody else),
//! not inside a transaction block, not broken, not from before its host was found
//! dead. Otherwise it is closed; the server then rolls back what was open.

use std::{sync::Arc, time::Duration};

use deadpool::managed::Object;
use deadpool_postgres::ClientWrapper;
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::{
    Row, Statement,
    types::{ToSql, Type},
};

use super::{
    Inner,
    manager::{Link, Manager},
    session::{Effect, effect},
};
use crate::{
    breaker::{Outcome, OwnedPermit},
    clock::{self, Elapsed, Instant},
    error::{Error, ErrorClass, ends_session},
    metrics::{Counter, Metrics, Timing},
    pipeline::Incarnation,
    wire::Wire,
};

/// A connection on loan from a [`Pool`](super::Pool). Dropping it gives it back.
pub struct Connection {
    // Declared, and so dropped, after the link has gone back in `drop`: a slot
    // that is free has its connection in the pool.
    link: Option<Object<Manager>>,
    pool: Arc<Inner>,
    permit: OwnedPermit,
    busy: bool,
    in_transaction: bool,
    broken: bool,
    _slot: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("busy", &self.busy)
            .field("in_transaction", &self.in_transaction)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(
        link: Object<Manager>,
        pool: Arc<Inner>,
        permit: OwnedPermit,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        pool.metrics.count(Counter::Acquired);
        Self {
            link: Some(link),
            pool,
            permit,
            busy: false,
            in_transaction: false,
            broken: false,
            _slot: slot,
        }
    }

    /// Runs a statement, prepared once for each connection, and returns its rows.
    ///
    /// Cancel safe: a dropped future leaves a statement that may have run, and
    /// this connection closes instead of going back to the pool.
    ///
    /// # Errors
    /// [`Error::StatementTimeout`] or [`Error::Statement`]; for a write,
    /// [`Error::may_have_run`] says whether it is known not to have happened.
    pub async fn query(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let deadline = self.begin(sql)?;
        let link = self.link.as_deref().ok_or(Error::Closed)?;
        let answer = clock::timeout_at(deadline.at, async {
            let statement = prepare(link, sql, self.pool.statement_cache_size).await?;
            link.client.query(&statement, params).await
        });
        let answer = answer.await;
        self.end(sql, &deadline, answer)
    }

    /// Runs a statement and returns how many rows it affected. As
    /// [`query`](Self::query) in all else.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let deadline = self.begin(sql)?;
        let link = self.link.as_deref().ok_or(Error::Closed)?;
        let answer = clock::timeout_at(deadline.at, async {
            let statement = prepare(link, sql, self.pool.statement_cache_size).await?;
            link.client.execute(&statement, params).await
        });
        let answer = answer.await;
        self.end(sql, &deadline, answer)
    }

    /// Prepares a statement, once for each connection.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let deadline = self.begin("")?;
        let link = self.link.as_deref().ok_or(Error::Closed)?;
        let most = self.pool.statement_cache_size;
        let answer = clock::timeout_at(deadline.at, prepare(link, sql, most)).await;
        self.end("", &deadline, answer)
    }

    /// The types of a statement's parameters.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub(crate) async fn describe(&mut self, sql: &str) -> Result<Vec<Type>, Error> {
        Ok(self.prepare(sql).await?.params().to_vec())
    }

    /// What a pipeline sends with.
    pub(crate) fn parts(&self) -> Option<(Arc<ClientWrapper>, Option<Wire>)> {
        let link = self.link.as_deref()?;
        Some((link.client.clone(), link.wire.clone()))
    }

    /// Who the server is, if it was asked.
    pub(crate) fn incarnation(&self) -> Option<&Incarnation> {
        self.link.as_deref()?.incarnation.as_ref()
    }

    pub(crate) fn keep_incarnation(&mut self, incarnation: Incarnation) {
        if let Some(link) = &mut self.link {
            link.incarnation = Some(incarnation);
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.pool.metrics
    }

    /// Whether statements of a pipeline are under way: then it is not fit for the next
    /// borrower.
    pub(crate) fn occupy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// Whether it will be closed instead of reused.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// So many statements of a pipeline went well.
    pub(crate) fn succeeded(&mut self, n: usize, began: Instant, now: Instant) {
        let metrics = &self.pool.metrics;
        metrics.add(Counter::Queries, n as u64);
        metrics.time(Timing::Query, now - began);
        self.permit.record(Outcome::Success, None, began, now);
    }

    /// A statement of a pipeline failed, or the connection under it.
    pub(crate) fn failed_with(&mut self, error: &Error, began: Instant) {
        self.pool.metrics.count(Counter::Queries);
        let timeout = self.pool.statement_timeout;
        let deadline = Deadline {
            started: began,
            timeout,
            at: began + timeout,
        };
        self.failed(error, &deadline, clock::now());
    }

    fn begin(&mut self, sql: &str) -> Result<Deadline, Error> {
        if self.broken || self.busy {
            return Err(Error::Unusable);
        }
        self.busy = true;
        if effect(sql) == Effect::Opens {
            self.in_transaction = true;
        }
        self.pool.metrics.count(Counter::Queries);
        let timeout = self.pool.statement_timeout;
        let started = clock::now();
        Ok(Deadline {
            started,
            timeout,
            at: started + timeout,
        })
    }

    fn end<T>(
        &mut self,
        sql: &str,
        deadline: &Deadline,
        answer: Result<Result<T, tokio_postgres::Error>, Elapsed>,
    ) -> Result<T, Error> {
        let now = clock::now();
        self.busy = false;
        self.pool
            .metrics
            .time(Timing::Query, now - deadline.started);
        let answer = match answer {
            Ok(answer) => answer.map_err(Error::Statement),
            Err(Elapsed) => Err(Error::StatementTimeout {
                timeout: deadline.timeout,
            }),
        };
        match &answer {
            Ok(_) => {
                if effect(sql) == Effect::Ends {
                    self.in_transaction = false;
                }
                let began = deadline.started;
                self.permit.record(Outcome::Success, None, began, now);
            }
            Err(error) => self.failed(error, deadline, now),
        }
        answer
    }

    fn failed(&mut self, error: &Error, deadline: &Deadline, now: Instant) {
        let class = error.class();
        self.pool.metrics.error(class);
        let Some(link) = self.link.as_deref() else {
            return;
        };
        self.broken |= matches!(error, Error::StatementTimeout { .. }) || link.client.is_closed();
        if matches!(error.sqlstate().map(|s| s.code()), Some("26000" | "0A000")) {
            // Deallocated behind our back, or planned for a table that has changed: it
            // will not be the only one.
            link.client.statement_cache.clear();
        }
        let (mut outcome, cause) = self.pool.rules.judge(error);
        let gone = class == ErrorClass::Network
            || matches!(error, Error::Statement(error) if ends_session(error));
        if gone {
            self.broken = true;
            // One dead host breaks many connections; that is one failure.
            if !self.pool.evict(link.epoch) && outcome == Outcome::Failure {
                outcome = Outcome::Neutral;
            }
        } else if class == ErrorClass::ReadOnly && !self.in_transaction {
            // Perhaps a former primary: the next one may find the new one.
            self.broken = true;
        } else if class == ErrorClass::Statement && error.sqlstate().is_none() {
            // It was never sent, so it is no sign of life.
            outcome = Outcome::Neutral;
        }
        if error.sqlstate().map(|s| s.code()) == Some("57014") && !deadline.nearly_over(now) {
            // Not for our time-out: somebody cancelled it, which is no failure.
            outcome = Outcome::Neutral;
        }
        let began = deadline.started;
        self.permit.record(outcome, Some(cause), began, now);
    }
}

#[derive(Debug)]
struct Deadline {
    started: Instant,
    timeout: Duration,
    at: Instant,
}

impl Deadline {
    /// Whether the server's own time-out, which is the same, may have passed.
    fn nearly_over(&self, now: Instant) -> bool {
        now - self.started >= self.timeout.mul_f64(0.9)
    }
}

/// A statement from the connection's cache, which is emptied when it outgrows its
/// bound: a service has far fewer statements, and one that makes them up on the fly
/// gains nothing from a cleverer order.
async fn prepare(link: &Link, sql: &str, most: usize) -> Result<Statement, tokio_postgres::Error> {
    let client: &ClientWrapper = &link.client;
    let statement = client.prepare_cached(sql).await?;
    if client.statement_cache.size() > most {
        client.statement_cache.clear();
    }
    Ok(statement)
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        let old = link.epoch != self.pool.epoch.current();
        if self.busy || self.in_transaction || self.broken || old || link.client.is_closed() {
            self.pool.metrics.count(Counter::Discarded);
            drop(Object::take(link));
        } else {
            self.pool.metrics.count(Counter::Released);
            drop(link);
        }
    }
}
