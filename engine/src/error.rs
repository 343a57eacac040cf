//! [`Error`], and what an error says about the server: [`ErrorClass`].
//!
//! Decided by SQLSTATE and by the kind of I/O error, never by message text: a
//! message may hold anything, also what the user typed.

mod class;
mod rules;

use std::{io, time::Duration};

use tokio_postgres::{error::SqlState, types::WrongType};

pub(crate) use self::class::ends_session;
use self::class::io_kind;
pub use self::{class::ErrorClass, rules::Rules};
use crate::{
    breaker::{Cause, Reason, Refused, because},
    clock::Instant,
};

/// Why an operation of [`Pool`](crate::Pool) failed.
///
/// Its text alone says what happened: of an error of the server the message and the SQLSTATE.
/// The message may hold what the user typed. The rest (detail, hint, position) is in
/// `source()`, whose texts repeat the message: print one or the other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The breaker refused; nothing was sent. Serve from a cache, or fail fast.
    #[error("circuit open, retry after {} ms{}", .retry_after.as_millis(), because(.reason.as_ref()))]
    CircuitOpen {
        /// How long to wait before asking again.
        retry_after: Duration,
        /// When the breaker last changed.
        since: Instant,
        /// Why it last changed. `None` if it is changing at this moment.
        reason: Option<Reason>,
    },
    /// The circuit is open, and as many callers wait for it to close as may; nothing was sent.
    #[error("circuit open, and {waiting} callers wait already")]
    WaitingFull {
        /// How many wait.
        waiting: u32,
    },
    /// No connection could be had within the acquire timeout; nothing was sent.
    #[error("no connection within {} ms, while {stage}", .waited.as_millis())]
    AcquireTimeout {
        /// What was waited for when the time was over.
        stage: AcquireStage,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A connection could not be made; nothing was sent.
    #[error("connecting failed: {}", said(.0))]
    Connect(#[source] tokio_postgres::Error),
    /// The server, or a pooler in between, takes sessions, and none with the startup options
    /// of the connection string. Waiting will not help; nothing was sent.
    #[error("a startup option is refused")]
    StartupRefused(#[source] tokio_postgres::Error),
    /// The statement was sent and not answered in time. It may have run.
    #[error("no answer within {} ms", .timeout.as_millis())]
    StatementTimeout {
        /// The timeout that was set.
        timeout: Duration,
    },
    /// The statement was answered with an error, or the connection broke under it.
    #[error("statement failed: {}", said(.0))]
    Statement(#[source] tokio_postgres::Error),
    /// The transaction was to be committed, and was rolled back: a statement in it had
    /// failed. Nothing of it is there.
    #[error("rolled back instead of committed: a statement of the transaction had failed")]
    RolledBack,
    /// The statement copies from or to the client, which cannot be done here. The
    /// connection is closed, and with it what was copied is undone, unless it was all.
    #[error("COPY from or to the client: nobody to copy with")]
    Copy,
    /// The columns of the statement's result are others than when it was described: its table
    /// was changed in between. It has run, and its rows cannot be read; it is described anew
    /// when it is next used.
    #[error("the columns of the result have changed")]
    ColumnsChanged,
    /// The statement was sent, and its answer cannot be read: the server, or something in
    /// between, does not keep to the protocol. It may have run.
    #[error("the answer cannot be read")]
    Unreadable(#[source] tokio_postgres::Error),
    /// `statement_cache_size = 0` was asked for, and connections come from a
    /// [`Connect`](crate::connect::Connect) without a [`Wire`](crate::wire::Wire): their
    /// statements have names. Nothing was sent.
    #[error("statement_cache_size = 0 is not possible with this kind of connection")]
    NamesRequired,
    /// This connection's last statement was given up, so no answer on it can be
    /// told apart any more; nothing was sent. Borrow another one.
    #[error("connection unusable: its last statement was given up")]
    Unusable,
    /// The pool was closed.
    #[error("pool closed")]
    Closed,
    /// The pool is to be warmed up to more connections than the server takes; it was left
    /// alone.
    #[error("min_connections is {wanted}, and the server takes {most}")]
    TooMany {
        /// The pool's `min_connections`.
        wanted: u32,
        /// The server's `max_connections`, without those that it keeps for superusers.
        most: u32,
    },
    /// The connection was lost while a pipeline was sending on it. Which of its queries
    /// may have run, their outcomes say.
    #[error("connection lost")]
    ConnectionLost,
    /// A transaction of a pipeline was committed, and not every query of it was answered:
    /// the server, or something in between, does not keep to the protocol.
    #[error("committed, but answers are missing")]
    AnswersMissing,
    /// A statement was given more or fewer parameters than it has; nothing was sent.
    #[error("{given} parameters, the statement has {wanted}")]
    Parameters {
        /// How many were given.
        given: usize,
        /// How many it has.
        wanted: usize,
    },
    /// A parameter does not fit its type in the statement; nothing was sent.
    #[error("parameter {number} cannot be sent as {wanted}")]
    Parameter {
        /// Its number, from 1 on.
        number: usize,
        /// The type.
        wanted: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Sync + Send>,
    },
    /// The statement has no place in a pipeline; nothing was sent.
    #[error("not for a pipeline: {reason}")]
    PipelineRefused {
        /// Why not.
        reason: &'static str,
    },
    /// The pipeline has no room, and will have none by waiting.
    #[error("the pipeline is full: {reason}")]
    PipelineFull {
        /// What there is no room for, and what helps.
        reason: &'static str,
    },
}

/// What acquiring was doing when its deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireStage {
    /// All connections were in use, which says nothing about the server.
    WaitingForSlot,
    /// The server did not answer.
    Connecting,
}

impl std::fmt::Display for AcquireStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WaitingForSlot => "waiting for a slot",
            Self::Connecting => "connecting",
        })
    }
}

