//! Arms under load, and what their breakers do meanwhile.
//!
//! A fault's clock starts when a direct probe sees it in effect and stops when one sees
//! it gone; probing goes on while the fault is being done and undone, so that neither
//! moment is hidden behind an API's answer.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use reports::{
    measure::steady,
    run::{self, BreakerState, Ledger, Operations, Span, What},
};
use seawall::{
    breaker::{State, Transition},
    clock::{self, Instant},
};

use super::{
    Interrupted, Stage, Stop,
    events::micros,
    nemesis::{Nemesis, Seen, undo},
};
use crate::{
    environment::chain,
    load::{
        arrivals::Arrivals,
        client::{Client, Setup},
        ledger::Checker,
        worker::Load,
    },
};

/// How often breakers are looked at.
const TICK: Duration = Duration::from_millis(25);
/// How often it is asked whether what is waited for is there.
const ASKED: Duration = Duration::from_millis(50);
/// Four windows, and a little for the last answers to come in.
pub(crate) const STEADY_SPAN: Duration = Duration::from_millis(1_030);
const FIRST_OPERATION: Duration = Duration::from_millis(20);
/// Longest wait for a load to be served as it should be.
const STEADY_PATIENCE: Duration = Duration::from_secs(15);

/// Arms under load.
#[derive(Debug)]
pub struct Loaded<'s, 'a> {
    stage: &'s Stage<'a>,
    load: run::Load,
    /// The entry of the schedule that the load is for, if it is for one.
    planned: Option<usize>,
    start: Instant,
    arms: Vec<LoadedArm>,
}

/// An arm under load, and what its breaker did so far.
#[derive(Debug)]
pub struct LoadedArm {
    /// Its name.
    pub name: String,
    load: Load,
    breaker: Vec<run::Transition>,
    seen_epoch: u64,
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
    pub attempts: run::Attempts,
}

impl LoadedArm {
    /// The pool that is driven.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.load.client()
    }

    /// Its operations from `first` on, up to the first that may still become good.
    #[must_use]
    pub fn since(&self, first: u64, deadline: Duration) -> Operations {
        self.load.since(first, deadline)
    }
}

impl<'s, 'a> Loaded<'s, 'a> {
    /// Puts arms under load, through the proxy. `planned` is the entry of the schedule
    /// that it is for; their writes are told apart by numbers from `first_client` on,
    /// which no other load of the run must have.
    ///
    /// # Errors
    /// If the configuration of an arm is not valid.
    pub(crate) fn start(
        stage: &'s Stage<'a>,
        load: &run::Load,
        planned: Option<usize>,
        first_client: usize,
        names: &[String],
    ) -> Result<Self, Stop> {
        let start = clock::now() + FIRST_OPERATION;
        let mut loaded = Self {
            stage,
            load: load.clone(),
            planned,
            start,
            arms: Vec::new(),
        };
        for (i, name) in names.iter().enumerate() {
            let Some(setup) = stage.setups.get(name) else {
                continue;
            };
            let number = i32::try_from(first_client + i).unwrap_or(i32::MAX);
            let arm = loaded.arm(name, setup, number)?;
            loaded.arms.push(arm);
        }
        stage.events.all(planned, start, What::LoadStarted);
        Ok(loaded)
    }

