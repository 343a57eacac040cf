//! Drives one arm: an operation at each arrival, whatever became of the others; or, in a
//! closed loop, callers that each ask again as soon as they are answered.
//!
//! Invariants: in an open loop, an operation that is due is sent at once or counted as not sent,
//! never delayed or skipped; at most `max_in_flight` are under way; latency counts
//! from the scheduled arrival, so a late generator makes no answer look quicker;
//! [`Load::finish`] leaves no task behind. Callers that try again do so within their
//! operation: it ends with the first try that is answered without error, or the last.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reports::{
    record::Interval,
    run::{self, Callers, Kind, Operations, Outcome},
};
use seawall::clock::{self, Instant};
use tokio::{
    sync::{Notify, Semaphore},
    task::{JoinHandle, JoinSet},
};

use super::{
    arrivals::Arrivals,
    client::Client,
    history::{Counts, Entry, History, Settled},
    operation::Operation,
    scripts::Weighted,
};

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
    callers: Callers,
    /// Tries of all operations.
    tries: AtomicU64,
    start: Instant,
    history: Mutex<History>,
    /// Whether callers ask again as soon as they are answered: when, is recorded then.
    closed: bool,
    stop: Notify,
    give_up: Notify,
}

/// What decides when the next operation is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driven {
    /// Its arrival, whatever became of those before.
    Open {
        /// Most operations under way at once; an arrival above is not sent.
        max_in_flight: u32,
    },
    /// The answer to the one before, of so many callers.
    Closed {
        /// How many.
        callers: u32,
    },
}

impl Driven {
    /// What drives a load.
    #[must_use]
    pub fn of(load: &run::Load) -> Self {
        match load.clients {
            Some(callers) => Self::Closed { callers },
            None => Self::Open {
                max_in_flight: load.max_in_flight,
            },
        }
    }
}

/// Operations that panicked: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0} operations of the load panicked")]
pub struct Panicked(pub(crate) usize);

impl Load {
    /// Starts: operation 0 is due at `start`.
    #[must_use]
    pub fn start(
        client: Arc<Client>,
        arrivals: Arrivals,
        callers: Callers,
        driven: Driven,
        start: Instant,
    ) -> Self {
        let shared = Arc::new(Shared {
            client,
            arrivals,
            callers,
            tries: AtomicU64::new(0),
            start,
            history: Mutex::default(),
            closed: matches!(driven, Driven::Closed { .. }),
            stop: Notify::new(),
            give_up: Notify::new(),
        });
        let generator = match driven {
            Driven::Open { max_in_flight } => tokio::spawn(generate(shared.clone(), max_in_flight)),
            Driven::Closed { callers } => tokio::spawn(go_round(shared.clone(), callers)),
        };
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

    /// How often callers have asked so far: each operation that was sent, and each time that
    /// it was tried again.
    #[must_use]
    pub fn tries(&self) -> u64 {
        self.shared.tries.load(Ordering::Relaxed)
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
        let history = self.shared.history();
        let undecided = |entry: &Entry| {
            let due = Duration::from_micros(entry.due_us);
            entry.settled().is_none() && now < due + deadline
        };
        let mut entries = history.since(first);
        let settled = entries.position(|(_, entry)| undecided(entry));
        self.shared.columns(&history, first, settled, now)
    }

    /// How many operations have come to what so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.history().counts()
    }

    /// Hands over how long the operations took that ended since the last time. `empty` is what
    /// it goes on with.
    pub fn swap_interval(&self, empty: &mut Interval) {
        self.shared.history().swap_interval(empty);
    }

    /// Stops scheduling. What is under way goes on.
    pub fn stop(&self) {
        // Kept until the generator looks, if it is not waiting just now.
        self.shared.stop.notify_one();
    }

