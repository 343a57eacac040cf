//! [`Counts`]: what a server has served, refused and dropped.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    Connections,
    /// Connections that were closed at once, because there were too many.
    ConnectionsRefused,
    Requests,
    /// Headers that did not end in time.
    HeadersLate,
    /// What is not HTTP.
    NotHttp,
    /// Answers that the client did not take in time.
    Stalled,
    /// Requests that took too long.
    RequestsLate,
    /// Of a `Host` that is not ours.
    HostRefused,
    /// Of an `Origin` that is not ours.
    OriginRefused,
    /// Without the token.
    Unauthorized,
    /// With a wrong one.
    TokenWrong,
    /// Too many at once.
    RateRefused,
    BodyRefused,
    Sockets,
    /// Sockets too many.
    SocketsRefused,
    /// Sockets whose clients took nothing, or said nothing, for too long.
    SocketsSlow,
    /// Sockets on which something else came than is allowed.
    SocketsMalformed,
}

const ALL: usize = Count::SocketsMalformed as usize + 1;

/// The counters of a server.
#[derive(Debug, Default)]
pub(super) struct Counts {
    all: [AtomicU64; ALL],
    connections: AtomicU64,
    sockets: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, count: Count) {
        self.all[count as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn of(&self, count: Count) -> u64 {
        self.all[count as usize].load(Ordering::Relaxed)
    }

    /// Counts a connection for as long as it is open.
    pub(super) fn connection(self: &Arc<Self>) -> Open {
        self.add(Count::Connections);
        Open::new(self, |counts| &counts.connections)
    }

    /// Counts a WebSocket for as long as it is open. `None` if there are as many as may be.
    pub(super) fn socket(self: &Arc<Self>, most: u64) -> Option<Open> {
        if self.sockets.load(Ordering::Relaxed) >= most {
            self.add(Count::SocketsRefused);
            return None;
        }
        self.add(Count::Sockets);
        Some(Open::new(self, |counts| &counts.sockets))
    }

    pub(super) fn status(&self) -> CountsStatus {
        CountsStatus {
            connections_open: self.connections.load(Ordering::Relaxed),
            connections: self.of(Count::Connections),
            connections_refused: self.of(Count::ConnectionsRefused),
            requests: self.of(Count::Requests),
            headers_late: self.of(Count::HeadersLate),
            not_http: self.of(Count::NotHttp),
            clients_stalled: self.of(Count::Stalled),
            requests_late: self.of(Count::RequestsLate),
            host_refused: self.of(Count::HostRefused),
            origin_refused: self.of(Count::OriginRefused),
            unauthorized: self.of(Count::Unauthorized),
            tokens_wrong: self.of(Count::TokenWrong),
            rate_refused: self.of(Count::RateRefused),
            bodies_refused: self.of(Count::BodyRefused),
            websockets_open: self.sockets.load(Ordering::Relaxed),
            websockets: self.of(Count::Sockets),
            websockets_refused: self.of(Count::SocketsRefused),
            websockets_dropped_slow: self.of(Count::SocketsSlow),
            websockets_dropped_malformed: self.of(Count::SocketsMalformed),
        }
    }
}

/// Something that is open, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    counts: Arc<Counts>,
    of: fn(&Counts) -> &AtomicU64,
}

impl Open {
    fn new(counts: &Arc<Counts>, of: fn(&Counts) -> &AtomicU64) -> Self {
        of(counts).fetch_add(1, Ordering::Relaxed);
        Self {
            counts: counts.clone(),
            of,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        (self.of)(&self.counts).fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a server has served, refused and dropped, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CountsStatus {
    connections_open: u64,
    connections: u64,
    connections_refused: u64,
    requests: u64,
    headers_late: u64,
    not_http: u64,
    clients_stalled: u64,
    requests_late: u64,
    host_refused: u64,
    origin_refused: u64,
    unauthorized: u64,
    tokens_wrong: u64,
    rate_refused: u64,
    bodies_refused: u64,
    websockets_open: u64,
    websockets: u64,
    websockets_refused: u64,
    websockets_dropped_slow: u64,
    websockets_dropped_malformed: u64,
}
