//! Moving the bytes of one direction from socket to socket.
//!
//! Reading goes into a buffer that belongs to the thread, not to the
//! connection: an idle connection holds no buffer at all. Without toxics the
//! bytes go from that buffer straight to the other socket; only what it does
//! not take at once is copied. With toxics they go through the link.
//!
//! Backpressure is by not reading: a link that wants no input leaves the bytes
//! in the kernel, where the sender feels it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Traffic;
use crate::link::{End, Link};
use crate::toxic::Stream;

/// Read at once at most. Large enough that the cost of a system call is small
/// beside that of its copy, small enough to stay in a core's cache.
const SCRATCH_BYTES: usize = 128 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer. `body` must not lend it again.
pub(super) fn with_scratch<T>(body: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.is_empty() {
            scratch.resize(SCRATCH_BYTES, 0);
        }
        body(scratch)
    })
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Drop both sockets.
    Closed,
    /// Reset both sockets.
    Reset,
}

/// One direction's link and how far its end has come.
#[derive(Debug)]
pub(super) struct Direction {
    stream: Stream,
    pub(super) link: Link,
    /// The receiver was told that no more comes, or is gone.
    pub(super) is_done: bool,
    /// The receiver is gone.
    pub(super) is_broken: bool,
    /// When the link may have something to do, if nothing happens before.
    pub(super) wake_at: Option<Instant>,
}

impl Direction {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            link: Link::default(),
            is_done: false,
            is_broken: false,
            wake_at: None,
        }
    }

    /// Moves what can be moved now. An outcome ends the whole connection.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        traffic: &Traffic,
    ) -> Option<Outcome> {
        self.wake_at = None;
        while !self.is_done {
            if !self.link.is_clear() {
                let advance = self.link.advance(Instant::now());
                if advance.reset {
                    return Some(Outcome::Reset);
                }
                self.wake_at = advance.wake_at;
                if self.poll_write(cx, to, traffic) {
                    continue;
                }
                match self.link.reached_end() {
                    None => {}
                    Some(End::HalfClose) => {
                        self.is_done = true;
                        // Fails only on a socket that is dead already.
                        let _ = Pin::new(&mut *to).poll_shutdown(cx);
                        break;
                    }
                    Some(End::Close) => return Some(Outcome::Closed),
                    Some(End::Reset) => return Some(Outcome::Reset),
                }
            }
            if self.is_done || !self.link.wants_input() {
                break;
            }
            if self.poll_read(cx, from, to, traffic).is_pending() {
                break;
            }
        }
        None
    }

    /// Writes what is outgoing; true if that made room behind the last toxic.
    fn poll_write(&mut self, cx: &mut Context<'_>, to: &mut TcpStream, traffic: &Traffic) -> bool {
        let mut has_written = false;
        while let Some(bytes) = self.link.outgoing() {
            match Pin::new(&mut *to).poll_write(cx, bytes) {
                Poll::Ready(Ok(len @ 1..)) => {
                    self.link.written(len);
                    traffic.add_sent(self.stream, len);
                    has_written = true;
                }
                Poll::Ready(_) => {
                    self.break_off();
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        has_written
    }

    /// Reads once, and on a clear link writes it on at once.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        traffic: &Traffic,
    ) -> Poll<()> {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = match Pin::new(from).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read,
            };
            let bytes = buffer.filled();
            match read {
                Ok(()) if bytes.is_empty() => self.link.finish(End::HalfClose),
                Ok(()) => {
                    traffic.add_received(self.stream, bytes.len());
                    let rest = self.pass_on(cx, to, bytes, traffic);
                    if !rest.is_empty() {
                        self.link.push(rest, Instant::now());
                    }
                }
                // The sender is gone without an end. What it sent before still
                // arrives, then the receiver learns the same.
                Err(_) => self.link.finish(End::Reset),
            }
            Poll::Ready(())
        })
    }

    /// The way past a clear link. Gives back what has to go through it.
    fn pass_on<'a>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut TcpStream,
        bytes: &'a [u8],
        traffic: &Traffic,
    ) -> &'a [u8] {
        if !self.link.is_clear() {
            return bytes;
        }
        let written: Poll<io::Result<usize>> = Pin::new(to).poll_write(cx, bytes);
        match written {
            Poll::Ready(Ok(len @ 1..)) => {
                traffic.add_sent(self.stream, len);
                bytes.get(len..).unwrap_or_default()
            }
            Poll::Ready(_) => {
                self.break_off();
                &[]
            }
            Poll::Pending => bytes,
        }
    }

    /// The receiver is gone. The other direction may still carry what it had
    /// sent before, so the connection goes on until that ends too.
    fn break_off(&mut self) {
        self.is_broken = true;
        self.is_done = true;
        self.wake_at = None;
    }
}
