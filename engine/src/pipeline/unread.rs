//! [`Unread`]: who may take answers from the server while results of many bytes wait to be
//! read.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Every lane may take answers.
const EVERYBODY: usize = usize::MAX;
/// No lane may: there is enough to be read.
const NOBODY: usize = usize::MAX - 1;

/// Which lanes go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoesOn {
    Everybody,
    /// The one that the reader waits for.
    Only(usize),
    Nobody,
}

/// Holds lanes up.
#[derive(Debug)]
pub(super) struct Unread {
    /// A lane, or one of the two above.
    goes_on: AtomicUsize,
    changed: Notify,
}

impl Default for Unread {
    fn default() -> Self {
        Self {
            goes_on: AtomicUsize::new(EVERYBODY),
            changed: Notify::new(),
        }
    }
}

impl Unread {
    /// Says who goes on. True if those who wait are to be woken.
    pub(super) fn set(&self, goes_on: GoesOn) -> bool {
        let next = match goes_on {
            GoesOn::Everybody => EVERYBODY,
            GoesOn::Only(lane) => lane,
            GoesOn::Nobody => NOBODY,
        };
        self.goes_on.swap(next, Ordering::AcqRel) != next
    }

    pub(super) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Whether any lane is held up.
    pub(super) fn is_too_much(&self) -> bool {
        self.goes_on.load(Ordering::Acquire) != EVERYBODY
    }

    /// Whether results are to be read before this lane takes more from the server.
    pub(super) fn holds_up(&self, lane: usize) -> bool {
        let goes_on = self.goes_on.load(Ordering::Acquire);
        goes_on != EVERYBODY && goes_on != lane
    }

    /// Waits until enough results have been read for this lane to go on. Cancel safe.
    pub(super) async fn read(&self, lane: usize) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before looking, or a change in between would be missed.
            changed.as_mut().enable();
            if !self.holds_up(lane) {
                return;
            }
            changed.await;
        }
    }
}
