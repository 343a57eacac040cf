//! [`Queue`]: stands between the caller and the lanes. Holds the queries that were added and
//! not sent, and the results that were not taken, both within bounds.
//!
//! One lock, held for a push or a pop; nothing is awaited or called under it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    batch::Chunk,
    outcome::QueryResult,
    settings::{BatchSize, Settings, Strategy},
    unread::{GoesOn, Unread},
};
use crate::{clock::Instant, error::Error, metrics::QueryKind, pool::Shape};

/// A batch of automatic or fixed size goes out when it has this many bytes: more than
/// a socket takes at once gains nothing.
const CHUNK_BYTES: usize = 64 * 1024;

/// A query to be added.
pub(super) struct Added<'a> {
    pub(super) shape: Result<Arc<Shape>, Arc<Error>>,
    pub(super) kind: QueryKind,
    pub(super) params: &'a [u8],
    pub(super) now: Instant,
}

/// Why a query was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There will be room when there are results.
    ForNow,
    /// Whether nothing goes out before a flush.
    UntilFlush,
    /// There will be room when results are taken.
    OfResults,
}

/// What a lane is to do next.
pub(super) enum Next {
    /// To send this.
    Send(Chunk),
    /// To look again at this time, or when there is something new.
    At(Instant),
    /// To wait until there is something new.
    Wait,
    /// To end: there will be nothing.
    End,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    work: Vec<Notify>,
    room: Notify,
    answered: Notify,
    unread: Unread,
    /// The number of queries at which a chunk goes out.
    full_at: AtomicUsize,
    /// The number of queries without a result beyond which more would only wait in line.
    most: AtomicUsize,
    /// Nothing goes out before a flush.
    only_on_flush: bool,
    automatic: bool,
    linger: Duration,
    max_queries: usize,
    max_bytes: usize,
    max_results: usize,
}

#[derive(Debug, Default)]
struct QueueState {
    lanes: Vec<LaneQueue>,
    /// The lane whose turn it is.
    turn: usize,
    unanswered: usize,
    bytes: usize,
    /// Bytes of the results that are there.
    held: usize,
    /// The number of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    streaming: Streaming,
    ended: bool,
}

#[derive(Debug, Default)]
struct LaneQueue {
    open: Chunk,
    sealed: VecDeque<Chunk>,
}

