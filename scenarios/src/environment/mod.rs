//! A real PostgreSQL, from wherever there is one, behind one handle.
//!
//! [`Environment::start`] finds or starts a server; the handle knows how to reach
//! it and what can be done to it. [`Environment::stop`] is awaited and leaves
//! nothing behind; dropping the handle does the same as far as a `Drop` can.

mod docker;
mod endpoint;
mod error;
mod external;
mod local;

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use engine::{clock, config::Secret};

use self::error::last_lines;
pub use self::{
    docker::{DEFAULT_IMAGE, Found as DockerFound, LOCAL_IMAGE},
    endpoint::{Endpoint, Session},
    error::{EnvironmentError, chain},
};

/// Longest wait for a server to take sessions.
const START: Duration = Duration::from_secs(40);
/// Longest wait for a start to come to its end when nobody wants it any more.
const GRACE: Duration = Duration::from_secs(10);

/// Where a server is to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Docker if its engine answers and the image is there or can be pulled, else local.
    Auto,
    /// A container.
    Docker,
    /// `initdb` and `postgres` of this machine, in a temporary folder.
    Local,
    /// The server of `--database-url`.
    External,
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where from.
    pub kind: Kind,
    /// The container image, if the user named one.
    pub image: Option<String>,
    /// The folder of `initdb` and `postgres`, if the user named one.
    pub pg_bin: Option<PathBuf>,
    /// The URL of a server that is already there.
    pub database_url: Option<Secret>,
}

/// What can be done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It can be killed with SIGKILL.
    pub kill: bool,
    /// It can be started again.
    pub restart: bool,
    /// All of it can be stopped and continued.
    pub pause: bool,
}

/// A PostgreSQL server to experiment with.
#[derive(Debug)]
pub struct Environment {
    endpoint: Endpoint,
    server_version: String,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Docker(Box<docker::Container>),
    Local(local::Server),
    External,
}

impl Environment {
    /// Finds or starts a server and waits until it takes sessions, or until
    /// `cancelled` is done.
    ///
    /// Not cancel safe for containers: let `cancelled` be done instead.
    ///
    /// # Errors
    /// Says what is missing and how to get it; nothing is left running.
    pub async fn start(
        wanted: &Wanted,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Self, EnvironmentError> {
        match wanted.kind {
            Kind::External => unless(cancelled, external::start(wanted)).await,
            Kind::Docker => docker::start(&docker::find(wanted).await?, cancelled).await,
            Kind::Local => unless(cancelled, local::start(&local::find(wanted)?)).await,
            Kind::Auto => match docker::find(wanted).await {
                Ok(found) => docker::start(&found, cancelled).await,
                Err(no_docker) => match local::find(wanted) {
                    Ok(binaries) => unless(cancelled, local::start(&binaries)).await,
                    Err(no_local) => Err(EnvironmentError::Nothing {
                        docker: no_docker.to_string(),
                        local: no_local.to_string(),
                    }),
                },
            },
        }
    }

    /// `docker`, `local` or `external`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.server {
            Server::Docker(_) => "docker",
            Server::Local(_) => "local",
            Server::External => "external",
        }
    }

    /// How to reach it, directly.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// `server_version`, without the packager's remark.
    #[must_use]
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// What can be done to it.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let ours = !matches!(self.server, Server::External);
        Capabilities {
            kill: ours,
            restart: ours,
            // Stopping a local server's children needs /proc.
            pause: ours && (cfg!(target_os = "linux") || matches!(self.server, Server::Docker(_))),
        }
    }

    /// Kills the whole server with SIGKILL; returns when it is dead.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn kill(&mut self) -> Result<(), EnvironmentError> {
        match &mut self.server {
            Server::Docker(container) => container.kill().await,
            Server::Local(server) => server.kill().await,
            Server::External => Err(EnvironmentError::cannot("kill")),
        }
    }

    /// Starts a killed server again, on the same port. Does not wait for it to
    /// take sessions.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn restart(&mut self) -> Result<(), EnvironmentError> {
        match &mut self.server {
            Server::Docker(container) => container.restart().await,
            Server::Local(server) => server.restart().await,
            Server::External => Err(EnvironmentError::cannot("restart")),
        }
    }

    /// Stops every process of the server (SIGSTOP, or the container's freezer).
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn pause(&mut self) -> Result<(), EnvironmentError> {
        match &mut self.server {
            Server::Docker(container) => container.pause().await,
            Server::Local(server) => server.pause(),
            Server::External => Err(EnvironmentError::cannot("pause")),
        }
    }

    /// Lets a paused server go on.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn resume(&mut self) -> Result<(), EnvironmentError> {
        match &mut self.server {
            Server::Docker(container) => container.resume().await,
            Server::Local(server) => server.resume(),
            Server::External => Err(EnvironmentError::cannot("resume")),
        }
    }

    /// The last lines of the server's log, if it is ours.
    pub async fn log_tail(&self) -> String {
        match &self.server {
            Server::Docker(container) => container.log_tail().await,
            Server::Local(server) => server.log_tail(),
            Server::External => String::new(),
        }
    }

    /// Stops the server, if it is ours, and removes all that belongs to it.
    ///
    /// # Errors
    /// If something could not be removed; it is named.
    pub async fn stop(self) -> Result<(), EnvironmentError> {
        match self.server {
            Server::Docker(container) => container.remove().await,
            Server::Local(server) => server.stop().await,
            Server::External => Ok(()),
        }
    }
}

/// Starts, unless `cancelled` is done first. What has begun by then gets a moment to
/// come to an end and is stopped in order: a container engine goes on with a
/// request whose caller is gone, and so do the children of an initdb that was killed.
async fn unless(
    cancelled: impl Future<Output = ()>,
    start: impl Future<Output = Result<Environment, EnvironmentError>>,
) -> Result<Environment, EnvironmentError> {
    tokio::pin!(start);
    tokio::select! {
        biased;
        started = &mut start => started,
        () = cancelled => {
            if let Ok(Ok(environment)) = clock::timeout_at(clock::now() + GRACE, &mut start).await {
                environment.stop().await?;
            }
            Err(EnvironmentError::Cancelled)
        }
    }
}

/// What `scenarios doctor` says.
#[derive(Debug)]
pub struct Diagnosis {
    /// The image that would be used, or why there is none.
    pub docker: Result<String, EnvironmentError>,
    /// The folder of the binaries that would be used, or why there is none.
    pub local: Result<String, EnvironmentError>,
}

/// Looks for everything without starting anything.
pub async fn diagnose(wanted: &Wanted) -> Diagnosis {
    Diagnosis {
        docker: docker::find(wanted).await.map(|found| found.to_string()),
        local: local::find(wanted).map(|found| found.to_string()),
    }
}

/// A TCP port of 127.0.0.1 that nobody had a moment ago.
fn free_port() -> Result<u16, EnvironmentError> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| EnvironmentError::failed("finding a free port", error))
}

/// A password that nobody can guess, for a server that lives for a minute.
fn password() -> Result<Secret, EnvironmentError> {
    use std::{fmt::Write as _, io::Read as _};
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| EnvironmentError::failed("reading /dev/urandom", error))?;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    Ok(Secret::new(text))
}
