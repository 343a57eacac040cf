//! A toxic's parameters: what stage they make, and how they are echoed.

use std::time::Duration;

use fastrand::Rng;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::{Kind, bandwidth, latency, limit_data, reset_peer, slicer, slow_close, timeout};
use crate::link::Stage;

/// A toxic's parameters, in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attributes {
    /// KB are 1000 bytes; 0 lets nothing pass.
    Bandwidth {
        kilobytes_per_s: u64,
    },
    /// Extension: the connection is dead for ever.
    Blackhole,
    Latency {
        delay: Duration,
        jitter: Duration,
    },
    LimitData {
        bytes: u64,
    },
    Noop,
    /// Extension: the connection is reset at once, idle or not.
    Reset,
    ResetPeer {
        after: Duration,
    },
    Slicer {
        average_bytes: u64,
        variation_bytes: u64,
        delay: Duration,
    },
    SlowClose {
        delay: Duration,
    },
    /// Zero never closes.
    Timeout {
        silence: Duration,
    },
}

impl Attributes {
    /// The stage that acts on one stream of one connection; `None` for what
    /// lets everything pass or acts on the whole connection.
    pub(crate) fn stage(&self, rng: Rng, now: Instant) -> Option<Box<dyn Stage>> {
        Some(match *self {
            Self::Blackhole | Self::Noop | Self::Reset => return None,
            Self::Bandwidth { kilobytes_per_s } => {
                Box::new(bandwidth::Bandwidth::new(kilobytes_per_s, now))
            }
            Self::Latency { delay, jitter } => Box::new(latency::Latency::new(delay, jitter, rng)),
            Self::LimitData { bytes } => Box::new(limit_data::LimitData::new(bytes)),
            Self::ResetPeer { after } => Box::new(reset_peer::ResetPeer::new(after)),
            Self::Slicer {
                average_bytes,
                variation_bytes,
                delay,
            } => Box::new(slicer::Slicer::new(
                average_bytes,
                variation_bytes,
                delay,
                rng,
            )),
            Self::SlowClose { delay } => Box::new(slow_close::SlowClose::new(delay)),
            Self::Timeout { silence } => Box::new(timeout::Timeout::new(silence, now)),
        })
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Bandwidth { .. } => Kind::Bandwidth,
            Self::Blackhole => Kind::Blackhole,
            Self::Latency { .. } => Kind::Latency,
            Self::LimitData { .. } => Kind::LimitData,
            Self::Noop => Kind::Noop,
            Self::Reset => Kind::Reset,
            Self::ResetPeer { .. } => Kind::ResetPeer,
            Self::Slicer { .. } => Kind::Slicer,
            Self::SlowClose { .. } => Kind::SlowClose,
            Self::Timeout { .. } => Kind::Timeout,
        }
    }

    /// The values on the wire, in the order of the kind's fields.
    pub(super) fn values(&self) -> [i64; 3] {
        let ms = |duration: &Duration| whole(duration.as_millis());
        match self {
            Self::Bandwidth { kilobytes_per_s } => [whole(*kilobytes_per_s), 0, 0],
            Self::Blackhole | Self::Noop | Self::Reset => [0; 3],
            Self::Latency { delay, jitter } => [ms(delay), ms(jitter), 0],
            Self::LimitData { bytes } => [whole(*bytes), 0, 0],
            Self::ResetPeer { after: time }
            | Self::SlowClose { delay: time }
            | Self::Timeout { silence: time } => [ms(time), 0, 0],
            Self::Slicer {
                average_bytes,
                variation_bytes,
                delay,
            } => [
                whole(*average_bytes),
                whole(*variation_bytes),
                whole(delay.as_micros()),
            ],
        }
    }
}

/// Every value came from an `i64` in range, so it fits.
fn whole(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.kind().fields();
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (field, value) in fields.iter().zip(self.values()) {
            map.serialize_entry(field.name, &value)?;
        }
        map.end()
    }
}
