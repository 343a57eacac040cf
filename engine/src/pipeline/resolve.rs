//! [`resolve`]: finds out whether a transaction was committed whose COMMIT left and was not
//! answered.
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

use crate::{
    clock::{self, Instant},
    error::Error,
    pool::{Incarnation, Link},
};

const STATUS: &str = "SELECT pg_xact_status($1::text::xid8)";

/// Wait between two looks at a transaction that is still under way: its session has not
/// noticed yet that its client is gone.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolved {
    Committed,
    NotCommitted,
    /// Nobody can say.
    Unknown,
}

/// Asks what became of a transaction of a server that was `then`. Cancel safe.
///
/// # Errors
/// If the server cannot be asked.
pub(super) async fn resolve(
    link: &mut Link,
    xid: &str,
    then: &Incarnation,
    deadline: Instant,
) -> Result<Resolved, Error> {
    let Some(now) = link.identify().await? else {
        return Ok(Resolved::Unknown);
    };
    loop {
        let status = match link.ask(STATUS, &[&xid]).await {
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
        if !under_way || clock::now() + POLL_INTERVAL >= deadline {
            return Ok(judge(status.as_deref(), then, &now));
        }
        clock::sleep(POLL_INTERVAL).await;
    }
}

/// Judges what a status means. Pure.
fn judge(status: Option<&str>, then: &Incarnation, now: &Incarnation) -> Resolved {
    match status {
        Some("committed") if then.is_surely(now) => Resolved::Committed,
        // On another timeline even that is open: the commit may be on the old one only,
        // where somebody has seen it.
        Some("aborted" | "in the future") if then.has_timeline_of(now) => Resolved::NotCommitted,
        _ => Resolved::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_the_same_server_committed_means_committed() {
        let server = |parts: [Option<&str>; 3]| Incarnation::primary(parts);
        let then = server([Some("7"), Some("1"), Some("noon")]);
        let restarted = server([Some("7"), Some("1"), Some("one")]);
        let promoted = server([Some("7"), Some("2"), Some("one")]);
        let other = server([Some("8"), Some("1"), Some("noon")]);
        let hidden = server([Some("7"), Some("1"), None]);
        let nobody = server([None, None, None]);
        use Resolved::{Committed, NotCommitted, Unknown};
        for (before, now, committed, aborted) in [
            (&then, &then, Committed, NotCommitted),
            (&then, &restarted, Unknown, NotCommitted),
            (&then, &promoted, Unknown, Unknown),
            (&then, &other, Unknown, Unknown),
            (&hidden, &hidden, Unknown, NotCommitted),
            (&nobody, &nobody, Unknown, Unknown),
        ] {
            assert_eq!(judge(Some("committed"), before, now), committed, "{now:?}");
            assert_eq!(judge(Some("aborted"), before, now), aborted, "{now:?}");
            assert_eq!(
                judge(Some("in the future"), before, now),
                aborted,
                "{now:?}"
            );
            assert_eq!(judge(Some("in progress"), before, now), Unknown);
            assert_eq!(judge(None, before, now), Unknown);
        }
    }
}
