//! The breaker's lock-free part and the hand-over of slots under every order of what threads do
//! to memory: `src/breaker/core.rs` and what it stands on, and `src/pool/slots.rs`, with loom's
//! atomics and locks in place of std's.
//!
//! Not a test harness: loom runs a model by itself, and unit tests of those files must
//! not run on its atomics.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    reason = "the files belong to the library; this is another view of a part of them"
)]

#[macro_use]
#[path = "../../src/planted/none.rs"]
mod planted;

mod breaker;
mod pool;

fn main() {
    breaker::models::check();
    pool::models::check();
}
