//! bandwidth: at most so many bytes a second.
//!
//! Bytes leave on a schedule: each piece is due when a line of that rate would
//! have carried it, counted from the piece before, not from when a timer
//! happened to fire. So a timer's overshoot delays one piece and is made up by
//! the next, and the rate holds from KB/s to 100 MB/s on a 1 ms timer. Large
//! chunks are cut into pieces of 100 ms.

use std::time::Duration;

use tokio::time::Instant;

use super::Attributes;
use crate::link::{Inbox, Pull, Stage, forward};

/// The longest piece, as in Toxiproxy.
const SLICE_MS: u64 = 100;

/// How far the schedule may lie behind and still be caught up: several times
/// what a 1 ms timer on a busy machine is late by. An idle line saves up no
/// more than this.
const CATCH_UP: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Bandwidth {
    kilobytes_per_s: u64,
    /// The line is busy with earlier pieces until then.
    busy_until: Instant,
    /// The piece on the line: its length, and when it has passed.
    sending: Option<(usize, Instant)>,
}

impl Bandwidth {
    pub(super) fn new(kilobytes_per_s: u64, now: Instant) -> Self {
        Self {
            kilobytes_per_s,
            busy_until: now,
            sending: None,
        }
    }

    /// A kilobyte a second is a byte a millisecond.
    fn slice_bytes(&self) -> usize {
        let bytes = self.kilobytes_per_s.saturating_mul(SLICE_MS);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn time_for(&self, bytes: usize) -> Duration {
        let nanos = (bytes as u64).saturating_mul(1_000_000) / self.kilobytes_per_s.max(1);
        Duration::from_nanos(nanos)
    }
}

impl Stage for Bandwidth {
    fn pull(&mut self, inbox: &mut Inbox, now: Instant, room: bool) -> Pull {
        let Some(front) = inbox.front() else {
            return forward(inbox, room);
        };
        if self.kilobytes_per_s == 0 {
            return Pull::Wait(None);
        }
        let (len, passed_at) = match self.sending {
            Some(piece) => piece,
            None => {
                let len = front.len().min(self.slice_bytes());
                let starts = self
                    .busy_until
                    .max(now.checked_sub(CATCH_UP).unwrap_or(now));
                *self.sending.insert((len, starts + self.time_for(len)))
            }
        };
        if now < passed_at {
            return Pull::Wait(Some(passed_at));
        }
        if !room {
            return Pull::Wait(None);
        }
        self.busy_until = passed_at;
        self.sending = None;
        inbox.pop_front_of(len).map_or(Pull::Wait(None), Pull::Pass)
    }

    fn update(&mut self, attributes: &Attributes, _inbox: &Inbox, now: Instant) {
        if let Attributes::Bandwidth { kilobytes_per_s } = *attributes {
            *self = Self::new(kilobytes_per_s, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Chunk;

    const MS: Duration = Duration::from_millis(1);

    /// Bytes passed within `time` when the sender always has more and the
    /// timer fires up to 2 ms late.
    fn carried(kilobytes_per_s: u64, time: Duration) -> usize {
        let start = Instant::now();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut stage = Bandwidth::new(kilobytes_per_s, start);
        let mut inbox = Inbox::default();
        let (mut now, mut bytes) = (start, 0);
        while now < start + time {
            if inbox.is_empty() {
                inbox.push(Chunk::copy_of(&[0; 65536]).unwrap(), now);
            }
            match stage.pull(&mut inbox, now, true) {
                Pull::Pass(chunk) => bytes += chunk.len(),
                Pull::Wait(Some(at)) => now = at + Duration::from_micros(rng.u64(0..2000)),
                other => panic!("{other:?}"),
            }
        }
        bytes
    }

    #[test]
    fn the_rate_holds_over_three_decades_on_a_late_timer() {
        for rate in [100, 1_000, 10_000, 100_000] {
            let seconds = 5;
            let ideal = (rate * 1000 * seconds) as f64;
            let ratio = carried(rate, Duration::from_secs(seconds)) as f64 / ideal;
            assert!(
                (0.97..=1.03).contains(&ratio),
                "{rate} KB/s: {ratio} of the rate"
            );
        }
    }

    #[test]
    fn an_idle_line_saves_up_little() {
        let start = Instant::now();
        let mut stage = Bandwidth::new(1000, start);
        let mut inbox = Inbox::default();
        let late = start + Duration::from_secs(60);
        inbox.push(Chunk::copy_of(&[0; 65536]).unwrap(), late);
        let Pull::Wait(Some(at)) = stage.pull(&mut inbox, late, true) else {
            panic!()
        };
        assert!(at >= late + Duration::from_micros(65536) - CATCH_UP);
    }

    #[test]
    fn large_chunks_are_cut_into_tenths_of_a_second() {
        let start = Instant::now();
        let mut stage = Bandwidth::new(10, start);
        let mut inbox = Inbox::default();
        inbox.push(Chunk::copy_of(&[0; 5000]).unwrap(), start);
        let now = start + 100 * MS;
        let _ = stage.pull(&mut inbox, start, true);
        assert!(
            matches!(stage.pull(&mut inbox, now, true), Pull::Pass(piece) if piece.len() == 1000)
        );
        assert_eq!(inbox.front().unwrap().len(), 4000);
    }

    #[test]
    fn rate_zero_holds_until_the_rate_changes() {
        let start = Instant::now();
        let mut stage = Bandwidth::new(0, start);
        let mut inbox = Inbox::default();
        inbox.push(Chunk::copy_of(b"x").unwrap(), start);
        let later = start + 3_600_000 * MS;
        assert!(matches!(
            stage.pull(&mut inbox, later, true),
            Pull::Wait(None)
        ));
        stage.update(&Attributes::Bandwidth { kilobytes_per_s: 1 }, &inbox, later);
        assert!(matches!(
            stage.pull(&mut inbox, later, true),
            Pull::Wait(Some(_)) | Pull::Pass(_)
        ));
        assert!(matches!(
            stage.pull(&mut inbox, later + MS, true),
            Pull::Pass(_)
        ));
    }
}
