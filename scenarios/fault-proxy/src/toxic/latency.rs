//! latency: every chunk leaves `delay` plus or minus `jitter` after it came.
//!
//! The delay runs from the chunk's own arrival, so a stream of chunks is
//! shifted, not slowed. Order is kept: a chunk that drew less jitter than the
//! one before leaves together with it.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::Attributes;
use crate::link::{Inbox, Pull, Stage, forward};

/// Bytes held for one direction before the sender is made to wait: what Linux
/// lets one TCP sender keep in flight on a long path (the 4 MiB maximum of
/// `tcp_wmem`), so that we throttle no more than such a path would.
const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Latency {
    delay: Duration,
    jitter: Duration,
    rng: Rng,
    /// When the first chunk leaves, once drawn.
    front_due: Option<Instant>,
    /// Nothing leaves before what left before it was due.
    last_due: Option<Instant>,
    /// This many chunks were held when the attributes changed: they leave now.
    released: usize,
}

impl Latency {
    pub(super) fn new(delay: Duration, jitter: Duration, rng: Rng) -> Self {
        Self {
            delay,
            jitter,
            rng,
            front_due: None,
            last_due: None,
            released: 0,
        }
    }

    /// Evenly from `delay - jitter` to `delay + jitter`, never below zero.
    fn draw(&mut self) -> Duration {
        let jitter_us = micros(self.jitter);
        let shifted = micros(self.delay) + self.rng.u64(0..=2 * jitter_us);
        Duration::from_micros(shifted.saturating_sub(jitter_us))
    }
}

/// Attributes are at most 49 days, so this is exact.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4)
}

impl Stage for Latency {
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, room: bool) -> Pull {
        let Some(came_at) = inbox.front_came_at() else {
            return forward(inbox, room);
        };
        if self.released == 0 {
            let due = match self.front_due {
                Some(due) => due,
                None => {
                    let due = came_at + self.draw();
                    let due = self.last_due.map_or(due, |last| due.max(last));
                    *self.front_due.insert(due)
                }
            };
            if due > now {
                return Pull::Wait(Some(due));
            }
        }
        if !room {
            return Pull::Wait(None);
        }
        self.released = self.released.saturating_sub(1);
        self.last_due = self.front_due.take().or(self.last_due);
        forward(inbox, room)
    }

    fn has_room(&self, inbox: &Inbox) -> bool {
        inbox.held_bytes() < HELD_BYTES_MAX
    }

    fn update(&mut self, attributes: &Attributes, inbox: &Inbox, _now: Instant) {
        if let Attributes::Latency { delay, jitter } = *attributes {
            (self.delay, self.jitter) = (delay, jitter);
            self.released = inbox.len();
            (self.front_due, self.last_due) = (None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Chunk, End};

    const MS: Duration = Duration::from_millis(1);

    fn chunk(byte: u8) -> Chunk {
        Chunk::copy_of(&[byte]).unwrap()
    }

    /// What passes at `now`, in order.
    fn passed(stage: &mut Latency, inbox: &mut Inbox, now: Instant) -> Vec<u8> {
        let mut passed = Vec::new();
        while let Pull::Pass(chunk) = stage.pull(inbox, now, true) {
            passed.extend_from_slice(chunk.bytes());
        }
        passed
    }

    #[test]
    fn a_stream_is_shifted_and_not_slowed() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = Latency::new(100 * MS, Duration::ZERO, Rng::with_seed(1));
        inbox.push(chunk(1), start);
        inbox.push(chunk(2), start + 10 * MS);
        assert_eq!(passed(&mut stage, &mut inbox, start + 99 * MS), b"");
        assert_eq!(passed(&mut stage, &mut inbox, start + 100 * MS), [1]);
        assert!(matches!(
            stage.pull(&mut inbox, start + 101 * MS, true),
            Pull::Wait(Some(at)) if at == start + 110 * MS
        ));
        assert_eq!(passed(&mut stage, &mut inbox, start + 110 * MS), [2]);
    }

    #[test]
    fn jitter_stays_in_its_range_and_never_reorders() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        // More jitter than delay: the lower end is 0, not before the arrival.
        let mut stage = Latency::new(10 * MS, 50 * MS, Rng::with_seed(2));
        for byte in 0..200 {
            inbox.push(chunk(byte), start);
        }
        let mut all = Vec::new();
        for ms in 0..=60 {
            all.extend(passed(&mut stage, &mut inbox, start + ms * MS));
            assert!(
                ms == 60 || all.len() < 200,
                "200 draws all below {ms} ms of 60"
            );
        }
        assert_eq!(all, (0..200).collect::<Vec<u8>>());
    }

    #[test]
    fn a_change_releases_what_is_held_but_not_what_comes_after() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = Latency::new(1000 * MS, Duration::ZERO, Rng::with_seed(1));
        inbox.push(chunk(1), start);
        inbox.push(chunk(2), start);
        assert_eq!(passed(&mut stage, &mut inbox, start), b"");
        let attributes = Attributes::Latency {
            delay: 500 * MS,
            jitter: Duration::ZERO,
        };
        stage.update(&attributes, &inbox, start);
        inbox.push(chunk(3), start);
        assert_eq!(passed(&mut stage, &mut inbox, start), [1, 2]);
        assert_eq!(passed(&mut stage, &mut inbox, start + 499 * MS), b"");
        assert_eq!(passed(&mut stage, &mut inbox, start + 500 * MS), [3]);
    }

    #[test]
    fn it_holds_a_bounded_number_of_bytes_and_the_end_comes_last() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let mut stage = Latency::new(1000 * MS, Duration::ZERO, Rng::with_seed(1));
        let mut pushed = 0;
        while stage.has_room(&inbox) {
            inbox.push(Chunk::copy_of(&[0; 4096]).unwrap(), start);
            pushed += 4096;
        }
        assert!(
            (HELD_BYTES_MAX / 2..=HELD_BYTES_MAX).contains(&pushed),
            "{pushed}"
        );
        inbox.finish(End::HalfClose);
        assert!(matches!(
            stage.pull(&mut inbox, start, true),
            Pull::Wait(Some(_))
        ));
        let late = start + 1000 * MS;
        assert_eq!(passed(&mut stage, &mut inbox, late).len(), pushed);
        assert!(matches!(
            stage.pull(&mut inbox, late, true),
            Pull::End(End::HalfClose)
        ));
    }

    #[test]
    fn the_longest_delay_overflows_nothing() {
        let longest = Duration::from_millis(u64::from(u32::MAX));
        let mut stage = Latency::new(longest, longest, Rng::with_seed(1));
        let mut inbox = Inbox::default();
        inbox.push(chunk(1), Instant::now());
        assert!(matches!(
            stage.pull(&mut inbox, Instant::now(), true),
            Pull::Wait(Some(_))
        ));
    }
}
