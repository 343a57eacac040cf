//! [`ErrorClass`]: what an error says about the server.

use std::{error::Error as _, io};

use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::breaker::CallOutcome;

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
    pub(super) fn of_statement(error: &tokio_postgres::Error) -> Self {
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
    pub(super) fn of_connect(error: &tokio_postgres::Error) -> Self {
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
pub(super) fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = cause.source();
    }
    None
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
}
