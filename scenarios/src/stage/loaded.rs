//! Arms under load, and what their breakers do meanwhile.
//!
//! A fault's clock starts when a direct probe sees it in effect and stops when one sees
//! it gone; probing goes on while the fault is being done and undone, so that neither
//! moment is hidden behind an API's answer.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use reports::{
    record::Interval,
    run::{self, Attempts, BreakerState, Operations, SessionCount, Span, What},
};
use seawall::{
    breaker::{State, Transition},
    clock::{self, Instant},
};

use super::{
    Interrupted, Stage, Stop,
    events::micros,
    nemesis::{Nemesis, Seen},
    sessions::SessionCounts,
};
use crate::{
    environment::Endpoint,
    load::{
        arrivals::Arrivals,
        beside::{self, Beside},
        client::Client,
        history::Counts,
        worker::{Driven, Load, Panicked},
    },
};

/// How often breakers are looked at.
const TICK: Duration = Duration::from_millis(25);
/// How often it is asked whether what is waited for is there.
pub(super) const ASKED: Duration = Duration::from_millis(50);
const FIRST_OPERATION: Duration = Duration::from_millis(20);

/// Arms under load.
#[derive(Debug)]
pub struct Loaded<'s, 'a> {
    pub(super) stage: &'s Stage<'a>,
    pub(super) load: run::Load,
    /// The entry of the schedule that the load is for, if it is for one.
    pub(super) planned: Option<usize>,
    pub(super) start: Instant,
    pub(super) arms: Vec<LoadedArm>,
    /// Rows of nobody that were there before it.
    strays_before: u64,
    sessions: Option<SessionCounts>,
    /// When it was last said what becomes of the load.
    pub(super) counted: Instant,
}

/// An arm under load, and what its breaker did so far.
#[derive(Debug)]
pub struct LoadedArm {
    /// Its name.
    pub name: String,
    /// Where its operations go, directly.
    database: Endpoint,
    pub(super) load: Load,
    beside: Option<Beside>,
    pub(super) breaker: Vec<run::Transition>,
    seen_epoch: u64,
    /// What had become of its operations when that was last said.
    pub(super) counted: Counts,
    /// An empty one, to be filled next.
    pub(super) interval: Interval,
    /// What was done by each moment that it was looked at.
    so_far: Vec<SoFar>,
}

/// What was done by a moment of a load.
#[derive(Debug, Clone, Copy)]
pub struct SoFar {
    /// The moment.
    pub at: Instant,
    /// How often callers have asked the arm, those that tried again included.
    pub tries: u64,
    /// What the arm did towards the server.
    pub attempts: Attempts,
}

/// The moments of an entry of the schedule.
#[derive(Debug, Clone)]
pub struct Moments {
    /// The first of its faults was asked for.
    pub requested: Instant,
    /// The first was seen in effect.
    pub injected: Instant,
    /// The last was seen gone.
    pub cleared: Instant,
    /// The server was seen to take sessions again.
    pub ready: Instant,
    /// Each fault by itself.
    seen: Vec<Seen>,
}

/// What an arm did under load.
#[derive(Debug)]
pub struct Finished {
    /// Its name.
    pub name: String,
    /// Its number in the ledger.
    pub client: i32,
    /// Every operation that was scheduled.
    pub operations: Operations,
    /// The breaker's states, oldest first.
    pub breaker: Vec<run::Transition>,
    /// What it did towards the server.
    pub attempts: Attempts,
    /// How much of that by each moment that it was looked at.
    so_far: Vec<SoFar>,
    /// Its sessions as the server counts them.
    pub sessions: Vec<SessionCount>,
    /// What ran beside its operations.
    pub beside: Option<beside::Done>,
    /// Zero of the load's clock.
    pub(super) start: Instant,
    /// Rows of nobody that were there before the load.
    pub(super) strays_before: u64,
    /// Its pool: what it may have written and what it has read.
    pub pool: Arc<Client>,
    /// Where its operations went, directly.
    pub(super) database: Endpoint,
}

