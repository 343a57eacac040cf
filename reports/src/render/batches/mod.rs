//! A sweep of batch sizes for people: speed-up by condition and size, and the block to
//! ship for each class.

pub(super) mod markdown;
pub(super) mod ship;
pub(super) mod table;
pub(super) mod terminal;
