//! A sweep of breaker settings for people: the grid in numbers, and the block to
//! ship.
//!
//! Where the guide's times were divided, every title says by what.

pub(super) mod ship;
pub(super) mod table;
