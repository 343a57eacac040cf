//! A number for each thread, by which threads count apart from each other.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How many numbers there are. All but the last belong to one thread each. Threads of a
/// service live long, so a number is never given to a second one.
pub(crate) const SHARDS: usize = 33;

/// The number of this thread, below [`SHARDS`].
#[inline]
pub(crate) fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // One more than the shard; zero until the first call.
        static SHARD: Cell<usize> = const { Cell::new(0) };
    }
    SHARD.with(|shard| {
        if shard.get() == 0 {
            let next = NEXT.fetch_add(1, Ordering::Relaxed).min(SHARDS - 1);
            shard.set(next + 1);
        }
        shard.get() - 1
    })
}
