//! A stretch of queries, all run the same way.

use std::time::Duration;

use reports::experiments::batch_sweep::{How, Mode, Size, Slice};
use seawall::{
    Error, ErrorClass, Pool,
    clock::{self, Instant},
    metrics::Counter,
    pipeline::{BatchSize, Pipeline, Strategy},
};
use tokio_postgres::error::{DbError, Severity};

use super::{
    BatchError, Queries,
    bare::Bare,
    link::{Link, PATIENCE},
};
use crate::environment::chain;

/// When a stretch is over: after so many queries or so long, whichever is first. It has
/// whole batches and whole cycles of its statements, and at least one of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    queries: u64,
    time: Duration,
}

impl Until {
    /// After so long.
    pub(super) fn time(time: Duration) -> Self {
        let queries = u64::MAX;
        Self { queries, time }
    }

    /// After so many queries, or `at_most` so long.
    pub(super) fn queries(queries: u64, at_most: Duration) -> Self {
        Self {
            queries,
            time: at_most,
        }
    }

    fn is_over(self, done: u64, elapsed: Duration, cycle: u64) -> bool {
        let whole = done > 0 && done.is_multiple_of(cycle);
        whole && (done >= self.queries || elapsed >= self.time)
    }
}

/// Why a query failed.
struct Failure {
    /// Whether it is the query that failed: the server said so, and serves the next one.
    own: bool,
    reason: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let by_class = matches!(
            error.class(),
            ErrorClass::Statement | ErrorClass::Conflict | ErrorClass::ReadOnly
        );
        let by_severity = match error {
            Error::Statement(error) => at_error(error),
            _ => false,
        };
        Self {
            own: by_class || by_severity,
            reason: chain(error),
        }
    }
}

impl From<&tokio_postgres::Error> for Failure {
    fn from(error: &tokio_postgres::Error) -> Self {
        Self {
            own: at_error(error),
            reason: chain(error),
        }
    }
}

/// Whether the server refused it and goes on.
fn at_error(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    matches!(severity, Some(Severity::Error))
}

/// What was seen of a stretch so far.
struct Taken {
    /// Queries after which all statements have had their turn.
    cycle: u64,
    began: Instant,
    failed: u64,
    first_error: Option<String>,
    took_us: Vec<u64>,
}

impl Taken {
    fn new(cycle: u64) -> Self {
        Self {
            cycle,
            began: clock::now(),
            failed: 0,
            first_error: None,
            took_us: Vec::new(),
        }
    }

    /// Whether it is over with so many queries.
    fn is_over(&self, until: Until, done: u64) -> bool {
        until.is_over(done, clock::now() - self.began, self.cycle)
    }

    fn done(&self) -> u64 {
        self.took_us.len() as u64
    }

    /// Counts a query. What is no fault of its own ends the stretch.
    fn count(&mut self, took: Duration, failure: Option<Failure>) -> Result<(), BatchError> {
        self.took_us.push(micros(took));
        match failure {
            Some(Failure { own: false, reason }) => return Err(BatchError::Lost { reason }),
            Some(Failure { reason, .. }) => {
                self.failed += 1;
                self.first_error.get_or_insert(reason);
            }
            None => {}
        }
        Ok(())
    }

    /// The last query took longer: what ended its transaction was waited for as well.
    fn lengthen(&mut self, by: Duration) {
        if let Some(last) = self.took_us.last_mut() {
            *last += micros(by);
        }
    }

    fn slice(mut self, how: How, ended: Instant, batches: u64) -> Slice {
        self.took_us.sort_unstable();
        let queries = self.took_us.len();
        let quantile = |percent: usize| {
            let at = (queries * percent).div_ceil(100).max(1) - 1;
            self.took_us.get(at).copied().unwrap_or(0)
        };
        Slice {
            how,
            queries: queries as u64,
            failed: self.failed,
            took_us: micros(ended - self.began).max(1),
            p50_us: quantile(50),
            p99_us: quantile(99),
            mean_batch: queries as f64 / batches.max(1) as f64,
        }
    }
}

/// A way of running queries. It keeps its pipeline from one stretch to the next, as a
/// service does: what an automatic size has learnt is not learnt anew each time.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) how: How,
    /// Why the first of its queries that failed did, if one has.
    pub(super) first_error: Option<String>,
    pipeline: Option<Pipeline>,
}

impl Way {
    /// Sends nothing yet. `room` bounds how many queries an automatic size may have
    /// waiting, so that what is left of them at the end of a stretch is soon done.
    ///
    /// # Errors
    /// If there is no pipeline of such a size.
    pub(super) fn new(
        pool: &Pool,
        queries: &Queries<'_>,
        how: How,
        room: usize,
    ) -> Result<Self, BatchError> {
        let pipeline = match how {
            How::Bare | How::Sequential => None,
            How::Pipelined { mode, size } => Some(pipeline(pool, queries, mode, size, room)?),
        };
        Ok(Self {
            how,
            first_error: None,
            pipeline,
        })
    }

