//! The server: its options, its tasks, and their end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::api::{ApiListener, router};
use crate::control::Control;
use crate::proxy::Limits;
use crate::registry::Registry;
use crate::stop::{StopSender, stop_channel};

/// Proxied connections at once over all proxies of a server. Each has two
/// sockets; the default limit on open files ends sooner.
const CONNECTIONS_MAX: usize = 16 * 1024;

/// How a server behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Decides, with the proxy's name, the connection's number and the toxic's
    /// name, which connections a toxic with a toxicity below 1 hits, and what
    /// jitter and slices it draws. Same seed, same draws. Default 0.
    pub seed: u64,
    /// Longest time that connecting to an upstream may take, after which the
    /// client is closed. Default 10 s; zero lets no connection succeed.
    pub dial_timeout: Duration,
    /// Whether `GET /metrics` answers. Default no, as in Toxiproxy.
    pub metrics: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            dial_timeout: Duration::from_secs(10),
            metrics: false,
        }
    }
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The API's address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// A running fault proxy.
///
/// [`Server::shutdown`] ends it and waits until nothing of it is left. Dropping
/// it ends it too, but does not wait.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: StopSender,
    control: JoinHandle<()>,
    api: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts the API on `listen`, without any proxy, on the current runtime.
    /// Port 0 takes a free one. Keep to a loopback address: who reaches the API
    /// can make this process listen and connect anywhere.
    ///
    /// If the future is dropped, nothing was started.
    ///
    /// # Errors
    /// [`ServeError::Listen`] if the address cannot be listened on.
    pub async fn bind(listen: SocketAddr, options: Options) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let (sender, mut stop) = stop_channel();
        let limits = Limits {
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            dial_timeout: options.dial_timeout,
        };
        let registry = Registry::new(options.seed, limits);
        let (control, task) = Control::new(registry, stop.clone());
        let control_task = tokio::spawn(task);
        let service = router(control, options.metrics);
        let listener = ApiListener::new(listener, stop.clone());
        let api = tokio::spawn(async move {
            let stopped = async move { stop.requested().await };
            axum::serve(listener, service)
                .with_graceful_shutdown(stopped)
                .await
        });
        Ok(Self {
            local_addr,
            stop: sender,
            control: control_task,
            api,
        })
    }

    /// Where the API listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Ends everything: when it returns, no listener, connection or task of
    /// this server is left. If the future is dropped, the rest ends unwaited.
    pub async fn shutdown(mut self) {
        self.stop.stop();
        // They end by themselves; an error means that one had panicked, which
        // ended it too.
        let _ = (&mut self.control).await;
        let _ = (&mut self.api).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.stop();
        self.control.abort();
        self.api.abort();
    }
}
