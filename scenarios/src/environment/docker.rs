//! PostgreSQL in a container, through testcontainers.
//!
//! The port on 127.0.0.1 is chosen by us and fixed, since a container that is
//! started again would otherwise get another one. Signals are handled by the
//! runner, which tears down in order; testcontainers' own watchdog would end the
//! process before anything could be written.

pub(super) mod context;
mod labelled;

use std::{collections::HashMap, fmt, future::Future, time::Duration};

use futures_util::TryStreamExt as _;
use seawall::clock;
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    bollard::{
        self, Docker,
        models::{ContainerInspectResponse, NetworkConnectRequest, NetworkDisconnectRequest},
        query_parameters::{
            InspectContainerOptions, KillContainerOptionsBuilder, LogsOptionsBuilder,
        },
    },
    core::{IntoContainerPort as _, client::docker_client_instance},
    runners::AsyncRunner as _,
};

pub(super) use self::labelled::{labelled, remove};
use super::{
    Endpoint, Environment, EnvironmentError, SMALL_DISK, START, Shutdown, Wanted, chain, free_port,
    last_lines, lease::Lease, password, unless,
};

/// The image that is pulled if none is named and none is there.
pub const DEFAULT_IMAGE: &str = "postgres:15";
/// What `scenarios/image/build` makes where no registry can be reached.
pub const LOCAL_IMAGE: &str = "seawall-postgres:15";

/// Marks our containers, beside testcontainers' own label.
pub(super) const LABEL: &str = "dev.seawall.runner-pid";
/// Whose a container is, if it is ever left behind.
pub(super) const LEASE_LABEL: &str = "dev.seawall.lease";
/// One start, for its own cleaning up.
const START_LABEL: &str = "dev.seawall.start";

const ANSWER: Duration = Duration::from_secs(5);
const REGISTRY: Duration = Duration::from_secs(10);
const PULL_AND_START: Duration = Duration::from_secs(300);
/// How often a container is asked to pause.
const PAUSE_TRIES: u32 = 4;
const PAUSE_AGAIN: Duration = Duration::from_millis(50);
const COMMAND: Duration = Duration::from_secs(20);
const PORT: u16 = 5432;
/// Where a container gets its address from, unless it is told otherwise.
const NETWORK: &str = "bridge";
const SMALL_DISK_PATH: &str = "/seawall-small";

/// An engine that answers, and an image that is there or can be pulled.
#[derive(Debug, Clone)]
pub struct Found {
    image: String,
    present: bool,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.present { "" } else { ", to be pulled" };
        write!(f, "image {}{how}", self.image)
    }
}

/// Looks for an engine and an image: the one that was named, else the default,
/// else the one built here.
pub(super) async fn find(wanted: &Wanted) -> Result<Found, EnvironmentError> {
    let docker = engine().await?;
    let candidates = match &wanted.image {
        Some(image) => vec![image.as_str()],
        None => vec![DEFAULT_IMAGE, LOCAL_IMAGE],
    };
    for image in &candidates {
        let inspected = within(ANSWER, "inspecting an image", docker.inspect_image(image)).await?;
        if inspected.is_ok() {
            return Ok(Found {
                image: (*image).to_owned(),
                present: true,
            });
        }
    }
    let image = candidates[0].to_owned();
    let reason = match within(
        REGISTRY,
        "asking the registry",
        docker.inspect_registry_image(&image, None),
    )
    .await
    {
        Ok(Ok(_)) => {
            return Ok(Found {
                image,
                present: false,
            });
        }
        Ok(Err(error)) => short(&error),
        Err(_) => "the registry does not answer".to_owned(),
    };
    Err(EnvironmentError::NoImage { image, reason })
}

/// A client whose engine answers; a `docker` command alone proves nothing.
pub(super) async fn engine() -> Result<Docker, EnvironmentError> {
    if let Err(name) = context::host() {
        return Err(EnvironmentError::NoDockerContext { name });
    }
    let none = |reason: String| EnvironmentError::NoDocker { reason };
    let docker = docker_client_instance()
        .await
        .map_err(|error| none(chain(&error)))?;
    match clock::timeout_at(clock::now() + ANSWER, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) if is_closed(&error) => {
            let reason = short(&error);
            Err(EnvironmentError::NoDockerAccess { reason })
        }
        Ok(Err(error)) => Err(none(short(&error))),
        Err(clock::Elapsed) => Err(none(format!("nothing within {} s", ANSWER.as_secs()))),
    }
}

/// Whether the engine is there and its socket is closed to us.
fn is_closed(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let denied = std::io::ErrorKind::PermissionDenied;
    causes.into_iter().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == denied)
    })
}

