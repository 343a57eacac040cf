//! A server that is already there: `--database-url`.
//!
//! Faults reach it only through our own proxy; the server itself is never
//! touched, so it cannot be killed or paused. An experiment belongs nowhere near
//! somebody's production: another machine is not even connected to, unless the user
//! names the database as their own and it is marked; and wherever it is, it is looked
//! at before anything is written.

mod catalogue;
mod refusal;

use std::{net::IpAddr, str::FromStr, time::Duration};

use seawall::{clock, config::Secret};
use tokio_postgres::config::Host;

use super::{Endpoint, Environment, EnvironmentError, Server, Wanted};

/// It runs already, so one attempt will do.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the sessions of a run that has just ended may take to go.
const GOING: Duration = Duration::from_secs(2);

/// Checks that the server may be experimented on, and writes nothing.
///
/// Cancel safe: nothing of it stays.
pub(super) async fn start(wanted: &Wanted) -> Result<Environment, EnvironmentError> {
    let endpoint = near(wanted).await?;
    let claimed = wanted.own_database.as_deref();
    let server_version = refuse_production(&endpoint, claimed).await?;
    Ok(Environment {
        endpoint,
        server_version,
        databases: None,
        server: Server::External,
    })
}

/// How to reach the server, if what a run left may be removed from it: that does not
/// disturb whoever else uses it.
///
/// Cancel safe: nothing of it stays.
pub(super) async fn permitted(wanted: &Wanted) -> Result<Endpoint, EnvironmentError> {
    let endpoint = near(wanted).await?;
    let claimed = wanted.own_database.as_deref();
    let facts = catalogue::read(&endpoint, clock::now() + ANSWER).await?;
    let reasons = refusal::ownership(&facts, claimed);
    if reasons.is_empty() {
        return Ok(endpoint);
    }
    Err(EnvironmentError::Refused {
        target: endpoint.address(),
        reasons,
    })
}

/// How to reach the server, if it is of this machine or said to be the user's own.
async fn near(wanted: &Wanted) -> Result<Endpoint, EnvironmentError> {
    let url = wanted
        .database_url
        .as_ref()
        .ok_or(EnvironmentError::Invalid {
            field: "--env external",
            value: "no --database-url".to_owned(),
            allowed: "--env external together with --database-url postgresql://...",
        })?;
    let endpoint = endpoint(url)?;
    if wanted.own_database.is_none() {
        refuse_other_machines(&endpoint).await?;
    }
    Ok(endpoint)
}

/// Reads the URL into the one host that it may name.
fn endpoint(url: &Secret) -> Result<Endpoint, EnvironmentError> {
    let invalid = |value: &str, allowed| EnvironmentError::Invalid {
        field: "--database-url",
        value: value.to_owned(),
        allowed,
    };
    if let Some(parameter) = not_honoured(url.expose()) {
        return Err(invalid(&parameter, HONOURED_ONLY));
    }
    let config = tokio_postgres::Config::from_str(url.expose())
        .map_err(|_| invalid("(hidden)", "postgresql://user:password@host:port/database"))?;
    let [Host::Tcp(host)] = config.get_hosts() else {
        return Err(invalid("(hidden)", "one host, reached over TCP"));
    };
    let Some(user) = config.get_user() else {
        return Err(invalid(
            "no user",
            "postgresql://user:password@host:port/database",
        ));
    };
    let password = config.get_password().unwrap_or_default();
    Ok(Endpoint {
        host: host.clone(),
        port: config.get_ports().first().copied().unwrap_or(5432),
        user: user.to_owned(),
        password: Secret::new(String::from_utf8_lossy(password)),
        database: config.get_dbname().unwrap_or(user).to_owned(),
    })
}

/// Parameters of a connection that are taken over into every session of a run.
const HONOURED: [&str; 5] = ["host", "port", "user", "password", "dbname"];
const HONOURED_ONLY: &str = "host, port, user, password, dbname, and sslmode=disable, allow or \
                             prefer: a run connects in plain text, and sets its own options";
/// Values of `sslmode` that are content with plain text.
const PLAIN: [&str; 3] = ["disable", "allow", "prefer"];

/// The first parameter of a connection string that would be dropped, by its name. What it
/// holds is shown only of `sslmode`, which holds no secret.
fn not_honoured(url: &str) -> Option<String> {
    let parameters = parameters(url);
    let dropped = parameters
        .into_iter()
        .find(|(name, value)| match name.as_str() {
            "sslmode" => !PLAIN.contains(&value.as_str()),
            name => !HONOURED.contains(&name),
        });
    dropped.map(|(name, value)| match name.as_str() {
        "sslmode" => format!("sslmode={value}"),
        _ => name,
    })
}