    fn arm(&self, name: &str, setup: &Setup, number: i32) -> Result<LoadedArm, Stop> {
        let stage = self.stage;
        let endpoint = stage.environment.endpoint().through(stage.toxics.port());
        let seed = stage.run.seed ^ (u64::from(number.unsigned_abs()) << 32);
        let rng = fastrand::Rng::with_seed(seed);
        let client =
            Client::new(setup, &endpoint, &stage.workload, number, rng).map_err(|source| {
                Stop::Config {
                    arm: name.to_owned(),
                    source,
                }
            })?;
        let start = run::Transition {
            at_us: 0,
            state: BreakerState::Closed,
            reason: "start".to_owned(),
        };
        let has_breaker = client.engine().is_some();
        let in_flight = self.load.max_in_flight;
        Ok(LoadedArm {
            name: name.to_owned(),
            load: Load::start(Arc::new(client), self.arrivals(), in_flight, self.start),
            breaker: has_breaker.then_some(start).into_iter().collect(),
            seen_epoch: 0,
        })
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

    fn deadline(&self) -> Duration {
        Duration::from_micros(self.load.deadline_us)
    }

    fn arrivals(&self) -> Arrivals {
        Arrivals {
            rate_per_s: self.load.rate_per_s,
            write_share: self.load.write_share,
        }
    }

    /// The first operation that is due at or after a moment of the load's clock.
    pub(crate) fn first_at(&self, at_us: u64) -> u64 {
        at_us.saturating_mul(u64::from(self.load.rate_per_s)) / 1_000_000
    }

    /// Waits until every arm is served as it should be; returns since when.
    ///
    /// # Errors
    /// [`Stop::NoSteadyState`] if that takes too long.
    pub(crate) async fn until_steady(&mut self) -> Result<Instant, Stop> {
        let (stage, load, deadline) = (self.stage, self.load.clone(), self.deadline());
        let give_up = self.start + STEADY_PATIENCE;
        let mut next = self.start + STEADY_SPAN;
        loop {
            self.until(next).await?;
            let now = clock::now();
            let from = now - STEADY_SPAN;
            let first = self.first_at(self.us(from));
            let span = self.us(from)..self.us(now);
            let mut all = Vec::new();
            for arm in &self.arms {
                let served = steady(&load, first, &arm.since(first, deadline), span.clone());
                all.push((arm.name.as_str(), served));
            }
            if all.iter().all(|(_, served)| served.is_ok()) {
                for (arm, served) in all {
                    if let Ok(served) = served {
                        let (ok_share, p99_us) = (served.ok_share, served.p99_us);
                        let what = What::SteadyState { ok_share, p99_us };
                        stage.events.arm(self.planned, arm, now, what);
                    }
                }
                return Ok(from.max(self.start));
            }
            if now >= give_up {
                let not: Vec<String> = all
                    .into_iter()
                    .filter_map(|(arm, served)| Some(format!("{arm}: {}", served.err()?)))
                    .collect();
                return Err(Stop::NoSteadyState(not.join("; ")));
            }
            next = now + ASKED;
        }
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
        if moments.is_err()
            && let Err(error) = undo(stage, planned).await
        {
            // The error that led here says better what is wrong.
            tracing::warn!(error = chain(&error), "taking a fault back");
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
        self.arms.iter().for_each(|arm| arm.load.stop());
        self.stage.events.all(self.planned, ended, What::LoadEnded);
        let drain = self.deadline();
        self.pass_on_transitions();
        let mut finished = Vec::new();
        for arm in self.arms {
            let client = arm.load.client().clone();
            let operations = arm.load.finish(drain).await?;
            finished.push(Finished {
                name: arm.name,
                client: client.number(),
                operations,
                breaker: arm.breaker,
                attempts: client.attempts(),
            });
        }
        Ok(finished)
    }

    /// Passes on what the breakers have done since the last time.
    fn pass_on_transitions(&mut self) {
        for arm in &mut self.arms {
            let Some(pool) = arm.load.client().engine() else {
                continue;
            };
            for transition in pool.breaker().history_since(arm.seen_epoch) {
                arm.seen_epoch = transition.epoch;
                let Transition { at, to, reason, .. } = transition;
                let (state, reason) = (state(to), reason.to_string());
                arm.breaker.push(run::Transition {
                    at_us: micros(at, self.start),
                    state,
                    reason: reason.clone(),
                });
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

impl Stage<'_> {
    /// Compares the writes of an arm with the table, on a fresh direct session. `None`
    /// if it could not be read: no claim about the writes can hold then.
    pub(crate) async fn check_writes(
        &self,
        planned: Option<usize>,
        load: &run::Load,
        finished: &Finished,
    ) -> Option<Ledger> {
        let arrivals = Arrivals {
            rate_per_s: load.rate_per_s,
            write_share: load.write_share,
        };
        let mut checker = Checker::new(&finished.operations, arrivals);
        let direct = self.environment.endpoint();
        let read = self
            .workload
            .read_ledger(direct, finished.client, &mut checker);
        let (what, ledger) = match read.await {
            Ok(()) => {
                let ledger = checker.finish();
                (What::LedgerChecked { ledger }, Some(ledger))
            }
            Err(error) => {
                let reason = chain(&error);
                (What::LedgerUnread { reason }, None)
            }
        };
        self.events.arm(planned, &finished.name, clock::now(), what);
        ledger
    }
}

fn state(of: State) -> BreakerState {
    match of {
        State::Closed => BreakerState::Closed,
        State::Open => BreakerState::Open,
        State::HalfOpen => BreakerState::HalfOpen,
    }
}
