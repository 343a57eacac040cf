//! What is wrong with a connection string, without showing any of it that may be secret.
//!
//! The name of an option that is not known may be a part of a password: of one with a `&` or
//! a space that was not escaped. So it is only shown if it is one that others know, or much
//! like one that we do.

use super::keys::nearest_of;

/// Options that tokio-postgres knows.
const KNOWN: [&str; 18] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslmode",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
];

/// Options of libpq, and of drivers and ORMs that read the same URL.
const OF_OTHERS: [&str; 41] = [
    "allow_public_key_retrieval",
    "charset",
    "client_encoding",
    "connection_limit",
    "currentSchema",
    "encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "krbsrvname",
    "max_protocol_version",
    "min_protocol_version",
    "passfile",
    "pgbouncer",
    "pool_max_conns",
    "pool_timeout",
    "prepareThreshold",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "schema",
    "search_path",
    "service",
    "socket_timeout",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslaccept",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslidentity",
    "sslkey",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "statement_cache_size",
];

/// Says which option is wrong, if that can be said.
pub(super) fn complaint(string: &str, error: &tokio_postgres::Error) -> Option<String> {
    let cause = std::error::Error::source(error).map(ToString::to_string)?;
    let bad_value = |name: &&str| cause == format!("invalid value for option `{name}`");
    if let Some(name) = KNOWN.into_iter().find(bad_value) {
        return Some(format!("bad value of {name}"));
    }
    let names = string
        .split(|c: char| c.is_whitespace() || c == '?' || c == '&')
        .filter_map(|part| part.split_once('=').map(|(name, _)| name))
        // The same that it stumbled upon.
        .filter(|name| cause == format!("unknown option `{name}`"));
    for name in names {
        if OF_OTHERS.contains(&name) {
            return Some(format!("option not known: {name}"));
        }
        if let Some(meant) = nearest_of(name, &KNOWN, 0.9) {
            return Some(format!("option not known: {name}, did you mean {meant}?"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn an_option_that_is_not_known_is_named_and_no_secret_is() {
        for (string, says) in [
            (
                "postgres://u:hush@h/d?sslrootcert=/ca.pem",
                Some("option not known: sslrootcert"),
            ),
            (
                "postgresql://u:hush@h/d?sslmode=require&schema=app",
                Some("option not known: schema"),
            ),
            (
                "postgres://u:hush@h/d?pgbouncer=true",
                Some("option not known: pgbouncer"),
            ),
            (
                "host=h password=hush sslcert=/c",
                Some("option not known: sslcert"),
            ),
            (
                "host=h password=hush aplication_name=x",
                Some("option not known: aplication_name, did you mean application_name?"),
            ),
            ("host=h port=hush", Some("bad value of port")),
            ("host=h sslmode=hush", Some("bad value of sslmode")),
            // A part of a password.
            ("postgres://u@h/d?password=pa&hush=x", None),
            ("postgres://u:p@h/d?hush", None),
            ("host=h password=pa hush=x", None),
            ("host=h password='hush", None),
            ("hush", None),
        ] {
            let error = tokio_postgres::Config::from_str(string).expect_err(string);
            let said = complaint(string, &error);
            assert_eq!(said.as_deref(), says, "{string}");
            assert!(!said.unwrap_or_default().contains("hush"), "{string}");
        }
    }
}
