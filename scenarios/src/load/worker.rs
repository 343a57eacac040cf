//! Drives one arm: an operation at each arrival, whatever became of the others.
//!
//! Invariants: an operation that is due is sent at once or counted as not sent,
//! never delayed or skipped; at most `max_in_flight` are under way; latency counts
//! from the scheduled arrival, so a late generator makes no answer look quicker;
//! [`Load::finish`] leaves no task behind.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reports::run::{Operations, Outcome};
use seawall::clock::{self, Instant};
use tokio::{
    sync::{Notify, Semaphore},
    task::{JoinHandle, JoinSet},
};

use super::{arrivals::Arrivals, client::Client, workload::Operation};

/// A load that is running. Dropping it stops it.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    generator: Option<JoinHandle<usize>>,
}

#[derive(Debug)]
struct Shared {
    client: Arc<Client>,
    arrivals: Arrivals,
    start: Instant,
    log: Mutex<Vec<Entry>>,
    stop: Notify,
    give_up: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// A statement of it was handed to a connection.
    sent: bool,
    settled: Option<Settled>,
}

#[derive(Debug, Clone, Copy)]
struct Settled {
    outcome: Outcome,
    latency_us: u64,
    lag_us: u64,
}

/// Operations that panicked: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0} operations of the load panicked")]
pub struct Panicked(usize);

impl Load {
    /// Starts: operation 0 is due at `start`.
    #[must_use]
    pub fn start(
        client: Arc<Client>,
        arrivals: Arrivals,
        max_in_flight: u32,
        start: Instant,
    ) -> Self {
        let shared = Arc::new(Shared {
            client,
            arrivals,
            start,
            log: Mutex::default(),
            stop: Notify::new(),
            give_up: Notify::new(),
        });
        let generator = tokio::spawn(generate(shared.clone(), max_in_flight));
        Self {
            shared,
            generator: Some(generator),
        }
    }

    /// The pool that is driven.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        &self.shared.client
    }

    /// All operations until now, up to the first that may still become good: one
    /// under way for longer than `deadline` counts as timed out.
    #[must_use]
    pub fn so_far(&self, deadline: Duration) -> Operations {
        self.since(0, deadline)
    }

    /// The same from operation `first` on: a load that runs for minutes is not
    /// copied as a whole several times a second.
    #[must_use]
    pub fn since(&self, first: u64, deadline: Duration) -> Operations {
        let now = self.shared.elapsed();
        let log = self.shared.log();
        let skipped = usize::try_from(first).unwrap_or(usize::MAX).min(log.len());
        let undecided = (first..).zip(&log[skipped..]).position(|(i, entry)| {
            entry.settled.is_none() && now < self.shared.arrivals.due(i) + deadline
        });
        let settled = undecided.map_or(log.len(), |n| skipped + n);
        self.shared.columns(first, &log[skipped..settled], now)
    }

    /// Stops scheduling. What is under way goes on.
    pub fn stop(&self) {
        // Kept until the generator looks, if it is not waiting just now.
        self.shared.stop.notify_one();
    }

    /// [Stops](Self::stop), waits for what is under way until `drain` is over, gives
    /// up the rest, and returns everything.
    ///
    /// # Errors
    /// [`Panicked`] if an operation did.
    pub async fn finish(mut self, drain: Duration) -> Result<Operations, Panicked> {
        self.stop();
        let Some(mut generator) = self.generator.take() else {
            return Err(Panicked(0));
        };
        let panicked = match clock::timeout_at(clock::now() + drain, &mut generator).await {
            Ok(ended) => ended,
            Err(clock::Elapsed) => {
                self.shared.give_up.notify_one();
                generator.await
            }
        };
        let panicked = panicked.unwrap_or(1);
        if panicked > 0 {
            return Err(Panicked(panicked));
        }
        let now = self.shared.elapsed();
        let log = self.shared.log();
        Ok(self.shared.columns(0, &log, now))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(generator) = &self.generator {
            generator.abort();
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.start)
    }

    /// How long ago operation `i` was due.
    fn late_us(&self, i: u64) -> u64 {
        let late = self.elapsed().saturating_sub(self.arrivals.due(i));
        u64::try_from(late.as_micros()).unwrap_or(u64::MAX)
    }

    fn mark_sent(&self, i: u64) {
        let index = usize::try_from(i).unwrap_or(usize::MAX);
        if let Some(entry) = self.log().get_mut(index) {
            entry.sent = true;
        }
    }

    fn settle(&self, i: u64, outcome: Outcome, lag_us: u64) {
        let latency_us = self.late_us(i);
        let settled = Some(Settled {
            outcome,
            latency_us,
            lag_us,
        });
        let index = usize::try_from(i).unwrap_or(usize::MAX);
        if let Some(entry) = self.log().get_mut(index) {
            entry.settled = settled;
        }
    }

    fn columns(&self, first: u64, log: &[Entry], now: Duration) -> Operations {
        let mut columns = Operations::default();
        for (i, entry) in (first..).zip(log) {
            let writes = self.arrivals.writes(i);
            let settled = entry.settled.unwrap_or_else(|| Settled {
                outcome: if writes && entry.sent {
                    Outcome::Unknown
                } else {
                    Outcome::TimedOut
                },
                latency_us: u64::try_from(now.saturating_sub(self.arrivals.due(i)).as_micros())
                    .unwrap_or(u64::MAX),
                lag_us: 0,
            });
            columns.kinds.push(if writes { 'w' } else { 'r' });
            columns.outcomes.push(settled.outcome.letter());
            columns.latencies_us.push(settled.latency_us);
            columns.lags_us.push(settled.lag_us);
        }
        columns
    }
}

/// Returns how many operations panicked.
async fn generate(shared: Arc<Shared>, max_in_flight: u32) -> usize {
    let in_flight = Arc::new(Semaphore::new(max_in_flight as usize));
    let mut tasks = JoinSet::new();
    let mut panicked = 0;
    for i in 0.. {
        let due = shared.start + shared.arrivals.due(i);
        tokio::select! {
            biased;
            () = shared.stop.notified() => break,
            () = clock::sleep_until(due) => {}
        }
        while let Some(ended) = tasks.try_join_next() {
            panicked += usize::from(ended.is_err());
        }
        shared.log().push(Entry::default());
        let Ok(place) = in_flight.clone().try_acquire_owned() else {
            shared.log().last_mut().into_iter().for_each(|entry| {
                entry.settled = Some(Settled {
                    outcome: Outcome::NotSent,
                    latency_us: 0,
                    lag_us: 0,
                });
            });
            continue;
        };
        let shared = shared.clone();
        tasks.spawn(async move {
            let seq = i64::try_from(i).unwrap_or(i64::MAX);
            let writes = shared.arrivals.writes(i);
            let lag_us = shared.late_us(i);
            let sent = || shared.mark_sent(i);
            let outcome = shared.client.run(Operation { seq, writes }, sent).await;
            shared.settle(i, outcome, lag_us);
            drop(place);
        });
    }
    loop {
        tokio::select! {
            biased;
            ended = tasks.join_next() => match ended {
                Some(ended) => panicked += usize::from(ended.is_err()),
                None => return panicked,
            },
            () = shared.give_up.notified() => {
                tasks.shutdown().await;
                return panicked;
            }
        }
    }
}
