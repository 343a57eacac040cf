//! The API's listener: bounded, with deadlines, and ended at once by shutdown.
//!
//! axum spawns a task for each connection and lets go of it, so the connection
//! itself must know when to end: it fails when the server stops, and when its
//! peer has been idle for too long.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::stop::Stop;

/// API connections at once; more wait in the backlog. A test suite has a few.
const CONNECTIONS_MAX: usize = 256;

/// A connection on which nothing moved for so long is closed, as by Toxiproxy.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// After a failed accept the next attempt waits so long.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts the connections that carry API requests.
#[derive(Debug)]
pub(crate) struct ApiListener {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    stop: Stop,
}

impl ApiListener {
    /// Every connection fails once `stop` is requested.
    pub(crate) fn new(listener: TcpListener, stop: Stop) -> Self {
        Self {
            listener,
            permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            stop,
        }
    }
}

impl axum::serve::Listener for ApiListener {
    type Io = ApiStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    return (ApiStream::new(stream, permit, self.stop.clone()), peer);
                }
                Err(_) => sleep(ACCEPT_RETRY).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection that carries API requests.
pub(crate) struct ApiStream {
    stream: TcpStream,
    /// `None` once it is: a future that has ended is not polled again.
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    idle: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl ApiStream {
    fn new(stream: TcpStream, permit: OwnedSemaphorePermit, mut stop: Stop) -> Self {
        let stopped = Box::pin(async move { stop.requested().await });
        Self {
            stream,
            stopped: Some(stopped),
            idle: Box::pin(sleep(IDLE_TIMEOUT)),
            _permit: permit,
        }
    }

    /// The result of an attempt, or the reason why there will be none.
    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let is_stopped = match &mut self.stopped {
            Some(stopped) => stopped.as_mut().poll(cx).is_ready(),
            None => true,
        };
        if is_stopped {
            self.stopped = None;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Poll::Ready(result) = attempt(Pin::new(&mut self.stream), cx) {
            self.idle.as_mut().reset(Instant::now() + IDLE_TIMEOUT);
            return Poll::Ready(result);
        }
        ready!(self.idle.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for ApiStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut()
            .bounded(cx, |stream, cx| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for ApiStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .bounded(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .bounded(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .bounded(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::stop::stop_channel;

    /// Once it panicked: HTTP asks a connection again after it has failed.
    #[tokio::test]
    async fn a_stopped_connection_fails_however_often_it_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (sender, stop) = stop_channel();
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let mut stream = ApiStream::new(stream, permit, stop);
        sender.stop();
        for _ in 0..3 {
            let error = stream.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        }
    }
}
