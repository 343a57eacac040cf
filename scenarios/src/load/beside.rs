//! What an arm does beside its operations: bursts of slow queries, callers that give up,
//! imports, and a second pool that is mostly idle.
//!
//! None of it is counted among the operations, whose times are compared between arms. A
//! burst takes every connection of the pool, and leaves all of them idle: after a fault,
//! the next one is handed each of them. A caller that gives up drops its future, alone or in
//! the middle of a transaction. An import brings rows in all the time, batch by batch: the
//! engine's pipeline in each of its strategies, another pool in one transaction for each
//! batch; and there is always a write under way that takes a while, which a fault meets. The second pool is flooded once, with far more calls than it has connections for,
//! and then has all its connections and half as many callers, who ask again when all of them
//! were answered: a fault that keeps them silent meets half of its connections in use and
//! the others idle, and these are still there when it is over.
//!
//! Invariants: what is under way is bounded, and an arrival above is left out; what was
//! begun is told of, also if it had no answer when the load ended; nothing is left behind
//! by [`Beside::finish`], or when it is dropped.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reports::run::{self, Call, CallKind, Operations, Outcome};
use seawall::{
    clock::{self, Instant},
    pipeline::Strategy,
};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use super::{
    client::Client,
    import::{ROWS, batch},
};

/// From one burst to the next.
const BURST: Duration = Duration::from_millis(500);
/// From one caller that gives up to the next.
const GIVES_UP: Duration = Duration::from_millis(200);
/// When it does so.
const GIVEN_UP: Duration = Duration::from_millis(30);
/// From one batch of an import to the next.
const BATCH: Duration = Duration::from_millis(100);
/// From the begin of a slow write to that of the next, unless it takes longer.
const SLOW_WRITE: Duration = Duration::from_millis(30);
/// From the answers of the second pool's callers to their next queries.
const QUIET: Duration = Duration::from_millis(150);
/// When the second pool is flooded.
const FLOODED: Duration = Duration::from_millis(100);
/// By how many callers for each connection: two seconds' worth of their queries.
const FLOOD: u32 = 20;
/// Bursts that may be under way at once.
const BURSTS: usize = 4;
/// Callers that give up and are under way at once.
const GIVING_UP: usize = 16;

/// The number that rows of a kind are written under, from that of the client on.
const FIRST_IMPORT: i32 = 1;
/// Connections that the second pool has at most: a server does not take any number.
pub const QUIET_CONNECTIONS: u32 = 10;

/// That of the slow writes, behind the four imports.
const SLOW_WRITES_NUMBER: i32 = 5;
/// That of the second pool.
pub const SECOND: i32 = 6;
const NEVER_COMMITTED: i32 = 7;
/// How many numbers a client needs.
pub const NUMBERS: i32 = 8;

/// The numbers that what runs beside a client writes under.
pub fn numbers(client: i32) -> impl Iterator<Item = i32> {
    let imports = (FIRST_IMPORT..).take(STRATEGIES.len());
    let others = [SLOW_WRITES_NUMBER, NEVER_COMMITTED];
    imports.chain(others).map(move |n| client + n)
}

const STRATEGIES: [(&str, Strategy); 4] = [
    ("best-effort", Strategy::BestEffort),
    ("sequential", Strategy::Sequential),
    ("transactional", Strategy::Transactional),
    ("parallel", Strategy::Parallel),
];
/// Writes that take a while, one at a time: whenever a fault comes, one is under way.
const SLOW_WRITES: &str = "slow-writes";
/// The strategy of a pool without a pipeline.
const ONE_TRANSACTION: &str = "one-transaction";

/// What runs beside a load. Dropping it stops it.
#[derive(Debug)]
pub struct Beside {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Arc<Client>,
    /// The second pool.
    quiet: Arc<Client>,
    start: Instant,
    calls: Mutex<Vec<Begun>>,
    imports: Mutex<Vec<Told>>,
    panicked: AtomicUsize,
}

