//! [`Startup`]: begins a session, without an option that is refused.
//!
//! What stands in between may refuse a startup option: PgBouncer does, with the same SQLSTATE
//! (08P01) as for a server that it cannot reach. The text would tell them apart, and is not
//! read; instead the connection is tried without the option. If that goes well, it was the
//! option. The one that is ours, the server's own time-out for statements, is done without
//! from then on. One that the caller asked for is not: then the refusal is a mistake that no
//! waiting mends, and its text is what everybody gets who asks for a connection.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio_postgres::{Config, config::Host, error::SqlState};

use crate::{
    config::PoolConfig,
    connect::{Connect, Session},
    error::Error,
    metrics::{Counter, Metrics},
};

/// What sessions of a pool are begun with.
#[derive(Debug)]
pub(super) struct Startup {
    /// Whether an option of ours is among those of the configuration.
    ours: bool,
    known: AtomicU8,
}

/// Nothing is known to be refused.
const NOTHING: u8 = 0;
/// Our option is.
const OURS: u8 = 1;
/// Options that the caller asked for are.
const THEIRS: u8 = 2;

impl Startup {
    pub(super) fn new(config: &PoolConfig) -> Self {
        Self {
            ours: config.server_statement_timeout,
            known: AtomicU8::new(NOTHING),
        }
    }

    /// Makes a session. Cancel safe: a dropped future leaves no socket.
    ///
    /// # Errors
    /// [`Error::StartupRefused`] if an option is refused that the caller asked for, else
    /// [`Error::Connect`].
    pub(super) async fn connect(
        &self,
        connect: &dyn Connect,
        config: &Config,
        metrics: &Metrics,
    ) -> Result<Session, Error> {
        let attempt = async |config: &Config| {
            metrics.count(Counter::ConnectAttempts);
            connect.connect(config).await
        };
        let known = self.known.load(Ordering::Relaxed);
        let refused = match known {
            OURS => None,
            _ => match attempt(config).await {
                Ok(session) => return Ok(session),
                Err(error) if is_refusal(&error) => Some(error),
                Err(error) => return Err(Error::Connect(error)),
            },
        };
        let options = config.get_options().unwrap_or_default();
        let theirs = match self.ours {
            // Ours stand in front: "-c name=value".
            true => options.splitn(3, ' ').nth(2),
            false => Some(options).filter(|options| !options.is_empty()),
        };
        let refused = match refused {
            Some(error) if !self.ours => error,
            _ => match attempt(&with_options(config, theirs)).await {
                Ok(session) => {
                    self.do_without();
                    return Ok(session);
                }
                Err(error) if is_refusal(&error) => error,
                Err(error) => return Err(Error::Connect(error)),
            },
        };
        if theirs.is_none() {
            return Err(Error::Connect(refused));
        }
        if known != THEIRS {
            match attempt(&with_options(config, None)).await {
                // Of no use: it is not what was asked for.
                Ok(session) => session.task.abort(),
                Err(_) => return Err(Error::Connect(refused)),
            }
            self.known.store(THEIRS, Ordering::Relaxed);
        }
        Err(Error::StartupRefused(refused))
    }

    /// Does without our option from now on, and says so once.
    fn do_without(&self) {
        if self.known.swap(OURS, Ordering::Relaxed) != OURS {
            tracing::warn!(
                "statement_timeout is refused as a session begins: the server goes on with \
                 statements that nobody waits for; server_statement_timeout = false asks for that"
            );
        }
    }
}

/// Whether an error may be about an option: one that the server, or something in between,
/// answered with, and that is not about the login or the server's state.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code().map(SqlState::code) else {
        return false;
    };
    let about_else = ["28", "3D", "53", "57", "58", "F0", "XX"];
    !about_else.iter().any(|class| code.starts_with(class))
}

/// The same configuration with other options, or none. They cannot be taken out of one.
fn with_options(config: &Config, options: Option<&str>) -> Config {
    let mut other = Config::new();
    if let Some(options) = options {
        other.clone_from(config);
        other.options(options);
        return other;
    }
    if let Some(user) = config.get_user() {
        other.user(user);
    }
    if let Some(password) = config.get_password() {
        other.password(password);
    }
    if let Some(name) = config.get_dbname() {
        other.dbname(name);
    }
    if let Some(name) = config.get_application_name() {
        other.application_name(name);
    }
    for host in config.get_hosts() {
        match host {
            Host::Tcp(host) => other.host(host),
            #[cfg(unix)]
            Host::Unix(path) => other.host_path(path),
        };
    }
    for address in config.get_hostaddrs() {
        other.hostaddr(*address);
    }
    for port in config.get_ports() {
        other.port(*port);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        other.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        other.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        other.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        other.keepalives_retries(retries);
    }
    other
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs())
        .load_balance_hosts(config.get_load_balance_hosts());
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever else is asked for stays, in a configuration without options.
    #[test]
    fn only_the_options_are_left_out() {
        let rest = "user=u password=p dbname=d host=a,/b port=1,2 application_name=n \
                    connect_timeout=3 tcp_user_timeout=4 keepalives=0 keepalives_idle=5 \
                    keepalives_interval=6 keepalives_retries=7 sslmode=disable \
                    channel_binding=disable target_session_attrs=read-write \
                    load_balance_hosts=random";
        let all: Config = format!("{rest} options='-c x=1'").parse().expect("valid");
        let without: Config = rest.parse().expect("valid");
        assert_eq!(with_options(&all, None), without);
        let other: Config = format!("{rest} options='-c y=2'").parse().expect("valid");
        assert_eq!(with_options(&all, Some("-c y=2")), other);
    }
}
