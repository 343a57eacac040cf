//! The files of the library, on loom's atomics.

mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::{
        Mutex, MutexGuard, RwLock,
        atomic::{AtomicU8, AtomicU64, Ordering, fence},
    };
}

pub(crate) mod models;

#[path = "../../src/breaker/ages.rs"]
mod ages;
#[path = "../../src/breaker/changes.rs"]
mod changes;
#[path = "../../src/breaker/config.rs"]
mod config;
#[path = "../../src/breaker/core.rs"]
mod core;
#[path = "../../src/breaker/machine.rs"]
mod machine;
#[path = "../../src/breaker/outcome.rs"]
mod outcome;
#[path = "../../src/breaker/state.rs"]
mod state;
#[path = "../../src/breaker/ticket.rs"]
mod ticket;
#[path = "../../src/breaker/window.rs"]
mod window;
