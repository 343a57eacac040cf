//! [`Carrier`]: a link of the pool while a lane uses it.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Statement;

use super::super::{
    batch::Chunk,
    flight::{Flying, Grouping, Part, Purpose, Unit, Work, begin, launch},
    settings::{Settings, Strategy},
    settle::FailedAt,
    unnest,
};
use super::line::{Frame, Line, Route};
use crate::{
    clock::{self, Instant},
    error::Error,
    metrics::{Counter, Timing},
    pool::{Incarnation, Link, Pool, Shape},
    wire::{Said, Wire},
};

const BEGIN: &str = "BEGIN";
const BEGIN_READ_ONLY: &str = "BEGIN READ ONLY";
/// Makes constraints be checked at once: one that is checked at the commit would be checked
/// after what other queries did, which may mend it.
const IMMEDIATE: &str = "SET CONSTRAINTS ALL IMMEDIATE";
const COMMIT: &str = "COMMIT";
const XID: &str = "SELECT pg_current_xact_id()::text";

pub(super) struct Carrier {
    link: Link,
    client: Arc<ClientWrapper>,
    wire: Option<Wire>,
    /// The statements that were prepared on this connection, by their text.
    statements: HashMap<Arc<str>, Statement>,
    /// How many statements had left before the first of ours.
    left_before: u64,
    handed: u64,
    pub(super) progress: Instant,
    /// Whether a transaction has failed and the session was not brought back since.
    failing: bool,
    /// Whether the server was asked who it is, and for the statement that gives an id.
    asked: bool,
    /// Whether transactions are opened to read only.
    read_only: bool,
    /// What the server had said when nothing of ours was under route.
    said: Option<Said>,
    /// The last unit's work, if it ended with a Flush: the session is not idle yet for the
    /// server.
    flushed: Option<Work>,
}

/// The statements for a unit.
pub(super) struct Prepared {
    frame: Option<Frame>,
    parts: Vec<(Part, Statement)>,
}

impl Carrier {
    pub(super) async fn take(pool: &Pool) -> Result<Self, Error> {
        let link = pool.link().await?;
        Ok(Self {
            client: link.client()?,
            wire: link.wire(),
            link,
            left_before: 0,
            statements: HashMap::new(),
            handed: 0,
            progress: clock::now(),
            failing: false,
            asked: false,
            read_only: false,
            said: None,
            flushed: None,
        })
    }

    /// Whether all statements of some work are prepared.
    pub(super) fn has_prepared(&self, work: &Work) -> bool {
        let known = |sql: &str| self.statements.contains_key(sql);
        let framed = work.grouping == Grouping::Each || known(COMMIT);
        let mut runs = work.chunk.runs(work.range.clone());
        framed
            && runs.all(|(queries, shape)| {
                let shape = shape.as_ref();
                shape.is_ok_and(|shape| known(text(work.grouping, &queries, shape).0))
            })
    }

    /// Prepares the statements of some work that are not prepared, while nothing is under
    /// route.
    ///
    /// # Errors
    /// Of the first query that cannot be.
    pub(super) async fn prepare(
        &mut self,
        pool: &Pool,
        work: &Work,
        settings: &Settings,
    ) -> Result<Prepared, (FailedAt, Arc<Error>)> {
        let frame = match work.grouping {
            Grouping::Each => None,
            _ => Some(
                self.frame(settings)
                    .await
                    .map_err(|e| (FailedAt::Transaction, Arc::new(e)))?,
            ),
        };
        let mut parts = Vec::new();
        for (queries, shape) in work.chunk.runs(work.range.clone()) {
            let failed = |error| (FailedAt::Query(queries.start), error);
            let shape = shape.as_ref().map_err(|error| failed(error.clone()))?;
            let (sql, merged) = text(work.grouping, &queries, shape);
            let statement = self.statement(sql).await;
            let mut statement = statement.map_err(|error| failed(Arc::new(error)))?;
            if !merged && statement.params() != &shape.params[..] {
                // One of both is old.
                let anew = self.statement_anew(sql).await;
                statement = anew.map_err(|error| failed(Arc::new(error)))?;
            }
            if !merged && statement.params() != &shape.params[..] {
                pool.shapes().forget(sql);
                let changed = Error::PipelineRefused {
                    reason: "the types of its parameters have changed since it was added",
                };
                return Err(failed(Arc::new(changed)));
            }
            parts.push((Part { queries, merged }, statement));
        }
        Ok(Prepared { frame, parts })
    }