    /// [Stops](Self::stop), waits for what is under way until `drain` is over, gives
    /// up the rest, and returns everything, and by itself what ended since the last
    /// [`swap_interval`](Self::swap_interval).
    ///
    /// # Errors
    /// [`Panicked`] if an operation did.
    pub async fn finish(mut self, drain: Duration) -> Result<(Operations, Interval), Panicked> {
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
        let mut history = self.shared.history();
        self.shared.give_up_rest(&mut history, now);
        let mut interval = Interval::default();
        history.swap_interval(&mut interval);
        Ok((self.shared.columns(&history, 0, None, now), interval))
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
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.start)
    }

    /// What operation `i` does.
    fn kind(&self, i: u64) -> Kind {
        let Some(scripts) = self.client.scripts() else {
            return self.arrivals.kind(i);
        };
        let seq = i64::try_from(i).unwrap_or(i64::MAX);
        let place = scripts.drawn(self.client.number(), seq).place;
        Kind::Script(u8::try_from(place).unwrap_or(u8::MAX))
    }

    /// Whether operation `i` may leave something behind.
    fn may_write(&self, i: u64) -> bool {
        match (self.kind(i), self.client.scripts()) {
            (Kind::Script(place), Some(scripts)) => {
                let script = scripts.all().get(usize::from(place));
                script.is_some_and(Weighted::writes)
            }
            (kind, _) => kind.writes(),
        }
    }

    /// How long ago an operation was due.
    fn late_us(&self, due: Duration) -> u64 {
        us(self.elapsed().saturating_sub(due))
    }

    fn settle(&self, i: u64, due: Duration, outcome: Outcome, lag_us: u64) {
        let latency_us = self.late_us(due);
        let settled = Settled {
            outcome,
            latency_us,
            lag_us,
        };
        self.history().settle(i, settled);
    }

    /// Does operation `i`, as often as its caller tries. A write that is tried again may be
    /// applied twice.
    async fn ask(&self, i: u64, caller: u32) -> Outcome {
        let seq = i64::try_from(i).unwrap_or(i64::MAX);
        let kind = self.kind(i);
        let mut retries = self.callers.retries;
        loop {
            self.tries.fetch_add(1, Ordering::Relaxed);
            let sent = || self.history().mark_sent(i);
            let answer = self.client.run(Operation { seq, kind, caller }, sent);
            let outcome = match self.callers.patience_us {
                None => answer.await,
                Some(us) => {
                    let hangs_up = clock::now() + Duration::from_micros(us);
                    let answer = clock::timeout_at(hangs_up, answer).await;
                    answer.unwrap_or_else(|_| self.hung_up(i))
                }
            };
            if outcome == Outcome::Ok || retries == 0 {
                return outcome;
            }
            retries -= 1;
        }
    }

    /// What becomes of an operation whose caller has not waited for the answer.
    fn hung_up(&self, i: u64) -> Outcome {
        let sent = self.history().get(i).is_some_and(|entry| entry.sent);
        self.unanswered(i, sent)
    }

    fn unanswered(&self, i: u64, sent: bool) -> Outcome {
        if sent && self.may_write(i) {
            Outcome::Unknown
        } else {
            Outcome::TimedOut
        }
    }

    /// Notes of all that are not over that they were given up.
    fn give_up_rest(&self, history: &mut History, now: Duration) {
        let left = history
            .since(0)
            .filter(|(_, entry)| entry.settled().is_none());
        let left: Vec<(u64, Settled)> = left
            .map(|(i, entry)| (i, self.given_up(i, entry, now)))
            .collect();
        for (i, settled) in left {
            history.settle(i, settled);
        }
    }

    /// What is said of an operation that is not over.
    fn given_up(&self, i: u64, entry: &Entry, now: Duration) -> Settled {
        Settled {
            outcome: self.unanswered(i, entry.sent),
            latency_us: us(now).saturating_sub(entry.due_us),
            lag_us: 0,
        }
    }

    /// `count` operations from number `first` on, or all.
    fn columns(
        &self,
        history: &History,
        first: u64,
        count: Option<usize>,
        now: Duration,
    ) -> Operations {
        let before = usize::try_from(first).unwrap_or(usize::MAX);
        let there = history.len().saturating_sub(before);
        let n = count.unwrap_or(there);
        let mut columns = Operations {
            kinds: String::with_capacity(n),
            outcomes: String::with_capacity(n),
            latencies_us: Vec::with_capacity(n),
            lags_us: Vec::with_capacity(n),
            due_us: Vec::with_capacity(if self.closed { n } else { 0 }),
        };
        for (i, entry) in history.since(first).take(n) {
            let settled = entry.settled();
            let settled = settled.unwrap_or_else(|| self.given_up(i, entry, now));
            columns.kinds.push(self.kind(i).letter());
            columns.outcomes.push(settled.outcome.letter());
            columns.latencies_us.push(settled.latency_us);
            columns.lags_us.push(settled.lag_us);
            if self.closed {
                columns.due_us.push(entry.due_us);
            }
        }
        columns
    }
}

