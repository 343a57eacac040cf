//! reset_peer: at the first data or end, and `after` so long, an RST to both
//! sides.
//!
//! What came is held meanwhile, not thrown away: if the toxic goes before it
//! fired, the bytes pass and nothing was lost.

use std::time::Duration;

use tokio::time::Instant;

use super::Attributes;
use crate::link::{Inbox, Pull, Stage};

#[derive(Debug)]
pub(super) struct ResetPeer {
    after: Duration,
    armed_at: Option<Instant>,
}

impl ResetPeer {
    pub(super) fn new(after: Duration) -> Self {
        Self {
            after,
            armed_at: None,
        }
    }
}

impl Stage for ResetPeer {
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, _room: bool) -> Pull {
        if inbox.is_empty() && !inbox.is_ended() {
            return Pull::Wait(None);
        }
        let reset_at = *self.armed_at.get_or_insert(now) + self.after;
        if now < reset_at {
            Pull::Wait(Some(reset_at))
        } else {
            Pull::Reset
        }
    }

    fn update(&mut self, attributes: &Attributes, _inbox: &Inbox, _now: Instant) {
        if let Attributes::ResetPeer { after } = *attributes {
            self.after = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Chunk, End};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_idle_connection_is_left_alone_until_data_comes() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = ResetPeer::new(SECOND);
        assert!(matches!(
            stage.pull(&mut inbox, start, true),
            Pull::Wait(None)
        ));
        inbox.push(Chunk::copy_of(b"x").unwrap(), start + SECOND);
        assert!(matches!(
            stage.pull(&mut inbox, start + SECOND, true),
            Pull::Wait(Some(at)) if at == start + 2 * SECOND
        ));
        assert!(!inbox.is_empty(), "held until the reset");
        assert!(matches!(
            stage.pull(&mut inbox, start + 2 * SECOND, false),
            Pull::Reset
        ));
    }

    #[test]
    fn the_end_of_the_stream_also_sets_it_off() {
        let mut inbox = Inbox::default();
        inbox.finish(End::HalfClose);
        let mut stage = ResetPeer::new(Duration::ZERO);
        assert!(matches!(
            stage.pull(&mut inbox, Instant::now(), true),
            Pull::Reset
        ));
    }
}
