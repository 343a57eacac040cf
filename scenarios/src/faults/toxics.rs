//! Faults between client and server, through a proxy that speaks Toxiproxy's API:
//! our embedded one, or one of the user's.
//!
//! The client crate, `toxiproxy_rust`, is synchronous, panics in an async context
//! and does not look at HTTP statuses. So one thread drives it, each change is
//! read back and compared, and what it has no call for (`reset_peer`, our
//! `blackhole`, the proxy's address) goes over plain HTTP on the same thread.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use engine::clock;
use reports::record::Fault;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use toxiproxy_rust::{client::Client, proxy::ProxyPack};

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
    name: String,
    listen: SocketAddr,
    latency: Duration,
    blackhole: bool,
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

type Job = Box<dyn FnOnce(&Driver) + Send>;

impl Toxics {
    /// Starts the embedded server and a proxy to `upstream` in it. `latency` is
    /// what the latency fault adds.
    ///
    /// # Errors
    /// If either cannot be started.
    pub async fn embedded(
        upstream: &str,
        seed: u64,
        latency: Duration,
    ) -> Result<Self, ToxicsError> {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = fault_proxy::Options {
            seed,
            ..fault_proxy::Options::default()
        };
        let server = fault_proxy::Server::bind(anywhere, options).await?;
        let api = server.local_addr();
        let mut toxics = Self::at(api, upstream, latency).await?;
        toxics.embedded = Some(server);
        toxics.version = "embedded".to_owned();
        Ok(toxics)
    }

    /// Makes a proxy to `upstream` in the Toxiproxy of the user's whose API is at
    /// `api`.
    ///
    /// # Errors
    /// If it does not answer as one.
    pub async fn of_user(
        api: SocketAddr,
        upstream: &str,
        latency: Duration,
    ) -> Result<Self, ToxicsError> {
        Self::at(api, upstream, latency).await
    }

    async fn at(api: SocketAddr, upstream: &str, latency: Duration) -> Result<Self, ToxicsError> {
        let name = format!("seawall-{}", std::process::id());
        // From here on its drop takes back what was made, however far that gets.
        let mut toxics = Self {
            jobs: drive(api)?,
            embedded: None,
            version: String::new(),
            name: name.clone(),
            listen: api,
            latency,
            blackhole: false,
            deleted: false,
        };
        let upstream = upstream.to_owned();
        let made = toxics.on_thread(move |driver| {
            let (version, listen) = driver.create(&name, &upstream)?;
            // Whether it knows our extension is found out by trying.
            let blackhole = driver.add(&name, "blackhole", &json!({})).is_ok();
            driver.clear(&name)?;
            Ok((version, listen, blackhole))
        });
        let (version, listen, blackhole) = made.await?;
        toxics.version = format!("toxiproxy {version}");
        toxics.listen = listen;
        toxics.blackhole = blackhole;
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
    pub fn cannot(&self, fault: Fault) -> Option<String> {
        (fault == Fault::Blackhole && !self.blackhole).then(|| {
            format!(
                "{} closes the connections it caught when a fault ends",
                self.version
            )
        })
    }

    /// Does a fault of the network. Returns when the proxy says that it is done.
    ///
    /// # Errors
    /// If it says otherwise, or nothing.
    pub async fn inject(&self, fault: Fault) -> Result<(), ToxicsError> {
        let name = self.name.clone();
        let latency_ms = u32::try_from(self.latency.as_millis()).unwrap_or(u32::MAX);
        self.on_thread(move |driver| match fault {
            Fault::Refused => driver.enable(&name, false),
            Fault::Reset => driver.add(&name, "reset_peer", &json!({ "timeout": 0 })),
            Fault::Blackhole => driver.add(&name, "blackhole", &json!({})),
            Fault::Latency => driver.latency(&name, latency_ms),
            Fault::Crash | Fault::Pause => Err(ToxicsError::Api(format!(
                "{fault} is done to the server, not to the network"
            ))),
        })
        .await
    }

    /// Takes every fault of the network back. Returns when the proxy says so.
    ///
    /// # Errors
    /// If it says otherwise, or nothing.
    pub async fn rollback(&self) -> Result<(), ToxicsError> {
        let name = self.name.clone();
        self.on_thread(move |driver| {
            driver.clear(&name)?;
            driver.enable(&name, true)
        })
        .await
    }

    /// Removes the proxy, and the server if it is ours.
    ///
    /// # Errors
    /// If the proxy cannot be removed.
    pub async fn stop(mut self) -> Result<(), ToxicsError> {
        let name = self.name.clone();
        let deleted = self.on_thread(move |driver| driver.delete(&name)).await;
        self.deleted = deleted.is_ok();
        if let Some(server) = self.embedded.take() {
            server.shutdown().await;
        }
        deleted
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Driver) -> Result<T, ToxicsError> + Send + 'static,
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
            let name = self.name.clone();
            // Nobody is left to hear what comes of it.
            let _best_effort = self.jobs.try_send(Box::new(move |driver| {
                let _best_effort = driver.delete(&name);
            }));
        }
    }
}

