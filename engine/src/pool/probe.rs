//! The probe: finds out that the server is back, so that no caller has to.
//!
//! While the circuit is open, one task asks the server on a connection of its
//! own: connect, log in, one query, all within one deadline, with jittered
//! backoff between. A connection that was open before proves nothing about a
//! host that came back, so none is reused.
//!
//! A probe that hangs does not hold up the next one: a host that swallows packets
//! and then comes back is seen by the next probe, not after the time-out of the
//! last one that it swallowed.
//!
//! The task runs in the runtime of whoever needs it: of the one that opened the circuit, or,
//! if that runtime has ended or stands still, of the next caller that is refused. A pool that
//! stands in a static outlives the runtime that it was made in.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::runtime::Handle;
use tokio_postgres::SimpleQueryMessage;

use super::connector::{Connector, Unreachable};
use crate::{
    breaker::{Backoff, Breaker},
    clock::{self, Instant},
    config::Role,
    error::{Error, ErrorClass},
    metrics::Counter,
    task::AbortOnDrop,
};

/// The most probes under way at once: a server that answers none of them must not collect
/// connections from us.
const IN_FLIGHT: usize = 4;

/// How much later than it said a probe may be seen to be alive.
const LATE: Duration = Duration::from_secs(1);

/// Sees to it that a task probes while the circuit is open.
pub(super) struct Prober {
    connector: Connector,
    role: Role,
    state: Mutex<Task>,
    /// Until when the task is alive, on the breaker's clock, if it says nothing new. Zero if
    /// there is none.
    alive_until: AtomicU64,
    /// Tasks started so far: the last is the one that is alive.
    started: AtomicU64,
}

struct Task {
    rng: fastrand::Rng,
    /// `None` before the first.
    running: Option<AbortOnDrop>,
    stopped: bool,
}

impl Prober {
    pub(super) fn new(connector: Connector, role: Role, rng: fastrand::Rng) -> Self {
        Self {
            connector,
            role,
            state: Mutex::new(Task {
                rng,
                running: None,
                stopped: false,
            }),
            alive_until: AtomicU64::new(0),
            started: AtomicU64::new(0),
        }
    }

    /// Starts a task in the runtime of the caller, if one is needed and there is none. Cheap
    /// if there is.
    pub(super) fn ensure(self: &Arc<Self>, breaker: &Breaker, now: Instant) {
        if self.is_alive(breaker, now) || breaker.open_epoch().is_none() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut task = self.task();
        if task.stopped || self.is_alive(breaker, now) {
            return;
        }
        self.lives(breaker, now);
        let rng = task.rng.fork();
        let number = self.started.fetch_add(1, Ordering::AcqRel) + 1;
        let alive = Alive(Arc::downgrade(self), number);
        let probing = runtime.spawn(run(alive, breaker.clone(), rng));
        // The last one, if there is one, has ended with its runtime or stands still.
        task.running = Some(AbortOnDrop(probing.abort_handle()));
    }

    /// Ends probing for good, and closes the connections in use.
    pub(super) fn stop(&self) {
        let mut task = self.task();
        task.stopped = true;
        task.running = None;
    }

    fn task(&self) -> MutexGuard<'_, Task> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_alive(&self, breaker: &Breaker, now: Instant) -> bool {
        breaker.tick(now).ns() < self.alive_until.load(Ordering::Acquire)
    }

    fn lives(&self, breaker: &Breaker, now: Instant) {
        let settings = breaker.config();
        // It wakes for the next probe, or at the latest when one has failed.
        let until = now + settings.probe_interval_max + settings.probe_timeout + LATE;
        let until = breaker.tick(until).ns();
        self.alive_until.store(until, Ordering::Release);
    }
}

/// Notes the end of a task by its number, also if it is dropped with its runtime.
struct Alive(Weak<Prober>, u64);

