//! [`Link`]: a session of the pool while somebody has it.
//!
//! A [`Connection`](super::Connection) and a pipeline's carrier each own one. It runs
//! statements within their deadline, and says what each failure means: its class for
//! metrics, an outcome for the breaker, and whether the session, or the whole host, is to
//! be used again.
//!
//! Dropped, it goes back to the pool if it is fit for the next. With something under way on
//! it, it is given up: see [`Abandoned`]. Otherwise it is closed.

mod returning;

use std::sync::Arc;

use deadpool::managed::Object;
use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Row, Statement, error::SqlState, types::ToSql};
use tracing::Instrument as _;

use super::{
    Incarnation, SessionEffect,
    acquire::Inner,
    holders::Doing,
    incarnation,
    manager::Manager,
    opens_read_only, query_kind, rolls_back,
    running::Running,
    session::{Answer, Failed, PooledSession, Wanted},
    session_effect,
    silence::UnderWay,
    slots::Slot,
};
use crate::{
    breaker::{CallOutcome, OwnedPermit},
    clock::{self, Elapsed, Instant},
    error::{Error, ErrorClass, ends_session},
    metrics::{Counter, Metrics, QueryKind, ResultLabel},
    wire::Wire,
};

/// The share of a time-out that the server has to have had for its silence to be a failure,
/// where a caller had less time than that.
pub(super) const MOST: f64 = 0.9;

/// A session, and the right to use it.
pub(crate) struct Link {
    // `None` only while it is dropped: it goes back before the slot does, so that a slot
    // that is free has its session in the pool.
    session: Option<Object<Manager>>,
    pool: Arc<Inner>,
    permit: OwnedPermit,
    /// Statements are under way: dropped now, it is given up.
    busy: bool,
    /// The same, for those who notice that nobody is answered.
    under_way: Option<UnderWay>,
    /// Until when its borrower wants answers.
    answer_by: Option<Instant>,
    /// A block was opened, by the words of a statement.
    in_transaction: bool,
    /// A statement of that block has failed.
    block_failed: bool,
    /// The block was opened to read only.
    read_only: bool,
    broken: bool,
    /// Can be used, and is not lent again.
    retired: bool,
    /// A statement had no answer in time, and the breaker was told.
    timed_out: bool,
    /// A statement had no answer in the time that its borrower had left.
    cut_short: bool,
    slot: Option<Slot>,
    /// When it was lent.
    lent: Instant,
    /// The query of a caller that is under way, and since when.
    asked: Option<(QueryKind, Instant)>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("busy", &self.busy)
            .field("in_transaction", &self.in_transaction)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(
        session: Object<Manager>,
        pool: Arc<Inner>,
        permit: OwnedPermit,
        slot: Slot,
        answer_by: Option<Instant>,
        now: Instant,
    ) -> Self {
        pool.metrics.count(Counter::Acquired);
        if Object::metrics(&session).recycle_count > 0 {
            pool.metrics.count(Counter::Reused);
        }
        session.open.lend(pool.past.ns(now));
        Self {
            session: Some(session),
            pool,
            permit,
            busy: false,
            under_way: None,
            answer_by,
            in_transaction: false,
            block_failed: false,
            read_only: false,
            broken: false,
            retired: false,
            timed_out: false,
            cut_short: false,
            slot: Some(slot),
            lent: now,
            asked: None,
        }
    }

