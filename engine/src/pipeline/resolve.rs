//! Whether a transaction was committed whose COMMIT left and was not answered.
//!
//! The transaction asks for its own id (`pg_current_xact_id`, PostgreSQL 13) while it
//! is under way; on another connection `pg_xact_status` then says what became of it.
//!
//! That is sound only as long as the id means the same transaction. After a crash the
//! server gives ids again that no flushed WAL record has named; after a failover the
//! other server may not have got that far. So the server is asked who it is, once for
//! each connection and again when it is asked about the id: its system identifier, its
//! timeline, and when its checkpointer began, which is new after every restart, also
//! one that only a backend's crash caused. If that is another one, or not to be known
//! (a role needs `pg_read_all_stats` for the last), then "committed" may be said of
//! somebody else's transaction and counts for nothing; that it is *not* committed counts
//! still, for what was committed, and confirmed to the disk, keeps its id.

use tokio_postgres::Row;

use crate::{
    clock::{self, Instant},
    error::Error,
    pool::Connection,
};

/// Who the server is. One row.
pub(super) const WHO: &str = "SELECT \
    (SELECT system_identifier::text FROM pg_control_system()), \
    (SELECT timeline_id::text FROM pg_control_checkpoint()), \
    (SELECT max(backend_start)::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'), \
    pg_is_in_recovery()";

const STATUS: &str = "SELECT pg_xact_status($1::text::xid8)";

/// Between two looks at a transaction that is still under way: its session has not
/// noticed yet that its client is gone.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(20);

/// Who a server is; a part that may not be seen is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incarnation {
    parts: [Option<String>; 3],
    /// A standby, that has no transactions with an id.
    standby: bool,
}

impl Incarnation {
    /// From the row of [`WHO`].
    pub(super) fn of(row: &Row) -> Self {
        Self {
            parts: [0, 1, 2].map(|i| row.try_get(i).ok().flatten()),
            standby: row.try_get(3).unwrap_or(false),
        }
    }

    /// Whether a transaction there can have an id.
    pub(super) fn gives_ids(&self) -> bool {
        !self.standby
    }

    /// Whether both are known to be the same.
    fn is_surely(&self, other: &Self) -> bool {
        self == other && self.parts.iter().all(Option::is_some)
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolved {
    Committed,
    NotCommitted,
    /// Nobody can say.
    Open,
}

/// Asks what became of a transaction of a server that was `then`. Cancel safe.
///
/// # Errors
/// If the server cannot be asked.
pub(super) async fn resolve(
    connection: &mut Connection,
    xid: &str,
    then: &Incarnation,
    deadline: Instant,
) -> Result<Resolved, Error> {
    let rows = connection.query(WHO, &[]).await?;
    let Some(now) = rows.first().map(Incarnation::of) else {
        return Ok(Resolved::Open);
    };
    loop {
        let status = match connection.query(STATUS, &[&xid]).await {
            Ok(rows) => rows
                .first()
                .and_then(|row| row.try_get::<_, Option<String>>(0).ok()?),
            // An id that the server has yet to give: it has forgotten the transaction.
            Err(error) if error.sqlstate().is_some_and(|s| s.code() == "22023") => {
                return Ok(judge(Some("in the future"), then, &now));
            }
            Err(error) => return Err(error),
        };
        let under_way = status.as_deref() == Some("in progress");
        if !under_way || clock::now() + AGAIN >= deadline {
            return Ok(judge(status.as_deref(), then, &now));
        }
        clock::sleep(AGAIN).await;
    }
}

/// What a status means. Pure.
fn judge(status: Option<&str>, then: &Incarnation, now: &Incarnation) -> Resolved {
    let same_system = then.parts[0].is_some() && then.parts[..2] == now.parts[..2];
    match status {
        Some("committed") if then.is_surely(now) => Resolved::Committed,
        // On another timeline even that is open: the commit may be on the old one only,
        // where somebody has seen it.
        Some("aborted" | "in the future") if same_system => Resolved::NotCommitted,
        _ => Resolved::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_the_same_server_committed_means_committed() {
        let server = |parts: [Option<&str>; 3]| Incarnation {
            parts: parts.map(|p| p.map(str::to_owned)),
            standby: false,
        };
        let then = server([Some("7"), Some("1"), Some("noon")]);
        let restarted = server([Some("7"), Some("1"), Some("one")]);
        let promoted = server([Some("7"), Some("2"), Some("one")]);
        let other = server([Some("8"), Some("1"), Some("noon")]);
        let hidden = server([Some("7"), Some("1"), None]);
        let nobody = server([None, None, None]);
        use Resolved::{Committed, NotCommitted, Open};
        for (before, now, committed, aborted) in [
            (&then, &then, Committed, NotCommitted),
            (&then, &restarted, Open, NotCommitted),
            (&then, &promoted, Open, Open),
            (&then, &other, Open, Open),
            (&hidden, &hidden, Open, NotCommitted),
            (&nobody, &nobody, Open, Open),
        ] {
            assert_eq!(judge(Some("committed"), before, now), committed, "{now:?}");
            assert_eq!(judge(Some("aborted"), before, now), aborted, "{now:?}");
            assert_eq!(
                judge(Some("in the future"), before, now),
                aborted,
                "{now:?}"
            );
            assert_eq!(judge(Some("in progress"), before, now), Open);
            assert_eq!(judge(None, before, now), Open);
        }
    }
}