/// Starts the thread. It ends when the sender is dropped.
fn drive(api: SocketAddr) -> Result<SyncSender<Job>, ToxicsError> {
    let (jobs, queue) = sync_channel::<Job>(QUEUE);
    thread::Builder::new()
        .name("toxics".to_owned())
        .spawn(move || {
            // Made here: the clients bring runtimes that must not be dropped in ours.
            let Ok(driver) = Driver::new(api) else {
                return;
            };
            while let Ok(job) = queue.recv() {
                job(&driver);
            }
        })
        .map_err(|_| ToxicsError::Thread("cannot be started"))?;
    Ok(jobs)
}

/// What runs on the thread.
struct Driver {
    client: Client,
    http: reqwest::blocking::Client,
    api: SocketAddr,
}

impl Driver {
    fn new(api: SocketAddr) -> Result<Self, ToxicsError> {
        let http = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .map_err(|error| ToxicsError::Api(error.to_string()))?;
        Ok(Self {
            client: Client::new(api),
            http,
            api,
        })
    }

    fn create(&self, name: &str, upstream: &str) -> Result<(String, SocketAddr), ToxicsError> {
        let version = self.client.version().map_err(ToxicsError::Api)?;
        let version = serde_json::from_str::<Value>(&version)
            .ok()
            .and_then(|v| v.get("version")?.as_str().map(str::to_owned))
            .ok_or_else(|| ToxicsError::Api(format!("{version:?} is no version")))?;
        let pack = ProxyPack::new(
            name.to_owned(),
            "127.0.0.1:0".to_owned(),
            upstream.to_owned(),
        );
        let made = self.client.populate(vec![pack]).map_err(ToxicsError::Api)?;
        let proxy = made
            .first()
            .ok_or_else(|| ToxicsError::Api("no proxy was made".to_owned()))?;
        let listen = proxy.proxy_pack.listen.parse().map_err(|_| {
            ToxicsError::Api(format!("{:?} is no address", proxy.proxy_pack.listen))
        })?;
        self.expect(name, true, &[])?;
        Ok((version, listen))
    }

    fn enable(&self, name: &str, enabled: bool) -> Result<(), ToxicsError> {
        let proxy = self.client.find_proxy(name).map_err(ToxicsError::Api)?;
        let done = if enabled {
            proxy.enable()
        } else {
            proxy.disable()
        };
        done.map_err(ToxicsError::Api)?;
        self.expect(name, enabled, &[])
    }

    fn latency(&self, name: &str, latency_ms: u32) -> Result<(), ToxicsError> {
        let proxy = self.client.find_proxy(name).map_err(ToxicsError::Api)?;
        proxy.with_latency("downstream".to_owned(), latency_ms, 0, 1.0);
        self.expect(name, true, &[("latency", latency_ms)])
    }

    /// Adds a toxic that the client crate has no call for.
    fn add(&self, name: &str, kind: &str, attributes: &Value) -> Result<(), ToxicsError> {
        let url = format!("http://{}/proxies/{name}/toxics", self.api);
        let body = json!({ "type": kind, "stream": "downstream", "attributes": attributes });
        let api = |error: reqwest::Error| ToxicsError::Api(error.to_string());
        let response = self.http.post(url).json(&body).send().map_err(api)?;
        if !response.status().is_success() {
            let answer = response.text().map_err(api)?;
            return Err(ToxicsError::Api(answer.trim().to_owned()));
        }
        self.expect(name, true, &[(kind, 0)])
    }

    fn clear(&self, name: &str) -> Result<(), ToxicsError> {
        let proxy = self.client.find_proxy(name).map_err(ToxicsError::Api)?;
        proxy.delete_all_toxics().map_err(ToxicsError::Api)?;
        let left = proxy.toxics().map_err(ToxicsError::Api)?;
        if left.is_empty() {
            return Ok(());
        }
        Err(ToxicsError::NotTaken {
            wanted: "no toxics".to_owned(),
            found: format!("{} of them", left.len()),
        })
    }

    fn delete(&self, name: &str) -> Result<(), ToxicsError> {
        let proxy = self.client.find_proxy(name).map_err(ToxicsError::Api)?;
        proxy.delete().map_err(ToxicsError::Api)?;
        let left = self.client.all().map_err(ToxicsError::Api)?;
        if left.contains_key(name) {
            return Err(ToxicsError::NotTaken {
                wanted: format!("no proxy {name}"),
                found: name.to_owned(),
            });
        }
        Ok(())
    }

    /// Reads the proxy back: enabled or not, and exactly these toxics (kind, and
    /// the attribute of the same name; 0 for none).
    fn expect(&self, name: &str, enabled: bool, toxics: &[(&str, u32)]) -> Result<(), ToxicsError> {
        let proxy = self.client.find_proxy(name).map_err(ToxicsError::Api)?;
        let pack = &proxy.proxy_pack;
        let found: Vec<(&str, u32)> = pack
            .toxics
            .iter()
            .map(|toxic| {
                let kind = toxic.r#type.as_str();
                (kind, toxic.attributes.get(kind).copied().unwrap_or(0))
            })
            .collect();
        if pack.enabled == enabled && found == toxics {
            return Ok(());
        }
        Err(ToxicsError::NotTaken {
            wanted: format!("enabled {enabled}, toxics {toxics:?}"),
            found: format!("enabled {}, toxics {found:?}", pack.enabled),
        })
    }
}
