//! The probe: finds out that the server is back, so that no caller has to.
//!
//! While the circuit is open, one task asks the server on a connection of its
//! own: connect, log in, one query, all within one deadline, with jittered
//! waits between, which grow with how long the outage has lasted: so what a wait adds to it is
//! a small part of it, and many clients do not keep a server busy that has been away for long.
//! A connection that was open before proves nothing about a host that came back, so none is
//! reused.
//!
//! A probe that hangs does not hold up the next one: a host that swallows packets
//! and then comes back is seen by the next probe, not after the time-out of the
//! last one that it swallowed. A late answer of an older one counts as well.
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

use super::{
    acquire::Inner,
    connector::{Connector, Unreachable},
    quarantine::server,
    spare::{Kept, Spare},
};
use crate::{
    breaker::Breaker,
    clock::{self, Instant},
    config::Role,
    error::{Error, ErrorClass},
    metrics::Counter,
    task::AbortOnDrop,
};

/// The most probes under way at once: a server that answers none of them must not collect
/// connections from us.
const IN_FLIGHT: usize = 12;

/// How much later than the one that closed the circuit a probe may be answered for its session
/// to be of use.
const LATE_ANSWERS: Duration = Duration::from_millis(100);

/// How long it is waited between probes, by what a probe costs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Nobody was there to answer the last one: it cost the server nothing.
    Nothing,
    /// The server began a process to refuse the last one, in which it was kept from coming back.
    Process,
}

impl Cost {
    /// The longest wait is this part of how long the circuit has been open,
    fn share(self) -> u32 {
        match self {
            Self::Nothing => 100,
            Self::Process => 40,
        }
    }

    /// and at least this part of the longest of all.
    fn least(self) -> u32 {
        match self {
            Self::Nothing => 8,
            Self::Process => 6,
        }
    }
}

/// How much later than it said a probe may be seen to be alive.
const LATE: Duration = Duration::from_secs(1);

/// Sees to it that a task probes while the circuit is open.
pub(super) struct Prober {
    connector: Connector,
    role: Role,
    spare: Spare,
    pool: Weak<Inner>,
    state: Mutex<Task>,
    /// Until when the task is alive, on the breaker's clock, if it says nothing new. Zero if
    /// there is none.
    alive_until: AtomicU64,
    /// Tasks started so far: the last is the one that is alive.
    started: AtomicU64,
    /// The server that the last probe met that closed the circuit.
    met: Mutex<Option<String>>,
}

struct Task {
    rng: fastrand::Rng,
    /// `None` before the first.
    running: Option<AbortOnDrop>,
    stopped: bool,
}

impl Prober {
    pub(super) fn new(
        connector: Connector,
        role: Role,
        spare: Spare,
        pool: Weak<Inner>,
        rng: fastrand::Rng,
    ) -> Self {
        Self {
            connector,
            role,
            spare,
            pool,
            state: Mutex::new(Task {
                rng,
                running: None,
                stopped: false,
            }),
            alive_until: AtomicU64::new(0),
            started: AtomicU64::new(0),
            met: Mutex::default(),
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

    /// The server that the last probe met that closed the circuit, if it said who it is.
    pub(super) fn met(&self) -> Option<String> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.clone()
    }

    fn keep(&self, session: Option<Kept>) {
        if let (Some(pool), Some(session)) = (self.pool.upgrade(), session) {
            pool.keep_spare(session);
        }
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
    let (settings, metrics) = (breaker.config(), &prober.connector.metrics);
    let opened = breaker.since();
    let mut cost = Cost::Nothing;
    let wait = |now: Instant, cost: Cost, hanging: usize, rng: &mut fastrand::Rng| {
        let bound = longest_wait(now - opened, settings.probe_interval_max, cost);
        let drawn = bound.mul_f64(0.5 + rng.f64() / 2.0);
        drawn.max(least_wait(hanging, settings.probe_timeout))
    };
    let mut under_way = FuturesUnordered::new();
    let now = clock::now();
    let mut next = now + wait(now, cost, 0, rng);
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
                    ProbeResult::Fit { server, session } => {
                        *prober.met.lock().unwrap_or_else(PoisonError::into_inner) = server;
                        prober.keep(session);
                        planted!(ClosesLate => clock::sleep(Duration::from_millis(450)).await);
                        breaker.probe_answered(epoch, clock::now());
                    }
                    ProbeResult::Unfit(cause) => {
                        cost = cause;
                        metrics.count(Counter::ProbesFailed);
                    }
                    ProbeResult::Refused(why) => {
                        cost = Cost::Process;
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
                        (epoch, ask(prober, settings.probe_timeout).await)
                    });
                }
                let now = clock::now();
                let wait = wait(now, cost, under_way.len(), rng);
                next = now + planted!(ProbeWithoutWaits, wait => Duration::ZERO);
            }
        }
    }
    // Those that are nearly done are of use.
    prober.alive_until.store(0, Ordering::Release);
    let by = clock::now() + LATE_ANSWERS;
    while let Ok(Some((_, answered))) = clock::timeout_at(by, under_way.next()).await {
        if let ProbeResult::Fit { session, .. } = answered {
            prober.keep(session);
        }
    }
}

