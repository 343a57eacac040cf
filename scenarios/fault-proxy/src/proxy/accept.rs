//! A running proxy: the task that owns the listener and its connections.
//!
//! Dialling is left to each connection's own task, so a hung upstream never
//! delays the next client. Stopping gives the listener back, so that a changed
//! upstream keeps its port; a listener that is dropped refuses at once.
//!
//! Invariants: when [`Running::stop`] returns, no connection of this run is
//! left; dropping a [`Running`] aborts them all.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::Connections;
use super::connection;
use crate::workers::Spread;

/// After a failed accept (out of file descriptors, mostly) the next attempt
/// waits so long, lest the loop spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Taking in those who wait takes microseconds; when the limit on connections
/// is reached it would take for ever.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// What connections share over all proxies of a server.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// One permit per live connection. Without one, clients wait in the
    /// listener's backlog.
    pub(crate) connections: Arc<Semaphore>,
    /// Longest time that dialling an upstream may take.
    pub(crate) dial_timeout: Duration,
    /// Where they are served.
    pub(crate) workers: Spread,
}

/// A proxy that listens.
#[derive(Debug)]
pub(crate) struct Running {
    /// Asks the task to take in those who are connected already, and to say so.
    settle: mpsc::Sender<oneshot::Sender<()>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<TcpListener>,
}

impl Running {
    pub(crate) fn start(
        listener: TcpListener,
        upstream: String,
        connections: Arc<Connections>,
        limits: Limits,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (settle, settling) = mpsc::channel(1);
        let acceptor = Acceptor {
            listener,
            upstream: upstream.into(),
            connections,
            limits,
            tasks: JoinSet::new(),
        };
        let task = tokio::spawn(acceptor.run(stopped, settling));
        Self {
            settle,
            stop: Some(stop),
            task,
        }
    }

    /// Returns once every client that had connected before the call is among
    /// the connections, as far as the limit on their number allows.
    pub(crate) async fn settle(&self) {
        let (reply, settled) = oneshot::channel();
        if self.settle.send(reply).await.is_ok() {
            // An error means that the task has ended: then there is none.
            let _ = settled.await;
        }
    }

    /// Ends every connection and gives the listener back, still listening;
    /// `None` if the task was lost.
    pub(crate) async fn stop(mut self) -> Option<TcpListener> {
        drop(self.stop.take());
        (&mut self.task).await.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Acceptor {
    listener: TcpListener,
    upstream: Arc<str>,
    connections: Arc<Connections>,
    limits: Limits,
    /// Aborts what is left when it is dropped.
    tasks: JoinSet<()>,
}

impl Acceptor {
    async fn run(
        mut self,
        mut stopped: oneshot::Receiver<()>,
        mut settling: mpsc::Receiver<oneshot::Sender<()>>,
    ) -> TcpListener {
        let mut failing = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(reply) = settling.recv() => {
                    self.take_in_waiting().await;
                    // Nobody waits any more if this fails.
                    let _ = reply.send(());
                }
                Some(_) = self.tasks.join_next() => {}
                accepted = accept(&self.listener, &self.limits.connections) => match accepted {
                    Ok((client, permit)) => {
                        failing = false;
                        self.serve(client, permit);
                    }
                    Err(error) => {
                        // Said once, and again when it comes again: clients wait for it.
                        if !std::mem::replace(&mut failing, true) {
                            let listener = self.listener.local_addr().ok();
                            tracing::warn!(?listener, %error, "clients are not accepted");
                        }
                        sleep(ACCEPT_RETRY).await;
                    }
                },
            }
        }
        self.tasks.shutdown().await;
        self.listener
    }

    fn serve(&mut self, client: TcpStream, permit: OwnedSemaphorePermit) {
        let member = self.connections.join();
        let upstream = Arc::clone(&self.upstream);
        let dial_timeout = self.limits.dial_timeout;
        // Taken off this thread's runtime, to be put on another's.
        let Ok(client) = client.into_std() else {
            return;
        };
        let served = async move {
            if let Ok(client) = TcpStream::from_std(client) {
                connection::serve(client, &upstream, dial_timeout, member).await;
            }
            drop(permit);
        };
        self.tasks.spawn_on(served, &self.limits.workers.next());
    }

    /// Accepts every client that had connected before the call. The kernel
    /// hands clients out in the order in which they connected, so one of our
    /// own at the end of the queue shows that those before it are in.
    async fn take_in_waiting(&mut self) {
        let taking_in = async {
            let probe = TcpStream::connect(self.listener.local_addr()?).await?;
            let last = probe.local_addr()?;
            loop {
                let permit = Arc::clone(&self.limits.connections).acquire_owned().await;
                let (client, peer) = self.listener.accept().await?;
                if peer == last {
                    return io::Result::Ok(());
                }
                if let Ok(permit) = permit {
                    self.serve(client, permit);
                }
            }
        };
        // Late or failed, it has taken in what it could.
        let _ = timeout(SETTLE_TIMEOUT, taking_in).await;
    }
}

/// The next client, with its permit.
///
/// # Errors
/// The system's, when accepting failed: no more open files, mostly.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await;
    let permit = permit.map_err(io::Error::other)?;
    let (client, _) = listener.accept().await?;
    Ok((client, permit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::bind;

    #[tokio::test]
    async fn settling_takes_in_all_who_are_connected_already() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::new(0, "p");
        let limits = Limits {
            connections: Arc::new(Semaphore::new(100)),
            dial_timeout: Duration::from_secs(1),
            workers: Spread::current(),
        };
        let upstream = address.to_string();
        let running = Running::start(listener, upstream, Arc::clone(&connections), limits);
        // Blocking, so that the accepting task gets no turn meanwhile.
        let clients: Vec<_> = (0..50)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        assert_eq!(connections.joined(), 0);
        running.settle().await;
        assert_eq!(connections.joined(), clients.len() as u64);
    }
}
