//! [`Canceller`]: asks the server to stop what runs on a session.
//!
//! The request goes over a connection of its own, which the server closes when it has
//! signalled the session. tokio-postgres does not wait for that; but until then the signal
//! may hit whatever runs on the session next. So the stream that it is given ends only when
//! the server has closed it.

#[cfg(unix)]
use std::path::PathBuf;
use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    CancelToken, NoTls, Socket,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

#[cfg(unix)]
use super::unix::UnixSocket;

/// A cancel under way. True once the server has delivered it; false if it could not be
/// asked, or nobody knows.
pub type Cancelling = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Cancels what runs on one session. Cheap to clone.
#[derive(Clone)]
pub struct Canceller(Arc<dyn Fn() -> Cancelling + Send + Sync>);

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}

impl Canceller {
    /// Cancels by a function of the caller's. What it returns must be cancel safe.
    pub fn by(cancel: impl Fn() -> Cancelling + Send + Sync + 'static) -> Self {
        Self(Arc::new(cancel))
    }

    /// Cancels over a socket with this TLS.
    pub(super) fn new<T>(token: CancelToken, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        Self::by(move || {
            let (token, closed) = (token.clone(), Arc::new(AtomicBool::new(false)));
            let tls = UntilClosed(tls.clone(), closed.clone());
            Box::pin(async move {
                // Where TLS is not spoken, it was sent all the same, and not waited for.
                token.cancel_query(tls).await.is_ok() && closed.load(Ordering::Acquire)
            })
        })
    }

    /// Cancels over the unix socket of a port in `folder`.
    #[cfg(unix)]
    pub(super) fn unix(token: CancelToken, folder: PathBuf, port: u16) -> Self {
        Self::by(move || {
            let (token, folder) = (token.clone(), folder.clone());
            let closed = Arc::new(AtomicBool::new(false));
            Box::pin(async move {
                let stream = Closing {
                    stream: UnixSocket::connect(&folder, port).await,
                    closed: closed.clone(),
                };
                let sent = token.cancel_query_raw(stream, NoTls).await;
                sent.is_ok() && closed.load(Ordering::Acquire)
            })
        })
    }

    /// Cancels over a plain socket, without waiting until the server has done so.
    pub(super) fn unconfirmed(token: CancelToken) -> Self {
        Self::by(move || {
            let token = token.clone();
            Box::pin(async move {
                if let Err(error) = token.cancel_query(NoTls).await {
                    tracing::debug!(%error, "cancelling failed");
                }
                false
            })
        })
    }

    /// Asks the server to stop what runs on the session. Cancel safe: a dropped future closes
    /// its socket.
    pub(crate) fn cancel(&self) -> Cancelling {
        (self.0)()
    }
}

/// Wraps the streams of `T`, so that shutting one down waits until the server has closed it,
/// and notes that it has.
struct UntilClosed<T>(T, Arc<AtomicBool>);

impl<T: MakeTlsConnect<Socket>> MakeTlsConnect<Socket> for UntilClosed<T>
where
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    type Stream = Closing<T::Stream>;
    type TlsConnect = UntilClosed<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, T::Error> {
        let connector = self.0.make_tls_connect(domain)?;
        Ok(UntilClosed(connector, self.1.clone()))
    }
}

impl<T: TlsConnect<Socket>> TlsConnect<Socket> for UntilClosed<T>
where
    T::Future: Send,
{
    type Stream = Closing<T::Stream>;
    type Error = T::Error;
    type Future = futures_util::future::MapOk<T::Future, ToClosing<T::Stream>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let closed = self.1;
        futures_util::TryFutureExt::map_ok(
            self.0.connect(socket),
            Box::new(|stream| Closing { stream, closed }),
        )
    }
}

type ToClosing<S> = Box<dyn FnOnce(S) -> Closing<S> + Send>;

struct Closing<S> {
    stream: S,
    closed: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Closing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Closing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Waits for the server to close it. Our side stays open until then: a server that
    /// reads our end first may close before it has read the request.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        loop {
            let mut read = ReadBuf::new(&mut byte);
            // A server that ends TLS without a word, or resets, has closed it as well.
            let ended = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)).is_err();
            if ended || read.filled().is_empty() {
                self.closed.store(true, Ordering::Release);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: TlsStream + Unpin> TlsStream for Closing<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}
