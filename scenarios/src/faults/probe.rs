//! What a client of the server meets right now, asked directly.
//!
//! A fault counts from when it is in effect, not from when an API said so. So a
//! probe of our own, which shares nothing with what is under test, begins a new
//! session and looks at the first byte of the answer, as `pg_isready` does: it
//! needs no password and is over before a session exists.

use std::{io, time::Duration};

use engine::clock::{self, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::environment::Endpoint;

/// What a probe met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The server takes sessions.
    Ready,
    /// The server answers, but takes no sessions (57P03 and its kin).
    Starting,
    /// Nobody listens.
    Refused,
    /// The connection was cut.
    Reset,
    /// Nothing came back in time.
    NoAnswer,
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
        }
    }
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
pub async fn probe(endpoint: &Endpoint, patience: Duration) -> Probed {
    let began = clock::now();
    let met = match clock::timeout_at(began + patience, ask(endpoint)).await {
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

async fn ask(endpoint: &Endpoint) -> io::Result<Met> {
    let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    stream.set_nodelay(true)?;
    stream
        .write_all(&startup(&endpoint.user, &endpoint.database))
        .await?;
    let mut kind = [0];
    stream.read_exact(&mut kind).await?;
    // 'R': asks for a password, so a session could be had. 'E': takes none now.
    Ok(if kind[0] == b'R' {
        Met::Ready
    } else {
        Met::Starting
    })
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
    use super::*;

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
