//! A connection of the pool while a lane uses it.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Statement;

use super::super::{
    flight::{Flying, Kind, Place, Unit, Work, launch},
    resolve::{Incarnation, WHO},
    settings::{Settings, Strategy},
    settle::At,
};
use crate::{
    clock::{self, Instant},
    error::Error,
    metrics::Counter,
    pool::{Connection, Pool},
    wire::{End, Wire},
};

const BEGIN: &str = "BEGIN";
const BEGIN_READ_ONLY: &str = "BEGIN READ ONLY";
/// A constraint that is checked at the commit would be checked after what other queries
/// did, which may mend it.
const IMMEDIATE: &str = "SET CONSTRAINTS ALL IMMEDIATE";
const COMMIT: &str = "COMMIT";
const XID: &str = "SELECT pg_current_xact_id()::text";

pub(super) struct Carrier {
    connection: Connection,
    client: Arc<ClientWrapper>,
    wire: Option<Wire>,
    /// The statements of this connection that were used, by their text.
    statements: HashMap<Arc<str>, Statement>,
    /// Statements that had left before the first of ours, and ours since.
    left_before: u64,
    handed: u64,
    pub(super) progress: Instant,
    /// A transaction has failed.
    failing: bool,
    /// The last unit ended with a Flush: the session is not idle yet for the server.
    flushed: Option<Work>,
}

/// The statements for a unit.
pub(super) struct Prepared {
    frame: Option<Frame>,
    statements: Vec<(Range<usize>, Statement)>,
}

struct Frame {
    begin: Statement,
    immediate: Option<Statement>,
    xid: Option<Statement>,
    commit: Statement,
}

impl Carrier {
    pub(super) async fn take(pool: &Pool) -> Result<Self, Error> {
        let connection = pool.acquire().await?;
        let (client, wire) = connection.parts().ok_or(Error::Closed)?;
        Ok(Self {
            client,
            left_before: 0,
            wire,
            connection,
            statements: HashMap::new(),
            handed: 0,
            progress: clock::now(),
            failing: false,
            flushed: None,
        })
    }

    /// Whether all statements of some work are prepared.
    pub(super) fn knows(&self, work: &Work) -> bool {
        let known = |sql: &str| self.statements.contains_key(sql);
        let framed = work.kind == Kind::Each || known(COMMIT);
        framed
            && work
                .range
                .clone()
                .all(|i| match &work.chunk.entries[i].shape {
                    Ok(shape) if work.kind == Kind::Coalesced && shape.unnest.is_some() => shape
                        .unnest
                        .as_ref()
                        .is_some_and(|u| known(&u.sql) && known(&shape.sql)),
                    Ok(shape) => known(&shape.sql),
                    Err(_) => false,
                })
    }

    /// Prepares what is not, while nothing is under way.
    ///
    /// # Errors
    /// Of the first query that cannot be.
    pub(super) async fn prepare(
        &mut self,
        pool: &Pool,
        work: &Work,
        settings: &Settings,
    ) -> Result<Prepared, (At, Arc<Error>)> {
        let frame = match work.kind {
            Kind::Each => None,
            _ => Some(
                self.frame(settings)
                    .await
                    .map_err(|e| (At::Transaction, Arc::new(e)))?,
            ),
        };
        let mut statements: Vec<(Range<usize>, Statement)> = Vec::with_capacity(work.range.len());
        let mut i = work.range.start;
        while i < work.range.end {
            let failed = |error| (At::Query(i), error);
            let shape = work.chunk.entries[i].shape.clone().map_err(failed)?;
            // The run of the same statement, if it can be had as one.
            let mut end = i + 1;
            if work.kind == Kind::Coalesced && shape.unnest.is_some() {
                let same = |i: usize| {
                    let other = work.chunk.entries[i].shape.as_ref();
                    other.is_ok_and(|other| Arc::ptr_eq(other, &shape))
                };
                end += (end..work.range.end).take_while(|i| same(*i)).count();
            }
            let unnest = shape.unnest.as_ref().filter(|_| end > i + 1);
            let sql = unnest.map_or(&*shape.sql, |unnest| &*unnest.sql);
            let last = statements.last().map(|(run, _)| run.start);
            let like_last = last.filter(|at| {
                let last = work.chunk.entries[*at].shape.as_ref();
                unnest.is_none() && last.is_ok_and(|last| Arc::ptr_eq(last, &shape))
            });
            let statement = match (like_last, statements.last()) {
                (Some(_), Some((_, statement))) => statement.clone(),
                _ => {
                    let statement = self.statement(sql).await;
                    let statement = statement.map_err(|error| failed(Arc::new(error)))?;
                    if unnest.is_none() && statement.params() != &shape.params[..] {
                        pool.shapes().forget(sql);
                        let changed = Error::PipelineRefused {
                            reason: "the types of its parameters have changed since it was added",
                        };
                        return Err(failed(Arc::new(changed)));
                    }
                    statement
                }
            };
            statements.push((i..end, statement));
            i = end;
        }
        Ok(Prepared { frame, statements })
    }

