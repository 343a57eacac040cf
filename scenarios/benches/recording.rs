//! What it costs to record operations.
//!
//! `cargo bench -p scenarios --bench recording -- [--pairs 400] [--ms 50]` prints three things:
//!
//! - what an operation costs in the recorder alone, with one thread and with two;
//! - a closed loop of two callers, whose operations keep a processor busy for some 50 us and do
//!   nothing else, with the recorder and without, in pairs in random order;
//! - the same of reads from a PostgreSQL that it starts, with the worker that experiments use
//!   and with callers that only ask; and beside them pairs that do not differ at all.
//!
//! Only the ratios within a pair are compared: operations a second, and operations for a second
//! of this process's processor time, which other work on the machine disturbs less.

#![expect(clippy::print_stdout, reason = "a benchmark's output")]

use std::{
    error::Error,
    hint::black_box,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use reports::{
    record::{Interval, intervals},
    run::{Callers, Kind, Mix, Outcome},
    stats::Ratio,
};
use scenarios::{
    environment::{Endpoint, Environment, Fill, Wanted},
    load::{
        arrivals::Arrivals,
        client::Client,
        history::{History, Settled},
        operation::Operation,
        setup::Setup,
        worker::{Driven, Load},
        workload::Workload,
    },
};
use seawall::clock::{self, Instant};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const CALLERS: u32 = 2;
const MILLION: u64 = 1_000_000;
/// By then every caller has begun: timers are a millisecond late.
const BEGUN: Duration = Duration::from_millis(10);
/// Steps that take some 50 us, as a read on loopback does at the best.
const STEPS: u64 = 40_000;

fn main() -> Result {
    let (pairs, length) = settings()?;
    alone();
    busy(pairs, length);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(asked(pairs, length))
}

fn settings() -> Result<(u64, Duration)> {
    let (mut pairs, mut ms) = (400, 50);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().unwrap_or_default().parse::<u64>();
        match &*argument {
            "--pairs" => pairs = number()?,
            "--ms" => ms = number()?,
            // cargo's own.
            "--bench" => {}
            other => return Err(format!("{other}, allowed: --pairs N, --ms N").into()),
        }
    }
    Ok((pairs, Duration::from_millis(ms)))
}

/// The recorder of a load, as its worker uses it, and what is made of it each second.
#[derive(Default)]
struct Recorder {
    history: Mutex<History>,
}

impl Recorder {
    fn with<T>(&self, then: impl FnOnce(&mut History) -> T) -> T {
        then(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, zero: Instant, operation: impl FnOnce()) {
        let due = clock::now().saturating_duration_since(zero);
        let due_us = us(due);
        let i = self.with(|history| history.begin(due_us));
        operation();
        let settled = Settled {
            outcome: Outcome::Ok,
            latency_us: us(clock::now().saturating_duration_since(zero)) - due_us,
            lag_us: 0,
        };
        self.with(|history| history.settle(i, settled));
    }

    /// What the stage does once a second; how many bytes it writes.
    fn interval(&self, spare: &mut Interval) -> usize {
        self.with(|history| history.swap_interval(spare));
        let second = Duration::from_secs(1);
        let lines = intervals::lines("arm", second, second, spare);
        spare.clear();
        lines.map_or(0, |lines| lines.len())
    }
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn alone() {
    for threads in [1, 2] {
        let recorder = Recorder::default();
        let began = clock::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..MILLION / threads {
                        recorder.record(began, || {});
                    }
                });
            }
        });
        let took = clock::now() - began;
        let began = clock::now();
        let bytes = recorder.interval(&mut Interval::default());
        let interval = clock::now() - began;
        let n = recorder.with(|history| history.len());
        println!(
            "recorder alone, {threads} threads: {} ns an operation with both of its clock reads, of \
             {n}; an interval takes {interval:.0?} and {bytes} bytes",
            took.as_nanos() / u128::from(MILLION),
        );
    }
}

/// Keeps the processor busy, for as much work whatever else the machine does.
fn spin() {
    let mut x = black_box(88_172_645_463_325_252_u64);
    for _ in 0..STEPS {
        x ^= x << 13;
        x ^= x >> 7;
    }
    black_box(x);
}

/// Operations a second, and for a second of processor time.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    per_s: f64,
    per_cpu_s: f64,
}

/// What has passed when it is asked.
struct Since {
    began: Instant,
    cpu: Duration,
}

impl Since {
    fn now() -> Self {
        Self {
            began: clock::now(),
            cpu: processor_time(),
        }
    }

    fn rates(&self, done: u64) -> Rates {
        let cpu = processor_time().saturating_sub(self.cpu);
        Rates {
            per_s: done as f64 / (clock::now() - self.began).as_secs_f64(),
            per_cpu_s: done as f64 / cpu.as_secs_f64(),
        }
    }
}

