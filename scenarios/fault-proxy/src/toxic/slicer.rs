//! slicer: cuts the stream into small writes, with a pause after each.
//!
//! Sizes are drawn evenly from `average - variation` to `average + variation`.
//! The pauses are kept as a schedule, as in the bandwidth toxic, because they
//! are given in microseconds and timers have milliseconds: the pace is right,
//! the single pause is as exact as the timer.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::Attributes;
use crate::link::{Inbox, Pull, Stage, forward};

/// How far the schedule may lie behind and still be caught up.
const CATCH_UP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Slicer {
    average_bytes: u64,
    variation_bytes: u64,
    delay: Duration,
    rng: Rng,
    /// The pause after the last slice ends then.
    next_at: Option<Instant>,
}

impl Slicer {
    pub(super) fn new(average_bytes: u64, variation_bytes: u64, delay: Duration, rng: Rng) -> Self {
        Self {
            average_bytes,
            variation_bytes,
            delay,
            rng,
            next_at: None,
        }
    }

    fn draw(&mut self) -> usize {
        let low = self
            .average_bytes
            .saturating_sub(self.variation_bytes)
            .max(1);
        let high = self
            .average_bytes
            .saturating_add(self.variation_bytes)
            .max(low);
        usize::try_from(self.rng.u64(low..=high)).unwrap_or(usize::MAX)
    }
}

impl Stage for Slicer {
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, room: bool) -> Pull {
        if inbox.is_empty() {
            return forward(inbox, room);
        }
        if let Some(at) = self.next_at.filter(|at| now < *at) {
            return Pull::Wait(Some(at));
        }
        if !room {
            return Pull::Wait(None);
        }
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let from = self.next_at.map_or(now, |at| at.max(earliest));
        self.next_at = Some(from + self.delay);
        let len = self.draw();
        inbox.pop_front_of(len).map_or(Pull::Wait(None), Pull::Pass)
    }

    fn update(&mut self, attributes: &Attributes, _inbox: &Inbox, _now: Instant) {
        if let Attributes::Slicer {
            average_bytes,
            variation_bytes,
            delay,
        } = *attributes
        {
            *self = Self::new(average_bytes, variation_bytes, delay, self.rng.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Chunk;

    #[test]
    fn slices_stay_in_range_lose_nothing_and_take_their_time() {
        let start = Instant::now();
        let mut inbox = Inbox::default();
        let delay = Duration::from_micros(500);
        let mut stage = Slicer::new(100, 30, delay, Rng::with_seed(1));
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        inbox.push(Chunk::copy_of(&bytes).unwrap(), start);
        let (mut now, mut seen, mut slices) = (start, Vec::new(), 0_u32);
        while !inbox.is_empty() {
            match stage.pull(&mut inbox, now, true) {
                Pull::Pass(slice) => {
                    assert!(slice.len() <= 130 && (slice.len() >= 70 || inbox.is_empty()));
                    seen.extend_from_slice(slice.bytes());
                    slices += 1;
                }
                Pull::Wait(Some(at)) => now = at,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, bytes);
        assert!((80..=125).contains(&slices), "{slices}");
        assert_eq!(now - start, delay * (slices - 1));
    }
}
