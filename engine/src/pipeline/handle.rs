//! [`Pipeline`]: the caller's side.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use futures_util::{Stream, stream};
use tokio::runtime::Handle;
use tokio_postgres::types::ToSql;

use super::{
    batch::encode,
    lane::Lane,
    outcome::QueryResult,
    queue::{Added, Full, Queue},
    settings::Settings,
};
use crate::{
    clock,
    error::Error,
    metrics::Counter,
    pool::{Pool, SessionEffect, Shape, query_kind, session_effect},
    task::AbortOnDrop,
};

/// Queries on their way to the server: see the [module](super).
///
/// Dropping it gives up what has no result yet: some of it may have been done, how much
/// is counted and logged. [`close`](Self::close) waits for all of it.
pub struct Pipeline {
    pool: Pool,
    queue: Arc<Queue>,
    lanes: Vec<AbortOnDrop>,
    /// The only lane, where nothing goes out before a flush: the task that flushes runs it.
    /// So a transaction is not handed from task to task, which for a small one takes longer
    /// than the server does.
    own: Option<Lane>,
    runtime: Handle,
    /// The statement of the last query: mostly the next has the same.
    last: Option<Arc<Shape>>,
    encoded: BytesMut,
    max_bytes: usize,
    /// A chunk became full, and the lanes have not had a turn since.
    full: bool,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("lanes", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    pub(super) fn start(pool: &Pool, settings: Arc<Settings>, runtime: Handle) -> Self {
        let queue = Arc::new(Queue::new(&settings));
        let lane = |lane| Lane::new(pool, queue.clone(), lane, settings.clone());
        let own = queue.sends_only_on_flush().then(|| lane(0));
        let tasks = if own.is_some() { 0 } else { queue.lanes() };
        let lanes = (0..tasks)
            .map(|i| AbortOnDrop(runtime.spawn(lane(i).run()).abort_handle()))
            .collect();
        Self {
            pool: pool.clone(),
            queue,
            lanes,
            own,
            runtime,
            last: None,
            encoded: BytesMut::new(),
            max_bytes: settings.max_bytes,
            full: false,
        }
    }

    /// Adds a query. It is sent when its batch is full, at the next
    /// [`flush`](Self::flush), or when it has lingered. Waits while there is no room.
    ///
    /// What is wrong with the query itself, and what keeps it from being sent, is in
    /// its result. For a statement that the pool does not know yet the server is asked
    /// for the types of its parameters.
    ///
    /// In a batch that goes out whole, a statement cannot use a table that one before it
    /// makes: it is not there yet when the server is asked.
    ///
    /// Transactions are the pipeline's own: `BEGIN`, `COMMIT` and their like are
    /// refused, and so is `COPY`.
    ///
    /// Cancel safe: if dropped, the query was not added.
    ///
    /// # Errors
    /// [`Error::PipelineRefused`] for a statement that has no place in a pipeline, or
    /// one larger than `max_bytes`; [`Error::PipelineFull`] if there will be no room
    /// before a flush, or before results are taken.
    pub async fn add(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<(), Error> {
        self.add_to(None, sql, params).await
    }

    /// Adds a query that runs after all others with the same key, where there are
    /// several connections. As [`add`](Self::add) in all else.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn add_keyed(
        &mut self,
        key: impl Hash,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Error> {
        let key = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        self.add_to(Some(key), sql, params).await
    }

    async fn add_to(
        &mut self,
        key: Option<u64>,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Error> {
        if std::mem::take(&mut self.full) {
            // A caller that only adds never waits, and a lane that it woke would wait for
            // its thread.
            tokio::task::yield_now().await;
        }
        let now = clock::now();
        let mut shape = self.shape(sql).await?;
        let mut encoded = self.encode(&shape, params);
        if let (Ok(known), Err(error)) = (&shape, &encoded)
            && error.does_not_fit()
            // In a box: what is rare is not to make every other call's future larger.
            && let Some(now) = Box::pin(self.described_anew(known.clone())).await
        {
            shape = Ok(now);
            encoded = self.encode(&shape, params);
        }
        let shape = encoded.and(shape);
        if self.encoded.len() > self.max_bytes {
            return Err(Error::PipelineRefused {
                reason: "its parameters are larger than max_bytes",
            });
        }
        let kind = |shape: &Arc<Shape>| shape.kind;
        let added = Added {
            kind: shape.as_ref().map_or_else(|_| query_kind(sql), kind),
            shape,
            params: &self.encoded,
            now,
        };
        loop {
            match self.queue.add(&added, key) {
                Ok(full) => {
                    self.full = full;
                    return Ok(());
                }
                Err(Full::ForNow) => self.queue.room().await,
                Err(Full::UntilFlush) => {
                    return Err(Error::PipelineFull {
                        reason: "a batch of this strategy goes out whole: flush it, or raise \
                                 max_queries and max_bytes",
                    });
                }
                Err(Full::OfResults) => {
                    return Err(Error::PipelineFull {
                        reason: "of results: flush, or take them as a stream",
                    });
                }
            }
        }
    }

    /// Encodes the parameters of a query.
    fn encode(
        &mut self,
        shape: &Result<Arc<Shape>, Arc<Error>>,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Arc<Error>> {
        self.encoded.clear();
        let shape = shape.as_ref().map_err(Arc::clone)?;
        let encoded = encode(params, &shape.params, &mut self.encoded);
        encoded.map_err(|error| {
            self.encoded.clear();
            Arc::new(error)
        })
    }

    /// Asks the server again for the types of a statement. `None` if they are the same, or
    /// it does not say.
    async fn described_anew(&mut self, known: Arc<Shape>) -> Option<Arc<Shape>> {
        let mut link = self.pool.link().await.ok()?;
        let statement = link.prepare_anew(&known.sql).await.ok()?;
        if statement.params() == &known.params[..] {
            return None;
        }
        self.pool.shapes().forget(&known.sql);
        let shape = self.pool.shapes().keep(&known.sql, statement.params());
        self.last = Some(shape.clone());
        Some(shape)
    }

    /// Finds the shape of a statement, or why it has none.
    async fn shape(&mut self, sql: &str) -> Result<Result<Arc<Shape>, Arc<Error>>, Error> {
        let current = |last: &&Arc<Shape>| !last.is_stale() && &*last.sql == sql;
        if let Some(last) = self.last.as_ref().filter(current) {
            return Ok(Ok(last.clone()));
        }
        let described = match self.pool.shapes().find(sql) {
            Some(shape) => Ok(shape),
            None => self.describe(sql).await?,
        };
        if let Ok(shape) = &described {
            self.last = Some(shape.clone());
        }
        Ok(described)
    }

    async fn describe(&self, sql: &str) -> Result<Result<Arc<Shape>, Arc<Error>>, Error> {
        refuse(sql)?;
        let mut described = self.ask(sql).await;
        let failed = |described: &Result<_, Error>| matches!(described, Err(Error::Statement(error)) if error.code().is_some());
        if failed(&described) && !self.queue.all_answered() && !self.queue.sends_only_on_flush() {
            // It may need what is still under way: a table, say.
            self.queue.seal();
            self.queue.answered().await;
            described = self.ask(sql).await;
        }
        Ok(described.map_err(Arc::new))
    }

    async fn ask(&self, sql: &str) -> Result<Arc<Shape>, Error> {
        let statement = self.pool.link().await?.prepare(sql).await?;
        Ok(self.pool.shapes().keep(sql, statement.params()))
    }

    /// Sends everything that was added, waits for it, and returns the results of all
    /// queries since the last flush, in the order they were added. Empty if results are
    /// [streamed](Self::results).
    ///
    /// Cancel safe: if dropped, what was added goes out, and the next flush returns the
    /// results.
    pub async fn flush(&mut self) -> Vec<QueryResult> {
        self.queue.seal();
        if let Some(mut lane) = self.own.take() {
            let turn = async {
                lane.turn().await;
                lane
            };
            let carried = Carried {
                turn: Some(Box::pin(turn)),
                lanes: &mut self.lanes,
                runtime: &self.runtime,
            };
            self.own = Some(carried.await);
        }
        self.queue.answered().await;
        self.queue.take()
    }

    /// Returns the results as a stream, in the order the queries were added, from the first
    /// one that no flush has returned: for imports that must not hold all of them in
    /// memory. It ends when the pipeline is closed. While `max_results` wait to be read,
    /// [`add`](Self::add) waits too, and while rows of `max_bytes` do, so does the server, and
    /// with it [`flush`](Self::flush): so read it in a task of its own. Dropped, results are
    /// no longer kept.
    pub fn results(&mut self) -> Results {
        self.queue.stream();
        let queue = self.queue.clone();
        let results = stream::unfold(queue, |queue| async move {
            let result = queue.result().await?;
            Some((result, queue))
        });
        Results {
            stream: Box::pin(results),
            queue: self.queue.clone(),
        }
    }

    /// Flushes, and ends the pipeline.
    ///
    /// Cancel safe: if dropped, as if the pipeline was.
    pub async fn close(mut self) -> Vec<QueryResult> {
        let results = self.flush().await;
        self.queue.end();
        results
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.lanes.clear();
        if self.queue.all_answered() {
            // Whoever reads the stream still gets what there is.
            self.queue.end();
            return;
        }
        let dropped = self.queue.abandon();
        let metrics = self.pool.metrics();
        metrics.add(Counter::PipelineDropped, dropped as u64);
        metrics.given_up(dropped as u64);
        tracing::warn!(
            queries = dropped,
            "pipeline dropped before it was flushed: what became of them is not known"
        );
    }
}

/// Runs the turn of a lane in the task of the caller. If this is dropped in the middle, the
/// lane gets a task of its own, for good.
struct Carried<'a> {
    turn: Option<Pin<Box<dyn Future<Output = Lane> + Send>>>,
    lanes: &'a mut Vec<AbortOnDrop>,
    runtime: &'a Handle,
}

impl Future for Carried<'_> {
    type Output = Lane;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Lane> {
        let Some(turn) = &mut self.turn else {
            return Poll::Pending;
        };
        let lane = ready!(turn.as_mut().poll(cx));
        self.turn = None;
        Poll::Ready(lane)
    }
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            let task = self.runtime.spawn(async { turn.await.run().await });
            self.lanes.push(AbortOnDrop(task.abort_handle()));
        }
    }
}

/// The results of a [`Pipeline`] as they come: see [`Pipeline::results`].
pub struct Results {
    stream: Pin<Box<dyn Stream<Item = QueryResult> + Send>>,
    queue: Arc<Queue>,
}

impl std::fmt::Debug for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Results").finish_non_exhaustive()
    }
}

impl Stream for Results {
    type Item = QueryResult;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<QueryResult>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.queue.discard();
    }
}

/// Refuses a statement that has no place in a pipeline.
fn refuse(sql: &str) -> Result<(), Error> {
    let reason = match session_effect(sql) {
        SessionEffect::Opens | SessionEffect::Ends | SessionEffect::Within => {
            "transactions are the pipeline's own: choose a strategy"
        }
        SessionEffect::Copies => "COPY has no place in a pipeline",
        SessionEffect::None => return Ok(()),
    };
    Err(Error::PipelineRefused { reason })
}