#[derive(Debug)]
enum Slot {
    Waiting { bytes: usize, lane: usize },
    Done(QueryResult),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Streaming {
    #[default]
    No,
    Yes,
    /// The stream was dropped: nobody wants results.
    Discard,
}

impl Queue {
    pub(super) fn new(settings: &Settings) -> Self {
        let lanes = match settings.strategy {
            Strategy::Parallel => settings.connections,
            _ => 1,
        };
        let (full_at, automatic) = match settings.batch_size {
            BatchSize::Fixed(n) => (n as usize, false),
            BatchSize::Auto => (1, true),
        };
        Self {
            state: Mutex::new(QueueState {
                lanes: (0..lanes).map(|_| LaneQueue::default()).collect(),
                ..QueueState::default()
            }),
            work: (0..lanes).map(|_| Notify::new()).collect(),
            room: Notify::new(),
            answered: Notify::new(),
            unread: Unread::default(),
            full_at: AtomicUsize::new(full_at),
            // Until the lane has begun to measure, which it cannot before this fills up.
            most: AtomicUsize::new(if automatic {
                lanes
            } else {
                settings.max_queries
            }),
            only_on_flush: matches!(
                settings.strategy,
                Strategy::Sequential | Strategy::Transactional
            ),
            automatic,
            linger: settings.linger,
            max_queries: settings.max_queries,
            max_bytes: settings.max_bytes,
            max_results: settings.max_results,
        }
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lanes(&self) -> usize {
        self.work.len()
    }

    /// Whether nothing goes out before a flush.
    pub(super) fn sends_only_on_flush(&self) -> bool {
        self.only_on_flush
    }

    /// Sets the size of a chunk, and how many queries may be without a result, where
    /// that is automatic.
    pub(super) fn pace(&self, chunk: usize, most: usize) {
        self.full_at.store(chunk.max(1), Ordering::Relaxed);
        self.most.store(most.max(1), Ordering::Relaxed);
    }

    /// Adds a query to the lane of `key`, or to the one whose turn it is.
    /// True if a chunk became full with it.
    pub(super) fn add(&self, added: &Added<'_>, key: Option<u64>) -> Result<bool, Full> {
        let mut state = self.state();
        let bytes = added.params.len();
        let paced = if self.only_on_flush {
            usize::MAX
        } else {
            self.most.load(Ordering::Relaxed)
        };
        let most = self.max_queries.min(paced);
        if state.unanswered >= most
            || (state.unanswered > 0 && state.bytes + bytes > self.max_bytes)
        {
            let open = state.lanes.iter().any(|lane| !lane.open.is_empty());
            return Err(if self.only_on_flush && open {
                Full::UntilFlush
            } else {
                Full::ForNow
            });
        }
        let results = state.slots.len() - state.unanswered;
        if results >= self.max_results && state.streaming != Streaming::Discard {
            return Err(match state.streaming {
                Streaming::Yes => Full::ForNow,
                _ => Full::OfResults,
            });
        }
        let state = &mut *state;
        let lanes = state.lanes.len();
        let lane = match key {
            // Fewer than a thousand.
            Some(key) => usize::try_from(key % lanes as u64).unwrap_or(0),
            None => state.turn,
        };
        let number = state.base + state.slots.len() as u64;
        let to = &mut state.lanes[lane];
        let first = to.open.is_empty();
        to.open.push(
            number,
            added.shape.clone(),
            added.kind,
            added.params,
            added.now,
        );
        let full =
            to.open.len() >= self.full_at.load(Ordering::Relaxed) || to.open.bytes() >= CHUNK_BYTES;
        let seal = full && !self.only_on_flush;
        if seal {
            to.sealed.push_back(to.open.take());
            if key.is_none() {
                state.turn = (lane + 1) % lanes;
            }
        }
        state.unanswered += 1;
        state.bytes += bytes;
        state.slots.push_back(Slot::Waiting { bytes, lane });
        if seal || (first && !self.only_on_flush) {
            self.work[lane].notify_one();
        }
        Ok(seal)
    }

    /// Waits for room. Cancel safe.
    pub(super) async fn room(&self) {
        self.room.notified().await;
    }

    /// Seals all chunks, so that everything goes out that was added.
    pub(super) fn seal(&self) {
        let mut state = self.state();
        for lane in &mut state.lanes {
            if !lane.open.is_empty() {
                lane.sealed.push_back(lane.open.take());
            }
            if let Some(last) = lane.sealed.back_mut() {
                last.set_last();
            }
        }
        drop(state);
        self.work.iter().for_each(Notify::notify_one);
    }

    /// Ends the queue: nothing more is added, and the lanes end when all is sent.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.seal();
        self.answered.notify_waiters();
    }

    /// Ends the queue at once. Returns how many queries have no result.
    pub(super) fn abandon(&self) -> usize {
        let mut state = self.state();
        state.ended = true;
        state.streaming = Streaming::Discard;
        for lane in &mut state.lanes {
            *lane = LaneQueue::default();
        }
        let unanswered = std::mem::take(&mut state.unanswered);
        state.slots.clear();
        state.held = 0;
        self.weigh(state);
        self.answered.notify_waiters();
        unanswered
    }

    /// Tells a lane what to send now. A lane that has nothing under way takes a batch of
    /// automatic size as it is.
    pub(super) fn next(&self, lane: usize, idle: bool, now: Instant) -> Next {
        let mut state = self.state();
        let ended = state.ended;
        let queue = &mut state.lanes[lane];
        if let Some(chunk) = queue.sealed.pop_front() {
            return Next::Send(chunk);
        }
        let Some(opened) = queue.open.opened().filter(|_| !self.only_on_flush) else {
            return if ended { Next::End } else { Next::Wait };
        };
        let due = opened + self.linger;
        if (self.automatic && idle) || now >= due {
            return Next::Send(queue.open.take());
        }
        Next::At(due)
    }

