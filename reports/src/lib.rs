//! What a run recorded, measured, judged and drawn.
//!
//! Nothing here reads a clock, a socket or a database: a verdict is a pure
//! function of a [`Record`], so that it can be made again from `record.json`.

pub mod record;

pub use record::Record;
