//! [`Ramp`]: makes few connections at once after an outage.
//!
//! A server that has just come back has to start a process, and check a password, for
//! each session; a pool that fills itself all at once keeps it from serving. So after
//! a trip two connections may be under way at once, and each that was made makes room
//! for one more: 2, 4, 8, ... up to as many as the pool has.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Connections under way at once when the ramp starts: one that hangs leaves one.
const START: usize = 2;

/// Limits how many connections are made at once. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ramp(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Semaphore,
    /// How many slots there are, taken or not.
    granted: AtomicUsize,
    most: usize,
}

/// The right to make one connection. Dropping it gives the slot back.
#[derive(Debug)]
pub(crate) struct ConnectSlot<'a> {
    ramp: &'a Ramp,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Ramp {
    /// Makes a ramp that is over: `most` connections at once.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            places: Semaphore::new(most),
            granted: AtomicUsize::new(most),
            most,
        }))
    }

    /// Starts the ramp anew. Connections that are under way go on.
    pub(crate) fn start(&self) {
        if planted!(ConnectsWithoutRamp) {
            return;
        }
        let granted = self.0.granted.load(Ordering::Relaxed);
        let taken = self.0.places.forget_permits(granted.saturating_sub(START));
        self.0.granted.fetch_sub(taken, Ordering::Relaxed);
    }

    /// Waits for a slot. Cancel safe.
    pub(crate) async fn enter(&self) -> ConnectSlot<'_> {
        ConnectSlot {
            ramp: self,
            // Never closed; if it were, there would be no ramp.
            _permit: self.0.places.acquire().await.ok(),
        }
    }
}

impl ConnectSlot<'_> {
    /// Ends a connection that was made, and makes room for one more.
    pub(crate) fn made(self) {
        let inner = &self.ramp.0;
        let more = |granted: usize| (granted < inner.most).then_some(granted + 1);
        let grown = inner
            .granted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if grown.is_ok() {
            inner.places.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn free(ramp: &Ramp) -> usize {
        let places = (0..20).map_while(|_| ramp.enter().now_or_never());
        places.collect::<Vec<_>>().len()
    }

    #[test]
    fn each_connection_that_was_made_makes_room_for_one_more() {
        let ramp = Ramp::new(5);
        assert_eq!(free(&ramp), 5);
        ramp.start();
        assert_eq!(free(&ramp), 2);
        for left in [3, 4, 5, 5] {
            ramp.enter().now_or_never().expect("a place").made();
            assert_eq!(free(&ramp), left);
        }
        drop(ramp.enter().now_or_never());
        assert_eq!(free(&ramp), 5, "one that failed gives its place back");
    }

    #[test]
    fn started_again_while_places_are_taken_it_never_has_more_than_there_are() {
        let ramp = Ramp::new(4);
        let taken: Vec<_> = (0..4).filter_map(|_| ramp.enter().now_or_never()).collect();
        ramp.start();
        assert_eq!(free(&ramp), 0);
        drop(taken);
        assert_eq!(free(&ramp), 4, "what was under way could not be taken away");
        ramp.start();
        ramp.start();
        assert_eq!(free(&ramp), 2);
    }
}
