//! [`Incarnation`]: which run of which server a session is with, so that an id of a
//! transaction can be told to mean the same transaction still.

use tokio_postgres::Row;

/// Asks the server who it is. Returns one row.
pub(super) const WHO: &str = "SELECT \
    (SELECT system_identifier::text FROM pg_control_system()), \
    (SELECT timeline_id::text FROM pg_control_checkpoint()), \
    (SELECT max(backend_start)::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'), \
    pg_is_in_recovery()";

/// A run of a server: system, timeline, and when its checkpointer began; a part that may
/// not be seen is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incarnation {
    parts: [Option<String>; 3],
    /// Whether it is a standby, which has no transactions with an id.
    standby: bool,
}

impl Incarnation {
    /// Reads the row of [`WHO`].
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            parts: [0, 1, 2].map(|i| row.try_get(i).ok().flatten()),
            standby: row.try_get(3).unwrap_or(false),
        }
    }

    /// Whether a transaction there can have an id.
    pub(crate) fn gives_ids(&self) -> bool {
        !self.standby
    }

    /// Whether both are known to be the same.
    pub(crate) fn is_surely(&self, other: &Self) -> bool {
        self == other && self.parts.iter().all(Option::is_some)
    }

    /// Whether both are known to be one system on one timeline.
    pub(crate) fn has_timeline_of(&self, other: &Self) -> bool {
        self.parts[0].is_some() && self.parts[..2] == other.parts[..2]
    }

    /// A primary of which this is known.
    #[cfg(test)]
    pub(crate) fn primary(parts: [Option<&str>; 3]) -> Self {
        Self {
            parts: parts.map(|part| part.map(str::to_owned)),
            standby: false,
        }
    }
}
