//! How to reach a server, and sessions of our own with it.

use std::{net::Ipv4Addr, time::Duration};

use seawall::{
    clock::{self, Instant},
    config::Secret,
};
use tokio::sync::watch;
use tokio_postgres::{NoTls, config::Host};

use super::{EnvironmentError, chain};

/// What the sessions under test are called on the server, with the number of their client
/// behind it.
pub const LOAD: &str = "seawall-load";

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Address: of this machine, unless the user owns a database on another.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Database.
    pub database: String,
}

impl Endpoint {
    pub(super) fn loopback(port: u16, password: Secret) -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
            user: "postgres".to_owned(),
            password,
            database: "postgres".to_owned(),
        }
    }

    /// The same server through another port of this machine: a proxy's.
    #[must_use]
    pub fn through(&self, port: u16) -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
            ..self.clone()
        }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What tokio-postgres connects with, without any deadline.
    #[must_use]
    pub fn config(&self, application_name: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.user)
            .password(self.password.expose())
            .dbname(&self.database)
            .application_name(application_name);
        config
    }

    /// A session of our own, outside of anything under test.
    ///
    /// # Errors
    /// If there is none before `deadline`.
    pub async fn session(&self, deadline: Instant) -> Result<Session, EnvironmentError> {
        Session::open_by(&self.config("seawall"), deadline).await
    }

    /// Waits until the server takes sessions, and returns its version.
    pub(super) async fn ready(&self, deadline: Instant) -> Result<String, EnvironmentError> {
        loop {
            let attempt = (clock::now() + Duration::from_secs(2)).min(deadline);
            match self.version(attempt).await {
                Ok(version) => return Ok(version),
                Err(error) if clock::now() >= deadline => return Err(error),
                Err(_) => clock::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn version(&self, deadline: Instant) -> Result<String, EnvironmentError> {
        let session = self.session(deadline).await?;
        let row = session.client.query_one("SHOW server_version", &[]);
        match clock::timeout_at(deadline, row).await {
            Ok(Ok(row)) => {
                let version: String = row.get(0);
                // "15.18 (Debian 15.18-0+deb12u1)": the number will do.
                Ok(version.split(' ').next().unwrap_or_default().to_owned())
            }
            Ok(Err(error)) => Err(EnvironmentError::Unreachable {
                address: self.address(),
                reason: chain(&error),
            }),
            Err(clock::Elapsed) => Err(EnvironmentError::Unreachable {
                address: self.address(),
                reason: "no answer in time".to_owned(),
            }),
        }
    }
}

/// A direct session. Dropping it closes its socket.
#[derive(Debug)]
pub struct Session {
    /// To run statements with. Callers set their own deadline.
    pub client: tokio_postgres::Client,
    task: tokio::task::JoinHandle<()>,
    ended: watch::Receiver<()>,
}

impl Session {
    /// A session, for as long as it takes.
    ///
    /// Cancel safe: dropping it closes its socket.
    ///
    /// # Errors
    /// What the server or the network answered.
    pub async fn open(config: &tokio_postgres::Config) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = config.connect(NoTls).await?;
        let (end, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            // Why it ended is seen by whoever uses the client.
            let _ended = connection.await;
            drop(end);
        });
        Ok(Self {
            client,
            task,
            ended,
        })
    }

    /// The same, before a deadline.
    ///
    /// # Errors
    /// If there is none by then.
    pub async fn open_by(
        config: &tokio_postgres::Config,
        deadline: Instant,
    ) -> Result<Self, EnvironmentError> {
        let no = |reason: String| EnvironmentError::Unreachable {
            address: address(config),
            reason,
        };
        match clock::timeout_at(deadline, Self::open(config)).await {
            Ok(opened) => opened.map_err(|error| no(chain(&error))),
            Err(clock::Elapsed) => Err(no("no answer in time".to_owned())),
        }
    }

    /// Waits until the other side has ended it. Cancel safe.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: an error is the end.
        while ended.changed().await.is_ok() {}
    }
}

fn address(config: &tokio_postgres::Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.as_str(),
        _ => "?",
    };
    format!("{host}:{}", config.get_ports().first().unwrap_or(&5432))
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}