/// The longest wait until the next probe, if the circuit has been open for so long; it is drawn
/// from the upper half. Pure.
fn longest_wait(open_for: Duration, longest: Duration, cost: Cost) -> Duration {
    (open_for / cost.share()).clamp(longest / cost.least(), longest)
}

/// The shortest wait while so many probes hang: they are begun as evenly as they end, or there
/// would be a time in which none is. Pure.
fn least_wait(hanging: usize, timeout: Duration) -> Duration {
    let in_flight = u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX);
    if hanging > 1 {
        timeout / in_flight
    } else {
        Duration::ZERO
    }
}

/// What came of a probe.
enum ProbeResult {
    /// The server takes sessions, and has the role that it should have.
    Fit {
        /// Which one it is, if it said so.
        server: Option<String>,
        /// The session that it answered on.
        session: Option<Kept>,
    },
    /// The server does not answer, or has another role; and what it did for that.
    Unfit(Cost),
    /// The server refuses the session, and will do so for ever.
    Refused(String),
}

/// Asks whether the server takes a new session, answers a query on it in time, and is what
/// it should be.
async fn ask(prober: &Prober, timeout: Duration) -> ProbeResult {
    if planted!(ProbeAsksNothing) {
        let (server, session) = (None, None);
        return ProbeResult::Fit { server, session };
    }
    let deadline = clock::now() + timeout;
    let role = prober.role;
    let ask = async {
        let epoch = prober.spare.epoch();
        let session = prober.connector.connect(deadline).await?;
        // Dropped, it closes the socket.
        let session = Kept::new(epoch, session);
        let Some(client) = session.session().map(|session| &session.client) else {
            return Err(Unreachable::Mute);
        };
        let asked = client.simple_query("SELECT pg_is_in_recovery()");
        let (answered, server) = tokio::join!(asked, server(client));
        let answered = answered.map_err(|error| Unreachable::Failed(Error::Connect(error)))?;
        Ok((answered, server, session))
    };
    match clock::timeout_at(deadline, ask).await {
        Ok(Ok((messages, server, session))) => {
            let session = Some(session);
            let mut rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.try_get(0).ok().flatten()),
                _ => None,
            });
            match rows.next() {
                Some(in_recovery) if role.is(in_recovery) || planted!(ProbeIgnoresRole) => {
                    ProbeResult::Fit { server, session }
                }
                _ => ProbeResult::Unfit(Cost::Process),
            }
        }
        Ok(Err(Unreachable::Failed(error))) => {
            tracing::debug!(%error, "probe failed");
            match error.class() {
                ErrorClass::Configuration => ProbeResult::Refused(error.cause().to_string()),
                _ if error.sqlstate().is_some() => ProbeResult::Unfit(Cost::Process),
                _ => ProbeResult::Unfit(Cost::Nothing),
            }
        }
        Ok(Err(Unreachable::Mute)) | Err(clock::Elapsed) => ProbeResult::Unfit(Cost::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_the_outage_within_their_bounds() {
        let ms = Duration::from_millis;
        for (cost, open_for, bound) in [
            (Cost::Nothing, 0, 31),
            (Cost::Nothing, 4_000, 40),
            (Cost::Nothing, 99_000, 250),
            (Cost::Process, 0, 41),
            (Cost::Process, 4_000, 100),
            (Cost::Process, 10_000, 250),
        ] {
            let wait = longest_wait(ms(open_for), ms(250), cost);
            assert_eq!(wait.as_millis(), bound, "{cost:?} {open_for}");
        }
    }

    #[test]
    fn those_that_hang_are_as_many_as_may_be_and_evenly_spread() {
        let most = Duration::from_millis(1_200);
        assert_eq!(least_wait(1, most), Duration::ZERO);
        assert_eq!(least_wait(2, most), Duration::from_millis(100));
    }
}
