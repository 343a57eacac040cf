//! The locks of the hand-over of slots, in one place, so that a model checker can put its own
//! there (`tests/loom/`).

pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
