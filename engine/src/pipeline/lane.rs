//! [`Lane`]: one task that carries queries over one connection at a time.

mod answers;
mod carrier;
mod failed;
mod fill;
mod line;
mod lost;

use std::{collections::VecDeque, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use self::{answers::answered, carrier::Carrier};
use super::{
    batch::Chunk,
    flight::{Answer, Flying, Grouping, Unit, Work, poll_next},
    outcome::{Outcome, QueryResult},
    queue::{Next, Queue},
    settings::{Settings, Strategy},
    settle::FailurePolicy,
    window::Window,
};
use crate::{
    clock::{self, Timer},
    error::{Error, ends_session},
    pool::Pool,
};

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
    /// Bytes of the results in it.
    outbox_bytes: usize,
    /// How many bytes the answer to a query of a transaction has on average, of late.
    answer_bytes: usize,
    timer: Timer,
    rng: fastrand::Rng,
}

/// The next thing to do.
enum Todo {
    Run(Work),
    /// Give the queries of the work this outcome, once all before is done.
    Conclude(Work, Outcome),
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
            outbox_bytes: 0,
            answer_bytes: 0,
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
        let mut todo = VecDeque::from([Todo::Run(self.work(chunk))]);
        while !todo.is_empty() {
            match Carrier::take(&self.pool).await {
                Ok(carrier) => self.stream(carrier, &mut todo).await,
                Err(error) => self.unreachable(error, &mut todo).await,
            }
            self.hand_over();
        }
    }

    /// The work that a chunk is.
    fn work(&self, chunk: Chunk) -> Work {
        let grouping = match (self.settings.grouped(), self.settings.coalesce) {
            (false, _) => Grouping::Each,
            (true, false) => Grouping::Together,
            (true, true) => Grouping::Coalesced,
        };
        Work {
            range: 0..chunk.len(),
            chunk: Arc::new(chunk),
            grouping,
            tries: 0,
            failures: 0,
            in_doubt: false,
        }
    }

    fn policy(&self) -> FailurePolicy {
        match self.settings.strategy {
            Strategy::BestEffort | Strategy::Parallel if self.settings.read_only => {
                FailurePolicy::IndependentReads
            }
            Strategy::BestEffort | Strategy::Parallel => FailurePolicy::Independent,
            Strategy::Sequential if planted!(PipelineGoesOnAfterFailure) => {
                FailurePolicy::Independent
            }
            Strategy::Sequential => FailurePolicy::SkipRest,
            Strategy::Transactional if planted!(PipelineTransactionsInPart) => {
                FailurePolicy::Independent
            }
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
                Todo::Run(work) => self.conclude(&work, &Outcome::NotSent(error.clone())),
                Todo::Conclude(work, outcome) => self.conclude(&work, &outcome),
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
            if self.queue.unread().holds_up(self.index) {
                // What is not taken from the connection holds up the server, by and by.
                self.hand_over();
                self.queue.unread().read(self.index).await;
                carrier.progress = clock::now();
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
                            answered(&mut carrier, unit, answer);
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

    async fn wait(&mut self, units: &mut VecDeque<Unit>, carrier: &Carrier, more: bool) -> Wake {
        let timeout = self.pool.config().statement_timeout;
        let deadline =
            carrier.progress + planted!(PipelineNoTimeout, timeout => Duration::from_secs(86_400));
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
