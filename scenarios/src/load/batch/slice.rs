//! A stretch of queries, all run the same way.

use std::time::Duration;

use engine::{
    Error, ErrorClass, Pool,
    clock::{self, Instant},
    metrics::Counter,
    pipeline::{BatchSize, Pipeline, Strategy},
};
use reports::record::{How, Mode, Size, Slice};

use super::{BatchError, Queries, plan};

/// When a stretch is over. It has whole batches, and at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so long.
    Time(Duration),
    /// After so many queries.
    Queries(u64),
}

/// What was seen of a stretch so far.
struct Taken {
    began: Instant,
    failed: u64,
    first_error: Option<String>,
    took_us: Vec<u64>,
}

impl Taken {
    fn new() -> Self {
        Self {
            began: clock::now(),
            failed: 0,
            first_error: None,
            took_us: Vec::new(),
        }
    }

    fn is_over(&self, until: Until) -> bool {
        match until {
            Until::Time(time) => clock::now() >= self.began + time,
            Until::Queries(n) => self.took_us.len() as u64 >= n,
        }
    }

    /// Counts a query. What is no fault of its own ends the stretch.
    fn count(&mut self, took: Duration, error: Option<&Error>) -> Result<(), BatchError> {
        self.took_us.push(micros(took));
        if let Some(error) = error {
            let class = error.class();
            let its_own = matches!(
                class,
                ErrorClass::Statement | ErrorClass::Conflict | ErrorClass::ReadOnly
            );
            if !its_own {
                let reason = crate::environment::chain(error);
                return Err(BatchError::Lost { reason });
            }
            self.failed += 1;
            self.first_error
                .get_or_insert_with(|| crate::environment::chain(error));
        }
        Ok(())
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
pub(crate) struct Way {
    pub(crate) how: How,
    pipeline: Option<Pipeline>,
}

impl Way {
    /// Sends nothing yet. `room` bounds how many queries an automatic size may have
    /// waiting, so that what is left of them at the end of a stretch is soon done.
    ///
    /// # Errors
    /// If there is no pipeline of such a size.
    pub(crate) fn new(
        pool: &Pool,
        queries: &Queries<'_>,
        how: How,
        room: usize,
    ) -> Result<Self, BatchError> {
        let pipeline = match how {
            How::Sequential => None,
            How::Pipelined { mode, size } => Some(pipeline(pool, queries, mode, size, room)?),
        };
        Ok(Self { how, pipeline })
    }

    /// Runs queries for a while.
    ///
    /// Not cancel safe: what is under way is given up only when this is dropped.
    ///
    /// # Errors
    /// If there is no connection or no answer, or every query failed.
    pub(crate) async fn run(
        &mut self,
        pool: &Pool,
        queries: &mut Queries<'_>,
        until: Until,
    ) -> Result<Slice, BatchError> {
        let mut taken = Taken::new();
        let counter = || pool.metrics().counter(Counter::PipelineBatches);
        let before = counter();
        match (self.how, &mut self.pipeline) {
            (How::Pipelined { size, .. }, Some(pipeline)) => match size {
                Size::Fixed(n) => in_batches(pipeline, queries, n, until, &mut taken).await?,
                Size::Auto => in_a_stream(pipeline, queries, until, &mut taken).await?,
            },
            _ => one_at_a_time(pool, queries, until, &mut taken).await?,
        }
        let ended = clock::now();
        let batches = match self.how {
            How::Sequential => taken.took_us.len() as u64,
            How::Pipelined { .. } => counter() - before,
        };
        if taken.failed == taken.took_us.len() as u64 {
            return Err(BatchError::AllFailed {
                class: queries.class().name.clone(),
                how: plan::name(self.how),
                reason: taken.first_error.unwrap_or_default(),
            });
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
        taken.count(ended - began, done.err().as_ref())?;
        if taken.is_over(until) {
            return Ok(());
        }
        began = ended;
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
        for _ in 0..size {
            add(pipeline, queries).await?;
        }
        flush(pipeline, taken).await?;
        if taken.is_over(until) {
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
        let over = match until {
            Until::Time(time) => clock::now() >= taken.began + time,
            Until::Queries(n) => added >= n,
        };
        if over {
            return flush(pipeline, taken).await;
        }
    }
}

async fn add(pipeline: &mut Pipeline, queries: &mut Queries<'_>) -> Result<(), BatchError> {
    let query = queries.next();
    let added = pipeline.add(query.sql, query.parameters().all()).await;
    added.map_err(|source| BatchError::Lost {
        reason: crate::environment::chain(&source),
    })
}

async fn flush(pipeline: &mut Pipeline, taken: &mut Taken) -> Result<(), BatchError> {
    for result in pipeline.flush().await {
        taken.count(result.time(), result.error())?;
    }
    Ok(())
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_queries_and_no_slice_takes_no_time() {
        let mut taken = Taken::new();
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
        let mut taken = Taken::new();
        let parameters = Error::Parameters {
            given: 1,
            wanted: 0,
        };
        let counted = taken.count(Duration::ZERO, Some(&parameters));
        counted.expect("its own fault");
        assert_eq!(taken.failed, 1);
        let closed = taken.count(Duration::ZERO, Some(&Error::Closed));
        assert!(matches!(closed, Err(BatchError::Lost { .. })));
    }
}
