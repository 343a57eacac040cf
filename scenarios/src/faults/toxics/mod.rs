//! Faults between client and server, through a proxy that speaks Toxiproxy's API:
//! our embedded one, or one of the user's.
//!
//! The client crate, `toxiproxy_rust`, is synchronous, panics in an async context
//! and does not look at HTTP statuses. So one thread drives it, each change is
//! read back and compared with all that should be there, and what it has no call
//! for (toxics of our own names, and taking one of several away) goes over plain
//! HTTP on the same thread.

mod driver;

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use reports::run::Step;
use seawall::clock;
use tokio::sync::oneshot;

use self::driver::{Driver, toxic};
use super::kind::{self, Act, Kind, Toxic};
use crate::environment::Needs;

/// Longest wait for the proxy's API.
const ANSWER: Duration = Duration::from_secs(5);
/// Requests that may wait for the thread; we never have more than one.
const QUEUE: usize = 4;

/// A proxy in front of the server.
#[derive(Debug)]
pub struct Toxics {
    jobs: SyncSender<Job>,
    embedded: Option<fault_proxy::Server>,
    version: String,
    listen: SocketAddr,
    /// Kinds whose toxics it does not know.
    unknown: Vec<&'static Kind>,
    deleted: bool,
}

/// The proxy did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToxicsError {
    /// The embedded server could not start.
    #[error("the embedded proxy did not start")]
    Embedded(#[from] fault_proxy::ServeError),
    /// It did not answer, or not as Toxiproxy does.
    #[error("the proxy's API: {0}")]
    Api(String),
    /// It answered, and its state is another one.
    #[error("the proxy did not take the change: wanted {wanted}, read back {found}")]
    NotTaken {
        /// What was asked for.
        wanted: String,
        /// What it says of itself.
        found: String,
    },
    /// The thread that drives it is gone or busy.
    #[error("the thread that drives the proxy {0}")]
    Thread(&'static str),
}

type Job = Box<dyn FnOnce(&mut Driver) + Send>;

impl Toxics {
    /// Starts the embedded server and a proxy to `upstream` in it.
    ///
    /// # Errors
    /// If either cannot be started.
    pub async fn embedded(upstream: &str, seed: u64) -> Result<Self, ToxicsError> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = fault_proxy::Options {
            seed,
            ..fault_proxy::Options::default()
        };
        let server = fault_proxy::Server::bind(anywhere, options).await?;
        let api = server.local_addr();
        let mut toxics = Self::of_user(api, upstream).await?;
        toxics.embedded = Some(server);
        toxics.version = "embedded".to_owned();
        Ok(toxics)
    }

    /// Makes a proxy to `upstream` in the Toxiproxy of the user's whose API is at
    /// `api`.
    ///
    /// # Errors
    /// If it does not answer as one.
    pub async fn of_user(api: SocketAddr, upstream: &str) -> Result<Self, ToxicsError> {
        let name = format!("seawall-{}", std::process::id());
        // From here on its drop takes back what was made, however far that gets.
        let mut toxics = Self {
            jobs: drive(api, name)?,
            embedded: None,
            version: String::new(),
            listen: api,
            unknown: Vec::new(),
            deleted: false,
        };
        let upstream = upstream.to_owned();
        let made = toxics.on_thread(move |driver| {
            let (version, listen) = driver.create(&upstream)?;
            // Whether it knows our extensions is found out by trying.
            let mut unknown = Vec::new();
            let extensions = kind::ALL.iter().copied();
            for kind in extensions.filter(|kind| kind.needs == Needs::EmbeddedProxy) {
                let Act::Network(Toxic {
                    name: Some(name), ..
                }) = &kind.act
                else {
                    continue;
                };
                match driver.add("tried", driver::Toxic::plain(name)) {
                    Ok(()) => driver.remove("tried")?,
                    Err(_) => unknown.push(kind),
                }
            }
            Ok((version, listen, unknown))
        });
        let (version, listen, unknown) = made.await?;
        toxics.version = format!("toxiproxy {version}");
        toxics.listen = listen;
        toxics.unknown = unknown;
        Ok(toxics)
    }

    /// `embedded`, or `toxiproxy <version>`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The port of this machine that leads to the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listen.port()
    }

    /// Why it cannot do a fault, if it cannot.
    #[must_use]
    pub fn cannot(&self, kind: &'static Kind) -> Option<String> {
        self.unknown
            .contains(&kind)
            .then(|| format!("{} has no toxic that does it", self.version))
    }

    /// Does a fault of the network, beside those that are in force already.
    /// `name` tells it from them. Returns when the proxy says that it is done. What is
    /// no fault of the network is left to whoever does it.
    ///
    /// # Errors
    /// If the proxy says otherwise, or nothing.
    pub async fn inject(&self, name: &str, kind: &Kind, step: &Step) -> Result<(), ToxicsError> {
        let Act::Network(shape) = &kind.act else {
            return Ok(());
        };
        let name = name.to_owned();
        match toxic(shape, step) {
            Some(toxic) => self.on_thread(move |driver| driver.add(&name, toxic)).await,
            None => self.on_thread(|driver| driver.enable(false)).await,
        }
    }

    /// Takes a fault of the network back. Where it was not done, nothing changes.
    /// Returns when the proxy says so.
    ///
    /// # Errors
    /// If it says otherwise, or nothing.
    pub async fn rollback(&self, name: &str, kind: &Kind) -> Result<(), ToxicsError> {
        let Act::Network(shape) = &kind.act else {
            return Ok(());
        };
        let name = name.to_owned();
        match shape.name {
            Some(_) => self.on_thread(move |driver| driver.remove(&name)).await,
            None => self.on_thread(|driver| driver.enable(true)).await,
        }
    }

    /// Makes the way to the server and back longer by `round_trip`, from now on: half of
    /// it each way, in whole milliseconds.
    ///
    /// # Errors
    /// If the proxy says otherwise, or nothing.
    pub async fn lengthen(&self, round_trip: Duration) -> Result<(), ToxicsError> {
        let ms = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
        let ways = [
            ("way-there", "upstream", ms / 2),
            ("way-back", "downstream", ms - ms / 2),
        ];
        self.on_thread(move |driver| {
            for (name, stream, ms) in ways {
                driver.remove(name)?;
                if ms > 0 {
                    driver.add(name, driver::Toxic::latency(stream, ms))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes the proxy, and the server if it is ours.
    ///
    /// # Errors
    /// If the proxy cannot be removed.
    pub async fn stop(mut self) -> Result<(), ToxicsError> {
        let deleted = self.on_thread(|driver| driver.delete()).await;
        self.deleted = deleted.is_ok();
        if let Some(server) = self.embedded.take() {
            server.shutdown().await;
        }
        deleted
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Driver) -> Result<T, ToxicsError> + Send + 'static,
    ) -> Result<T, ToxicsError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |driver| {
            // toxiproxy_rust panics where others return an error.
            let done = catch_unwind(AssertUnwindSafe(|| work(driver)));
            // Nobody waits any more: the deadline below has passed.
            let _unheard = answer.send(done.unwrap_or(Err(ToxicsError::Thread("panicked"))));
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => ToxicsError::Thread("is busy"),
            TrySendError::Disconnected(_) => ToxicsError::Thread("is gone"),
        })?;
        match clock::timeout_at(clock::now() + ANSWER, answered).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(ToxicsError::Thread("is gone")),
            Err(clock::Elapsed) => Err(ToxicsError::Thread("has no answer after 5 s")),
        }
    }
}

impl Drop for Toxics {
    /// Asks for the proxy to be removed, if that was not done; in a server of our
    /// own it goes with the server.
    fn drop(&mut self) {
        if !self.deleted && self.embedded.is_none() {
            // Nobody is left to hear what comes of it.
            let _best_effort = self.jobs.try_send(Box::new(|driver| {
                let _best_effort = driver.delete();
            }));
        }
    }
}

/// Starts the thread. It ends when the sender is dropped.
fn drive(api: SocketAddr, name: String) -> Result<SyncSender<Job>, ToxicsError> {
    let (jobs, queue) = sync_channel::<Job>(QUEUE);
    thread::Builder::new()
        .name("toxics".to_owned())
        .spawn(move || {
            // Made here: the clients bring runtimes that must not be dropped in ours.
            let Ok(mut driver) = Driver::new(api, name) else {
                return;
            };
            while let Ok(job) = queue.recv() {
                job(&mut driver);
            }
        })
        .map_err(|_| ToxicsError::Thread("cannot be started"))?;
    Ok(jobs)
}