    /// Runs a caller's statement, prepared once for each session, and returns its rows.
    ///
    /// Cancel safe: a dropped future leaves a statement that may have run, and the link
    /// is of no more use.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let answer = self.run(sql, params, Wanted::Rows, true).await;
        if planted!(FailedReadsAreEmpty) && answer.as_ref().is_err_and(Error::may_have_run) {
            return Ok(Vec::new());
        }
        answer.map(|(rows, _)| rows)
    }

    /// Runs a caller's statement and returns how many rows it affected. As
    /// [`query`](Self::query) in all else.
    pub(crate) async fn execute(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        let answer = self.run(sql, params, Wanted::Affected, true).await;
        let lost = |error: &Error| error.may_have_run() && error.class() != ErrorClass::Timeout;
        if planted!(LostWritesAreOk) && answer.as_ref().is_err_and(lost) {
            return Ok(1);
        }
        answer.map(|(_, affected)| affected)
    }

    /// Runs a query of our own, which metrics do not count among the callers'. As
    /// [`query`](Self::query) in all else.
    pub(crate) async fn ask(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let answer = self.run(sql, params, Wanted::Rows, false).await;
        answer.map(|(rows, _)| rows)
    }

    async fn run(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        wanted: Wanted,
        counted: bool,
    ) -> Result<Answer, Error> {
        let in_block = self.in_block();
        let running = match self.begin(sql, counted) {
            Ok(running) => running,
            Err(error) => {
                if counted {
                    let result = ResultLabel::Failed(error.class());
                    self.pool.metrics.query(query_kind(sql), result, None);
                }
                return Err(error);
            }
        };
        let running_on = self.session()?.run(sql, params, wanted, in_block);
        let span = tracing::debug_span!(
            "query",
            pool = %self.pool.config.name,
            connection = self.session()?.open.id(),
            kind = query_kind(sql).name(),
        );
        let running_on = running_on.instrument(span);
        let answer = clock::timeout_at(self.deadline(&running), running_on).await;
        self.end(&running, answer)
    }

    /// Prepares a statement, once for each session. Cancel safe, as [`query`](Self::query).
    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let running = self.begin("", false)?;
        let preparing = self.session()?.prepare(sql);
        let answer = clock::timeout_at(self.deadline(&running), preparing).await;
        self.end(&running, answer.map(|done| done.map_err(Failed::from)))
    }

    /// Prepares a statement although it is known: its types may have changed. As
    /// [`prepare`](Self::prepare) in all else.
    pub(crate) async fn prepare_anew(&mut self, sql: &str) -> Result<Statement, Error> {
        let running = self.begin("", false)?;
        let preparing = self.session()?.prepare_anew(sql);
        let answer = clock::timeout_at(self.deadline(&running), preparing).await;
        self.end(&running, answer.map(|done| done.map_err(Failed::from)))
    }

    /// Asks the server who it is, and remembers it for the session.
    pub(crate) async fn identify(&mut self) -> Result<Option<Incarnation>, Error> {
        let rows = self.ask(incarnation::WHO, &[]).await?;
        let who = rows.first().map(Incarnation::of);
        if let Some(session) = &mut self.session {
            session.incarnation.clone_from(&who);
        }
        Ok(who)
    }

    /// Who the server is, if it was asked.
    pub(crate) fn incarnation(&self) -> Option<&Incarnation> {
        self.session.as_deref()?.incarnation.as_ref()
    }

    /// The client that a pipeline sends statements with. It reports what comes of them with
    /// [`succeeded`](Self::succeeded) and [`failed`](Self::failed).
    pub(crate) fn client(&self) -> Result<Arc<ClientWrapper>, Error> {
        self.session().map(|session| session.client.clone())
    }

    /// Controls the transport, if it is one of ours.
    pub(crate) fn wire(&self) -> Option<Wire> {
        self.session.as_deref()?.wire.clone()
    }

    /// The pool's metrics.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.pool.metrics
    }

    /// Counts callers' queries that are handed to the session.
    pub(crate) fn count_sent(&self, n: usize) {
        planted!(QueriesBurn200us => crate::planted::burn(200, n));
        planted!(QueriesBurn1500us => crate::planted::burn(1_500, n));
        planted!(QueriesLeakMemory => crate::planted::leak(256 * n));
        let counted = planted!(QueriesCountedTwice, n => 2 * n);
        self.pool.metrics.add(Counter::QueriesSent, counted as u64);
    }

    /// Says whether statements of a pipeline are under way. While they are, no other can
    /// run, and dropping the link closes it.
    pub(crate) fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
        self.shows(if busy { Doing::Running } else { Doing::Nothing });
        if !busy {
            self.under_way = None;
        } else if self.under_way.is_none() {
            self.under_way = Some(self.pool.begins(clock::now()));
        }
    }

    /// Whether it will be closed instead of lent again.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken || self.retired || self.session.is_none()
    }

    /// Says that it is not to be lent again.
    pub(crate) fn retire(&mut self) {
        self.retired = true;
    }

    /// Says that transactions of a pipeline are opened to read only.
    pub(crate) fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Shows what its borrower does: of nothing, whether in a transaction.
    fn shows(&self, doing: Doing) {
        if let Some(session) = self.session.as_deref() {
            let nothing = doing == Doing::Nothing && self.in_block();
            session
                .open
                .does(if nothing { Doing::InTransaction } else { doing });
        }
    }

    fn session(&self) -> Result<&PooledSession, Error> {
        self.session.as_deref().ok_or(Error::Unusable)
    }

    fn deadline(&self, running: &Running<'_>) -> Instant {
        let timeout = self.pool.config.statement_timeout;
        let deadline = running.began + timeout;
        let deadline = self.answer_by.map_or(deadline, |by| by.min(deadline));
        planted!(NoStatementTimeout, deadline =>
            running.began + std::time::Duration::from_secs(86_400))
    }

    /// Whether a transaction block is open, or the session copies: by what the server said, or
    /// without a transport of ours by the words that were sent.
    fn in_block(&self) -> bool {
        let wire = self.session.as_deref().and_then(|s| s.wire.as_ref());
        wire.map_or(self.in_transaction, |wire| !wire.is_idle())
    }

    fn begin<'a>(&mut self, sql: &'a str, counted: bool) -> Result<Running<'a>, Error> {
        if self.broken || self.busy || self.session.is_none() {
            return Err(Error::Unusable);
        }
        self.busy = true;
        let effect = session_effect(sql);
        if !self.in_block() {
            self.read_only = effect == SessionEffect::Opens && opens_read_only(sql);
        }
        self.in_transaction |= effect == SessionEffect::Opens;
        if counted {
            self.count_sent(1);
        }
        self.shows(Doing::Running);
        let wire = self.session.as_deref().and_then(|s| s.wire.as_ref());
        let began = clock::now();
        self.asked = counted.then(|| (query_kind(sql), began));
        self.under_way = Some(self.pool.begins(began));
        Ok(Running {
            began,
            sql,
            effect,
            said: wire.map(Wire::said),
        })
    }

    fn end<T>(
        &mut self,
        running: &Running<'_>,
        answer: Result<Result<T, Failed>, Elapsed>,
    ) -> Result<T, Error> {
        let (began, now) = (running.began, clock::now());
        self.busy = false;
        let answer = match answer {
            Ok(Ok(answer)) => {
                let checked = running.check(self.session()?, self.block_failed);
                checked.map(|()| answer)
            }
            Ok(Err(failed)) => Err(running.failure(self.session()?, failed)),
            Err(Elapsed) => {
                let timeout = self.deadline(running) - began;
                // In most of its time the server could have answered.
                self.cut_short = timeout < self.pool.config.statement_timeout.mul_f64(MOST);
                Err(Error::StatementTimeout { timeout })
            }
        };
        self.shows(Doing::Nothing);
        if let Some((kind, began)) = self.asked.take() {
            let failed = |error: &Error| ResultLabel::Failed(error.class());
            let result = answer.as_ref().err().map_or(ResultLabel::Ok, failed);
            self.pool.metrics.query(kind, result, Some(now - began));
        }
        if !matches!(answer, Err(Error::StatementTimeout { .. })) {
            self.under_way = None;
        }
        let ends = running.effect == SessionEffect::Ends;
        match &answer {
            Ok(_) => {
                self.in_transaction &= !ends;
                self.block_failed &= !(ends || rolls_back(running.sql));
                self.succeeded(began, now);
            }
            Err(error) => {
                // A COMMIT that rolls back ends the block as well.
                let rolled_back = matches!(error, Error::RolledBack);
                self.in_transaction &= !(ends && rolled_back);
                self.block_failed |= error.sqlstate().is_some();
                self.block_failed &= self.in_transaction && !rolled_back;
                self.failed(error, began, now);
                if self.timed_out || self.cut_short {
                    self.give_up();
                }
            }
        }
        answer
    }

    /// Tells the breaker that what began then was answered.
    pub(crate) fn succeeded(&mut self, began: Instant, now: Instant) {
        if let Some(session) = &mut self.session {
            session.heard = now;
            self.pool.hears(now);
        }
        self.permit.record(CallOutcome::Success, None, began, now);
    }

    /// Counts a failure of what began then, decides what it says of the session and its
    /// host, and tells the breaker.
    pub(crate) fn failed(&mut self, error: &Error, began: Instant, now: Instant) {
        let class = error.class();
        self.pool.metrics.error(error, now);
        let Some(session) = self.session.as_deref_mut() else {
            return;
        };
        tracing::debug!(
            pool = %self.pool.config.name,
            connection = session.open.id(),
            class = class.name(),
            sqlstate = error.sqlstate().map(SqlState::code),
            "statement failed",
        );
        if error.sqlstate().is_some() {
            session.heard = now;
            self.pool.hears(now);
        }
        self.broken |=
            matches!(error, Error::Copy | Error::Unreadable(_)) || session.client.is_closed();
        let timed_out = matches!(error, Error::StatementTimeout { .. });
        self.timed_out |= timed_out && !self.cut_short;
        if error.is_stale_statement() {
            // It will not be the only one.
            session.client.statement_cache.clear();
        }
        let (mut outcome, cause) = self.pool.rules.judge(error);
        let mut ended = matches!(error, Error::Statement(error) if ends_session(error));
        self.broken |= ended || class == ErrorClass::Network;
        let mut host_is_ill = matches!(class, ErrorClass::Network | ErrorClass::Unavailable);
        let unasked = session.wire.as_ref().and_then(Wire::ended_with);
        if let (ErrorClass::Network, Some(state)) = (class, unasked) {
            // It was ended before the statement came, perhaps for what it did itself.
            host_is_ill = ErrorClass::of_end(&state) == ErrorClass::Unavailable;
            ended = true;
        }
        if host_is_ill && (ended || class == ErrorClass::Network) {
            // One dead host breaks many connections; that is one failure.
            if !self.pool.evict(session.epoch) && outcome == CallOutcome::Failure {
                outcome = CallOutcome::Neutral;
            }
        } else if class == ErrorClass::ReadOnly && !self.read_only {
            // Perhaps a former primary: the next one may find the new one. A block that is
            // open can be ended.
            self.retired = true;
        } else if ended || matches!(error, Error::Statement(error) if error.code().is_none()) {
            // Ended for what it did itself, or never sent: that is no sign of life.
            outcome = CallOutcome::Neutral;
        }
        if timed_out && self.cut_short {
            // Whether the server is well is found out by those who free the session.
            outcome = CallOutcome::Neutral;
        }
        let cancelled = error
            .sqlstate()
            .is_some_and(|state| state.code() == "57014");
        // The server's own time-out, which is the same, may have passed by now.
        let timeout = self.pool.config.statement_timeout.mul_f64(0.9);
        if cancelled && now - began < timeout {
            // Somebody cancelled it, which is no failure.
            outcome = CallOutcome::Neutral;
        }
        self.permit.record(outcome, Some(cause), began, now);
    }
}