impl Finished {
    /// What was done by each moment that it was looked at, some forty times a second.
    #[must_use]
    pub fn so_far(&self) -> &[SoFar] {
        &self.so_far
    }

    /// What it did towards the server between two moments.
    #[must_use]
    pub fn attempts_between(&self, from: Instant, until: Instant) -> Attempts {
        let by = |at: Instant| {
            let seen = self.so_far.iter().take_while(|seen| seen.at <= at).last();
            seen.map_or_else(Attempts::default, |seen| seen.attempts)
        };
        let (before, after) = (by(from), by(until));
        Attempts {
            statements: after.statements.saturating_sub(before.statements),
            connects: after.connects.saturating_sub(before.connects),
        }
    }
}

impl LoadedArm {
    /// The pool that is driven.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.load.client()
    }

    /// Schedules nothing more. What is under way goes on.
    pub(super) fn stop(&self) {
        self.load.stop();
        self.beside.iter().for_each(Beside::stop);
    }

    /// Its operations from `first` on, up to the first that may still become good.
    #[must_use]
    pub fn since(&self, first: u64, deadline: Duration) -> Operations {
        self.load.since(first, deadline)
    }
}

impl<'s, 'a> Loaded<'s, 'a> {
    /// Puts arms under load, through the proxy. `planned` is the entry of the schedule
    /// that it is for.
    ///
    /// # Errors
    /// If the configuration of an arm is not valid, or its rows cannot be made.
    pub(crate) async fn start(
        stage: &'s Stage<'a>,
        load: &run::Load,
        planned: Option<usize>,
        names: &[String],
    ) -> Result<Self, Stop> {
        let direct = stage.environment.endpoint();
        let mut clients = Vec::new();
        for name in names {
            let Some(setup) = stage.setups.get(name) else {
                continue;
            };
            let database = stage.fresh(name).await?;
            let proxied = database.through(stage.toxics.port());
            let client = stage
                .client_with_rows(name, setup, &database, &proxied)
                .await?;
            let number = client.number();
            let quiet = if load.mix.beside {
                stage.know(beside::numbers(number));
                let small = setup.at_most(beside::QUIET_CONNECTIONS);
                let quiet = stage.client(name, &small, &proxied, number + beside::SECOND)?;
                Some(Arc::new(quiet))
            } else {
                None
            };
            clients.push((name, database, Arc::new(client), quiet));
        }
        let strays_before = stage.strays().await?;
        let start = clock::now() + FIRST_OPERATION;
        let names = clients
            .iter()
            .map(|(_, _, client, _)| client.session_name());
        let mut loaded = Self {
            stage,
            load: load.clone(),
            planned,
            start,
            strays_before,
            arms: Vec::new(),
            // Where nothing runs beside, the server's own counts are looked at, and asking
            // would be among them.
            sessions: load.mix.beside.then(|| {
                let given_up = &stage.workload.outlasting_query;
                SessionCounts::start(direct, names.collect(), given_up, start)
            }),
            counted: start,
        };
        for (name, database, client, quiet) in clients {
            let arm = loaded.arm(name, database, client, quiet);
            loaded.arms.push(arm);
        }
        stage.events.all(planned, start, What::LoadStarted);
        loaded.tell_throughput(start);
        Ok(loaded)
    }

    fn arm(
        &self,
        name: &str,
        database: Endpoint,
        client: Arc<Client>,
        quiet: Option<Arc<Client>>,
    ) -> LoadedArm {
        let start = run::Transition {
            at_us: 0,
            state: BreakerState::Closed,
            reason: "start".to_owned(),
        };
        let has_breaker = client.engine().is_some();
        LoadedArm {
            name: name.to_owned(),
            database,
            beside: quiet.map(|quiet| Beside::start(&client, quiet, self.start)),
            load: Load::start(
                client,
                self.arrivals(),
                self.load.callers,
                Driven::of(&self.load),
                self.start,
            ),
            breaker: has_breaker.then_some(start).into_iter().collect(),
            seen_epoch: 0,
            counted: Counts::default(),
            interval: Interval::default(),
            so_far: Vec::new(),
        }
    }

