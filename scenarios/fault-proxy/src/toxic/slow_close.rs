//! slow_close: data passes at once, the end of the stream after `delay`.

use std::time::Duration;

use tokio::time::Instant;

use super::Attributes;
use crate::link::{Inbox, Pull, Stage, forward};

#[derive(Debug)]
pub(super) struct SlowClose {
    delay: Duration,
    end_came_at: Option<Instant>,
}

impl SlowClose {
    pub(super) fn new(delay: Duration) -> Self {
        Self {
            delay,
            end_came_at: None,
        }
    }
}

impl Stage for SlowClose {
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, room: bool) -> Pull {
        if inbox.reached_end().is_some() {
            let close_at = *self.end_came_at.get_or_insert(now) + self.delay;
            if now < close_at {
                return Pull::Wait(Some(close_at));
            }
        }
        forward(inbox, room)
    }

    fn update(&mut self, attributes: &Attributes, _inbox: &Inbox, _now: Instant) {
        if let Attributes::SlowClose { delay } = *attributes {
            self.delay = delay;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Chunk, End};

    #[test]
    fn only_the_end_waits() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut inbox = Inbox::default();
        let mut stage = SlowClose::new(second);
        inbox.push(Chunk::copy_of(b"x").unwrap(), start);
        inbox.finish(End::HalfClose);
        assert!(matches!(stage.pull(&mut inbox, start, true), Pull::Pass(_)));
        assert!(matches!(
            stage.pull(&mut inbox, start, true),
            Pull::Wait(Some(at)) if at == start + second
        ));
        assert!(matches!(
            stage.pull(&mut inbox, start + second, true),
            Pull::End(End::HalfClose)
        ));
    }
}
