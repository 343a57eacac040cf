//! What a client of the server meets right now, asked directly.
//!
//! A fault counts from when it is in effect, not from when an API said so. So a
//! probe of our own, which shares nothing with what is under test, begins a new
//! session and looks. Most faults show at the first byte of the answer, as
//! `pg_isready` sees it: that needs no password and is over before a session
//! exists. The others take a statement, or show at a connection's end.

use std::{io, time::Duration};

use seawall::clock::{self, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_postgres::error::SqlState;

use crate::environment::{Endpoint, Session};

/// No answer for this long is no answer; a healthy server takes a few milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);
/// Less than this cannot be told from a healthy server under load.
pub(super) const TELLS: Duration = Duration::from_millis(20);
/// What a session of a probe may take to begin, beside what it asks.
pub(super) const LOGIN: Duration = Duration::from_millis(200);

pub(super) fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

/// How a fault is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Through the proxy, or directly at the server.
    pub through_proxy: bool,
    /// At what.
    pub look: Look,
    /// How long a probe waits.
    pub patience: Duration,
    /// What it meets while the fault is in effect. When it is gone, it meets
    /// [`Met::Ready`].
    pub in_effect: &'static [Met],
}

impl Check {
    /// Whether a session can be had and answers, for a fault that no probe sees.
    #[must_use]
    pub fn session() -> Self {
        Self {
            through_proxy: false,
            look: Look::Statement("SELECT 1".to_owned(), PATIENCE),
            patience: PATIENCE + LOGIN + PATIENCE,
            in_effect: &[],
        }
    }
}

/// What a probe met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The server takes sessions, and did what it was asked.
    Ready,
    /// The server answers, but takes no sessions (57P03 and its kin).
    Starting,
    /// Nobody listens.
    Refused,
    /// The connection was cut.
    Reset,
    /// Nothing came back in time.
    NoAnswer,
    /// The server has no connection left (53300).
    Full,
    /// A lock was not to be had in time (55P03).
    Locked,
    /// The statement was still running when its time was over (57014).
    Slow,
    /// The server takes no writes (25006).
    ReadOnly,
    /// No space left on the server's disk (53100).
    NoSpace,
    /// The session was ended by an administrator (57P01).
    Terminated,
    /// Another error.
    Failed,
}

impl Met {
    /// How it is called in the events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::NoAnswer => "no-answer",
            Self::Full => "full",
            Self::Locked => "locked",
            Self::Slow => "slow",
            Self::ReadOnly => "read-only",
            Self::NoSpace => "no-space",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
        }
    }

    /// What an error means.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(state) = error.code() else {
            let source = std::error::Error::source(error);
            let io = source.and_then(|source| source.downcast_ref::<io::Error>());
            return match io.map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
                _ => Self::Reset,
            };
        };
        match *state {
            SqlState::CANNOT_CONNECT_NOW => Self::Starting,
            SqlState::TOO_MANY_CONNECTIONS => Self::Full,
            SqlState::LOCK_NOT_AVAILABLE => Self::Locked,
            SqlState::QUERY_CANCELED => Self::Slow,
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly,
            SqlState::DISK_FULL => Self::NoSpace,
            SqlState::ADMIN_SHUTDOWN => Self::Terminated,
            _ => Self::Failed,
        }
    }
}

/// How to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// At the first byte of the answer to a new session.
    Start,
    /// At how long it takes until a connection whose client has closed its half
    /// ends.
    End,
    /// At what becomes of a statement on a new session, which ends itself after
    /// this long: closing a socket ends nothing that waits for a lock.
    Statement(String, Duration),
}

/// One probe.
#[derive(Debug, Clone, Copy)]
pub struct Probed {
    /// When it was begun.
    pub began: Instant,
    /// When it was over.
    pub ended: Instant,
    /// What it met.
    pub met: Met,
}

impl Probed {
    /// How long it took.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.ended - self.began
    }
}