    /// Runs queries for a while. Those that fail, and be it all of them, are counted.
    ///
    /// Not cancel safe: what is under way is given up only when this is dropped.
    ///
    /// # Errors
    /// If there is no connection or no answer.
    pub(super) async fn run(
        &mut self,
        link: &mut Link,
        queries: &mut Queries<'_>,
        until: Until,
    ) -> Result<Slice, BatchError> {
        queries.restart();
        let Link { pool, bare } = link;
        let mut taken = Taken::new(queries.cycle());
        let counter = || pool.metrics().counter(Counter::PipelineBatches);
        let before = counter();
        match (self.how, &mut self.pipeline) {
            (How::Pipelined { size, .. }, Some(pipeline)) => match size {
                Size::Fixed(n) => in_batches(pipeline, queries, n, until, &mut taken).await?,
                Size::Auto => in_a_stream(pipeline, queries, until, &mut taken).await?,
            },
            (How::Bare, _) => bare_client(bare, queries, until, &mut taken).await?,
            _ if queries.transaction().is_some() => {
                transactions(pool, queries, until, &mut taken).await?;
            }
            _ => one_at_a_time(pool, queries, until, &mut taken).await?,
        }
        let ended = clock::now();
        let batches = match self.how {
            How::Bare | How::Sequential => taken.done(),
            How::Pipelined { .. } => counter() - before,
        };
        if self.first_error.is_none() {
            self.first_error = taken.first_error.take();
        }
        Ok(taken.slice(self.how, ended, batches))
    }
}

fn pipeline(
    pool: &Pool,
    queries: &Queries<'_>,
    mode: Mode,
    size: Size,
    room: usize,
) -> Result<Pipeline, BatchError> {
    let builder = pool.pipeline();
    let builder = match mode {
        Mode::Autocommit => builder.strategy(Strategy::BestEffort),
        // What is all or nothing goes out when it is flushed: it has no automatic size.
        Mode::OneTransaction if queries.transactional() && size != Size::Auto => {
            builder.strategy(Strategy::Transactional)
        }
        Mode::OneTransaction => builder.strategy(Strategy::BestEffort).group_commit(true),
        Mode::Reads => builder.strategy(Strategy::BestEffort).read_only(true),
    };
    let builder = match size {
        Size::Fixed(n) => builder.batch_size(n),
        Size::Auto => builder.batch_size(BatchSize::Auto).max_queries(room),
    };
    Ok(builder.start()?)
}

/// The bare client. It has no deadline of its own, so all of it has one together: one
/// timer costs nothing that could be measured.
async fn bare_client(
    bare: &mut Bare,
    queries: &mut Queries<'_>,
    until: Until,
    taken: &mut Taken,
) -> Result<(), BatchError> {
    let cycle = u32::try_from(queries.cycle()).unwrap_or(u32::MAX);
    let patience = until.time.saturating_add(PATIENCE.saturating_mul(cycle));
    let frame = queries.transaction();
    let all = async {
        let mut began = taken.began;
        loop {
            if let Some((begin, _)) = frame.filter(|_| queries.may_end()) {
                bare.control(begin).await?;
            }
            let query = queries.next();
            let done = bare.query(&query).await;
            let mut ended = clock::now();
            queries.answered(done.is_ok(), done.as_deref().ok());
            taken.count(ended - began, done.err().as_ref().map(Failure::from))?;
            if let Some((_, commit)) = frame.filter(|_| queries.may_end()) {
                bare.control(commit).await?;
                let committed = clock::now();
                taken.lengthen(committed - ended);
                ended = committed;
            }
            if queries.may_end() && taken.is_over(until, taken.done()) {
                return Ok(());
            }
            began = ended;
        }
    };
    match clock::timeout_at(clock::now() + patience, all).await {
        Ok(done) => done,
        Err(clock::Elapsed) => Err(BatchError::Lost {
            reason: "the bare client got no answer in time".to_owned(),
        }),
    }
}

async fn one_at_a_time(
    pool: &Pool,
    queries: &mut Queries<'_>,
    until: Until,
    taken: &mut Taken,
) -> Result<(), BatchError> {
    let mut began = taken.began;
    loop {
        let query = queries.next();
        let done = pool.query(query.sql, query.parameters().all()).await;
        let ended = clock::now();
        queries.answered(done.is_ok(), done.as_deref().ok());
        taken.count(ended - began, done.err().as_ref().map(Failure::from))?;
        if taken.is_over(until, taken.done()) {
            return Ok(());
        }
        began = ended;
    }
}

