//! The hand-over of slots, on loom's locks.

mod sync {
    pub(super) use std::sync::{Arc, PoisonError};

    pub(super) use loom::sync::{Mutex, MutexGuard};
}

pub(crate) mod models;

#[path = "../../src/pool/slots.rs"]
mod slots;
