//! A real PostgreSQL, from wherever there is one, behind one handle.
//!
//! [`Environment::start`] finds or starts a server; the handle knows how to reach
//! it and what can be done to it. [`Environment::stop`] is awaited and leaves
//! nothing behind; dropping the handle does the same as far as a `Drop` can.

mod docker;
mod endpoint;
mod error;
mod external;
mod fill;
pub(crate) mod lease;
mod local;
mod needs;
mod own;
mod process;
pub mod reap;
mod tables;

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use seawall::{clock, config::Secret};

pub use self::{
    docker::{DEFAULT_IMAGE, Found as DockerFound, LOCAL_IMAGE},
    endpoint::{Endpoint, LOAD, Session},
    error::{EnvironmentError, chain},
    fill::Fill,
    needs::Needs,
};
use self::{
    error::last_lines,
    fill::{Databases, Prepared},
};

/// Longest wait for a server to take sessions.
const START: Duration = Duration::from_secs(40);
/// Longest wait for a start to come to its end when nobody wants it any more.
const GRACE: Duration = Duration::from_secs(10);

/// Size of a small disk, as mount(8) takes it. Room for the writes of a run, and
/// filled within a second.
const SMALL_DISK: &str = "64m";

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
    /// Whether a small disk is wanted, to be filled.
    pub small_disk: bool,
    /// The name of its database, which the user says is theirs to break.
    pub own_database: Option<String>,
    /// What it is to find in its database.
    pub fill: Fill,
}

/// How a server is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// SIGINT: sessions are ended, and everything is written out.
    Fast,
    /// SIGQUIT: at once; the next start does crash recovery.
    Immediate,
    /// SIGKILL to all of it.
    Kill,
}

impl Shutdown {
    fn signal(self) -> &'static str {
        match self {
            Self::Fast => "SIGINT",
            Self::Immediate => "SIGQUIT",
            Self::Kill => "SIGKILL",
        }
    }
}

/// A PostgreSQL server to experiment with.
#[derive(Debug)]
pub struct Environment {
    endpoint: Endpoint,
    server_version: String,
    /// Those of the run, if it does not work in the one that was there.
    databases: Option<Databases>,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Docker(Box<docker::Container>),
    Local(local::Local),
    External,
}

