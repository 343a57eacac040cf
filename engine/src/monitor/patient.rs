//! [`Patient`]: a connection whose other side has to take what it is sent.
//!
//! HTTP and WebSockets both write through it, so none of them is held up for longer than
//! [`STALLED`] by a client that reads nothing.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};

use super::counts::{Count, Counts, Open};
use crate::clock::{self, Instant, Timer};

/// For how long the other side may take nothing.
const STALLED: Duration = Duration::from_secs(5);

/// What was seen of a connection.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    ended: AtomicBool,
    asked: AtomicBool,
}

impl Traffic {
    /// The other side has closed it, or it is broken.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Something has come that was not answered.
    pub(super) fn has_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// A connection, with its place among those that there may be.
pub(super) struct Patient {
    stream: TcpStream,
    /// Until when the other side has to take something.
    until: Option<Instant>,
    timer: Timer,
    traffic: Arc<Traffic>,
    counts: Arc<Counts>,
    _place: OwnedSemaphorePermit,
    _open: Open,
}

impl Patient {
    pub(super) fn new(
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        counts: &Arc<Counts>,
    ) -> Self {
        Self {
            stream,
            until: None,
            timer: Timer::default(),
            traffic: Arc::default(),
            counts: counts.clone(),
            _place: place,
            _open: counts.connection(),
        }
    }

    pub(super) fn traffic(&self) -> Arc<Traffic> {
        self.traffic.clone()
    }

    fn written(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.until = None;
            self.traffic.asked.store(false, Ordering::Relaxed);
            return written;
        }
        let until = *self.until.get_or_insert_with(|| clock::now() + STALLED);
        ready!(self.timer.poll_at(until, cx));
        self.counts.add(Count::Stalled);
        self.traffic.ended.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.traffic.asked.store(true, Ordering::Relaxed);
        } else if read.is_err() || buf.remaining() > 0 {
            self.traffic.ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