/// Begins a session at `endpoint` and says what came back within `patience`.
///
/// Cancel safe: dropping it closes its socket.
pub async fn probe(endpoint: &Endpoint, look: &Look, patience: Duration) -> Probed {
    let began = clock::now();
    let asked = async {
        match look {
            Look::Start => first_byte(endpoint).await,
            Look::End => end(endpoint).await,
            Look::Statement(sql, limit) => statement(endpoint, sql, *limit).await,
        }
    };
    let met = match clock::timeout_at(began + patience, asked).await {
        Ok(Ok(met)) => met,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Met::Refused,
        Ok(Err(_)) => Met::Reset,
        Err(clock::Elapsed) => Met::NoAnswer,
    };
    Probed {
        began,
        ended: clock::now(),
        met,
    }
}

async fn first_byte(endpoint: &Endpoint) -> io::Result<Met> {
    ask(endpoint).await.map(|(_, met)| met)
}

async fn ask(endpoint: &Endpoint) -> io::Result<(TcpStream, Met)> {
    let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    stream.set_nodelay(true)?;
    stream
        .write_all(&startup(&endpoint.user, &endpoint.database))
        .await?;
    let mut kind = [0];
    stream.read_exact(&mut kind).await?;
    // 'R': asks for a password, so a session could be had. 'E': takes none now.
    let met = if kind[0] == b'R' {
        Met::Ready
    } else {
        Met::Starting
    };
    Ok((stream, met))
}

/// The server ends a session whose client has closed, and then both ends are closed.
async fn end(endpoint: &Endpoint) -> io::Result<Met> {
    let (mut stream, met) = ask(endpoint).await?;
    stream.shutdown().await?;
    let mut rest = [0; 256];
    while stream.read(&mut rest).await? > 0 {}
    Ok(met)
}

async fn statement(endpoint: &Endpoint, sql: &str, limit: Duration) -> io::Result<Met> {
    let limit_ms = limit.as_millis().max(1);
    let mut config = endpoint.config("seawall-probe");
    // Whoever waits for a lock is told so before the statement's time is over.
    config.options(format!(
        "-c statement_timeout={limit_ms} -c lock_timeout={}",
        (limit_ms / 2).max(1)
    ));
    let session = match Session::open(&config).await {
        Ok(session) => session,
        Err(error) => return Ok(Met::of(&error)),
    };
    let done = session.client.batch_execute(sql).await;
    Ok(done.map_or_else(|error| Met::of(&error), |()| Met::Ready))
}

/// A `StartupMessage`, version 3.0.
/// Source: PostgreSQL manual, "Message Formats".
fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for text in [
        "user",
        user,
        "database",
        database,
        "application_name",
        "seawall-probe",
    ] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend(body);
    message
}

#[cfg(test)]
mod tests {
    use super::{
        super::kind::{self, tests::usual},
        *,
    };
    use crate::load::workload::Workload;

    #[test]
    fn every_fault_but_one_is_seen_and_none_by_what_a_healthy_server_shows() {
        let workload = Workload::new(1);
        let mut unseen = Vec::new();
        for kind in kind::ALL {
            let Some(check) = kind.check else {
                unseen.push(kind.name);
                continue;
            };
            let check = check(&usual(kind), &workload);
            assert!(!check.in_effect.is_empty() && !check.in_effect.contains(&Met::Ready));
            assert!(check.patience <= Duration::from_secs(6), "{kind}");
            assert_eq!(check.through_proxy, kind.is_of_network(), "{kind}");
        }
        assert_eq!(unseen, ["terminate"]);
    }

    #[test]
    fn a_startup_message_is_as_long_as_it_says() {
        let message = startup("u", "d");
        assert_eq!(
            message[..4],
            u32::try_from(message.len()).unwrap().to_be_bytes()
        );
        assert_eq!(message[4..8], [0, 3, 0, 0]);
        assert!(message.ends_with(b"application_name\0seawall-probe\0\0"));
    }
}
