//! The atomics and locks of the lock-free part, in one place, so that a model checker can
//! put its own there (`tests/loom/`).

pub(super) use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU8, AtomicU64, Ordering, fence},
};
