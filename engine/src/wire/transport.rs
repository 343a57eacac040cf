//! [`Transport`], and the [`Wire`] that a pipeline controls it with.

use std::{
    collections::{VecDeque, hash_map::RandomState},
    fmt,
    hash::BuildHasher as _,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    error::SqlState,
    tls::{ChannelBinding, TlsStream},
};

use super::elision::{BatchEnd, Elision, Heard, SyncPlan};
use crate::clock::{self, Instant};

/// The most bytes that are taken while some are unsent. tokio-postgres writes some 8 KiB at
/// a time; what is repeated comes at once, and is bounded by the pipeline's `max_bytes`.
const UNSENT: usize = 64 * 1024;
/// The most bytes that are read at once.
const READ: usize = 16 * 1024;

/// Controls the [`Transport`] of one connection, for a pipeline. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    plan: Mutex<SyncPlan>,
    /// Held while something is handed to the system, which does not wait.
    sending: Mutex<Sending>,
    repeated: Mutex<Repeated>,
    attached: AtomicBool,
    left: AtomicU64,
    unnamed: AtomicBool,
    status: AtomicU8,
    rollbacks: AtomicU64,
    bound: AtomicU64,
    changed: AtomicU64,
    copies: AtomicU64,
    /// An SQLSTATE's bytes; zero for none.
    ended: AtomicU64,
}

/// What the server has said so far that tokio-postgres does not pass on: to be compared with
/// what it had said before a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// How often a statement was answered as a ROLLBACK.
    pub(crate) rollbacks: u64,
    /// How often parameters were bound to a statement: from then on it may run.
    pub(crate) bound: u64,
    /// How often a statement had other columns than when it was described.
    pub(crate) changed: u64,
    /// How often a COPY from or to the client began.
    pub(crate) copies: u64,
}

/// Answers to repeated statements, which tokio-postgres does not get.
#[derive(Debug, Default)]
struct Repeated {
    /// How many rows each statement changed, oldest first.
    rows: VecDeque<u64>,
    /// When the last answer came.
    at: Option<Instant>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Sending {
    #[default]
    Allowed,
    Cut,
}

impl Wire {
    /// Announces a batch of `statements` statements, behind those announced before. A Flush
    /// goes out every `flush_every` statements, and no Sync but that of `end`. To be called
    /// before the first of them is handed to tokio-postgres.
    pub(crate) fn announce(&self, statements: usize, flush_every: usize, end: BatchEnd) {
        let mut plan = self.0.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.push(statements, flush_every, end);
    }

    /// Takes the answers to at most `most` repeated statements, oldest first: how many
    /// rows each inserted or changed. They are there before the answer to the statement
    /// behind them is.
    pub(crate) fn repeated(&self, most: usize) -> Vec<u64> {
        let mut answers = self.answers();
        let n = most.min(answers.rows.len());
        answers.rows.drain(..n).collect()
    }

    /// When the last answer to a repeated statement came.
    pub(crate) fn heard(&self) -> Option<Instant> {
        self.answers().at
    }

    fn answers(&self) -> MutexGuard<'_, Repeated> {
        let repeated = &self.0.repeated;
        repeated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nothing more leave, so that what has left is known for good.
    pub(crate) fn cut(&self) {
        *self
            .0
            .sending
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Sending::Cut;
    }

    /// Keeps no statement on the server from now on: each is sent with every use, without a
    /// name. To be called between two statements.
    pub(crate) fn forego_names(&self) {
        self.0.unnamed.store(true, Ordering::Release);
    }

    /// Whether the session is in the middle of nothing: neither of a transaction block nor of
    /// a COPY. Once a statement was answered, that is known; if it failed, a moment later.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.status.load(Ordering::Acquire) == b'I'
    }

    /// What the server has said so far.
    pub(crate) fn said(&self) -> Said {
        Said {
            rollbacks: self.0.rollbacks.load(Ordering::Acquire),
            bound: self.0.bound.load(Ordering::Acquire),
            changed: self.0.changed.load(Ordering::Acquire),
            copies: self.0.copies.load(Ordering::Acquire),
        }
    }

    /// The SQLSTATE of an error that came unasked, with which the server ended the session.
    /// tokio-postgres says only that it is closed.
    pub(crate) fn ended_with(&self) -> Option<SqlState> {
        let [0, 0, 0, code @ ..] = self.0.ended.load(Ordering::Acquire).to_be_bytes() else {
            return None;
        };
        let code = std::str::from_utf8(&code).ok()?;
        (code != "\0\0\0\0\0").then(|| SqlState::from_code(code))
    }

    fn hear(&self, heard: Heard) {
        if let Some([a, b, c, d, e]) = heard.ended {
            let code = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
            self.0.ended.store(code, Ordering::Release);
        }
        self.0.status.store(heard.status, Ordering::Release);
        self.0.rollbacks.store(heard.rollbacks, Ordering::Release);
        self.0.bound.store(heard.bound, Ordering::Release);
        self.0.changed.store(heard.changed, Ordering::Release);
        self.0.copies.store(heard.copies, Ordering::Release);
    }