/// What this process has used of its processors so far.
fn processor_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// What two threads did.
fn spun(length: Duration, recorder: Option<&Recorder>) -> Rates {
    let since = Since::now();
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while clock::now() < since.began + length {
                    match recorder {
                        Some(recorder) => recorder.record(since.began, spin),
                        None => spin(),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    since.rates(done.into_inner())
}

fn busy(pairs: u64, length: Duration) {
    let (mut with, mut same) = (Pairs::default(), Pairs::default());
    for pair in 0..pairs {
        let mut rates = [Rates::default(); 3];
        for which in order(pair) {
            let recorder = Recorder::default();
            rates[which] = spun(length, (which == 1).then_some(&recorder));
        }
        with.add(rates[1], rates[0]);
        same.add(rates[2], rates[0]);
    }
    with.tell("busy, recorded / not");
    same.tell("busy, not / not");
}

fn order(pair: u64) -> [usize; 3] {
    let mut order = [0, 1, 2];
    fastrand::Rng::with_seed(pair).shuffle(&mut order);
    order
}

#[derive(Default)]
struct Pairs {
    per_s: Vec<f64>,
    per_cpu_s: Vec<f64>,
}

impl Pairs {
    fn add(&mut self, one: Rates, other: Rates) {
        self.per_s.push(one.per_s / other.per_s);
        self.per_cpu_s.push(one.per_cpu_s / other.per_cpu_s);
    }

    fn tell(&self, what: &str) {
        tell(&format!("{what}, a second"), &self.per_s);
        tell(
            &format!("{what}, a second of processor time"),
            &self.per_cpu_s,
        );
    }
}

fn tell(what: &str, ratios: &[f64]) {
    let Ratio {
        median, low, high, ..
    } = Ratio::of(ratios);
    let or_none = |of: Option<f64>| of.map_or_else(|| "-".to_owned(), |of| format!("{of:.4}"));
    println!(
        "{what}: {} [{}, {}], {} pairs",
        or_none(median),
        or_none(low),
        or_none(high),
        ratios.len()
    );
}

async fn asked(pairs: u64, length: Duration) -> Result {
    let wanted = Wanted {
        kind: scenarios::environment::Kind::Local,
        image: None,
        pg_bin: None,
        database_url: None,
        small_disk: false,
        own_database: None,
        fill: Fill::default(),
    };
    let environment = Environment::start(&wanted, std::future::pending()).await?;
    let compared = pairs_of(environment.endpoint(), pairs, length).await;
    environment.stop().await?;
    compared
}

async fn pairs_of(endpoint: &Endpoint, pairs: u64, length: Duration) -> Result {
    let workload = Workload::new(7);
    workload.create(endpoint).await?;
    let setup = Setup::Bare {
        max_connections: CALLERS,
    };
    let rng = fastrand::Rng::with_seed(7);
    let client = Arc::new(Client::new(&setup, endpoint, &workload, 1, rng)?);
    let rows = client.proofs().initial();
    workload.add_client(endpoint, client.number(), rows).await?;
    only_asked(&client, length).await?;
    let (mut with, mut same, mut per_s) = (Pairs::default(), Pairs::default(), Vec::new());
    for pair in 0..pairs {
        let mut rates = [Rates::default(); 3];
        for which in order(pair) {
            rates[which] = match which {
                1 => recorded(&client, length).await?,
                _ => only_asked(&client, length).await?,
            };
        }
        with.add(rates[1], rates[0]);
        same.add(rates[2], rates[0]);
        per_s.push(rates[0].per_s);
    }
    let per_s = reports::stats::median(per_s).unwrap_or_default();
    println!("PostgreSQL: {per_s:.0} reads a second of {CALLERS} callers");
    with.tell("reads, recorded / not");
    same.tell("reads, not / not");
    Ok(())
}

/// What is done in a window, once the callers have begun.
async fn window(length: Duration, done: impl Fn() -> u64) -> Rates {
    clock::sleep_until(clock::now() + BEGUN).await;
    let (since, before) = (Since::now(), done());
    clock::sleep_until(since.began + length).await;
    since.rates(done() - before)
}

/// Reads a second of callers that do nothing beside.
async fn only_asked(client: &Arc<Client>, length: Duration) -> Result<Rates> {
    let mut callers = tokio::task::JoinSet::new();
    let next = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicU64::new(0));
    let stopped = Arc::new(AtomicBool::new(false));
    for caller in 0..CALLERS {
        let (client, next) = (client.clone(), next.clone());
        let (done, stopped) = (done.clone(), stopped.clone());
        callers.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let seq = next.fetch_add(1, Ordering::Relaxed);
                let operation = Operation {
                    seq: i64::try_from(seq).unwrap_or(0),
                    kind: Kind::Read,
                    caller,
                };
                let outcome = client.run(operation, || {}).await;
                done.fetch_add(u64::from(outcome == Outcome::Ok), Ordering::Relaxed);
            }
        });
    }
    let rates = window(length, || done.load(Ordering::Relaxed)).await;
    stopped.store(true, Ordering::Relaxed);
    callers.join_all().await;
    Ok(rates)
}

/// Reads a second of the worker, which records them.
async fn recorded(client: &Arc<Client>, length: Duration) -> Result<Rates> {
    let arrivals = Arrivals {
        rate_per_s: 1,
        write_share: 0.0,
        mix: Mix::default(),
    };
    let driven = Driven::Closed { callers: CALLERS };
    let zero = clock::now();
    let load = Load::start(client.clone(), arrivals, Callers::default(), driven, zero);
    let rates = window(length, || load.counts().ok).await;
    let (operations, _) = load.finish(Duration::from_secs(5)).await?;
    if operations.outcomes.chars().any(|letter| letter != 'o') {
        return Err("a read failed".into());
    }
    Ok(rates)
}