    async fn frame(&mut self, settings: &Settings) -> Result<Frame, Error> {
        self.read_only = settings.read_only;
        let begin = if settings.read_only {
            BEGIN_READ_ONLY
        } else {
            BEGIN
        };
        let doubts = !settings.read_only && !settings.idempotent;
        // Once, for the first unit: behind others there is no time to ask.
        let first = !std::mem::replace(&mut self.asked, true);
        if first && doubts && self.link.incarnation().is_none() {
            self.link.set_busy(false);
            // A server that does not say who it is, is nobody: nothing will be resolved.
            let asked = self.link.identify().await;
            self.unless_broken(asked)?;
        }
        let named = self.link.incarnation().is_some_and(Incarnation::gives_ids);
        let xid = if doubts && named && (first || self.statements.contains_key(XID)) {
            // PostgreSQL 12 has none.
            let prepared = self.statement(XID).await;
            self.unless_broken(prepared)?
        } else {
            None
        };
        // Queries that stand for themselves.
        let own = !settings.read_only && settings.strategy != Strategy::Transactional;
        Ok(Frame {
            begin: self.statement(begin).await?,
            immediate: match own {
                true => Some(self.statement(IMMEDIATE).await?),
                false => None,
            },
            xid,
            commit: self.statement(COMMIT).await?,
        })
    }

    /// Returns `None` for a failure that can be done without, unless the session has ended
    /// over it.
    fn unless_broken<T>(&self, done: Result<T, Error>) -> Result<Option<T>, Error> {
        match done {
            Err(error) if self.link.is_broken() => Err(error),
            done => Ok(done.ok()),
        }
    }

