//! [`Lane`]: one task that carries queries over one connection at a time.

mod answers;
mod carrier;
mod failed;
mod line;
mod lost;

use std::{collections::VecDeque, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use self::{answers::answered, carrier::Carrier};
use super::{
    batch::Chunk,
    flight::{Answer, Flying, Grouping, Unit, Work, poll_next},
    outcome::{Outcome, QueryResult},
    queue::{Next, Queue},
    settings::{BatchSize, Settings, Strategy},
    settle::FailurePolicy,
    window::Window,
};
use crate::{
    clock::{self, Timer},
    error::{Error, ends_session},
    pool::Pool,
};

/// How long a transaction runs until a Flush asks the server for the answers so far: a sign
/// of life well within any deadline.
const SIGN_OF_LIFE: Duration = Duration::from_millis(50);
/// First wait before work is done again; doubles.
const BACKOFF: Duration = Duration::from_millis(20);

pub(super) struct Lane {
    pool: Pool,
    queue: Arc<Queue>,
    index: usize,
    settings: Arc<Settings>,
    window: Window,
    /// How long a query takes on average, of late; zero before the first.
    mean: Duration,
    /// The batch in which a query was not done, or may not have been, if the rest of it
    /// must not run; and why.
    stopped: Option<(Arc<Chunk>, Arc<Error>)>,
    outbox: Vec<QueryResult>,
    timer: Timer,
    rng: fastrand::Rng,
}

/// The next thing to do.
enum Todo {
    Run(Work),
    /// Give the queries of the work this outcome, once all before is done.
    Say(Work, Outcome),
}

/// What ended a wait.
enum Wake {
    Answer(usize, Answer),
    /// There is more to send.
    More,
    /// No answer in time.
    Late,
}

impl Lane {
    pub(super) fn new(
        pool: &Pool,
        queue: Arc<Queue>,
        index: usize,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            pool: pool.clone(),
            queue,
            index,
            window: Window::new(settings.latency_budget, settings.grouped()),
            settings,
            mean: Duration::ZERO,
            stopped: None,
            outbox: Vec::new(),
            timer: Timer::default(),
            rng: fastrand::Rng::new(),
        }
    }

    /// Carries queries until the pipeline is closed and all is done. Aborted in the middle,
    /// it leaves a connection with statements under way, which is closed.
    pub(super) async fn run(mut self) {
        self.pace();
        loop {
            match self.queue.next(self.index, true, clock::now()) {
                Next::Send(chunk) => self.session(chunk).await,
                Next::At(at) => tokio::select! {
                    () = clock::sleep_until(at) => {}
                    () = self.queue.work(self.index) => {}
                },
                Next::Wait => self.queue.work(self.index).await,
                Next::End => return,
            }
        }
    }

    /// Sends the chunks that there are now, and returns when they are answered.
    pub(super) async fn turn(&mut self) {
        while let Next::Send(chunk) = self.queue.next(self.index, true, clock::now()) {
            self.session(chunk).await;
        }
    }

    /// Sends a chunk and what follows it, on as many connections as it takes, until nothing
    /// is left.
    async fn session(&mut self, chunk: Chunk) {
        let mut todo = VecDeque::from([self.todo(chunk)]);
        while !todo.is_empty() {
            match Carrier::take(&self.pool).await {
                Ok(carrier) => self.stream(carrier, &mut todo).await,
                Err(error) => self.unreachable(error, &mut todo).await,
            }
            self.hand_over();
        }
    }

    fn todo(&self, chunk: Chunk) -> Todo {
        let grouping = match (self.settings.grouped(), self.settings.coalesce) {
            (false, _) => Grouping::Each,
            (true, false) => Grouping::Together,
            (true, true) => Grouping::Coalesced,
        };
        Todo::Run(Work {
            range: 0..chunk.len(),
            chunk: Arc::new(chunk),
            grouping,
            tries: 0,
            failures: 0,
            in_doubt: false,
        })
    }

    fn policy(&self) -> FailurePolicy {
        match self.settings.strategy {
            Strategy::BestEffort | Strategy::Parallel if self.settings.read_only => {
                FailurePolicy::IndependentReads
            }
            Strategy::BestEffort | Strategy::Parallel => FailurePolicy::Independent,
            Strategy::Sequential => FailurePolicy::SkipRest,
            Strategy::Transactional => FailurePolicy::UndoAll,
        }
    }

    /// Deals with having no connection: work that may be tried again stays, the rest is not
    /// sent.
    async fn unreachable(&mut self, error: Error, todo: &mut VecDeque<Todo>) {
        let hopeless = matches!(error, Error::CircuitOpen { .. } | Error::Closed);
        let error = Arc::new(error);
        let mut waits = None;
        for what in std::mem::take(todo) {
            match what {
                Todo::Run(mut work) if !hopeless && work.tries < self.settings.retries => {
                    waits = waits.max(Some(work.tries));
                    work.tries += 1;
                    todo.push_back(Todo::Run(work));
                }
                Todo::Run(work) => self.say(&work, &Outcome::NotSent(error.clone())),
                Todo::Say(work, outcome) => self.say(&work, &outcome),
            }
        }
        if let Some(tries) = waits {
            self.back_off(tries).await;
        }
    }

    async fn back_off(&mut self, tries: u32) {
        self.hand_over();
        let most = BACKOFF * 2_u32.saturating_pow(tries.min(6));
        clock::sleep(most.mul_f64(0.5 + 0.5 * self.rng.f64())).await;
    }

    /// Sends on one connection until there is nothing more, or it is lost.
    async fn stream(&mut self, mut carrier: Carrier, todo: &mut VecDeque<Todo>) {
        let mut units: VecDeque<Unit> = VecDeque::new();
        // The first of them that failed: nothing is sent until all are answered.
        let mut failed: Option<usize> = None;
        loop {
            if units.is_empty() && carrier.is_broken() {
                // What is left goes on another.
                return self.done(carrier);
            }
            if failed.is_none()
                && let Err(error) = self.fill(&mut carrier, todo, &mut units).await
            {
                return self.abandon(carrier, units, todo, error).await;
            }
            if units.iter().all(|unit| unit.flying.is_empty()) {
                let Some(first) = failed.take() else {
                    // Nothing was sent, so there was nothing to send.
                    self.window.idle();
                    match carrier.sync().await {
                        Some(unit) => units.push_back(unit),
                        None => return self.done(carrier),
                    }
                    continue;
                };
                if let Err(error) = carrier.reset(self.pool.config().statement_timeout).await {
                    return self.lost(carrier, units, todo, Arc::new(error)).await;
                }
                self.failed(&mut carrier, units.split_off(first), todo)
                    .await;
                units.clear();
                continue;
            }
            match self.wait(&mut units, &carrier, failed.is_none()).await {
                Wake::More => {}
                Wake::Late if carrier.heard() => {}
                Wake::Late => {
                    let timeout = self.pool.config().statement_timeout;
                    let error = Arc::new(Error::StatementTimeout { timeout });
                    return self.lost(carrier, units, todo, error).await;
                }
                Wake::Answer(i, Err(error)) if error.code().is_none() || ends_session(&error) => {
                    // Not answered: the statement that is next stays the next.
                    units[i].flying.push_front(Flying::Lost);
                    let error = Arc::new(Error::Statement(error));
                    return self.lost(carrier, units, todo, error).await;
                }
                Wake::Answer(i, answer) => {
                    carrier.progress = clock::now();
                    if failed.is_none_or(|failed| i <= failed) {
                        let unit = &mut units[i];
                        if unit.work.grouping == Grouping::Each {
                            self.answered_each(&mut carrier, unit, answer, todo);
                        } else {
                            answered(&carrier, unit, answer);
                        }
                        if unit.error.is_some() && failed.is_none() {
                            failed = Some(i);
                            carrier.fail(&mut units).await;
                        }
                    }
                    while failed != Some(0) && units.front().is_some_and(|u| u.flying.is_empty()) {
                        if let Some(unit) = units.pop_front() {
                            self.complete(&mut carrier, unit);
                        }
                        failed = failed.map(|failed| failed - 1);
                    }
                }
            }
        }
    }

    /// Hands the connection back.
    fn done(&mut self, carrier: Carrier) {
        self.hand_over();
        carrier.give_back();
    }

    /// Sends as much as may be under way.
    ///
    /// # Errors
    /// If the connection cannot be used any more; the breaker was told.
    async fn fill(
        &mut self,
        carrier: &mut Carrier,
        todo: &mut VecDeque<Todo>,
        units: &mut VecDeque<Unit>,
    ) -> Result<(), Arc<Error>> {
        if self.pool.breaker().refuses() {
            return Ok(());
        }
        loop {
            match todo.front() {
                Some(Todo::Say(..)) if units.is_empty() => {
                    if let Some(Todo::Say(work, outcome)) = todo.pop_front() {
                        self.say(&work, &outcome);
                    }
                    continue;
                }
                Some(Todo::Say(..)) => return Ok(()),
                Some(Todo::Run(_)) => {}
                None => {
                    let next = self.queue.next(self.index, units.is_empty(), clock::now());
                    let Next::Send(chunk) = next else {
                        return Ok(());
                    };
                    let next = self.todo(chunk);
                    todo.push_back(next);
                }
            }
            let Some(Todo::Run(work)) = todo.front() else {
                continue;
            };
            let stopped = self.stopped.as_ref();
            if let Some((_, cause)) = stopped.filter(|(c, _)| Arc::ptr_eq(c, &work.chunk)) {
                let cause = cause.clone();
                self.skip_rest(&work.chunk.clone(), &cause, todo);
                continue;
            }
            let under_way: usize = units.iter().map(Unit::under_way).sum();
            let n = self.portion(work, under_way, units.len());
            if n == 0 || !may_follow(units.back(), work.grouping) {
                return Ok(());
            }
            if units.is_empty() {
                carrier.progress = clock::now();
            } else if !carrier.knows(work) {
                return Ok(());
            }
            let mut work = work.clone();
            todo.pop_front();
            if n < work.range.len() {
                let rest = work.range.start + n..work.range.end;
                work.range.end = rest.start;
                todo.push_front(Todo::Run(Work {
                    range: rest,
                    ..work.clone()
                }));
            }
            let prepared = match carrier.prepare(&self.pool, &work, &self.settings).await {
                Ok(prepared) => prepared,
                Err((at, error)) => {
                    self.unprepared(work, at, error, todo)?;
                    continue;
                }
            };
            // Behind a flush the caller waits; else there will be more before the answer.
            let last =
                todo.is_empty() && work.chunk.is_last() && work.range.end == work.chunk.len();
            let whole = matches!(
                self.policy(),
                FailurePolicy::SkipRest | FailurePolicy::UndoAll
            );
            let flush_every = if self.mean.is_zero() {
                16
            } else {
                (SIGN_OF_LIFE.as_nanos() / self.mean.as_nanos().max(1)).clamp(1, 256) as usize
            };
            let timeout = self.pool.config().statement_timeout;
            let (unit, left) = carrier
                .launch(work, prepared, whole || last, flush_every, timeout)
                .await;
            let began = unit.began;
            units.push_back(unit);
            let under_way = units.iter().map(Unit::under_way).sum();
            self.window.under_way(under_way, clock::now());
            left.map_err(|error| {
                carrier.failed(&error, began);
                Arc::new(error)
            })?;
        }
    }

    /// How many queries of `work` may be sent now.
    fn portion(&self, work: &Work, under_way: usize, units: usize) -> usize {
        let n = work.range.len();
        let limit = match self.settings.batch_size {
            BatchSize::Fixed(n) => n as usize,
            BatchSize::Auto => self.window.limit(),
        };
        if work.grouping == Grouping::Each {
            let room = limit.saturating_sub(under_way);
            // In bursts: each costs a wake-up.
            let burst = match self.settings.batch_size {
                BatchSize::Fixed(_) => limit.div_ceil(4),
                BatchSize::Auto => self.window.burst(),
            };
            return if under_way > 0 && room < burst {
                0
            } else {
                n.min(room)
            };
        }
        let fits = match self.settings.batch_size {
            // One that the server works on, and one that is on its way.
            BatchSize::Fixed(_) => units < 2,
            BatchSize::Auto => under_way == 0 || under_way + n <= limit,
        };
        if fits { n } else { 0 }
    }

    async fn wait(&mut self, units: &mut VecDeque<Unit>, carrier: &Carrier, more: bool) -> Wake {
        let deadline = carrier.progress + self.pool.config().statement_timeout;
        let (queue, index) = (self.queue.clone(), self.index);
        let mut work = std::pin::pin!(queue.work(index));
        poll_fn(|cx| {
            let at = units.iter().position(|unit| !unit.flying.is_empty());
            if let Poll::Ready(answer) = poll_next(units, cx) {
                return Poll::Ready(Wake::Answer(at.unwrap_or(0), answer));
            }
            self.hand_over();
            if more && work.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::More);
            }
            self.timer.poll_at(deadline, cx).map(|()| Wake::Late)
        })
        .await
    }
}

/// Whether work of this kind may be sent while `last` is under way: not if it would run
/// whatever becomes of what is before it.
fn may_follow(last: Option<&Unit>, grouping: Grouping) -> bool {
    last.is_none_or(|last| match (last.work.grouping, grouping) {
        // Only a Sync, which does not fail.
        _ if last.work.range.is_empty() => true,
        (Grouping::Each, Grouping::Each) => true,
        (Grouping::Each, _) | (_, Grouping::Each) => false,
        _ => !last.synced,
    })
}