impl Environment {
    /// Finds or starts a server, waits until it takes sessions, and fills a database of its
    /// own, if that is wanted; or until `cancelled` is done.
    ///
    /// Not cancel safe for containers: let `cancelled` be done instead.
    ///
    /// # Errors
    /// Says what is missing and how to get it; nothing is left running.
    pub async fn start(
        wanted: &Wanted,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Self, EnvironmentError> {
        let prepared = wanted.fill.prepared()?;
        tokio::pin!(cancelled);
        let started = Self::serving(wanted, cancelled.as_mut()).await?;
        match prepared {
            Some(prepared) => started.filled(&prepared, cancelled).await,
            None => Ok(started),
        }
    }

    /// The same in a database of its own. If that cannot be had, nothing is left.
    async fn filled(
        mut self,
        prepared: &Prepared,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Self, EnvironmentError> {
        let external = matches!(self.server, Server::External);
        let bin = match &self.server {
            Server::Local(server) => Some(server.bin().to_owned()),
            _ => None,
        };
        let mut databases = Databases::new(&self.endpoint, external);
        let made = tokio::select! {
            biased;
            made = databases.make(prepared, bin) => made,
            () = cancelled => Err(EnvironmentError::Cancelled),
        };
        self.databases = Some(databases);
        let Err(error) = made else {
            let work = self.databases.as_ref().map(Databases::work);
            self.endpoint = work.unwrap_or(self.endpoint);
            return Ok(self);
        };
        // The first error is the one to tell.
        if let Err(error) = self.stop().await {
            tracing::error!(error = chain(&error), "taking the server down");
        }
        Err(error)
    }

    async fn serving(
        wanted: &Wanted,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Self, EnvironmentError> {
        match wanted.kind {
            Kind::External => unless(cancelled, external::start(wanted)).await,
            Kind::Docker => {
                docker::start(&docker::find(wanted).await?, wanted.small_disk, cancelled).await
            }
            Kind::Local => {
                unless(
                    cancelled,
                    local::start(&local::find(wanted)?, wanted.small_disk),
                )
                .await
            }
            Kind::Auto => match docker::find(wanted).await {
                Ok(found) => docker::start(&found, wanted.small_disk, cancelled).await,
                Err(no_docker) => match local::find(wanted) {
                    Ok(binaries) => {
                        unless(cancelled, local::start(&binaries, wanted.small_disk)).await
                    }
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

    /// How to reach it, directly, and the database that the run works in.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// `server_version`, without the packager's remark.
    #[must_use]
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// Why it does not give what a fault needs, if it does not.
    #[must_use]
    pub fn cannot(&self, needs: Needs) -> Option<&'static str> {
        let (external, container) = match self.server {
            Server::External => (true, false),
            Server::Docker(_) => (false, true),
            Server::Local(_) => (false, false),
        };
        let (given, reason) = match needs {
            Needs::Proxy | Needs::EmbeddedProxy | Needs::Sessions => (true, ""),
            Needs::OwnServer => (!external, "the server was not started here"),
            Needs::OwnProcesses if external => (false, "the server was not started here"),
            // Stopping a local server's children needs /proc.
            Needs::OwnProcesses => (
                container || cfg!(target_os = "linux"),
                "a local server's processes are only known on Linux",
            ),
            Needs::OwnParameters => (
                !external,
                "it sets a parameter of the server, which was not started here",
            ),
            Needs::Container if external => (false, "the server was not started here"),
            Needs::Container => (container, "the server is no container"),
            Needs::SmallDisk => (
                self.small_disk().is_some(),
                "there is no small disk: that takes a container, or root and a local server",
            ),
        };
        (!given).then_some(reason)
    }

    /// A folder of the server on a small file system that can be filled safely.
    #[must_use]
    pub fn small_disk(&self) -> Option<&str> {
        match &self.server {
            Server::Docker(container) => container.small_disk(),
            Server::Local(server) => server.small_disk(),
            Server::External => None,
        }
    }

    /// Whether what is on the small disk outlives a restart of the server.
    #[must_use]
    pub fn small_disk_lasts(&self) -> bool {
        matches!(self.server, Server::Local(_))
    }

    /// Ends the whole server; returns when it is dead. One that is down already
    /// stays so.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn shut_down(&self, how: Shutdown) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.shut_down(how).await,
            Server::Local(server) => server.shut_down(how).await,
            Server::External => Err(EnvironmentError::cannot("shut down")),
        }
    }

    /// Starts a server that is down again, on the same port. Does not wait for it
    /// to take sessions.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn restart(&self) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.restart().await,
            Server::Local(server) => server.restart().await,
            Server::External => Err(EnvironmentError::cannot("restart")),
        }
    }

    /// Stops every process of the server (SIGSTOP, or the container's freezer).
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn pause(&self) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.pause().await,
            Server::Local(server) => server.pause().await,
            Server::External => Err(EnvironmentError::cannot("pause")),
        }
    }

    /// Stops the postmaster alone (SIGSTOP): sessions live, new ones are not had.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn pause_postmaster(&self) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.pause_postmaster().await,
            Server::Local(server) => server.pause_postmaster().await,
            Server::External => Err(EnvironmentError::cannot("pause")),
        }
    }

    /// Lets a server go on, whichever way it was paused, if it was.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn resume(&self) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.resume().await,
            Server::Local(server) => server.resume().await,
            Server::External => Err(EnvironmentError::cannot("resume")),
        }
    }

    /// Takes the server's network away.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn disconnect(&self) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.disconnect().await,
            _ => Err(EnvironmentError::cannot("disconnect")),
        }
    }

    /// Gives the server's network back, if it was taken.
    ///
    /// # Errors
    /// If it cannot be done here, or did not work.
    pub async fn connect(&self) -> Result<(), EnvironmentError> {
        match &self.server {
            Server::Docker(container) => container.connect().await,
            _ => Err(EnvironmentError::cannot("connect")),
        }
    }

    /// The last lines of the server's log, if it is ours.
    pub async fn log_tail(&self) -> String {
        match &self.server {
            Server::Docker(container) => container.log_tail().await,
            Server::Local(server) => server.log_tail().await,
            Server::External => String::new(),
        }
    }

    /// Stops the server, if it is ours, and removes all that belongs to it; in somebody
    /// else's, the run's own databases.
    ///
    /// # Errors
    /// If something could not be removed; it is named.
    pub async fn stop(self) -> Result<(), EnvironmentError> {
        match (self.server, self.databases) {
            (Server::Docker(container), _) => container.remove().await,
            (Server::Local(server), _) => server.stop().await,
            (Server::External, Some(databases)) => databases.drop().await,
            (Server::External, None) => Ok(()),
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

/// The address of the Docker engine that a context of the `docker` command gives, if one
/// is chosen. One that there is not is told when the engine is looked for.
#[must_use]
pub fn docker_context_host() -> Option<String> {
    docker::context::host().unwrap_or_default()
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
