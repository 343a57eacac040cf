//! What a user can do to a connection.
//!
//! A [`Toxic`] is what the API stores: a name, a stream, a share of the
//! connections, and [`Attributes`]. Each file holds one toxic: its attributes,
//! and the stage that acts on a link. Toxics act per connection: which ones it
//! hits is drawn once, from the seed ([`roll`]).
//!
//! `blackhole` and `reset` are ours, not Toxiproxy's. They act on a whole
//! connection and at once, so they have no stage; see `proxy::connections`.

mod attributes;
mod bandwidth;
mod kind;
mod latency;
mod limit_data;
mod reset_peer;
mod roll;
mod slicer;
mod slow_close;
mod timeout;

use serde::{Serialize, Serializer};

pub(crate) use attributes::Attributes;
pub(crate) use kind::{AttributeError, Kind};
pub(crate) use roll::Roll;

/// Which way the bytes flow that a toxic acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

impl Stream {
    /// Matched without regard to case, as Toxiproxy does.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("upstream") {
            Some(Self::Upstream)
        } else if text.eq_ignore_ascii_case("downstream") {
            Some(Self::Downstream)
        } else {
            None
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// One toxic of one proxy, as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Toxic {
    /// Its parameters.
    pub(crate) attributes: Attributes,
    /// Unique among the proxy's toxics, over both streams.
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// The stream's name as the user wrote it, echoed as such.
    #[serde(rename = "stream")]
    pub(crate) stream_text: String,
    /// Share of the connections that it hits, 0..=1.
    #[serde(serialize_with = "share")]
    pub(crate) toxicity: f32,
    #[serde(skip)]
    pub(crate) stream: Stream,
    /// Tells a toxic from a later one of the same name.
    #[serde(skip)]
    pub(crate) id: u64,
    /// Grows with each update.
    #[serde(skip)]
    pub(crate) revision: u64,
}

/// Writes 1, not 1.0, as Go does.
fn share<S: Serializer>(toxicity: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    if *toxicity >= 1.0 {
        serializer.serialize_u8(1)
    } else if *toxicity <= 0.0 {
        serializer.serialize_u8(0)
    } else {
        serializer.serialize_f32(*toxicity)
    }
}
