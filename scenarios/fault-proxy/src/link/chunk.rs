//! The unit that moves through a link: some bytes and when they came.
//!
//! One read becomes one chunk, and a chunk keeps its bytes in one shared
//! allocation, so that a toxic that cuts it (slicer, bandwidth) moves two
//! indices and copies nothing. An [`Inbox`] is the queue in front of one toxic.
//!
//! Invariants: a chunk is never empty; what leaves an inbox left it in the
//! order in which it came; `end` is acted on only when the queue is empty.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tokio::time::Instant;

/// What a queued chunk costs besides its bytes: its place in the queue and its
/// allocation's header. Counted, so that a stream of one-byte writes meets the
/// same bound on memory as a stream of large ones.
const CHUNK_OVERHEAD_BYTES: usize = 64;

/// Some consecutive bytes of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    data: Arc<[u8]>,
    range: Range<usize>,
}

impl Chunk {
    /// `None` when there are no bytes.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self {
            data: Arc::from(bytes),
            range: 0..bytes.len(),
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.data.get(self.range.clone()).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// Takes up to `len` bytes off the front. `None` when `len` is 0.
    fn split_front(&mut self, len: usize) -> Option<Self> {
        let middle = self.range.start + len.min(self.len());
        let front = self.range.start..middle;
        self.range.start = middle;
        (!front.is_empty()).then(|| Self {
            data: Arc::clone(&self.data),
            range: front,
        })
    }
}

/// How a stream ends. It travels behind the last byte, never past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The sender will send no more; the other direction goes on.
    HalfClose,
    /// Both directions are closed.
    Close,
    /// Both sides get an RST.
    Reset,
}

/// What waits in front of one toxic.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: VecDeque<(Chunk, Instant)>,
    held_bytes: usize,
    end: Option<End>,
}

impl Inbox {
    /// Appends a chunk that came at `now`.
    pub(crate) fn push(&mut self, chunk: Chunk, now: Instant) {
        self.held_bytes += chunk.len() + CHUNK_OVERHEAD_BYTES;
        self.queue.push_back((chunk, now));
    }

    /// Marks the end of the stream. The first mark stays.
    pub(crate) fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub(crate) fn front(&self) -> Option<&Chunk> {
        self.queue.front().map(|(chunk, _)| chunk)
    }

    /// When the first chunk came.
    pub(crate) fn front_came_at(&self) -> Option<Instant> {
        self.queue.front().map(|(_, came_at)| *came_at)
    }

    pub(crate) fn pop(&mut self) -> Option<Chunk> {
        let (chunk, _) = self.queue.pop_front()?;
        self.held_bytes -= chunk.len() + CHUNK_OVERHEAD_BYTES;
        Some(chunk)
    }

    /// Takes at most `len` bytes off the first chunk.
    pub(crate) fn pop_front_of(&mut self, len: usize) -> Option<Chunk> {
        let (chunk, _) = self.queue.front_mut()?;
        if len >= chunk.len() {
            return self.pop();
        }
        let front = chunk.split_front(len)?;
        self.held_bytes -= front.len();
        Some(front)
    }

    pub(crate) fn discard(&mut self) {
        self.queue.clear();
        self.held_bytes = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Number of chunks.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Memory that the queue keeps, overhead included.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the end was announced, even if bytes still wait before it.
    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The end, once nothing waits before it.
    pub(crate) fn reached_end(&self) -> Option<End> {
        self.end.filter(|_| self.queue.is_empty())
    }

    /// Moves everything, the end included, behind what `next` holds.
    pub(crate) fn drain_into(&mut self, next: &mut Self, now: Instant) {
        while let Some(chunk) = self.pop() {
            next.push(chunk, now);
        }
        if let Some(end) = self.end.take() {
            next.finish(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_a_chunk_keeps_every_byte_in_order() {
        let now = Instant::now();
        let mut inbox = Inbox::default();
        inbox.push(Chunk::copy_of(b"hello world").unwrap(), now);
        let mut seen = Vec::new();
        for len in [1, 4, 100] {
            seen.extend_from_slice(inbox.pop_front_of(len).unwrap().bytes());
        }
        assert_eq!(seen, b"hello world");
        assert!(inbox.is_empty());
        assert_eq!(inbox.held_bytes(), 0);
    }

    #[test]
    fn the_end_waits_for_the_bytes_before_it() {
        let mut inbox = Inbox::default();
        inbox.push(Chunk::copy_of(b"x").unwrap(), Instant::now());
        inbox.finish(End::HalfClose);
        assert_eq!(inbox.reached_end(), None);
        inbox.pop();
        assert_eq!(inbox.reached_end(), Some(End::HalfClose));
    }

    #[test]
    fn one_byte_chunks_are_not_free() {
        let mut inbox = Inbox::default();
        for _ in 0..100 {
            inbox.push(Chunk::copy_of(b"x").unwrap(), Instant::now());
        }
        assert_eq!(inbox.held_bytes(), 100 * (1 + CHUNK_OVERHEAD_BYTES));
    }
}
