//! The server: its options, its threads, and their end.
//!
//! It runs on threads of its own: one for the API and for accepting, and the
//! [`Workers`] that move bytes. So it needs no runtime of the caller's, answers
//! while the caller's threads are busy or block (on a synchronous Toxiproxy
//! client, say), and its cost is not mixed with that of the program under test.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};

use crate::api::{ApiListener, router};
use crate::control::Control;
use crate::proxy::Limits;
use crate::registry::Registry;
use crate::stop::{Stop, StopSender, stop_channel};
use crate::workers::{Workers, turn};

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
    /// The system gave no thread, or nothing to wait for sockets with.
    #[error("cannot start a thread for the server")]
    Thread {
        /// The system's reason.
        source: io::Error,
    },
}

/// A running fault proxy, on threads of its own.
///
/// [`Server::shutdown`] ends it and waits until nothing of it is left. Dropping
/// it ends it too, but does not wait.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    /// Its drop tells the thread to end.
    stop: StopSender,
    /// Closed by the thread as the last thing that it does.
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts the API on `listen`, without any proxy, on threads of its own:
    /// one for the API, and one for each processor (8 at most) that moves
    /// bytes. Port 0 takes a free one. Keep to a loopback address: who reaches
    /// the API can make this process listen and connect anywhere.
    ///
    /// Any executor can poll the future: it needs no tokio runtime. If it is
    /// dropped, what was started ends again.
    ///
    /// # Errors
    /// [`ServeError::Listen`] if the address cannot be listened on,
    /// [`ServeError::Thread`] if the system gives no thread.
    pub async fn bind(listen: SocketAddr, options: Options) -> Result<Self, ServeError> {
        let (stop, stopped) = stop_channel();
        let (started, starting) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || {
                run(listen, options, stopped, started);
                drop(end);
            })
            .map_err(|source| ServeError::Thread { source })?;
        let local_addr = starting.await.unwrap_or_else(|_| {
            let source = io::Error::other("it ended before it listened");
            Err(ServeError::Thread { source })
        })?;
        Ok(Self {
            local_addr,
            stop,
            ended,
            thread,
        })
    }

    /// Where the API listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Ends everything: when it returns, no listener, connection, task or
    /// thread of this server is left, but for one of the system's that may
    /// still wait for a name server. If the future is dropped, the rest ends
    /// unwaited.
    pub async fn shutdown(self) {
        self.stop.stop();
        // An error is all that ever comes.
        let _ = self.ended.await;
        // It has nothing left to do. An error means that it had panicked,
        // which ended it too.
        let _ = self.thread.join();
    }
}

type Started = oneshot::Sender<Result<SocketAddr, ServeError>>;

/// The server's thread, from its start to its end.
fn run(listen: SocketAddr, options: Options, stop: Stop, started: Started) {
    let threads = Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| Ok((runtime, Workers::start()?)));
    let (runtime, workers) = match threads {
        Ok(threads) => threads,
        Err(source) => {
            // Nobody waits any more if this fails, here and below.
            let _ = started.send(Err(ServeError::Thread { source }));
            return;
        }
    };
    turn(runtime, async {
        let bound = TcpListener::bind(listen)
            .await
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((address, listener)) => {
                if started.send(Ok(address)).is_ok() {
                    serve(listener, options, &workers, stop).await;
                }
            }
            Err(source) => {
                let address = listen;
                let _ = started.send(Err(ServeError::Listen { address, source }));
            }
        }
    });
    // Here the API's tasks go, then the workers: theirs have ended by now.
}

/// Serves until it is told to stop and every connection has ended.
async fn serve(listener: TcpListener, options: Options, workers: &Workers, mut stop: Stop) {
    let limits = Limits {
        connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        dial_timeout: options.dial_timeout,
        workers: workers.spread(),
    };
    let registry = Registry::new(options.seed, limits);
    let (control, task) = Control::new(registry, stop.clone());
    // Tasks of their own, so that one that panics does not end the other.
    let control_task = tokio::spawn(task);
    let service = router(control, options.metrics);
    let listener = ApiListener::new(listener, stop.clone());
    let api = tokio::spawn(async move {
        let stopped = async move { stop.requested().await };
        axum::serve(listener, service)
            .with_graceful_shutdown(stopped)
            .await
    });
    // They end by themselves; an error means that one had panicked, which
    // ended it too.
    let _ = control_task.await;
    let _ = api.await;
}