    /// Whether nothing more leaves.
    pub(crate) fn is_cut(&self) -> bool {
        let sending = &self.0.sending;
        *sending.lock().unwrap_or_else(PoisonError::into_inner) == Sending::Cut
    }

    /// Whether a connection goes through it.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.0.attached.load(Ordering::Acquire)
    }

    /// Counts the statements that were handed to the system, whole, since the connection
    /// began. Those after them cannot have run.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.0.left.load(Ordering::Acquire)
    }
}

/// A stream of the PostgreSQL protocol with fewer Syncs: what tokio-postgres is given
/// in place of `S`.
pub struct Transport<S> {
    inner: S,
    binding: fn(&S) -> ChannelBinding,
    wire: Wire,
    elision: Elision,
    /// Holds what was just read until it has been looked at.
    raw: Box<[u8]>,
    /// For tokio-postgres to read.
    readable: BytesMut,
    /// Answers that are not for it, until they are handed over.
    repeated: Vec<u64>,
    ended: bool,
    /// Not yet handed to the system.
    unsent: BytesMut,
    /// Bytes that were handed to it.
    sent: u64,
    /// Where, counted in those bytes, statements end that have not left yet.
    leaving: VecDeque<u64>,
}

impl<S> fmt::Debug for Transport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("elision", &self.elision)
            .field("unsent", &self.unsent.len())
            .finish_non_exhaustive()
    }
}

impl<S> Transport<S> {
    /// Wraps a stream without TLS, at the beginning of a connection: nothing written,
    /// nothing read.
    #[must_use]
    pub fn plain(inner: S, wire: Wire) -> Self {
        Self::new(inner, wire, |_| ChannelBinding::none())
    }

    fn new(inner: S, wire: Wire, binding: fn(&S) -> ChannelBinding) -> Self {
        wire.0.attached.store(true, Ordering::Release);
        Self {
            inner,
            binding,
            wire,
            elision: Elision::new(unique()),
            raw: vec![0; READ].into_boxed_slice(),
            readable: BytesMut::new(),
            repeated: Vec::new(),
            ended: false,
            unsent: BytesMut::new(),
            sent: 0,
            leaving: VecDeque::new(),
        }
    }

    /// Takes what tokio-postgres wrote.
    fn take(&mut self, bytes: &[u8]) {
        if self.wire.0.unnamed.load(Ordering::Acquire) {
            self.elision.forego_names();
        }
        let Self {
            elision,
            unsent,
            leaving,
            ..
        } = self;
        let shared = &self.wire.0;
        let mut plan = shared.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = self.sent;
        elision.outgoing(&mut plan, bytes, unsent, |length| {
            leaving.push_back(sent + length as u64);
        });
    }

    /// Counts bytes that were handed to the system, and the statements that left with them.
    fn gone(&mut self, n: usize) {
        self.unsent.advance(n);
        if self.unsent.is_empty() && self.unsent.capacity() > UNSENT {
            // What a large batch took is not kept.
            self.unsent = BytesMut::new();
        }
        self.sent += n as u64;
        let still = self.leaving.partition_point(|end| *end <= self.sent);
        self.leaving.drain(..still);
        self.wire.0.left.fetch_add(still as u64, Ordering::Release);
    }
}

/// A number that no other connection of any process has, as far as 64 bits go: the keys of
/// the hasher come from the system's own randomness. No decision depends on it.
fn unique() -> u64 {
    RandomState::new().hash_one(())
}

impl<S: TlsStream> Transport<S> {
    /// Wraps a stream with TLS, at the beginning of a connection.
    #[must_use]
    pub fn tls(inner: S, wire: Wire) -> Self {
        Self::new(inner, wire, S::channel_binding)
    }
}

impl<S: AsyncWrite + Unpin> Transport<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let shared = self.wire.0.clone();
            let sending = shared
                .sending
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if *sending == Sending::Cut {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            let n = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.unsent))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gone(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Transport<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.readable.is_empty() && !this.ended {
            let mut raw = ReadBuf::new(&mut this.raw);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut raw))?;
            if raw.filled().is_empty() {
                this.ended = true;
                this.elision.rest(&mut this.readable);
            } else {
                let repeated = &mut this.repeated;
                this.elision
                    .incoming(raw.filled(), &mut this.readable, |rows| repeated.push(rows));
                this.wire.hear(this.elision.heard());
                if !repeated.is_empty() {
                    let now = clock::now();
                    let mut answers = this.wire.answers();
                    answers.rows.extend(repeated.drain(..));
                    answers.at = Some(now);
                }
            }
        }
        let n = this.readable.len().min(buf.remaining());
        buf.put_slice(&this.readable[..n]);
        this.readable.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.unsent.len() >= UNSENT {
            ready!(this.poll_send(cx))?;
        }
        let n = buf.len().min(UNSENT);
        this.take(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Transport<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.binding)(&self.inner)
    }
}
