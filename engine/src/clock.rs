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
