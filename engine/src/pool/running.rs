//! [`Running`]: a statement under way, and what its answer means beside what it says.

use super::{
    SessionEffect, rolls_back,
    session::{Failed, PooledSession},
};
use crate::{clock::Instant, error::Error, wire::Said};

/// A statement that runs alone.
pub(super) struct Running<'a> {
    pub(super) began: Instant,
    pub(super) sql: &'a str,
    pub(super) effect: SessionEffect,
    /// What the server had said before; `None` without a transport of ours.
    pub(super) said: Option<Said>,
}

impl Running<'_> {
    /// Whether an answer without an error means what its caller will take it for.
    /// `block_failed`: a statement of the block, as far as the words go, has failed.
    ///
    /// # Errors
    /// What it means instead.
    pub(super) fn check(&self, session: &PooledSession, block_failed: bool) -> Result<(), Error> {
        let rolled_back = match (&session.wire, self.said) {
            (Some(wire), Some(before)) => {
                let now = wire.said();
                if now.changed != before.changed {
                    session.forget(self.sql);
                    return Err(Error::ColumnsChanged);
                }
                now.rollbacks != before.rollbacks
            }
            // Nobody heard the tag; but that of a block that has failed is known.
            _ => block_failed && self.effect != SessionEffect::None,
        };
        if rolled_back && !rolls_back(self.sql) {
            return Err(Error::RolledBack);
        }
        Ok(())
    }

    /// The error that it failed with.
    pub(super) fn failure(&self, session: &PooledSession, failed: Failed) -> Error {
        let Failed { error, bound } = failed;
        // An error of the server, or the end of the connection, is what it says it is.
        let misread = error.code().is_none() && !error.is_closed();
        let copies = match (&session.wire, self.said) {
            (Some(wire), Some(before)) => wire.said().copies != before.copies,
            _ => self.effect == SessionEffect::Copies,
        };
        if misread && copies {
            Error::Copy
        } else if misread && bound {
            Error::Unreadable(error)
        } else {
            Error::Statement(error)
        }
    }
}