/// Transactions of the user's, a statement at a time, on a session of their own: what begins
/// and ends them is a round trip each, and counts to the statement beside it.
async fn transactions(
    pool: &Pool,
    queries: &mut Queries<'_>,
    until: Until,
    taken: &mut Taken,
) -> Result<(), BatchError> {
    let lost = |error: Error| BatchError::Lost {
        reason: chain(&error),
    };
    let Some((begin, commit)) = queries.transaction() else {
        return Ok(());
    };
    let mut began = taken.began;
    loop {
        let mut session = pool.acquire().await.map_err(lost)?;
        session.execute(begin, &[]).await.map_err(lost)?;
        loop {
            let query = queries.next();
            let done = session.query(query.sql, query.parameters().all()).await;
            let ended = clock::now();
            queries.answered(done.is_ok(), done.as_deref().ok());
            taken.count(ended - began, done.err().as_ref().map(Failure::from))?;
            began = ended;
            if queries.may_end() {
                break;
            }
        }
        match session.execute(commit, &[]).await {
            // The statement that failed was counted.
            Ok(_) | Err(Error::RolledBack) => {}
            Err(error) => return Err(lost(error)),
        }
        drop(session);
        let committed = clock::now();
        taken.lengthen(committed - began);
        began = committed;
        if taken.is_over(until, taken.done()) {
            return Ok(());
        }
    }
}

/// As the guide does it: add a batch, flush it, wait for it.
async fn in_batches(
    pipeline: &mut Pipeline,
    queries: &mut Queries<'_>,
    size: u32,
    until: Until,
    taken: &mut Taken,
) -> Result<(), BatchError> {
    loop {
        let mut added = 0;
        while added < size || !queries.may_end() {
            add(pipeline, queries).await?;
            added += 1;
        }
        flush(pipeline, queries, taken).await?;
        if taken.is_over(until, taken.done()) {
            return Ok(());
        }
    }
}

/// As fast as there is room.
async fn in_a_stream(
    pipeline: &mut Pipeline,
    queries: &mut Queries<'_>,
    until: Until,
    taken: &mut Taken,
) -> Result<(), BatchError> {
    let mut added = 0;
    loop {
        add(pipeline, queries).await?;
        added += 1;
        if taken.is_over(until, added) {
            return flush(pipeline, queries, taken).await;
        }
    }
}

async fn add(pipeline: &mut Pipeline, queries: &mut Queries<'_>) -> Result<(), BatchError> {
    let query = queries.next();
    let added = pipeline.add(query.sql, query.parameters().all()).await;
    added.map_err(|source| BatchError::Lost {
        reason: chain(&source),
    })
}

async fn flush(
    pipeline: &mut Pipeline,
    queries: &mut Queries<'_>,
    taken: &mut Taken,
) -> Result<(), BatchError> {
    for result in pipeline.flush().await {
        queries.answered(result.success(), result.rows());
        taken.count(result.time(), result.error().map(Failure::from))?;
    }
    match queries.open() {
        0 => Ok(()),
        n => Err(BatchError::Lost {
            reason: format!("nothing was said of {n} queries of the pipeline"),
        }),
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_of_whole_cycles_and_ends_by_number_or_time() {
        let ms = Duration::from_millis;
        let ended_after = |until: Until, batch: u64, each: Duration, cycle: u64| {
            let mut ends = (1..).map(|n| n * batch);
            let elapsed = |done: u64| each * u32::try_from(done).expect("few");
            let end = ends.find(|done| until.is_over(*done, elapsed(*done), cycle));
            end.expect("it ends")
        };
        let (time, number) = (Until::time(ms(30)), Until::queries(20, ms(150)));
        for (until, batch, each, cycle, expected) in [
            (time, 1, ms(1), 1, 30),
            (time, 1, ms(1), 7, 35),
            (time, 10, ms(1), 7, 70),
            // One of each at least.
            (time, 1, ms(100), 1, 1),
            (time, 1, ms(100), 3, 3),
            (time, 10, ms(100), 4, 20),
            (number, 1, ms(1), 1, 20),
            (number, 1, ms(1), 3, 21),
            (number, 50, ms(1), 3, 150),
            // Slow ones are fewer.
            (number, 1, ms(100), 1, 2),
            (number, 1, ms(1_000), 2, 2),
        ] {
            let ended = ended_after(until, batch, each, cycle);
            assert_eq!(ended, expected, "{until:?}, {batch} of {each:?}, {cycle}");
        }
    }

    #[test]
    fn quantiles_are_of_the_queries_and_no_slice_takes_no_time() {
        let mut taken = Taken::new(1);
        for us in (1..=200).rev() {
            let counted = taken.count(Duration::from_micros(us), None);
            counted.expect("no error");
        }
        let began = taken.began;
        let slice = taken.slice(How::Sequential, began, 20);
        assert_eq!((slice.queries, slice.failed, slice.took_us), (200, 0, 1));
        assert_eq!((slice.p50_us, slice.p99_us), (100, 198));
        assert!((slice.mean_batch - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_lost_server_ends_a_slice_and_a_bad_query_does_not() {
        let mut taken = Taken::new(1);
        let parameters = Error::Parameters {
            given: 1,
            wanted: 0,
        };
        let counted = taken.count(Duration::ZERO, Some(Failure::from(&parameters)));
        counted.expect("its own fault");
        assert_eq!(taken.failed, 1);
        let closed = Failure::from(&Error::Closed);
        let closed = taken.count(Duration::ZERO, Some(closed));
        assert!(matches!(closed, Err(BatchError::Lost { .. })));
    }
}