/// The parameters that a connection string names: those behind the `?` of a URL, or
/// `key=value` pairs. What has no name is none.
fn parameters(url: &str) -> Vec<(String, String)> {
    let owned = |(name, value): (&str, &str)| (name.trim().to_owned(), value.to_owned());
    if url.contains("://") {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        return pairs
            .map(|pair| owned(pair.split_once('=').unwrap_or((pair, ""))))
            .collect();
    }
    let (mut found, mut rest) = (Vec::new(), url);
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let mut escaped = false;
        let end = after
            .char_indices()
            .skip(usize::from(quoted))
            .find(|(_, c)| {
                let ends = !escaped
                    && (if quoted {
                        *c == '\''
                    } else {
                        c.is_whitespace()
                    });
                escaped = !escaped && *c == '\\';
                ends
            });
        let end = end.map_or(after.len(), |(at, _)| at);
        found.push(owned((name, after[..end].trim_matches('\''))));
        rest = after[end..].trim_start_matches('\'');
    }
    found
}

/// Asks the server who uses it and what it is; returns its version if nothing speaks
/// against it.
async fn refuse_production(
    endpoint: &Endpoint,
    claimed: Option<&str>,
) -> Result<String, EnvironmentError> {
    let patience = clock::now() + GOING;
    loop {
        let facts = catalogue::read(endpoint, clock::now() + ANSWER).await?;
        let reasons = refusal::reasons(&facts, claimed);
        if reasons.is_empty() {
            // "15.18 (Debian 15.18-0+deb12u1)": the number will do.
            let version = facts.server_version.split(' ').next();
            return Ok(version.unwrap_or_default().to_owned());
        }
        if clock::now() >= patience || !refusal::may_pass_soon(&facts, claimed) {
            return Err(EnvironmentError::Refused {
                target: endpoint.address(),
                reasons,
            });
        }
        clock::sleep(Duration::from_millis(100)).await;
    }
}

/// Every address of the host must be a loopback address.
async fn refuse_other_machines(endpoint: &Endpoint) -> Result<(), EnvironmentError> {
    let host = endpoint.host.as_str();
    let refused = |reason: String| EnvironmentError::Refused {
        target: endpoint.address(),
        reasons: vec![reason],
    };
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => tokio::net::lookup_host((host, endpoint.port))
            .await
            .map_err(|error| refused(format!("its address is not known: {error}")))?
            .map(|address| address.ip())
            .collect(),
    };
    match addresses.iter().find(|address| !address.is_loopback()) {
        Some(address) => Err(refused(format!(
            "{address} is not a loopback address; a database of yours on another machine is named by --i-own-this-database"
        ))),
        None if addresses.is_empty() => Err(refused("it has no address".to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Endpoint, EnvironmentError> {
        endpoint(&Secret::new(url))
    }

    #[tokio::test]
    async fn only_loopback_is_taken() {
        for (url, taken) in [
            ("postgresql://u@127.0.0.1/d", true),
            ("postgresql://u@127.8.9.1:5433/d", true),
            ("postgresql://u@[::1]/d", true),
            ("postgresql://u@localhost/d", true),
            ("postgresql://u@10.0.0.1/d", false),
            ("postgresql://u@0.0.0.0/d", false),
        ] {
            let endpoint = parsed(url).expect(url);
            let checked = refuse_other_machines(&endpoint).await;
            assert_eq!(checked.is_ok(), taken, "{url}: {checked:?}");
        }
    }

    #[test]
    fn a_parameter_that_would_be_dropped_is_refused_by_its_name() {
        for (url, named) in [
            (
                "postgresql://u:hunter2@h/d?sslmode=require",
                "sslmode=require",
            ),
            (
                "postgresql://u:hunter2@h/d?sslmode=verify-full",
                "sslmode=verify-full",
            ),
            (
                "postgresql://u:hunter2@h/d?connect_timeout=3&x=1",
                "connect_timeout",
            ),
            (
                "postgresql://u:hunter2@h/d?sslrootcert=hunter2",
                "sslrootcert",
            ),
            ("postgresql://u@h/d?options=-c%20a%3Dhunter2", "options"),
            ("postgresql://u@192.0.2.7/d?hostaddr=127.0.0.1", "hostaddr"),
            (
                "host=h user=u password=hunter2 sslmode=require",
                "sslmode=require",
            ),
            (
                "host=h user=u password='hunter2 x=\\' y' options='-c a=b'",
                "options",
            ),
            (
                "host = h user=u target_session_attrs=read-write",
                "target_session_attrs",
            ),
        ] {
            let error = parsed(url).expect_err(url).to_string();
            let expected = format!("--database-url: {named}, allowed: host, port, ");
            assert!(error.starts_with(&expected), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for url in [
            "postgresql://u:p@127.0.0.1:5433/d",
            "postgresql://u@127.0.0.1/d?sslmode=disable",
            "postgresql://127.0.0.1/d?user=u&password=p&sslmode=prefer",
            "host=127.0.0.1 user=u password='a b=c' dbname = d port=5433",
        ] {
            parsed(url).expect(url);
        }
    }

    #[test]
    fn an_unreadable_url_is_not_repeated() {
        for url in [
            "postgresql://u:hunter2@h:port/d",
            "nonsense hunter2",
            "postgresql://u@a,b/d",
        ] {
            let error = parsed(url).expect_err(url).to_string();
            assert!(error.starts_with("--database-url: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
