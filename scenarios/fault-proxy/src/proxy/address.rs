//! Reading a proxy's `listen`, and listening there.
//!
//! As Go's net package reads it, with one difference: a host left out means
//! loopback, not every interface. A fault proxy is not to be reachable from
//! elsewhere by an omission.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, lookup_host};
use tokio::time::timeout;

/// A name server that does not answer delays one request by this much.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A `listen` as given and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// As the user wrote it.
    pub(crate) text: String,
    /// Where that is.
    pub(crate) resolved: Result<SocketAddr, AddressError>,
}

/// Why a proxy cannot listen, in the words of Go's net package.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("listen tcp: address {0}: missing port in address")]
    MissingPort(String),
    #[error("listen tcp: address {0}: too many colons in address")]
    TooManyColons(String),
    #[error("listen tcp: address {0}: invalid port")]
    InvalidPort(String),
    #[error("listen tcp: lookup tcp/{0}: unknown port")]
    UnknownPort(String),
    #[error("listen tcp: lookup {0}: no such host")]
    NoSuchHost(String),
    #[error("listen tcp: lookup {0}: i/o timeout")]
    LookupTimeout(String),
    #[error("listen tcp {0}: bind: {1}")]
    Bind(SocketAddr, String),
}

impl Address {
    /// Looks the host up where it is a name other than `localhost`.
    /// Cancel safe.
    pub(crate) async fn resolve(text: String) -> Self {
        let resolved = match parse(&text) {
            Ok(Target::Ip(address)) => Ok(address),
            Ok(Target::Name(host, port)) => look_up(host, port).await,
            Err(error) => Err(error),
        };
        Self { text, resolved }
    }
}

async fn look_up(host: &str, port: u16) -> Result<SocketAddr, AddressError> {
    match timeout(LOOKUP_TIMEOUT, lookup_host((host, port))).await {
        Err(_) => Err(AddressError::LookupTimeout(host.to_owned())),
        Ok(Err(_)) => Err(AddressError::NoSuchHost(host.to_owned())),
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            let v4 = found.iter().find(|address| address.is_ipv4());
            let any = v4.or(found.first()).copied();
            any.ok_or_else(|| AddressError::NoSuchHost(host.to_owned()))
        }
    }
}

/// Where to listen, as far as the text alone says.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Ip(SocketAddr),
    Name(&'a str, u16),
}

fn parse(text: &str) -> Result<Target<'_>, AddressError> {
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if text.is_empty() {
        return Ok(Target::Ip(SocketAddr::new(LOOPBACK, 0)));
    }
    let missing_port = || AddressError::MissingPort(text.to_owned());
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").ok_or_else(missing_port)?,
        None => text.rsplit_once(':').ok_or_else(missing_port)?,
    };
    if !text.starts_with('[') && host.contains(':') {
        return Err(AddressError::TooManyColons(text.to_owned()));
    }
    let port = parse_port(port)?;
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok(Target::Ip(SocketAddr::new(LOOPBACK, port)));
    }
    Ok(match host.parse() {
        Ok(ip) => Target::Ip(SocketAddr::new(ip, port)),
        Err(_) => Target::Name(host, port),
    })
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    // No port means any, as in Go.
    if text.is_empty() {
        return Ok(0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::UnknownPort(text.to_owned()));
    }
    text.parse()
        .map_err(|_| AddressError::InvalidPort(text.to_owned()))
}

/// Listens at `address`.
///
/// # Errors
/// [`AddressError::Bind`] with the system's reason.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, AddressError> {
    TcpListener::bind(address).await.map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "address already in use".to_owned(),
            io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        AddressError::Bind(address, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listen_means() {
        for (text, expected) in [
            ("127.0.0.1:3310", "127.0.0.1:3310"),
            ("localhost:0", "127.0.0.1:0"),
            ("LOCALHOST:1", "127.0.0.1:1"),
            (":8080", "127.0.0.1:8080"),
            ("", "127.0.0.1:0"),
            ("0.0.0.0:9", "0.0.0.0:9"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                Target::Ip(expected.parse().unwrap()),
                "{text}"
            );
        }
        assert_eq!(
            parse("db.internal:5432").unwrap(),
            Target::Name("db.internal", 5432)
        );
    }

    #[test]
    fn what_is_wrong_with_listen_is_said_as_go_says_it() {
        for (text, expected) in [
            (
                "nonsense",
                "listen tcp: address nonsense: missing port in address",
            ),
            (
                "::1:80",
                "listen tcp: address ::1:80: too many colons in address",
            ),
            ("127.0.0.1:65536", "listen tcp: address 65536: invalid port"),
            (
                "127.0.0.1:http!",
                "listen tcp: lookup tcp/http!: unknown port",
            ),
            (
                "[::1]80",
                "listen tcp: address [::1]80: missing port in address",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }
}
