//! The user's own queries: files of statements, one class of queries each.

mod class;
mod split;

pub(super) use self::class::read;