/// A call, and whether it has ended.
#[derive(Debug)]
struct Begun {
    call: Call,
    ended: bool,
}

/// Waits for all tasks, and counts those that panicked. Cancel safe.
async fn joined(tasks: &mut JoinSet<()>, panicked: &AtomicUsize) {
    while let Some(ended) = tasks.join_next().await {
        count_panic(&ended, panicked);
    }
}

fn count_panic(ended: &Result<(), JoinError>, panicked: &AtomicUsize) {
    if ended.as_ref().is_err_and(JoinError::is_panic) {
        panicked.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was said of the rows of an import.
#[derive(Debug, Clone)]
pub struct Told {
    /// How they were brought in.
    pub strategy: &'static str,
    /// How many are brought in at once.
    pub batch: usize,
    /// The number that they were written under.
    pub client: i32,
    /// One letter for each row, in their order.
    pub outcomes: String,
    /// What was said of queries and cannot be: that one is done which the server refuses, or
    /// whose strategy leaves it out when another is refused; nothing at all; another number of
    /// rows than one.
    pub contradicted: u64,
}

/// All of it, when it is over.
#[derive(Debug)]
pub struct Done {
    /// Calls, in the order that they began in.
    pub calls: Vec<Call>,
    /// Imports.
    pub imports: Vec<Told>,
    /// The second pool.
    pub quiet: Arc<Client>,
    /// The number under which nothing may have been committed.
    pub never_committed: i32,
    /// How many of its tasks panicked.
    pub panicked: usize,
}

impl Beside {
    /// Starts it. `quiet` is the second pool, `start` zero of the load's clock.
    #[must_use]
    pub fn start(client: &Arc<Client>, quiet: Arc<Client>, start: Instant) -> Self {
        let (stop, stopped) = watch::channel(false);
        let imports = STRATEGIES.iter().zip(FIRST_IMPORT..);
        let imports = imports.map(|((name, _), n)| Told {
            strategy: if client.engine().is_some() {
                name
            } else {
                ONE_TRANSACTION
            },
            batch: usize::try_from(ROWS).unwrap_or(1),
            client: client.number() + n,
            outcomes: String::new(),
            contradicted: 0,
        });
        let slowly = Told {
            strategy: SLOW_WRITES,
            batch: 1,
            client: client.number() + SLOW_WRITES_NUMBER,
            outcomes: String::new(),
            contradicted: 0,
        };
        let shared = Arc::new(Shared {
            client: client.clone(),
            quiet,
            start,
            calls: Mutex::default(),
            imports: Mutex::new(imports.chain([slowly]).collect()),
            panicked: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(bursts(shared.clone(), stopped.clone()));
        tasks.spawn(give_ups(shared.clone(), stopped.clone()));
        tasks.spawn(quiet_calls(shared.clone(), stopped.clone()));
        for i in 0..STRATEGIES.len() {
            tasks.spawn(import(shared.clone(), stopped.clone(), i));
        }
        tasks.spawn(slow_writes(shared.clone(), stopped, STRATEGIES.len()));
        Self {
            tasks,
            stop,
            shared,
        }
    }

    /// Begins nothing more. What is under way goes on.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// [Stops](Self::stop), waits for what is under way until a moment, and gives up the
    /// rest.
    pub async fn finish(mut self, by: Instant) -> Done {
        self.stop();
        let panicked = &self.shared.panicked;
        if clock::timeout_at(by, joined(&mut self.tasks, panicked))
            .await
            .is_err()
        {
            self.tasks.abort_all();
            joined(&mut self.tasks, panicked).await;
        }
        let now_us = self.shared.us(clock::now());
        let mut begun = std::mem::take(&mut *self.shared.lock_calls());
        for Begun { call, ended } in &mut begun {
            if !*ended {
                call.latency_us = now_us.saturating_sub(call.at_us);
            }
        }
        Done {
            calls: begun.into_iter().map(|begun| begun.call).collect(),
            panicked: panicked.load(Ordering::Relaxed),
            imports: std::mem::take(&mut self.shared.lock_imports()),
            quiet: self.shared.quiet.clone(),
            never_committed: self.shared.client.number() + NEVER_COMMITTED,
        }
    }

    /// What was told of the rows of an import, as operations that a ledger can check.
    #[must_use]
    pub fn operations(told: &Told) -> Operations {
        let n = told.outcomes.len();
        Operations {
            kinds: run::Kind::Write.letter().to_string().repeat(n),
            outcomes: told.outcomes.clone(),
            // In no order that could be contradicted: nobody took the times.
            latencies_us: vec![u64::MAX; n],
            lags_us: vec![0; n],
            due_us: Vec::new(),
        }
    }
}

impl Shared {
    fn lock_calls(&self) -> std::sync::MutexGuard<'_, Vec<Begun>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_imports(&self) -> std::sync::MutexGuard<'_, Vec<Told>> {
        self.imports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn us(&self, at: Instant) -> u64 {
        let after = at.saturating_duration_since(self.start);
        u64::try_from(after.as_micros()).unwrap_or(u64::MAX)
    }

    /// Enters a call that begins; until it has ended, it counts as not answered.
    fn begin(&self, what: CallKind) -> usize {
        let mut calls = self.lock_calls();
        let call = Call {
            what,
            at_us: self.us(clock::now()),
            latency_us: 0,
            outcome: Outcome::TimedOut,
        };
        calls.push(Begun { call, ended: false });
        calls.len() - 1
    }

    fn end(&self, call: usize, outcome: Outcome) {
        let now_us = self.us(clock::now());
        if let Some(Begun { call, ended }) = self.lock_calls().get_mut(call) {
            call.latency_us = now_us.saturating_sub(call.at_us);
            call.outcome = outcome;
            *ended = true;
        }
    }
}

/// Waits for the next moment of a rhythm. False when it is over.
async fn next(at: &mut Instant, every: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    *at += every;
    tokio::select! {
        biased;
        _ = stopped.wait_for(|stopped| *stopped) => false,
        () = clock::sleep_until(*at) => true,
    }
}

async fn bursts(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let most = shared.client.max_connections();
    let mut burst = Burst::of(&shared, &shared.client, CallKind::Slow);
    let mut at = shared.start;
    while next(&mut at, BURST, &mut stopped).await {
        burst.begin(most);
    }
    burst.ended().await;
}

async fn quiet_calls(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let most = shared.quiet.max_connections();
    let mut at = shared.start;
    let mut flood = Burst::of(&shared, &shared.quiet, CallKind::Flood);
    if next(&mut at, FLOODED, &mut stopped).await {
        flood.begin(most.saturating_mul(FLOOD));
    }
    flood.ended().await;
    loop {
        at = clock::now();
        if !next(&mut at, QUIET, &mut stopped).await {
            return;
        }
        let mut callers = Burst::of(&shared, &shared.quiet, CallKind::Quiet);
        callers.begin(most.div_ceil(2));
        callers.ended().await;
    }
}

/// Queries of one pool that are asked at once, again and again.
struct Burst {
    shared: Arc<Shared>,
    client: Arc<Client>,
    what: CallKind,
    under_way: JoinSet<()>,
}

impl Burst {
    fn of(shared: &Arc<Shared>, client: &Arc<Client>, what: CallKind) -> Self {
        Self {
            shared: shared.clone(),
            client: client.clone(),
            what,
            under_way: JoinSet::new(),
        }
    }

    /// Asks so many at once, unless those of before are still waiting.
    fn begin(&mut self, queries: u32) {
        while let Some(ended) = self.under_way.try_join_next() {
            count_panic(&ended, &self.shared.panicked);
        }
        let bound = usize::try_from(queries).unwrap_or(usize::MAX);
        if self.under_way.len() >= bound.saturating_mul(BURSTS) {
            return;
        }
        for _ in 0..queries {
            let (shared, client, what) = (self.shared.clone(), self.client.clone(), self.what);
            self.under_way.spawn(async move {
                let call = shared.begin(what);
                let outcome = match what {
                    CallKind::Flood => client.slower().await,
                    _ => client.slow().await,
                };
                shared.end(call, outcome);
            });
        }
    }

    async fn ended(mut self) {
        joined(&mut self.under_way, &self.shared.panicked).await;
    }
}

async fn give_ups(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut under_way = JoinSet::new();
    let mut at = shared.start + GIVES_UP / 2;
    let mut n = 0;
    while next(&mut at, GIVES_UP, &mut stopped).await {
        while let Some(ended) = under_way.try_join_next() {
            count_panic(&ended, &shared.panicked);
        }
        if under_way.len() >= GIVING_UP {
            continue;
        }
        n += 1;
        let shared = shared.clone();
        under_way.spawn(async move {
            let in_transaction = n % 2 == 0;
            let call = shared.begin(if in_transaction {
                CallKind::GivesUpInTransaction
            } else {
                CallKind::GivesUp
            });
            let client = &shared.client;
            let number = client.number() + NEVER_COMMITTED;
            let asking = async {
                if in_transaction {
                    client.outlasting_in_transaction(number, n).await
                } else {
                    client.outlasting().await
                }
            };
            let outcome = match clock::timeout_at(clock::now() + GIVEN_UP, asking).await {
                Err(clock::Elapsed) => Outcome::Ok,
                Ok(Err(error)) => super::client::outcome(&error, false),
                // It answered before its time: the query did not run.
                Ok(Ok(())) => Outcome::Failed,
            };
            shared.end(call, outcome);
        });
    }
    joined(&mut under_way, &shared.panicked).await;
}

async fn slow_writes(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>, i: usize) {
    let number = shared.lock_imports()[i].client;
    let mut at = shared.start;
    let mut seq = 0;
    while next(&mut at, SLOW_WRITE, &mut stopped).await {
        // Given up while it is under way, it is in doubt.
        let in_doubt = Outcome::Unknown.letter();
        shared.lock_imports()[i].outcomes.push(in_doubt);
        let outcome = shared.client.slow_write(number, seq).await;
        let told = &mut shared.lock_imports()[i].outcomes;
        told.pop();
        told.push(outcome.letter());
        seq += 1;
        at = at.max(clock::now() - SLOW_WRITE);
    }
}

async fn import(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>, i: usize) {
    let number = shared.lock_imports()[i].client;
    let mut pipeline = shared.client.engine().and_then(|pool| {
        let builder = pool.pipeline().strategy(STRATEGIES[i].1);
        builder.start().ok()
    });
    let mut at = shared.start;
    let mut seq = 0;
    while next(&mut at, BATCH, &mut stopped).await {
        let seqs = seq..seq + ROWS;
        seq += ROWS;
        // Given up while it is under way, it is in doubt.
        let before = {
            let told = &mut shared.lock_imports()[i].outcomes;
            let before = told.len();
            told.extend(seqs.clone().map(|_| Outcome::Unknown.letter()));
            before
        };
        let (outcomes, contradicted) = match &mut pipeline {
            Some(pipeline) => {
                let strategy = STRATEGIES[i].1;
                if strategy == Strategy::Transactional {
                    // What they answer is checked as any other read is.
                    shared.client.read_batch(strategy).await;
                }
                batch(&shared.client, pipeline, strategy, number, seqs).await
            }
            None => {
                let outcome = shared.client.import(number, seqs.clone()).await;
                (seqs.map(|_| outcome).collect(), 0)
            }
        };
        let told = &mut shared.lock_imports()[i];
        told.outcomes.truncate(before);
        let letters = outcomes.into_iter().map(Outcome::letter);
        told.outcomes.extend(letters);
        told.contradicted += contradicted;
    }
}
