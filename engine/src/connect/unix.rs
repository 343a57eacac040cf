//! A unix socket of our own making, so that a [`Transport`](crate::wire::Transport) goes
//! through it: tokio-postgres lets nothing at those that it makes.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};

/// A unix socket, or why there is none: tokio-postgres makes its error of that when it first
/// writes.
pub(super) struct UnixSocket(io::Result<UnixStream>);

impl UnixSocket {
    /// Connects to the server of a port, whose socket is in `folder`.
    pub(super) async fn connect(folder: &Path, port: u16) -> Self {
        Self(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await)
    }

    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut UnixStream>> {
        match &mut self.get_mut().0 {
            Ok(stream) => Ok(Pin::new(stream)),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl AsyncRead for UnixSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for UnixSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