/// Whole microseconds.
fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns how many operations panicked.
async fn generate(shared: Arc<Shared>, max_in_flight: u32) -> usize {
    let in_flight = Arc::new(Semaphore::new(max_in_flight as usize));
    let mut tasks = JoinSet::new();
    let mut panicked = 0;
    for i in 0.. {
        let due = shared.arrivals.due(i);
        tokio::select! {
            biased;
            () = shared.stop.notified() => break,
            () = clock::sleep_until(shared.start + due) => {}
        }
        while let Some(ended) = tasks.try_join_next() {
            panicked += usize::from(ended.is_err());
        }
        let i = shared.history().begin(us(due));
        let Ok(place) = in_flight.clone().try_acquire_owned() else {
            let not_sent = Settled {
                outcome: Outcome::NotSent,
                latency_us: 0,
                lag_us: 0,
            };
            shared.history().settle(i, not_sent);
            continue;
        };
        let shared = shared.clone();
        // As many callers as there are connections: more could do nothing at once.
        let connections = u64::from(shared.client.max_connections().max(1));
        let caller = u32::try_from(i % connections).unwrap_or(0);
        tasks.spawn(async move {
            let lag_us = shared.late_us(due);
            let outcome = shared.ask(i, caller).await;
            shared.settle(i, due, outcome, lag_us);
            drop(place);
        });
    }
    end(&shared, tasks, panicked).await
}

/// Lets each of so many callers ask again as soon as it is answered. Returns how many
/// panicked.
async fn go_round(shared: Arc<Shared>, callers: u32) -> usize {
    let mut tasks = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    clock::sleep_until(shared.start).await;
    for caller in 0..callers {
        let (shared, stopped) = (shared.clone(), stopped.clone());
        tasks.spawn(async move {
            while !*stopped.borrow() {
                let due = shared.elapsed();
                let i = shared.history().begin(us(due));
                let outcome = shared.ask(i, caller).await;
                shared.settle(i, due, outcome, 0);
                if outcome != Outcome::Ok {
                    // Who is refused at once must not keep all others from their turn.
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    shared.stop.notified().await;
    stop.send_replace(true);
    end(&shared, tasks, 0).await
}

/// Waits for what is under way, or gives it up. Returns how many panicked.
async fn end(shared: &Shared, mut tasks: JoinSet<()>, mut panicked: usize) -> usize {
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use reports::run::{Kind, Mix};
    use seawall::config::Secret;

    use super::*;
    use crate::{
        environment::Endpoint,
        load::{setup::Setup, workload::Workload},
    };

    /// A load of holds for a while, on a port of this machine.
    async fn asked(port: u16, callers: Callers) -> (u64, Operations) {
        let endpoint = Endpoint {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
            user: "nobody".to_owned(),
            password: Secret::default(),
            database: "none".to_owned(),
        };
        let bare = Setup::Bare { max_connections: 2 };
        let rng = fastrand::Rng::with_seed(7);
        let client = Client::new(&bare, &endpoint, &Workload::new(7), 1, rng);
        let arrivals = Arrivals {
            rate_per_s: 50,
            write_share: 0.0,
            mix: Mix {
                holds: 1.0,
                ..Mix::default()
            },
        };
        let start = clock::now();
        let load = Load::start(
            Arc::new(client.expect("valid")),
            arrivals,
            callers,
            Driven::Open { max_in_flight: 100 },
            start,
        );
        clock::sleep_until(start + Duration::from_millis(190)).await;
        load.stop();
        // Longer than all tries of one caller take.
        clock::sleep(Duration::from_millis(400)).await;
        let tries = load.tries();
        let finished = load.finish(Duration::from_millis(1)).await;
        let (operations, interval) = finished.expect("no panic");
        let mut all = Interval::default();
        for (letter, us) in operations.outcomes.chars().zip(&operations.latencies_us) {
            all.record(Outcome::from_letter(letter).expect("known"), *us);
        }
        assert_eq!(interval, all, "each ended in it once");
        (tries, operations)
    }

    #[tokio::test]
    async fn callers_that_fail_try_again_at_once_and_no_more_often_than_they_may() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        // Nobody answers: who waits hangs up.
        let patient = Callers {
            retries: 2,
            patience_us: Some(40_000),
        };
        let (tries, operations) = asked(port, patient).await;
        let n = operations.outcomes.len();
        assert!(
            n > 0 && operations.outcomes.chars().all(|c| c == 't'),
            "{operations:?}"
        );
        assert!(operations.kinds.chars().all(|c| c == Kind::Hold.letter()));
        assert_eq!(tries, 3 * n as u64);
        assert!(operations.latencies_us.iter().all(|us| *us >= 120_000));

        // Who waits for as long as it takes is given up at the end.
        let (_, operations) = asked(port, Callers::default()).await;
        assert!(operations.outcomes.contains('t'), "{operations:?}");

        // Nobody listens: who is refused asks again.
        drop(listener);
        let callers = Callers {
            retries: 5,
            patience_us: None,
        };
        let (tries, operations) = asked(port, callers).await;
        let n = operations.outcomes.len();
        assert!(
            n > 0 && operations.outcomes.chars().all(|c| c == 'f'),
            "{operations:?}"
        );
        assert_eq!(tries, 6 * n as u64);
    }
}
