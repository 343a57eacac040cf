//! limit_data: closes the connection once so many bytes have passed.
//!
//! Counted per connection from when the toxic came. The bytes up to the limit
//! are delivered before the close; a limit of 0 closes at the first byte.

use tokio::time::Instant;

use super::Attributes;
use crate::link::{End, Inbox, Pull, Stage, forward};

#[derive(Debug)]
pub(super) struct LimitData {
    limit_bytes: u64,
    passed_bytes: u64,
}

impl LimitData {
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            passed_bytes: 0,
        }
    }
}

impl Stage for LimitData {
    fn pull(&mut self, inbox: &mut Inbox, _now: Instant, room: bool) -> Pull {
        let left = self.limit_bytes.saturating_sub(self.passed_bytes);
        // Reaching the limit closes at once; where none has passed yet, as with
        // a limit of 0, the first byte does.
        let is_reached = left == 0 && (!inbox.is_empty() || self.passed_bytes > 0);
        if is_reached {
            return Pull::End(End::Close);
        }
        if inbox.is_empty() || !room {
            return forward(inbox, room);
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let Some(chunk) = inbox.pop_front_of(left) else {
            return Pull::Wait(None);
        };
        self.passed_bytes = self.passed_bytes.saturating_add(chunk.len() as u64);
        Pull::Pass(chunk)
    }

    fn update(&mut self, attributes: &Attributes, _inbox: &Inbox, _now: Instant) {
        if let Attributes::LimitData { bytes } = *attributes {
            self.limit_bytes = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Chunk;

    #[test]
    fn exactly_the_limit_passes_and_then_it_closes() {
        let now = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = LimitData::new(5);
        inbox.push(Chunk::copy_of(b"abc").unwrap(), now);
        inbox.push(Chunk::copy_of(b"defg").unwrap(), now);
        for expected in [b"abc".as_slice(), b"de"] {
            let Pull::Pass(chunk) = stage.pull(&mut inbox, now, true) else {
                panic!()
            };
            assert_eq!(chunk.bytes(), expected);
        }
        assert!(matches!(
            stage.pull(&mut inbox, now, true),
            Pull::End(End::Close)
        ));
    }

    #[test]
    fn a_limit_of_zero_waits_for_the_first_byte() {
        let now = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = LimitData::new(0);
        assert!(matches!(
            stage.pull(&mut inbox, now, true),
            Pull::Wait(None)
        ));
        inbox.push(Chunk::copy_of(b"a").unwrap(), now);
        assert!(matches!(
            stage.pull(&mut inbox, now, true),
            Pull::End(End::Close)
        ));
    }
}