/// Starts a container and waits until its server takes sessions. When `cancelled`
/// is done, or anything fails, nothing of it stays.
pub(super) async fn start(
    found: &Found,
    small_disk: bool,
    cancelled: impl Future<Output = ()>,
) -> Result<Environment, EnvironmentError> {
    let docker = engine().await?;
    // Tells this container from those of other starts: whoever is made but not
    // started is known to nobody else.
    let token = format!(
        "{}-{:016x}",
        std::process::id(),
        fastrand::Rng::new().u64(..)
    );
    let started = unless(cancelled, started(found, small_disk, &docker, &token)).await;
    if started.is_err()
        && let Err(error) = remove_half_made(&docker, &token).await
    {
        tracing::error!(%error, token, "a container may be left");
    }
    started
}

async fn started(
    found: &Found,
    small_disk: bool,
    docker: &Docker,
    token: &str,
) -> Result<Environment, EnvironmentError> {
    let secret = password()?;
    let port = free_port()?;
    let (name, tag) = name_and_tag(&found.image);
    let request = GenericImage::new(name, tag)
        .with_mapped_port(port, PORT.tcp())
        .with_env_var("POSTGRES_PASSWORD", secret.expose())
        .with_label(LABEL, std::process::id().to_string())
        .with_label(START_LABEL, token)
        // Empty without /proc: then nobody could judge it.
        .with_label(
            LEASE_LABEL,
            Lease::ours().map_or_else(|_| String::new(), |lease| lease.to_string()),
        )
        .with_host_config_modifier(move |host| {
            if small_disk {
                let options = format!("size={SMALL_DISK},mode=1777");
                host.tmpfs = Some(HashMap::from([(SMALL_DISK_PATH.to_owned(), options)]));
            }
            for bindings in host
                .port_bindings
                .iter_mut()
                .flat_map(|ports| ports.values_mut())
            {
                for binding in bindings.iter_mut().flatten() {
                    binding.host_ip = Some("127.0.0.1".to_owned());
                }
            }
        });
    let what = "starting a container";
    let container = within(PULL_AND_START, what, request.start())
        .await?
        .map_err(|error| EnvironmentError::failed(what, chain(&error)))?;
    let container = Container {
        container,
        docker: docker.clone(),
        small_disk,
    };
    let endpoint = Endpoint::loopback(port, secret);
    match container.ready(&endpoint).await {
        Ok(server_version) => Ok(Environment {
            endpoint,
            server_version,
            databases: None,
            server: super::Server::Docker(Box::new(container)),
        }),
        Err(error) => {
            let log = container.log_tail().await;
            // Should this fail, the removal that follows an error has another try.
            let _removed = container.remove().await;
            Err(error.with_log(log))
        }
    }
}

/// Removes what a start that failed has left.
async fn remove_half_made(docker: &Docker, token: &str) -> Result<(), EnvironmentError> {
    let label = format!("{START_LABEL}={token}");
    let listed = labelled(docker, &label).await?;
    for id in listed.into_iter().filter_map(|container| container.id) {
        remove(docker, &id).await?;
    }
    Ok(())
}

/// A container of ours.
pub(super) struct Container {
    container: ContainerAsync<GenericImage>,
    docker: Docker,
    small_disk: bool,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Container")
            .field(&self.container.id())
            .finish()
    }
}

impl Container {
    /// Waits until the server takes sessions, or the container has ended.
    async fn ready(&self, endpoint: &Endpoint) -> Result<String, EnvironmentError> {
        let deadline = clock::now() + START;
        let ended = async {
            while matches!(self.container.is_running().await, Ok(true)) {
                clock::sleep(Duration::from_millis(250)).await;
            }
        };
        tokio::select! {
            biased;
            ready = endpoint.ready(deadline) => ready,
            () = ended => Err(EnvironmentError::failed("starting PostgreSQL", "its container ended")),
        }
    }

    pub(super) fn small_disk(&self) -> Option<&str> {
        self.small_disk.then_some(SMALL_DISK_PATH)
    }

    /// The container's first process is the postmaster; all others end with it.
    pub(super) async fn shut_down(&self, how: Shutdown) -> Result<(), EnvironmentError> {
        let what = "shutting the container down";
        if matches!(self.container.is_running().await, Ok(false)) {
            return Ok(());
        }
        self.signal(what, how.signal()).await?;
        // The engine answers when the signal is sent, not when the server is dead.
        let dead = async {
            while !matches!(self.container.is_running().await, Ok(false)) {
                clock::sleep(Duration::from_millis(10)).await;
            }
            Ok::<(), bollard::errors::Error>(())
        };
        command(what, dead).await
    }

