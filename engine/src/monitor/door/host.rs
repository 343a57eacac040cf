//! Which hosts and origins are ours. Pure.

use std::net::IpAddr;

/// Whether a `Host` is a loopback address, or `localhost`; with any port, since ports are
/// forwarded.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || is_port(port) => name,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether an `Origin` is that of the page that this `Host` serves. In front of us there may be
/// somebody who speaks TLS, so the scheme may be either.
pub(super) fn is_same(origin: &str, host: &str) -> bool {
    let of = |scheme: &str, port: &str| {
        let origin = origin.strip_prefix(scheme)?;
        // The port that a browser leaves out.
        let host = host.strip_suffix(port).unwrap_or(host);
        let origin = origin.strip_suffix(port).unwrap_or(origin);
        Some(!host.is_empty() && origin.eq_ignore_ascii_case(host))
    };
    of("http://", ":80")
        .or_else(|| of("https://", ":443"))
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_loopback_by_what_it_says_and_by_nothing_else() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:1",
            "127.9.8.7",
            "[::1]",
            "[::1]:9",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "127.0.0.1:80@evil.example",
            "[::1]evil",
            "[::1",
            "::1",
            "[::2]",
            "localhost:8x",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_the_same_if_its_host_and_port_are() {
        for (origin, host) in [
            ("http://localhost:8080", "localhost:8080"),
            ("http://a", "a:80"),
            ("https://a.example", "A.example"),
        ] {
            assert!(is_same(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "localhost"),
            ("http://localhost:8081", "localhost:8080"),
            ("http://evil.example", "localhost"),
            ("http://localhost.evil.example", "localhost"),
            ("file://", ""),
            ("http://", ""),
        ] {
            assert!(!is_same(origin, host), "{origin} {host}");
        }
    }
}
