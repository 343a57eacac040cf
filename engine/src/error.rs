//! [`Error`], and what an error says about the server: [`ErrorClass`].
//!
//! Decided by SQLSTATE and by the kind of I/O error, never by message text: a
//! message may hold anything, also what the user typed.

mod rules;

use std::{error::Error as _, io, time::Duration};

use tokio_postgres::error::{DbError, Severity, SqlState};

pub use self::rules::Rules;
use crate::{
    breaker::{CallOutcome, Cause, Reason, Refused, because},
    clock::Instant,
};

/// Why an operation of [`Pool`](crate::Pool) failed.
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
    /// No connection could be had within the acquire timeout; nothing was sent.
    #[error("no connection within {} ms, while {stage}", .waited.as_millis())]
    AcquireTimeout {
        /// What was waited for when the time was over.
        stage: AcquireStage,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A connection could not be made; nothing was sent.
    #[error("connecting failed")]
    Connect(#[source] tokio_postgres::Error),
    /// The statement was sent and not answered in time. It may have run.
    #[error("no answer within {} ms", .timeout.as_millis())]
    StatementTimeout {
        /// The timeout that was set.
        timeout: Duration,
    },
    /// The statement was answered with an error, or the connection broke under it.
    #[error("statement failed")]
    Statement(#[source] tokio_postgres::Error),
    /// This connection's last statement was given up, so no answer on it can be
    /// told apart any more; nothing was sent. Borrow another one.
    #[error("connection unusable: its last statement was given up")]
    Unusable,
    /// The pool was closed.
    #[error("pool closed")]
    Closed,
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

/// What an error says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The connection broke or could not be made.
    Network,
    /// No answer in time.
    Timeout,
    /// The server said that it is starting, stopping, or has crashed
    /// (57P01..57P03), or that it cannot reach its own files (class 58, XX).
    Unavailable,
    /// The server is alive and out of something: connections, memory, disk
    /// (class 53).
    Overload,
    /// A write reached a server that takes none (25006): probably a new standby.
    ReadOnly,
    /// Login or database name are wrong (class 28, 3D000); retrying will not help.
    Configuration,
    /// Lost a race with another transaction; worth a retry (40001, 40P01, 55P03).
    Conflict,
    /// The server answered: the statement itself is at fault.
    Statement,
    /// Refused by our own breaker.
    CircuitOpen,
    /// Our own pool had no slot free in time, or was closed.
    Exhausted,
}

impl ErrorClass {
    /// All classes, in the order of their metrics.
    pub const ALL: &[Self] = &[
        Self::Network,
        Self::Timeout,
        Self::Unavailable,
        Self::Overload,
        Self::ReadOnly,
        Self::Configuration,
        Self::Conflict,
        Self::Statement,
        Self::CircuitOpen,
        Self::Exhausted,
    ];

    /// Its label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Overload => "overload",
            Self::ReadOnly => "read_only",
            Self::Configuration => "configuration",
            Self::Conflict => "conflict",
            Self::Statement => "statement",
            Self::CircuitOpen => "circuit_open",
            Self::Exhausted => "exhausted",
        }
    }

    /// What the breaker learns from an error of this class.
    ///
    /// An answer to a statement, whatever it says, is a sign of life. Overload
    /// and a wrong password say nothing of whether other callers are served, so
    /// refusing those would make an outage of a complaint.
    #[must_use]
    pub fn outcome(self) -> CallOutcome {
        match self {
            Self::Network | Self::Timeout | Self::Unavailable => CallOutcome::Failure,
            Self::Statement | Self::Conflict | Self::ReadOnly => CallOutcome::Success,
            Self::Overload | Self::Configuration | Self::CircuitOpen | Self::Exhausted => {
                CallOutcome::Neutral
            }
        }
    }

    /// Classifies an SQLSTATE in an answer of the server.
    ///
    /// Class 08 is not in the list of network errors on purpose: a server sends
    /// it over a connection that works, for a foreign server or for a malformed
    /// message.
    #[must_use]
    pub fn of_sqlstate(state: &SqlState) -> Self {
        match state.code() {
            "57P01" | "57P02" | "57P03" | "57P05" => Self::Unavailable,
            "57014" => Self::Timeout,
            "25006" => Self::ReadOnly,
            "3D000" => Self::Configuration,
            "40001" | "40P01" | "55P03" => Self::Conflict,
            code => match code.get(..2) {
                Some("53") => Self::Overload,
                Some("28") => Self::Configuration,
                Some("58" | "XX") => Self::Unavailable,
                _ => Self::Statement,
            },
        }
    }

    /// Classifies the error of a statement. I/O errors of a connection in use arrive as
    /// "closed"; one in `source()` is a text or parameter that could not be encoded.
    fn of_statement(error: &tokio_postgres::Error) -> Self {
        let class = match error.code() {
            Some(state) => Self::of_sqlstate(state),
            None if error.is_closed() => Self::Network,
            // A parameter of the wrong type or number: never reached the wire.
            None => Self::Statement,
        };
        match class {
            // An error that ends the session is no sign of life, whatever its code.
            Self::Statement | Self::Conflict | Self::ReadOnly if ends_session(error) => {
                Self::Unavailable
            }
            class => class,
        }
    }

    /// Classifies the error of connecting: whatever is not the network or the server's
    /// state is about the login. Class 08 is the network here: poolers send it for a server
    /// that they cannot reach.
    fn of_connect(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            None if error.is_closed() || io_kind(error).is_some() => Self::Network,
            None => Self::Configuration,
            Some(state) if state.code().starts_with("08") => Self::Network,
            Some(state) => match Self::of_sqlstate(state) {
                Self::Statement | Self::Conflict | Self::ReadOnly => Self::Configuration,
                class => class,
            },
        }
    }
}