    async fn statement(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        // Nothing of ours is under route.
        self.link.set_busy(false);
        let statement = self.link.prepare(sql).await?;
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    async fn statement_anew(&mut self, sql: &str) -> Result<Statement, Error> {
        self.statements.remove(sql);
        self.link.set_busy(false);
        let statement = self.link.prepare_anew(sql).await?;
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// Puts a unit on the wire.
    ///
    /// # Errors
    /// If what was announced does not hold: the connection cannot be used any more.
    pub(super) async fn launch(
        &mut self,
        work: Work,
        prepared: Prepared,
        last: bool,
        flush_every: usize,
        timeout: Duration,
    ) -> (Unit, Result<(), Error>) {
        let Prepared { frame, parts } = prepared;
        let wire = self.wire.as_ref().filter(|_| frame.is_some());
        let synced = last || wire.is_none();
        let route = Route {
            client: &self.client,
            wire,
            flush_every,
            synced,
        };
        let (framed, elided) = (frame.is_some(), wire.is_some());
        self.link.set_read_only(framed && self.read_only);
        let line = Line::up(frame, &parts, &work.chunk, route);
        let statements = line.statements();
        let Line {
            mut on_wire,
            mut flying,
            ..
        } = line;
        if self.handed == 0 {
            // What was prepared until now is answered, and has left.
            self.left_before = self.wire.as_ref().map_or(0, Wire::left);
            self.said = self.wire.as_ref().map(Wire::said);
        }
        self.synced(if elided {
            usize::from(synced)
        } else {
            statements
        });
        self.flushed = (!synced).then(|| Work {
            range: 0..0,
            ..work.clone()
        });
        let first = self.handed;
        self.handed += statements as u64;
        self.link.set_busy(true);
        let began = clock::now();
        let counted = planted!(BatchesCountedAsOne, work.range.len() => 1);
        self.link.count_sent(counted);
        let mut left = Ok(());
        if framed && !elided {
            // Without BEGIN, all behind it would be done, each for itself.
            if !begin(&mut flying, began + timeout).await {
                left = Err(Error::StatementTimeout { timeout });
            }
            on_wire.truncate(flying.len());
        }
        if left.is_ok() && !launch(&mut flying).await {
            left = Err(Error::ConnectionLost);
        }
        let unit = Unit {
            work,
            parts: parts.into_iter().map(|(part, _)| part).collect(),
            on_wire,
            flying,
            first,
            statements,
            began,
            answers: Vec::new(),
            xid: None,
            error: None,
            readable: true,
            synced,
        };
        (unit, left)
    }

    /// Sends a Sync behind a Flush, so that the session can be given back: for the server
    /// it is still under way until a Sync, and counts as active. `None` if there is nothing
    /// to end.
    pub(super) async fn sync(&mut self) -> Option<Unit> {
        let work = self.flushed.take()?;
        self.synced(1);
        let mut flying = VecDeque::from([Flying::sync(self.client.clone())]);
        launch(&mut flying).await;
        Some(Unit {
            work,
            parts: Vec::new(),
            on_wire: vec![Purpose::Sync.into()],
            flying,
            first: self.handed,
            statements: 1,
            began: clock::now(),
            answers: Vec::new(),
            xid: None,
            error: None,
            readable: true,
            synced: true,
        })
    }

    /// Whether a transaction was rolled back that was to be committed: never seen but of
    /// something in between that does not keep to the protocol.
    pub(super) fn has_rolled_back(&self) -> bool {
        let now = self.wire.as_ref().map(Wire::said);
        now.map(|said| said.rollbacks) != self.said.map(|said| said.rollbacks)
    }

    /// Whether a statement's columns were others than when it was described: of which,
    /// nobody says, so none of the rows that come from then on can be read. The connection is
    /// not used again.
    pub(super) fn doubts_rows(&mut self) -> bool {
        let now = self.wire.as_ref().map(Wire::said);
        let changed = now.map(|said| said.changed) != self.said.map(|said| said.changed);
        if changed {
            self.link.retire();
        }
        changed
    }

    /// Takes the rows of at most `most` statements that repeat another, oldest first.
    pub(super) fn repeated(&self, most: usize) -> Vec<u64> {
        let wire = self.wire.as_ref().filter(|_| most > 0);
        wire.map_or_else(Vec::new, |wire| wire.repeated(most))
    }

    /// Whether a repeated statement was answered since the last progress; that is the last
    /// progress then.
    pub(super) fn heard(&mut self) -> bool {
        let heard = self.wire.as_ref().and_then(Wire::heard);
        let news = heard.filter(|at| *at > self.progress);
        self.progress = news.unwrap_or(self.progress);
        news.is_some()
    }

    /// Lets nothing more leave, and returns how many of our statements have. `None` if
    /// nobody knows: then all may have.
    pub(super) fn cut(&self) -> Option<u64> {
        let wire = self.wire.as_ref()?;
        wire.cut();
        Some(wire.left().saturating_sub(self.left_before))
    }

    /// Asks for the answers after a transaction has failed, unless that was asked for: the
    /// server skips what is behind it up to a Sync.
    pub(super) async fn fail(&mut self, units: &mut VecDeque<Unit>) {
        self.failing = true;
        self.flushed = None;
        let asked = units
            .iter()
            .any(|unit| unit.synced && !unit.flying.is_empty());
        if let (false, Some(last), Some(_)) = (asked, units.back_mut(), &self.wire) {
            let mut sync = VecDeque::from([Flying::sync(self.client.clone())]);
            launch(&mut sync).await;
            self.synced(1);
            last.on_wire.push(Purpose::Sync.into());
            last.flying.append(&mut sync);
            last.synced = true;
        }
    }

    /// Brings the session back to where a statement can run, after a transaction has
    /// failed and all that was under way is answered.
    ///
    /// # Errors
    /// If it cannot be.
    pub(super) async fn reset(&mut self, timeout: Duration) -> Result<(), Error> {
        // With a Sync for each statement COMMIT was the end of it, if it could run.
        if !std::mem::take(&mut self.failing) {
            return Ok(());
        }
        let reset = self.client.batch_execute("ROLLBACK");
        let reset = clock::timeout_at(clock::now() + timeout, reset).await;
        // This one was asked for.
        let now = self.wire.as_ref().map(Wire::said);
        if let (Some(said), Some(now)) = (&mut self.said, now) {
            said.rollbacks = now.rollbacks;
        }
        match reset {
            Ok(done) => done.map_err(Error::Statement),
            Err(clock::Elapsed) => Err(Error::StatementTimeout { timeout }),
        }
    }

    fn synced(&self, n: usize) {
        let metrics = self.link.metrics();
        metrics.add(Counter::PipelineSyncs, n as u64);
    }

    /// Times queries of a unit, and tells the breaker that they went well.
    pub(super) fn succeeded(
        &mut self,
        queries: Range<usize>,
        of: &Chunk,
        began: Instant,
        now: Instant,
    ) {
        self.timed(queries, of, began, now);
        self.link.succeeded(began, now);
    }

    /// Times queries of a unit, whatever came of them.
    pub(super) fn timed(&self, queries: Range<usize>, of: &Chunk, began: Instant, now: Instant) {
        let metrics = self.link.metrics();
        for (kind, n) in of.kinds(queries) {
            metrics.time_each(Timing::Query, kind, now - began, n);
        }
    }

    /// Tells the link that a statement has failed, or the connection has ended.
    pub(super) fn failed(&mut self, error: &Error, began: Instant) {
        if error.is_stale_statement() {
            self.statements.clear();
        }
        self.link.failed(error, began, clock::now());
    }

    /// Whether the connection is to be closed, once all is answered: the session has ended,
    /// or the server takes no writes.
    pub(super) fn is_broken(&self) -> bool {
        self.link.is_broken()
    }

    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.link.incarnation().cloned()
    }

    /// Gives the connection back, with nothing under way on it.
    pub(super) fn give_back(mut self) {
        self.link.set_busy(false);
    }
}

/// Chooses the statement for a run of queries, and whether it is one for all of them.
fn text<'a>(grouping: Grouping, queries: &Range<usize>, shape: &'a Shape) -> (&'a str, bool) {
    let many = grouping == Grouping::Coalesced && queries.len() > 1;
    let merged = many.then(|| shape.for_many(unnest::rewrite)).flatten();
    merged.map_or((&*shape.sql, false), |merged| (merged, true))
}