    /// The arms, in the order they were named in.
    pub(crate) fn arms(&self) -> &[LoadedArm] {
        &self.arms
    }

    /// Zero of the load's clock, on the run's clock.
    pub(crate) fn started_us(&self) -> u64 {
        self.stage.events.us(self.start)
    }

    /// Zero of the load's clock.
    pub(crate) fn zero(&self) -> Instant {
        self.start
    }

    /// A moment on the load's clock: zero at its first scheduled operation.
    pub(crate) fn us(&self, at: Instant) -> u64 {
        micros(at, self.start)
    }

    pub(super) fn deadline(&self) -> Duration {
        Duration::from_micros(self.load.deadline_us)
    }

    fn arrivals(&self) -> Arrivals {
        Arrivals::of(&self.load)
    }

    /// The first operation that is due at or after a moment of the load's clock.
    pub(crate) fn first_at(&self, at_us: u64) -> u64 {
        at_us.saturating_mul(u64::from(self.load.rate_per_s)) / 1_000_000
    }

    /// Does an entry of the schedule and undoes it, also if that fails half-way.
    ///
    /// # Errors
    /// If a fault could not be done or undone, or was not seen, or the user wants to
    /// stop.
    pub(crate) async fn through(&mut self, planned: usize) -> Result<Moments, Stop> {
        let stage = self.stage;
        // A panic of ours must not leave the fault in somebody's server.
        let through = AssertUnwindSafe(self.through_faults(planned)).catch_unwind();
        let moments = through.await.unwrap_or(Err(Stop::Panicked));
        if moments.is_err() {
            // The error that led here says better what is wrong.
            stage.take_back(planned).await;
        }
        moments
    }

    async fn through_faults(&mut self, planned: usize) -> Result<Moments, Stop> {
        let stage = self.stage;
        let nemesis = Nemesis::new(stage, planned, clock::now());
        let mut seen = {
            let carried_out = nemesis.carry_out();
            let mut carried_out = std::pin::pin!(carried_out);
            loop {
                let tick = clock::now() + TICK;
                tokio::select! {
                    biased;
                    seen = &mut carried_out => break seen?,
                    waited = stage.until(tick) => waited?,
                }
                self.pass_on_transitions();
            }
        };
        self.pass_on_transitions();
        seen.sort_by_key(|seen| seen.effective);
        let now = clock::now();
        let first = |of: fn(&Seen) -> Instant| seen.iter().map(of).min().unwrap_or(now);
        let last = |of: fn(&Seen) -> Instant| seen.iter().map(of).max().unwrap_or(now);
        let ready = last(|seen| seen.ready);
        stage.events.all(Some(planned), ready, What::ServerReady);
        Ok(Moments {
            requested: first(|seen| seen.requested),
            injected: first(|seen| seen.effective),
            cleared: last(|seen| seen.gone),
            ready,
            seen,
        })
    }

    /// Waits until a moment, and passes on what the breakers do meanwhile.
    ///
    /// # Errors
    /// If the user wants to stop.
    pub(crate) async fn until(&mut self, until: Instant) -> Result<(), Interrupted> {
        loop {
            let next = (clock::now() + TICK).min(until);
            self.stage.until(next).await?;
            self.pass_on_transitions();
            if next >= until {
                return Ok(());
            }
        }
    }

    /// Waits until `there` says so of every arm, or until a moment. It is asked of each
    /// arm some twenty times a second, with the arm's index.
    ///
    /// # Errors
    /// If the user wants to stop.
    pub(crate) async fn until_all(
        &mut self,
        at_most: Instant,
        mut there: impl FnMut(usize, &LoadedArm) -> bool,
    ) -> Result<(), Interrupted> {
        loop {
            // Every arm is asked each time: what it is asked may remember what it saw.
            let arms = self.arms.iter().enumerate();
            let all = arms.fold(true, |all, (i, arm)| there(i, arm) && all);
            let now = clock::now();
            if all || now >= at_most {
                return Ok(());
            }
            self.until((now + ASKED).min(at_most)).await?;
        }
    }

