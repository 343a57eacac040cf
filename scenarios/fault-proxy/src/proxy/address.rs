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
        let unknown = || AddressError::UnknownPort(text.to_owned());
        return service_port(text).ok_or_else(unknown);
    }
    text.parse()
        .map_err(|_| AddressError::InvalidPort(text.to_owned()))
}

/// The TCP port of a service by its name, as the system's list has it, else as Go knows
/// it without a list (net/lookup.go).
fn service_port(name: &str) -> Option<u16> {
    const KNOWN: [(&str, u16); 15] = [
        ("domain", 53),
        ("ftp", 21),
        ("ftps", 990),
        ("gopher", 70),
        ("http", 80),
        ("https", 443),
        ("imap2", 143),
        ("imap3", 220),
        ("imaps", 993),
        ("pop3", 110),
        ("pop3s", 995),
        ("smtp", 25),
        ("submissions", 465),
        ("ssh", 22),
        ("telnet", 23),
    ];
    let list = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let listed = list.lines().find_map(|line| port_in(line, name));
    let known = || {
        KNOWN
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    listed.or_else(|| known().map(|(_, port)| *port))
}

/// The port in a line of services(5), if it is of that name or alias, and of TCP.
fn port_in(line: &str, name: &str) -> Option<u16> {
    let line = line.split('#').next()?;
    let mut words = line.split_whitespace();
    let (service, port) = (words.next()?, words.next()?);
    let called = std::iter::once(service)
        .chain(words)
        .any(|word| word.eq_ignore_ascii_case(name));
    port.strip_suffix("/tcp").filter(|_| called)?.parse().ok()
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
            ("127.0.0.1:http", "127.0.0.1:80"),
            (":HTTPS", "127.0.0.1:443"),
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
    fn a_line_of_services_gives_the_port_of_tcp_by_name_and_alias() {
        let line = "postgresql\t5432/tcp\tpostgres # PostgreSQL";
        assert_eq!(port_in(line, "postgresql"), Some(5432));
        assert_eq!(port_in(line, "Postgres"), Some(5432));
        assert_eq!(port_in(line, "PostgreSQL."), None);
        assert_eq!(port_in("tftp 69/udp", "tftp"), None);
        assert_eq!(port_in("# http 80/tcp", "http"), None);
        assert_eq!(port_in("", "http"), None);
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
