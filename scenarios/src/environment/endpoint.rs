//! How to reach a server, and sessions of our own with it.

use std::{net::Ipv4Addr, time::Duration};

use engine::{
    clock::{self, Instant},
    config::Secret,
};
use tokio_postgres::NoTls;

use super::{EnvironmentError, chain};

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Address, always of this machine.
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
    pub fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.user)
            .password(self.password.expose())
            .dbname(&self.database)
            .application_name("seawall");
        config
    }

    /// A session of our own, outside of anything under test.
    ///
    /// # Errors
    /// If there is none before `deadline`.
    pub async fn session(&self, deadline: Instant) -> Result<Session, EnvironmentError> {
        let no = |reason: String| EnvironmentError::Unreachable {
            address: self.address(),
            reason,
        };
        let config = self.config();
        let connecting = config.connect(NoTls);
        match clock::timeout_at(deadline, connecting).await {
            Ok(Ok((client, connection))) => {
                let task = tokio::spawn(async move {
                    // Its end is seen by whoever uses the client.
                    let _ended = connection.await;
                });
                Ok(Session { client, task })
            }
            Ok(Err(error)) => Err(no(chain(&error))),
            Err(clock::Elapsed) => Err(no("no answer in time".to_owned())),
        }
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

    pub(super) async fn version(&self, deadline: Instant) -> Result<String, EnvironmentError> {
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
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}
