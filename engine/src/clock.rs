//! The only door to time.
//!
//! Every duration that the engine waits for or measures goes through here, so
//! that a test can pause tokio's clock and a simulation can stretch it. Pure
//! parts do not even use this: they take `now` as an argument.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

pub use tokio::time::Instant;

/// The deadline passed before the future was done. The future was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// The current time, monotonic.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits until `at`. Cancel safe: dropping it leaves nothing behind.
pub async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at).await;
}

/// Waits for `duration`. Cancel safe: dropping it leaves nothing behind.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Runs `future` until it is done or `deadline` has passed, whichever is first.
///
/// # Errors
/// [`Elapsed`] if the deadline came first; `future` is dropped then.
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout_at(deadline, future)
        .await
        .map_err(|_| Elapsed)
}

/// The time of day that belongs to a moment, for whoever shows it to people. It is read once: a
/// clock that is set later changes nothing, so that later moments have later times.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    at: Instant,
    unix: Duration,
}

impl Wall {
    /// Reads the clock, once.
    #[must_use]
    pub fn now() -> Self {
        let ns = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
        Self {
            at: now(),
            unix: Duration::from_nanos(u64::try_from(ns).unwrap_or(0)),
        }
    }

    /// The time of day at a moment, in milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(&self, at: Instant) -> u64 {
        let unix = match at.checked_duration_since(self.at) {
            Some(after) => self.unix + after,
            None => self.unix.saturating_sub(self.at - at),
        };
        u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A deadline that moves: set anew only when somebody waits for it.
#[derive(Debug, Default)]
pub struct Timer(Option<Pin<Box<tokio::time::Sleep>>>);

impl Timer {
    /// Ready when `deadline` has passed.
    pub fn poll_at(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_of_day_goes_with_the_clock_and_not_with_the_system_s() {
        let (wall, began) = (Wall::now(), now());
        let then = wall.unix_ms(began);
        assert!(then > 1_700_000_000_000, "milliseconds since 1970: {then}");
        sleep(Duration::from_secs(90)).await;
        assert_eq!(wall.unix_ms(now()), then + 90_000);
        assert!(wall.unix_ms(began - Duration::from_secs(1)) <= then - 999);
    }
}