impl Error {
    /// The class of the error: what it says about the server.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::CircuitOpen { .. } | Self::WaitingFull { .. } => ErrorClass::CircuitOpen,
            Self::AcquireTimeout { stage, .. } => match stage {
                AcquireStage::WaitingForSlot => ErrorClass::Exhausted,
                AcquireStage::Connecting => ErrorClass::Timeout,
            },
            Self::Connect(error) => ErrorClass::of_connect(error),
            Self::StatementTimeout { .. } => ErrorClass::Timeout,
            Self::ConnectionLost => ErrorClass::Network,
            Self::AnswersMissing | Self::Unreadable(_) => ErrorClass::Unavailable,
            Self::NamesRequired | Self::StartupRefused(_) => ErrorClass::Configuration,
            Self::RolledBack | Self::Copy | Self::ColumnsChanged => ErrorClass::Statement,
            Self::Statement(error) => ErrorClass::of_statement(error),
            Self::TooMany { .. } => ErrorClass::Configuration,
            Self::Unusable | Self::Closed | Self::PipelineFull { .. } => ErrorClass::Exhausted,
            Self::Parameters { .. } | Self::Parameter { .. } | Self::PipelineRefused { .. } => {
                ErrorClass::Statement
            }
        }
    }

    /// Whether a prepared statement has to be prepared anew: it was deallocated behind our
    /// back, or planned for a table that has changed.
    pub(crate) fn is_stale_statement(&self) -> bool {
        matches!(self.sqlstate().map(SqlState::code), Some("26000" | "0A000"))
    }

    /// Whether a parameter is of a type that its statement does not take, as far as that is
    /// known.
    pub(crate) fn does_not_fit(&self) -> bool {
        matches!(self, Self::Parameter { source, .. } if source.is::<WrongType>())
    }

    /// Whether the statement may have run although it failed: it was sent, and
    /// the server did not say what became of it. A write that may have run must
    /// not be repeated unless it is idempotent.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::StatementTimeout { .. }
            | Self::ConnectionLost
            | Self::AnswersMissing
            | Self::Copy
            | Self::ColumnsChanged
            | Self::Unreadable(_) => true,
            // With an SQLSTATE the server said that it failed, and a failed
            // statement outside a transaction block leaves nothing; but one that
            // ended the session, or says itself that it does not know (08007,
            // 40003), may have come after the commit.
            Self::Statement(error) => match error.code() {
                Some(state) => ends_session(error) || matches!(state.code(), "08007" | "40003"),
                None => error.is_closed(),
            },
            _ => false,
        }
    }

    /// The kind of failure, for the breaker. Decisive is what the server says of itself
    /// when it takes no sessions (57P03), and a connection that nobody accepts. A session
    /// that an administrator ended (57P01) is not: if the server is going away, the next
    /// attempt to connect says so, and if it was that session alone, nobody else should be
    /// refused for it.
    #[must_use]
    pub fn cause(&self) -> Cause {
        let code = self.sqlstate().map(SqlState::code);
        let refused = match self {
            Self::Connect(error) => io_kind(error) == Some(io::ErrorKind::ConnectionRefused),
            _ => false,
        };
        Cause {
            class: self.class().name(),
            code: code.and_then(|code| code.as_bytes().try_into().ok()),
            decisive: refused || (code == Some("57P03") && self.class() == ErrorClass::Unavailable),
        }
    }

    /// The SQLSTATE that the server sent, if it sent one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Connect(error) | Self::StartupRefused(error) | Self::Statement(error) => {
                error.code()
            }
            _ => None,
        }
    }
}

/// What the server said, or the innermost reason on our side.
fn said(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::CircuitOpen {
            retry_after: refused.retry_after,
            since: refused.since,
            reason: refused.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_and_not_answered_may_have_run() {
        let waited = Duration::from_millis(5);
        let queue = Error::AcquireTimeout {
            stage: AcquireStage::WaitingForSlot,
            waited,
        };
        assert!(!queue.may_have_run());
        assert_eq!(queue.class(), ErrorClass::Exhausted);
        let connect = Error::AcquireTimeout {
            stage: AcquireStage::Connecting,
            waited,
        };
        assert!(!connect.may_have_run());
        assert_eq!(connect.class(), ErrorClass::Timeout);
        assert!(Error::StatementTimeout { timeout: waited }.may_have_run());
        let mut open = Error::CircuitOpen {
            retry_after: waited,
            since: crate::clock::now(),
            reason: None,
        };
        assert!(!open.may_have_run());
        assert_eq!(open.to_string(), "circuit open, retry after 5 ms");
        if let Error::CircuitOpen { reason, .. } = &mut open {
            *reason = Some(Reason::ConsecutiveFailures(5));
        }
        let why = "circuit open, retry after 5 ms (5 failures in a row)";
        assert_eq!(open.to_string(), why);
    }
}
