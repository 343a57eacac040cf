//! [`Spare`]: the sessions of probes that found the server back, for the first callers.
//!
//! They are made, and have answered: to close them would have the server begin others in the
//! very moment in which everybody comes back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::manager::HostEpoch;
use crate::{connect::Session, task::AbortOnDrop};

/// How long they are kept for somebody to need them.
pub(super) const KEPT: Duration = Duration::from_secs(1);

/// Holds as many sessions as there are probes under way, at most. Cheap to clone.
#[derive(Clone)]
pub(super) struct Spare {
    epoch: HostEpoch,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A session with the epoch of the host that it was made in. Dropped, it is closed.
pub(super) struct Kept {
    epoch: u64,
    session: Option<Session>,
}

impl Kept {
    pub(super) fn new(epoch: u64, session: Session) -> Self {
        Self {
            epoch,
            session: Some(session),
        }
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    fn into_session(mut self) -> Option<Session> {
        self.session.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let task = self.session.take().map(|session| session.task);
        drop(task.map(|task| AbortOnDrop(task.abort_handle())));
    }
}

impl Spare {
    pub(super) fn new(epoch: HostEpoch) -> Self {
        Self {
            epoch,
            kept: Arc::default(),
        }
    }

    /// The epoch of a session that is made from now on.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.current()
    }

    /// Keeps a session.
    pub(super) fn keep(&self, session: Kept) {
        self.lock().push(session);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Closes all that there are.
    pub(super) fn clear(&self) {
        drop(std::mem::take(&mut *self.lock()));
    }

    /// Gives one away whose host was not found dead since it was made.
    pub(super) fn take(&self) -> Option<(u64, Session)> {
        loop {
            let kept = self.lock().pop()?;
            let open = |session: &Session| !session.client.is_closed();
            if kept.epoch == self.epoch.current() && kept.session().is_some_and(open) {
                return Some((kept.epoch, kept.into_session()?));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
