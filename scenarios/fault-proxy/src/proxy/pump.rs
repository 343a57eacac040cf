//! Both directions of one connection, and the timer for their toxics.
//!
//! One task for both needs no lock, and wakes once for a request and once for
//! its answer.
//!
//! Cancel safe: dropping [`Pump::run`]'s future leaves every byte that was read
//! and not written in its link.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Traffic;
use super::direction::{Direction, Outcome};
use crate::link::Link;
use crate::toxic::Stream;

/// tokio's timers count milliseconds and round up twice, when a timer is set
/// and when the thread goes to sleep. Set so much early, one fires at the time
/// or up to a millisecond after it. One that fires early is set again; that a
/// link lets nothing pass before its time does not depend on it.
const TIMER_ROUNDING: Duration = Duration::from_millis(1);

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Pump {
    client: TcpStream,
    server: TcpStream,
    upstream: Direction,
    downstream: Direction,
    timer: Option<Timer>,
}

/// A timer, and what it was last set for.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    wake_at: Option<Instant>,
}

impl Pump {
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        Self {
            client,
            server,
            upstream: Direction::new(Stream::Upstream),
            downstream: Direction::new(Stream::Downstream),
            timer: None,
        }
    }

    pub(super) fn into_sockets(self) -> (TcpStream, TcpStream) {
        (self.client, self.server)
    }

    pub(super) fn link_mut(&mut self, stream: Stream) -> &mut Link {
        match stream {
            Stream::Upstream => &mut self.upstream.link,
            Stream::Downstream => &mut self.downstream.link,
        }
    }

    /// Moves bytes until the connection is over. Cancel safe.
    pub(super) async fn run(&mut self, traffic: &Traffic) -> Outcome {
        poll_fn(|cx| self.poll(cx, traffic)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, traffic: &Traffic) -> Poll<Outcome> {
        loop {
            let up = self
                .upstream
                .poll(cx, &mut self.client, &mut self.server, traffic);
            let down = self
                .downstream
                .poll(cx, &mut self.server, &mut self.client, traffic);
            if let Some(outcome) = up.or(down) {
                return Poll::Ready(outcome);
            }
            if self.upstream.is_done && self.downstream.is_done {
                let is_broken = self.upstream.is_broken || self.downstream.is_broken;
                return Poll::Ready(if is_broken {
                    Outcome::Reset
                } else {
                    Outcome::Closed
                });
            }
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Ready when a link may have something to do.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wake_at = match (self.upstream.wake_at, self.downstream.wake_at) {
            (Some(up), Some(down)) => up.min(down),
            (up, down) => match up.or(down) {
                Some(at) => at,
                None => return Poll::Pending,
            },
        };
        let timer = self.timer.get_or_insert_with(|| Timer {
            sleep: Box::pin(sleep_until(wake_at)),
            wake_at: None,
        });
        if timer.wake_at != Some(wake_at) {
            let early = wake_at.checked_sub(TIMER_ROUNDING).unwrap_or(wake_at);
            timer.sleep.as_mut().reset(early.max(Instant::now()));
            timer.wake_at = Some(wake_at);
        }
        let fired = timer.sleep.as_mut().poll(cx);
        if fired.is_ready() {
            timer.wake_at = None;
        }
        fired
    }
}