impl Drop for Alive {
    fn drop(&mut self) {
        let prober = self.0.upgrade();
        let last = |prober: &Arc<Prober>| prober.started.load(Ordering::Acquire) == self.1;
        if let Some(prober) = prober.filter(last) {
            prober.alive_until.store(0, Ordering::Release);
        }
    }
}

/// Probes until `breaker` is not open. Aborting it closes the connections in use.
async fn run(alive: Alive, breaker: Breaker, mut rng: fastrand::Rng) {
    let Some(prober) = alive.0.upgrade() else {
        return;
    };
    loop {
        probe_until_closed(&breaker, &prober, &mut rng).await;
        // Who opens it from here on finds no task and starts one; who did before, not.
        prober.alive_until.store(0, Ordering::Release);
        if breaker.open_epoch().is_none() {
            return;
        }
        prober.lives(&breaker, clock::now());
    }
}

async fn probe_until_closed(breaker: &Breaker, prober: &Prober, rng: &mut fastrand::Rng) {
    let (connector, role) = (&prober.connector, prober.role);
    let (settings, metrics) = (breaker.config(), &connector.metrics);
    let mut backoff = Backoff::new(settings.probe_interval_min, settings.probe_interval_max);
    let mut under_way = FuturesUnordered::new();
    let mut next = clock::now() + backoff.next(rng);
    let mut said = false;
    // Half-open is up to the callers; closed needs no probe.
    while breaker.open_epoch().is_some() {
        prober.lives(breaker, clock::now());
        let room = under_way.len() < IN_FLIGHT;
        if room {
            breaker.probe_scheduled(next);
        }
        tokio::select! {
            biased;
            Some((epoch, answered)) = under_way.next() => {
                match answered {
                    ProbeResult::Fit => breaker.probe_answered(epoch, clock::now()),
                    ProbeResult::Unfit => metrics.count(Counter::ProbesFailed),
                    ProbeResult::Refused(why) => {
                        metrics.count(Counter::ProbesFailed);
                        // Once an outage: it is not the server that has to be mended.
                        if !std::mem::replace(&mut said, true) {
                            tracing::error!(why, "probing will not help");
                        }
                    }
                }
            }
            () = clock::sleep_until(next), if room => {
                if let Some(epoch) = breaker.open_epoch() {
                    metrics.count(Counter::Probes);
                    under_way.push(async move {
                        (epoch, ask(connector, role, settings.probe_timeout).await)
                    });
                }
                next = clock::now() + backoff.next(rng);
            }
        }
    }
}

/// What came of a probe.
enum ProbeResult {
    /// The server takes sessions, and has the role that it should have.
    Fit,
    /// The server does not answer, or has another role.
    Unfit,
    /// The server refuses the session, and will do so for ever.
    Refused(String),
}

/// Asks whether the server takes a new session, answers a query on it in time, and is what
/// it should be.
async fn ask(connector: &Connector, role: Role, timeout: Duration) -> ProbeResult {
    let deadline = clock::now() + timeout;
    let ask = async {
        let session = connector.connect(deadline).await?;
        let _closes_the_socket = AbortOnDrop(session.task.abort_handle());
        let asked = session.client.simple_query("SELECT pg_is_in_recovery()");
        let answered = asked.await;
        answered.map_err(|error| Unreachable::Failed(Error::Connect(error)))
    };
    match clock::timeout_at(deadline, ask).await {
        Ok(Ok(messages)) => {
            let mut rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.try_get(0).ok().flatten()),
                _ => None,
            });
            match rows.next() {
                Some(in_recovery) if role.is(in_recovery) => ProbeResult::Fit,
                _ => ProbeResult::Unfit,
            }
        }
        Ok(Err(Unreachable::Failed(error))) => {
            tracing::debug!(%error, "probe failed");
            match error.class() {
                ErrorClass::Configuration => ProbeResult::Refused(error.cause().to_string()),
                _ => ProbeResult::Unfit,
            }
        }
        Ok(Err(Unreachable::Mute)) | Err(clock::Elapsed) => ProbeResult::Unfit,
    }
}
