//! What the lock-free part shares memory through, in one place, so that a model
//! checker can take its place (`tests/loom.rs`).

pub(super) use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU8, AtomicU64, Ordering, fence},
};
