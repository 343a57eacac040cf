//! How many bytes a proxy took in and gave out, by stream, for `/metrics`.
//!
//! Counted as they move. Relaxed: the numbers order nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::toxic::Stream;

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: [AtomicU64; 2],
    sent: [AtomicU64; 2],
}

impl Traffic {
    pub(crate) fn add_received(&self, stream: Stream, bytes: usize) {
        let [upstream, downstream] = &self.received;
        pick(stream, upstream, downstream).fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_sent(&self, stream: Stream, bytes: usize) {
        let [upstream, downstream] = &self.sent;
        pick(stream, upstream, downstream).fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, stream: Stream) -> u64 {
        let [upstream, downstream] = &self.received;
        pick(stream, upstream, downstream).load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self, stream: Stream) -> u64 {
        let [upstream, downstream] = &self.sent;
        pick(stream, upstream, downstream).load(Ordering::Relaxed)
    }
}

fn pick<'a>(stream: Stream, upstream: &'a AtomicU64, downstream: &'a AtomicU64) -> &'a AtomicU64 {
    match stream {
        Stream::Upstream => upstream,
        Stream::Downstream => downstream,
    }
}
