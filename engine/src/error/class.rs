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
    /// The server ended the session, said that it is starting or stopping (57P03), or that
    /// its files cannot be read (58030) or are corrupt (XX001, XX002).
    Unavailable,
    /// The server is alive and out of something: connections, memory, disk
    /// (class 53).
    Overload,
    /// A write reached a server that takes none (25006): probably a new standby.
    ReadOnly,
    /// A connection cannot be made, and retrying will not help: login or database name are
    /// wrong (class 28, 3D000), or something in between refuses a startup parameter.
    Configuration,
    /// Lost a race with another transaction; worth a retry (40001, 40P01, 55P03).
    Conflict,
    /// The server answered: the statement itself is at fault, or the session, which was
    /// idle for too long (25P03, 57P05).
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

    /// Classifies an SQLSTATE that a statement was answered with on a session that goes on.
    ///
    /// The question is whether the server is ill or the statement has itself to blame. A
    /// session that goes on is a sign of life, and PL/pgSQL's RAISE can give any state, so
    /// what a server says of itself as it ends a session (class 57) is the statement's own
    /// here; and so is a file that is not there (58P01), a row of the catalogue that two
    /// wanted to change (XX000), and a foreign server that does not answer (class 08). What
    /// remains are a disk that cannot be read and pages that are corrupt.
    #[must_use]
    pub fn of_sqlstate(state: &SqlState) -> Self {
        match state.code() {
            "58030" | "XX001" | "XX002" => Self::Unavailable,
            "57014" => Self::Timeout,
            "25006" => Self::ReadOnly,
            "40001" | "40P01" | "55P03" => Self::Conflict,
            code if code.starts_with("53") => Self::Overload,
            _ => Self::Statement,
        }
    }

    /// Classifies an SQLSTATE that the server ended a session with. One may be ended for
    /// what it did itself: it was idle for too long, or it was in the way of a standby that
    /// has to follow its primary. The server is well then.
    pub(crate) fn of_end(state: &SqlState) -> Self {
        match state.code() {
            "25P03" | "25P04" | "57P05" => Self::Statement,
            "40001" | "40P01" => Self::Conflict,
            code if code.starts_with("53") => Self::Overload,
            _ => Self::Unavailable,
        }
    }

    /// Classifies the error of a statement. I/O errors of a connection in use arrive as
    /// "closed"; one in `source()` is a text or parameter that could not be encoded.
    pub(super) fn of_statement(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            Some(state) if ends_session(error) => match Self::of_end(state) {
                // The whole server went down over it.
                _ if panicked(error) => Self::Unavailable,
                class => class,
            },
            Some(state) => match Self::of_sqlstate(state) {
                // Somebody's PL/pgSQL said so.
                Self::Unavailable | Self::Timeout if is_raised(error) => Self::Statement,
                class => class,
            },
            None if error.is_closed() => Self::Network,
            // A parameter of the wrong type or number: never reached the wire.
            None => Self::Statement,
        }
    }

    /// Classifies the error of connecting: whatever is not the network or the server's
    /// state is about the login. Class 08 is the network here: poolers send it for a server
    /// that they cannot reach.
    pub(super) fn of_connect(error: &tokio_postgres::Error) -> Self {
        match error.code().map(SqlState::code) {
            None if error.is_closed() || io_kind(error).is_some() => Self::Network,
            None => Self::Configuration,
            Some("57014") => Self::Timeout,
            Some("57P01" | "57P02" | "57P03" | "57P05") => Self::Unavailable,
            Some(code) => match code.get(..2) {
                Some("08") => Self::Network,
                Some("53") => Self::Overload,
                Some("58" | "F0" | "XX") => Self::Unavailable,
                _ => Self::Configuration,
            },
        }
    }
}

/// Whether the server ended the session with this error: by its severity, or, of a pooler
/// that leaves out the one that is never translated, by the codes that mean it.
pub(crate) fn ends_session(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return false;
    };
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => {
            matches!(error.severity(), "FATAL" | "PANIC")
                || matches!(error.code().code(), "57P01" | "57P02" | "57P03" | "57P05")
        }
    }
}

fn panicked(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    severity == Some(Severity::Panic)
}