/// Whether the server ended the session with this error: by its severity, and by
/// the codes that mean it, should a pooler in between change the severity.
pub(crate) fn ends_session(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    let code = error.code().map(SqlState::code);
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
        || matches!(code, Some("57P01" | "57P02" | "57P03" | "57P05"))
}

/// The kind of the I/O error that it comes from.
fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = cause.source();
    }
    None
}

impl Error {
    /// The class of the error: what it says about the server.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::CircuitOpen { .. } => ErrorClass::CircuitOpen,
            Self::AcquireTimeout { stage, .. } => match stage {
                AcquireStage::WaitingForSlot => ErrorClass::Exhausted,
                AcquireStage::Connecting => ErrorClass::Timeout,
            },
            Self::Connect(error) => ErrorClass::of_connect(error),
            Self::StatementTimeout { .. } => ErrorClass::Timeout,
            Self::ConnectionLost => ErrorClass::Network,
            Self::AnswersMissing => ErrorClass::Unavailable,
            Self::Statement(error) => ErrorClass::of_statement(error),
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

    /// Whether the statement may have run although it failed: it was sent, and
    /// the server did not say what became of it. A write that may have run must
    /// not be repeated unless it is idempotent.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::StatementTimeout { .. } | Self::ConnectionLost | Self::AnswersMissing => true,
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
            decisive: refused || code == Some("57P03"),
        }
    }

    /// The SQLSTATE that the server sent, if it sent one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Connect(error) | Self::Statement(error) => error.code(),
            _ => None,
        }
    }
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
    fn sqlstates_say_what_the_notes_of_the_field_say() {
        use ErrorClass as C;
        for (code, class) in [
            ("57P01", C::Unavailable),
            ("57P02", C::Unavailable),
            ("57P03", C::Unavailable),
            ("58030", C::Unavailable),
            ("XX000", C::Unavailable),
            ("57014", C::Timeout),
            ("53300", C::Overload),
            ("53100", C::Overload),
            ("25006", C::ReadOnly),
            ("28P01", C::Configuration),
            ("3D000", C::Configuration),
            ("40001", C::Conflict),
            ("40P01", C::Conflict),
            ("55P03", C::Conflict),
            ("23505", C::Statement),
            ("42601", C::Statement),
            ("22012", C::Statement),
            // Sent over a session that is alive: not a dead socket.
            ("08001", C::Statement),
            ("08P01", C::Statement),
        ] {
            assert_eq!(C::of_sqlstate(&SqlState::from_code(code)), class, "{code}");
        }
    }

    #[test]
    fn an_answer_is_a_sign_of_life_and_a_queue_says_nothing() {
        assert_eq!(ErrorClass::Statement.outcome(), CallOutcome::Success);
        assert_eq!(ErrorClass::Conflict.outcome(), CallOutcome::Success);
        assert_eq!(ErrorClass::Exhausted.outcome(), CallOutcome::Neutral);
        assert_eq!(ErrorClass::Overload.outcome(), CallOutcome::Neutral);
        assert_eq!(ErrorClass::Network.outcome(), CallOutcome::Failure);
    }

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