    /// Ends the load: nothing more is scheduled, what is under way is waited for until
    /// the deadline of its operations is over, and the rest is given up.
    ///
    /// # Errors
    /// If an operation panicked.
    pub(crate) async fn finish(mut self, ended: Instant) -> Result<Vec<Finished>, Stop> {
        self.arms.iter().for_each(LoadedArm::stop);
        self.stage.events.all(self.planned, ended, What::LoadEnded);
        let drain = self.deadline();
        self.pass_on_transitions();
        let sessions = self.sessions.take();
        let mut finished = Vec::new();
        for arm in self.arms {
            let pool = arm.load.client().clone();
            let by = clock::now() + drain;
            let beside = async {
                match arm.beside {
                    Some(beside) => Some(beside.finish(by).await),
                    None => None,
                }
            };
            let (done, beside) = tokio::join!(arm.load.finish(drain), beside);
            if let Some(panicked) = beside.as_ref().map(|done| done.panicked).filter(|n| *n > 0) {
                return Err(Panicked(panicked).into());
            }
            let (operations, interval) = done?;
            let over = (self.counted, clock::now());
            self.stage.latencies.note(&arm.name, over, &interval);
            let seen = sessions.as_ref().map(|seen| seen.of(&pool.session_name()));
            finished.push(Finished {
                name: arm.name,
                client: pool.number(),
                operations,
                breaker: arm.breaker,
                attempts: pool.attempts(),
                so_far: arm.so_far,
                sessions: seen.unwrap_or_default(),
                beside,
                start: self.start,
                strays_before: self.strays_before,
                pool,
                database: arm.database,
            });
        }
        Ok(finished)
    }

    /// Passes on what the breakers have done since the last time, and notes what the arms
    /// have done towards the server.
    fn pass_on_transitions(&mut self) {
        let now = clock::now();
        self.tell_throughput_each_second(now);
        for arm in &mut self.arms {
            arm.so_far.push(SoFar {
                at: now,
                tries: arm.load.tries(),
                attempts: arm.load.client().attempts(),
            });
            let Some(pool) = arm.load.client().engine() else {
                continue;
            };
            for transition in pool.breaker().history_since(arm.seen_epoch) {
                arm.seen_epoch = transition.epoch;
                let at = transition.at;
                let recorded = recorded(transition, self.start);
                arm.breaker.push(recorded.clone());
                let run::Transition { state, reason, .. } = recorded;
                let what = What::Breaker { state, reason };
                self.stage.events.arm(self.planned, &arm.name, at, what);
            }
        }
    }
}

impl Moments {
    /// Each fault by itself, on the clock that `us` gives.
    pub(crate) fn spans(&self, us: impl Fn(Instant) -> u64) -> Vec<Span> {
        let spans = self.seen.iter().map(|seen| Span {
            kind: seen.kind.name.to_owned(),
            effective_us: us(seen.effective),
            cleared_us: us(seen.gone),
        });
        spans.collect()
    }
}

/// All that a pool's breaker did, on the clock that begins at `start`. Empty for a pool
/// without one.
pub(super) fn transitions(client: &Client, start: Instant) -> Vec<run::Transition> {
    let Some(pool) = client.engine() else {
        return Vec::new();
    };
    let history = pool.breaker().history_since(0).into_iter();
    history.map(|change| recorded(change, start)).collect()
}

fn recorded(change: Transition, start: Instant) -> run::Transition {
    run::Transition {
        at_us: micros(change.at, start),
        state: match change.to {
            State::Closed => BreakerState::Closed,
            State::Open => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        },
        reason: change.reason.to_string(),
    }
}