/// Whether a statement of PL/pgSQL made up the error.
fn is_raised(error: &tokio_postgres::Error) -> bool {
    let routine = error.as_db_error().and_then(DbError::routine);
    routine == Some("exec_stmt_raise")
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
    use tokio::io::AsyncWriteExt as _;
    use tokio_postgres::NoTls;

    use super::*;

    /// An error as a server sends it; a pooler may leave out the severity that is not
    /// translated.
    async fn said(
        severity: &str,
        parsed: bool,
        code: &str,
        routine: &str,
    ) -> tokio_postgres::Error {
        let mut fields = format!("S{severity}\0C{code}\0Mmine\0R{routine}\0");
        if parsed {
            fields.push_str(&format!("V{severity}\0"));
        }
        fields.push('\0');
        let (ours, mut theirs) = tokio::io::duplex(1_024);
        theirs.write_u8(b'E').await.unwrap();
        let length = u32::try_from(fields.len() + 4).unwrap();
        theirs.write_u32(length).await.unwrap();
        theirs.write_all(fields.as_bytes()).await.unwrap();
        let mut config = tokio_postgres::Config::new();
        let connected = config.user("u").connect_raw(ours, NoTls).await;
        connected.err().expect("refused")
    }

    /// Every class of SQLSTATEs, and whoever in it stands out: on a session that goes on, on
    /// one that it ended, and as an answer to connecting.
    #[tokio::test]
    async fn every_class_says_whether_the_server_is_ill() {
        use ErrorClass as C;
        let own = [
            "01000", "02000", "03000", "08000", "08001", "08006", "08P01", "09000", "0A000",
            "0B000", "0F000", "0L000", "0P000", "0Z000", "20000", "21000", "22012", "23505",
            "24000", "25001", "25P02", "26000", "27000", "2B000", "2D000", "2F000", "34000",
            "38000", "39000", "3B000", "3F000", "40000", "40002", "40003", "42601", "44000",
            "54000", "55000", "55006", "72000", "HV000", "P0001",
        ];
        let table = [
            // Code, on a session that goes on, on one that ended, connecting.
            ("25006", C::ReadOnly, C::Unavailable, C::Configuration),
            ("25P03", C::Statement, C::Statement, C::Configuration),
            ("25P04", C::Statement, C::Statement, C::Configuration),
            ("28000", C::Statement, C::Unavailable, C::Configuration),
            ("28P01", C::Statement, C::Unavailable, C::Configuration),
            ("3D000", C::Statement, C::Unavailable, C::Configuration),
            ("40001", C::Conflict, C::Conflict, C::Configuration),
            ("40P01", C::Conflict, C::Conflict, C::Configuration),
            ("53000", C::Overload, C::Overload, C::Overload),
            ("53100", C::Overload, C::Overload, C::Overload),
            ("53200", C::Overload, C::Overload, C::Overload),
            ("53300", C::Overload, C::Overload, C::Overload),
            ("53400", C::Overload, C::Overload, C::Overload),
            ("55P03", C::Conflict, C::Unavailable, C::Configuration),
            ("57000", C::Statement, C::Unavailable, C::Configuration),
            ("57014", C::Timeout, C::Unavailable, C::Timeout),
            ("57P01", C::Statement, C::Unavailable, C::Unavailable),
            ("57P02", C::Statement, C::Unavailable, C::Unavailable),
            ("57P03", C::Statement, C::Unavailable, C::Unavailable),
            ("57P04", C::Statement, C::Unavailable, C::Configuration),
            ("57P05", C::Statement, C::Statement, C::Unavailable),
            ("58000", C::Statement, C::Unavailable, C::Unavailable),
            ("58030", C::Unavailable, C::Unavailable, C::Unavailable),
            ("58P01", C::Statement, C::Unavailable, C::Unavailable),
            ("58P02", C::Statement, C::Unavailable, C::Unavailable),
            ("F0000", C::Statement, C::Unavailable, C::Unavailable),
            ("XX000", C::Statement, C::Unavailable, C::Unavailable),
            ("XX001", C::Unavailable, C::Unavailable, C::Unavailable),
            ("XX002", C::Unavailable, C::Unavailable, C::Unavailable),
        ];
        let ordinary = own.map(|code| {
            let connecting = if code.starts_with("08") {
                C::Network
            } else {
                C::Configuration
            };
            (code, C::Statement, C::Unavailable, connecting)
        });
        for (code, lives, ended, connecting) in ordinary.into_iter().chain(table) {
            let lived = said("ERROR", true, code, "somewhere").await;
            assert_eq!(C::of_statement(&lived), lives, "{code} at ERROR");
            assert_eq!(C::of_sqlstate(&SqlState::from_code(code)), lives, "{code}");
            assert!(!ends_session(&lived), "{code}");
            for parsed in [true, false] {
                let last = said("FATAL", parsed, code, "somewhere").await;
                assert_eq!(C::of_statement(&last), ended, "{code} at FATAL");
                assert!(ends_session(&last), "{code}");
                assert_eq!(C::of_connect(&last), connecting, "{code} connecting");
            }
            let panic = said("PANIC", true, code, "somewhere").await;
            assert_eq!(C::of_statement(&panic), C::Unavailable, "{code} at PANIC");
            assert!(ends_session(&panic), "{code}");
            let raised = said("ERROR", true, code, "exec_stmt_raise").await;
            let outcome = C::of_statement(&raised).outcome();
            assert_ne!(outcome, CallOutcome::Failure, "{code} raised");
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
