//! [`Slots`]: the rights to use a session, and those who wait for one.
//!
//! Whoever has a slot may take a session; there are as many as the pool may have sessions. A
//! slot that comes back is handed to one who waits, never to a newcomer beside them. They are
//! served in the order they came in. While a pool recovers from an outage that may be the
//! newest first: those who came last have the most time left, and where more wait than can be
//! served in time, the others would be served too late.
//!
//! One lock holds all of it, for some instructions; tasks are woken after it is free.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The slots of a pool.
#[derive(Debug)]
pub(super) struct Slots(Mutex<Line>);

/// The right to use a session. Dropping it hands it to the next.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

/// The pool was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

/// Waits for a slot. Cancel safe: dropped, it leaves the line, and a slot that it was handed
/// goes to the next.
#[derive(Debug)]
pub(super) struct Waiting {
    slots: Arc<Slots>,
    place: u64,
}

/// Who has what. A slot is free only if nobody waits.
#[derive(Debug)]
struct Line {
    free: usize,
    closed: bool,
    /// Whether the newest is served first during a recovery.
    newest_first: bool,
    /// The circuit has closed, and since then somebody has always waited.
    recovering: bool,
    /// The place of the next who comes.
    next: u64,
    waiting: BTreeMap<u64, Waker>,
    /// Places that were handed a slot and do not know it yet.
    handed: BTreeSet<u64>,
}

impl Slots {
    pub(super) fn new(free: usize, newest_first: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Line {
            free,
            closed: false,
            newest_first,
            recovering: false,
            next: 0,
            waiting: BTreeMap::new(),
            handed: BTreeSet::new(),
        })))
    }

    /// Takes a slot, if one is free.
    pub(super) fn try_take(self: &Arc<Self>) -> Option<Slot> {
        let mut line = self.lock();
        if line.closed || line.free == 0 {
            return None;
        }
        line.free -= 1;
        Some(Slot(self.clone()))
    }

    /// Takes a place in the line: who takes it earlier counts as older.
    pub(super) fn place(&self) -> u64 {
        let mut line = self.lock();
        line.next += 1;
        line.next
    }

    /// Waits for a slot at a place. A place serves one at a time.
    pub(super) fn wait(self: &Arc<Self>, place: u64) -> Waiting {
        Waiting {
            slots: self.clone(),
            place,
        }
    }

    /// From now on, until nobody waits, those who wait are served in the order for a recovery.
    pub(super) fn recover(&self) {
        self.lock().recovering = true;
    }

    /// Tells all who wait that there are no slots any more.
    pub(super) fn close(&self) {
        let woken = {
            let mut line = self.lock();
            line.closed = true;
            std::mem::take(&mut line.waiting)
        };
        woken.into_values().for_each(Waker::wake);
    }

    /// How many are free.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look at it"))]
    pub(super) fn free(&self) -> usize {
        self.lock().free
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    fn give_back(&self) {
        let woken = self.lock().give_back();
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        // It is only ever left between two hand-overs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn ask(&mut self, place: u64, waker: &Waker) -> Poll<Result<(), Closed>> {
        if self.handed.remove(&place) {
            return Poll::Ready(Ok(()));
        }
        if self.closed {
            return Poll::Ready(Err(Closed));
        }
        if self.free > 0 {
            self.free -= 1;
            return Poll::Ready(Ok(()));
        }
        match self.waiting.get_mut(&place) {
            Some(known) => known.clone_from(waker),
            None => {
                self.waiting.insert(place, waker.clone());
            }
        }
        Poll::Pending
    }

    /// Hands a slot to the next, who is to be woken.
    fn give_back(&mut self) -> Option<Waker> {
        let newest = self.recovering && self.newest_first;
        let next = if newest {
            self.waiting.pop_last()
        } else {
            self.waiting.pop_first()
        };
        self.recovering &= !self.waiting.is_empty();
        let Some((place, waker)) = next else {
            self.free += 1;
            return None;
        };
        self.handed.insert(place);
        Some(waker)
    }

    fn leave(&mut self, place: u64) -> Option<Waker> {
        if self.handed.remove(&place) {
            return self.give_back();
        }
        self.waiting.remove(&place);
        None
    }
}

impl Future for Waiting {
    type Output = Result<Slot, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let asked = self.slots.lock().ask(self.place, cx.waker());
        asked.map(|given| given.map(|()| Slot(self.slots.clone())))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let woken = self.slots.lock().leave(self.place);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.give_back();
    }
}