    async fn frame(&mut self, settings: &Settings) -> Result<Frame, Error> {
        let begin = if settings.read_only {
            BEGIN_READ_ONLY
        } else {
            BEGIN
        };
        let doubts = !settings.read_only && !settings.idempotent;
        if doubts && self.connection.incarnation().is_none() {
            self.connection.occupy(false);
            // A server that does not say who it is, is nobody: nothing will be resolved.
            let rows = self.connection.query(WHO, &[]).await;
            if let Ok([row]) = rows.as_deref() {
                self.connection.keep_incarnation(Incarnation::of(row));
            }
        }
        let xid = if doubts && self.connection.incarnation().is_some() {
            // PostgreSQL 12 has none.
            self.statement(XID).await.ok()
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

    async fn statement(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        // Nothing of ours is under way.
        self.connection.occupy(false);
        let statement = self.connection.prepare(sql).await?;
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// Puts a unit on the wire. False if what was announced does not hold.
    pub(super) async fn launch(
        &mut self,
        work: Work,
        prepared: Prepared,
        last: bool,
        flush_every: usize,
    ) -> (Unit, bool) {
        let Prepared { frame, statements } = prepared;
        let mut places = Vec::with_capacity(statements.len() + 3);
        let mut flying = VecDeque::with_capacity(statements.len() + 3);
        let bare = |statement| Flying::bare(self.client.clone(), statement);
        let mut commit = None;
        if let Some(frame) = frame {
            places.push(Place::Begin);
            flying.push_back(bare(frame.begin));
            if let Some(immediate) = frame.immediate {
                places.push(Place::Begin);
                flying.push_back(bare(immediate));
            }
            if let Some(xid) = frame.xid {
                places.push(Place::Xid);
                flying.push_back(bare(xid));
            }
            commit = Some(bare(frame.commit));
        }
        let before = places.len();
        for (run, statement) in statements {
            let (client, chunk) = (self.client.clone(), work.chunk.clone());
            flying.push_back(if run.len() == 1 {
                Flying::query(client, statement, chunk, run.start)
            } else {
                Flying::run(client, statement, chunk, run.clone())
            });
            places.push(Place::Queries(run));
        }
        let framed = commit.is_some();
        if let Some(commit) = commit {
            places.push(Place::Commit);
            flying.push_back(commit);
        }
        let mut synced = true;
        if let (true, Some(wire)) = (framed, &self.wire) {
            synced = last;
            let end = if synced { End::Sync } else { End::Flush };
            // The answer with the id is worth a Flush of its own.
            wire.announce(before, usize::MAX, End::Flush);
            wire.announce(places.len() - before, flush_every, end);
        }
        if self.handed == 0 {
            // What was prepared until now is answered, and has left.
            self.left_before = self.wire.as_ref().map_or(0, Wire::left);
        }
        self.synced(match &self.wire {
            Some(_) if framed => usize::from(synced),
            _ => places.len(),
        });
        self.flushed = (!synced).then(|| Work {
            range: 0..0,
            ..work.clone()
        });
        let first = self.handed;
        self.handed += places.len() as u64;
        self.connection.occupy(true);
        let all_left = launch(&mut flying).await;
        let unit = Unit {
            work,
            places,
            flying,
            first,
            began: clock::now(),
            answers: Vec::new(),
            xid: None,
            error: None,
            synced,
        };
        (unit, all_left)
    }

    /// Ends what ended with a Flush, for a session to be given back: for the server it is
    /// still under way until a Sync, and counts as active. `None` if there is nothing to
    /// end.
    pub(super) async fn sync(&mut self) -> Option<Unit> {
        let work = self.flushed.take()?;
        self.synced(1);
        let mut flying = VecDeque::from([Flying::sync(self.client.clone())]);
        launch(&mut flying).await;
        Some(Unit {
            work,
            places: vec![Place::Sync],
            flying,
            first: self.handed,
            began: clock::now(),
            answers: Vec::new(),
            xid: None,
            error: None,
            synced: true,
        })
    }

    /// How many of our statements have left. From now on no more do. `None` if nobody
    /// knows: then all may have.
    pub(super) fn cut(&self) -> Option<u64> {
        let wire = self.wire.as_ref()?;
        wire.cut();
        Some(wire.left().saturating_sub(self.left_before))
    }

    /// A transaction has failed, and the server skips what is behind it: asks for the
    /// answers, unless that has been asked for.
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
            last.places.push(Place::Sync);
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
        // With a Sync for each statement, COMMIT was run, and was the end of it.
        if !std::mem::take(&mut self.failing) || self.wire.is_none() {
            return Ok(());
        }
        let reset = self.client.batch_execute("ROLLBACK");
        match clock::timeout_at(clock::now() + timeout, reset).await {
            Ok(done) => done.map_err(Error::Statement),
            Err(clock::Elapsed) => Err(Error::StatementTimeout { timeout }),
        }
    }

    fn synced(&self, n: usize) {
        let metrics = self.connection.metrics();
        metrics.add(Counter::PipelineSyncs, n as u64);
    }

    pub(super) fn succeeded(&mut self, n: usize, began: Instant, now: Instant) {
        self.connection.succeeded(n, began, now);
    }

    /// A statement has failed, or the connection has ended.
    pub(super) fn failed(&mut self, error: &Error, began: Instant) {
        if super::is_stale(error) {
            self.statements.clear();
        }
        self.connection.failed_with(error, began);
    }

    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.connection.incarnation().cloned()
    }

    /// Gives the connection back, with nothing under way on it.
    pub(super) fn give_back(mut self) {
        self.connection.occupy(false);
    }
}
