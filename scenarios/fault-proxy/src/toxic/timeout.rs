//! timeout: discards what comes, and closes the connection after so long a
//! silence.
//!
//! The end of the stream passes at once, as Toxiproxy lets it. Removing the
//! toxic closes the connections that it hit; that is decided where toxics are
//! removed, so that it holds even for one that was added and removed before
//! the connection noticed.

use std::time::Duration;

use tokio::time::Instant;

use super::Attributes;
use crate::link::{End, Inbox, Pull, Stage};

#[derive(Debug)]
pub(super) struct Timeout {
    silence: Duration,
    silent_since: Instant,
}

impl Timeout {
    pub(super) fn new(silence: Duration, now: Instant) -> Self {
        Self {
            silence,
            silent_since: now,
        }
    }
}

impl Stage for Timeout {
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, _room: bool) -> Pull {
        if !inbox.is_empty() {
            inbox.discard();
            self.silent_since = now;
        }
        if let Some(end) = inbox.reached_end() {
            return Pull::End(end);
        }
        if self.silence.is_zero() {
            return Pull::Wait(None);
        }
        let close_at = self.silent_since + self.silence;
        if now < close_at {
            Pull::Wait(Some(close_at))
        } else {
            Pull::End(End::Close)
        }
    }

    fn update(&mut self, attributes: &Attributes, _inbox: &Inbox, now: Instant) {
        if let Attributes::Timeout { silence } = *attributes {
            self.silence = silence;
            self.silent_since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Chunk;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_closes_after_silence_and_not_before() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = Timeout::new(2 * SECOND, start);
        let mut pull = |inbox: &mut Inbox, at| stage.pull(inbox, start + at, true);
        assert!(matches!(pull(&mut inbox, SECOND), Pull::Wait(Some(_))));
        inbox.push(Chunk::copy_of(b"dropped").unwrap(), start + SECOND);
        // The data is gone and the silence starts anew.
        assert!(matches!(
            pull(&mut inbox, SECOND),
            Pull::Wait(Some(at)) if at == start + 3 * SECOND
        ));
        assert!(inbox.is_empty());
        assert!(matches!(
            pull(&mut inbox, 3 * SECOND),
            Pull::End(End::Close)
        ));
    }

    #[test]
    fn zero_never_closes_and_the_end_still_passes() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = Timeout::new(Duration::ZERO, start);
        assert!(matches!(
            stage.pull(&mut inbox, start + 1000 * SECOND, true),
            Pull::Wait(None)
        ));
        inbox.finish(End::HalfClose);
        assert!(matches!(
            stage.pull(&mut inbox, start, false),
            Pull::End(End::HalfClose)
        ));
    }
}
