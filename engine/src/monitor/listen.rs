//! Listening: a port, the connections to it, and their limits.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
    sync::Semaphore,
};
use tower_service::Service as _;

use super::{
    MonitorError,
    counts::{Count, Counts},
    holder,
    life::{Over, Serving},
    patient::{Patient, Traffic},
};
use crate::clock;

/// Most connections at once; one more is closed at once. Far more than people who look, far less
/// than a process may have files open.
pub(super) const CONNECTIONS: usize = 512;
/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 128;
/// How long headers may take, and a connection be idle.
const HEADERS: Duration = Duration::from_secs(5);
/// The longest headers.
const HEADERS_BYTES: usize = 16 * 1_024;
/// What the system keeps of what a client has not taken.
const SEND_BUFFER: u32 = 256 * 1_024;
/// For how long a connection is used again, and how long its last answer may take.
const LONGEST: Duration = Duration::from_secs(600);
const LAST: Duration = Duration::from_secs(30);
/// How long to wait where the system has no more files.
const BREATH: Duration = Duration::from_millis(100);

/// A port that is listened on, until it is closed.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    /// Taken out, the port is free at once, whenever the task that accepts gets to run.
    socket: Mutex<Option<TcpListener>>,
}

impl Listener {
    /// Begins to listen.
    pub(super) fn bind(address: SocketAddr, runtime: &Handle) -> Result<Self, MonitorError> {
        let _inside = runtime.enter();
        let listen = || {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            }?;
            // Else a port is taken for a while after it was used. On Windows it would mean
            // something else.
            socket.set_reuseaddr(cfg!(unix))?;
            socket.set_send_buffer_size(SEND_BUFFER)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let listening = listen().and_then(|socket| Ok((socket.local_addr()?, socket)));
        match listening {
            Ok((address, socket)) => Ok(Self {
                address,
                socket: Mutex::new(Some(socket)),
            }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(MonitorError::Taken {
                address,
                holder: holder::of(address),
            }),
            Err(error) => Err(MonitorError::Listen { address, error }),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn close(&self) {
        let socket = self
            .socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(socket);
    }

    /// `None` once it is closed.
    async fn accept(&self) -> Option<io::Result<(TcpStream, SocketAddr)>> {
        poll_fn(|cx| {
            let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
            match &*socket {
                Some(socket) => socket.poll_accept(cx).map(Some),
                None => Poll::Ready(None),
            }
        })
        .await
    }
}

/// The other side of a request.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) traffic: Arc<Traffic>,
}

/// Serves until it is over.
pub(super) async fn serve(serving: Serving, app: Router, counts: Arc<Counts>, over: Over) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = over.wait() => break,
            accepted = serving.listener.accept() => accepted,
        };
        match accepted {
            None => break,
            Some(Ok((stream, peer))) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let io = Patient::new(stream, place, &counts);
                    let connection = connection(io, peer.ip(), app.clone(), counts.clone());
                    let over = over.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            () = over.wait() => {}
                            () = connection => {}
                        }
                    });
                }
                Err(_) => counts.add(Count::ConnectionsRefused),
            },
            Some(Err(error)) => {
                let of_one = matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                );
                if !of_one {
                    tracing::warn!(%error, "the monitor could not accept a connection");
                    clock::sleep(BREATH).await;
                }
            }
        }
    }
}

async fn connection(io: Patient, ip: IpAddr, app: Router, counts: Arc<Counts>) {
    let peer = Peer {
        ip,
        traffic: io.traffic(),
    };
    let traffic = peer.traffic.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        app.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_header_size(HEADERS_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let longest = clock::now() + LONGEST;
    let served = match clock::timeout_at(longest, connection.as_mut()).await {
        Ok(served) => served,
        Err(_) => {
            connection.as_mut().graceful_shutdown();
            let last = clock::timeout_at(longest + LAST, connection).await;
            last.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        // One that was idle was let go.
        if error.is_timeout() && traffic.has_asked() {
            counts.add(Count::HeadersLate);
        } else if error.is_parse() {
            counts.add(Count::NotHttp);
        }
    }
}