    /// Waits for something new for a lane. Cancel safe.
    pub(super) fn work(&self, lane: usize) -> impl Future<Output = ()> + '_ {
        self.work[lane].notified()
    }

    /// Takes results, in any order.
    pub(super) fn deliver(&self, results: impl IntoIterator<Item = QueryResult>) {
        let mut state = self.state();
        for result in results {
            let Some(at) = result.index.checked_sub(state.base) else {
                continue;
            };
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let Some(slot) = state.slots.get_mut(at) else {
                continue;
            };
            if let Slot::Waiting { bytes, .. } = *slot {
                let held = result.bytes;
                *slot = Slot::Done(result);
                state.unanswered -= 1;
                state.bytes -= bytes;
                state.held += held;
            }
        }
        if state.streaming == Streaming::Discard {
            while pop(&mut state).is_some() {}
        }
        self.weigh(state);
        self.room.notify_one();
        self.answered.notify_waiters();
    }

    /// Whether every query has its result.
    pub(super) fn all_answered(&self) -> bool {
        self.state().unanswered == 0
    }

    /// Waits until every query has its result. Cancel safe.
    pub(super) async fn answered(&self) {
        self.until(|state| (state.unanswered == 0).then_some(()))
            .await;
    }

    /// Takes all results there are, in order, up to the first that is not there; none
    /// if they are streamed.
    pub(super) fn take(&self) -> Vec<QueryResult> {
        let mut state = self.state();
        if state.streaming != Streaming::No {
            return Vec::new();
        }
        let mut taken = Vec::with_capacity(state.slots.len());
        while let Some(result) = pop(&mut state) {
            taken.push(result);
        }
        taken
    }

    /// Makes results go to the stream from now on.
    pub(super) fn stream(&self) {
        let mut state = self.state();
        state.streaming = Streaming::Yes;
        self.weigh(state);
    }

    /// Drops results from now on.
    pub(super) fn discard(&self) {
        let mut state = self.state();
        state.streaming = Streaming::Discard;
        while pop(&mut state).is_some() {}
        self.weigh(state);
        self.room.notify_one();
        self.answered.notify_waiters();
    }

    /// Notes who may take more answers: if results of too many bytes wait to be read, only the
    /// lane that the reader waits for.
    fn weigh(&self, state: MutexGuard<'_, QueueState>) {
        let heavy = state.streaming == Streaming::Yes && state.held >= self.max_bytes;
        let changed = self.unread.set(match state.slots.front() {
            Some(Slot::Waiting { lane, .. }) if heavy => GoesOn::Only(*lane),
            Some(Slot::Done(_)) if heavy => GoesOn::Nobody,
            _ => GoesOn::Everybody,
        });
        drop(state);
        if changed {
            self.unread.wake();
        }
    }

    /// Whether results are to be read before a lane takes more from the server, and until
    /// when.
    pub(super) fn unread(&self) -> &Unread {
        &self.unread
    }

    /// Waits for the next result in order; `None` when there will be no more. Cancel safe.
    pub(super) async fn result(&self) -> Option<QueryResult> {
        let next = self.until(|state| match pop(state) {
            Some(result) => Some(Some(result)),
            None => (state.ended && state.slots.is_empty()).then_some(None),
        });
        let next = next.await;
        if self.unread.is_too_much() {
            self.weigh(self.state());
        }
        self.room.notify_one();
        next
    }

    async fn until<T>(&self, done: impl Fn(&mut QueueState) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.answered.notified());
            // Before looking, or a change in between would be missed.
            changed.as_mut().enable();
            if let Some(done) = done(&mut self.state()) {
                return done;
            }
            changed.await;
        }
    }
}

fn pop(state: &mut QueueState) -> Option<QueryResult> {
    match state.slots.pop_front()? {
        Slot::Done(result) => {
            state.base += 1;
            state.held -= result.bytes;
            Some(result)
        }
        waiting @ Slot::Waiting { .. } => {
            state.slots.push_front(waiting);
            None
        }
    }
}