    async fn signal(&self, what: &'static str, signal: &str) -> Result<(), EnvironmentError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let sent = self
            .docker
            .kill_container(self.container.id(), Some(options));
        command(what, sent).await
    }

    pub(super) async fn pause_postmaster(&self) -> Result<(), EnvironmentError> {
        self.signal("pausing the postmaster", "SIGSTOP").await
    }

    pub(super) async fn disconnect(&self) -> Result<(), EnvironmentError> {
        let request = NetworkDisconnectRequest {
            container: self.container.id().to_owned(),
            force: Some(true),
        };
        let done = self.docker.disconnect_network(NETWORK, request);
        command("taking the container's network away", done).await
    }

    pub(super) async fn connect(&self) -> Result<(), EnvironmentError> {
        let what = "giving the container its network back";
        let inspected = self.inspect(what).await?;
        let networks = inspected.network_settings.and_then(|n| n.networks);
        if networks.is_some_and(|networks| networks.contains_key(NETWORK)) {
            return Ok(());
        }
        let request = NetworkConnectRequest {
            container: self.container.id().to_owned(),
            endpoint_config: None,
        };
        command(what, self.docker.connect_network(NETWORK, request)).await
    }

    async fn inspect(
        &self,
        what: &'static str,
    ) -> Result<ContainerInspectResponse, EnvironmentError> {
        let options = None::<InspectContainerOptions>;
        let inspected = self.docker.inspect_container(self.container.id(), options);
        within(COMMAND, what, inspected)
            .await?
            .map_err(|error| EnvironmentError::failed(what, short(&error)))
    }

    pub(super) async fn restart(&self) -> Result<(), EnvironmentError> {
        let start = self.docker.start_container(self.container.id(), None);
        command("starting the container again", start).await
    }

    pub(super) async fn pause(&self) -> Result<(), EnvironmentError> {
        let mut tries = 1;
        loop {
            let pause = self.docker.pause_container(self.container.id());
            match command("pausing the container", pause).await {
                // The kernel freezes a process when that lets it, and on a busy machine
                // runc may not wait for it ("unable to freeze"): it thaws all again.
                Err(_) if tries < PAUSE_TRIES => tries += 1,
                done => return done,
            }
            clock::sleep(PAUSE_AGAIN).await;
        }
    }

    pub(super) async fn resume(&self) -> Result<(), EnvironmentError> {
        let what = "resuming the container";
        let state = self.inspect(what).await?.state.unwrap_or_default();
        if state.paused == Some(true) {
            command(what, self.docker.unpause_container(self.container.id())).await?;
        }
        if state.running == Some(true) {
            self.signal(what, "SIGCONT").await?;
        }
        Ok(())
    }

    pub(super) async fn log_tail(&self) -> String {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail("20")
            .build();
        let lines = self.docker.logs(self.container.id(), Some(options));
        let lines = lines
            .map_ok(|line| line.to_string())
            .try_collect::<Vec<_>>();
        match clock::timeout_at(clock::now() + ANSWER, lines).await {
            Ok(Ok(lines)) => last_lines(&lines.concat()),
            Ok(Err(error)) => format!("(no log: {})", short(&error)),
            Err(clock::Elapsed) => "(no log in time)".to_owned(),
        }
    }

    /// Removes the container and its volume, whatever state it is in.
    pub(super) async fn remove(self) -> Result<(), EnvironmentError> {
        command("removing the container", self.container.rm()).await
    }
}

async fn command<E: std::error::Error>(
    what: &'static str,
    command: impl Future<Output = Result<(), E>>,
) -> Result<(), EnvironmentError> {
    within(COMMAND, what, command)
        .await?
        .map_err(|error| EnvironmentError::failed(what, chain(&error)))
}

async fn within<T>(
    limit: Duration,
    what: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, EnvironmentError> {
    clock::timeout_at(clock::now() + limit, future)
        .await
        .map_err(|_| {
            EnvironmentError::failed(what, format!("not done after {} s", limit.as_secs()))
        })
}

/// What the engine said, without the request around it.
fn short(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            message.trim().to_owned()
        }
        other => chain(other),
    }
}

/// `registry:5000/name:tag` into `registry:5000/name` and `tag`.
fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(name_and_tag("postgres:15"), ("postgres", "15"));
        assert_eq!(name_and_tag("postgres"), ("postgres", "latest"));
        assert_eq!(name_and_tag("host:5000/pg"), ("host:5000/pg", "latest"));
        assert_eq!(name_and_tag("host:5000/pg:16"), ("host:5000/pg", "16"));
    }
}
