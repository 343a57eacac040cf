//! What a breaker costs a call, beside its peers: permit and record on the closed path
//! with and without a clock, on one thread and on two, and a refusal.
//!
//!     cargo bench -p seawall --bench breaker

#![expect(
    missing_docs,
    reason = "criterion's macro makes a function without any"
)]

use std::{
    hint::black_box,
    sync::{Barrier, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use failsafe::CircuitBreaker as _;
use seawall::{
    breaker::{Breaker, CallOutcome, Config, Tick},
    clock,
};

/// How one call goes through each, all of them closed.
trait Closed: Sync {
    fn call(&self);
}

struct Ours(Breaker, clock::Instant, Tick);

impl Ours {
    fn new(breaker: Breaker) -> Self {
        let now = clock::now();
        let tick = breaker.tick(now);
        Self(breaker, now, tick)
    }
}

impl Closed for Ours {
    fn call(&self) {
        if let Ok(permit) = self.0.admit(self.1) {
            black_box(permit.record_at(CallOutcome::Success, black_box(self.2)));
        }
    }
}

/// The same, told the time as it comes from a clock.
struct OursAtInstant(Breaker, clock::Instant);

impl Closed for OursAtInstant {
    fn call(&self) {
        if let Ok(permit) = self.0.admit(self.1) {
            black_box(permit.record(CallOutcome::Success, black_box(self.1)));
        }
    }
}

struct OursWithClock(Breaker);

impl Closed for OursWithClock {
    fn call(&self) {
        if let Ok(permit) = self.0.admit(clock::now()) {
            black_box(permit.record(CallOutcome::Success, clock::now()));
        }
    }
}

struct Failsafe<T>(T);

impl<T: failsafe::CircuitBreaker + Sync> Closed for Failsafe<T> {
    fn call(&self) {
        let done = self.0.call(|| Ok::<u64, ()>(black_box(7)));
        assert!(done.is_ok());
    }
}

struct Recloser(recloser::Recloser);

impl Closed for Recloser {
    fn call(&self) {
        let done = self.0.call(|| Ok::<u64, ()>(black_box(7)));
        assert!(done.is_ok());
    }
}

/// Calls on two threads at once: the time that each of them takes for `n` calls.
fn on_two(n: u64, call: &impl Closed) -> Duration {
    let (start, stop) = (Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..64 {
                    call.call();
                }
            }
        });
        start.wait();
        let began = clock::now();
        for _ in 0..n {
            call.call();
        }
        let took = began.elapsed();
        stop.store(true, Ordering::Relaxed);
        took
    })
}

fn closed(c: &mut Criterion) {
    both(c, "seawall", &Ours::new(breaker()));
    let instant = OursAtInstant(breaker(), clock::now());
    both(c, "seawall, and one instant less another", &instant);
    both(c, "seawall, and two clock reads", &OursWithClock(breaker()));
    both(
        c,
        "seawall, age of the oldest call",
        &Ours::new(with_ages()),
    );
    both(c, "failsafe, consecutive", &Failsafe(consecutive()));
    let default = failsafe::Config::new().build();
    both(c, "failsafe, default", &Failsafe(default));
    let recloser = recloser::Recloser::custom().build();
    both(c, "recloser", &Recloser(recloser));
}

/// One thread, and one of two.
fn both(c: &mut Criterion, name: &str, call: &impl Closed) {
    let mut group = c.benchmark_group("permit and record, closed");
    group.bench_function(BenchmarkId::new(name, "1 thread"), |b| {
        b.iter(|| call.call());
    });
    group.bench_function(BenchmarkId::new(name, "2 threads"), |b| {
        b.iter_custom(|n| on_two(n, call));
    });
    group.finish();
}

fn breaker() -> Breaker {
    Breaker::new(Config::default())
}

fn with_ages() -> Breaker {
    Breaker::new(Config {
        hanging: Some(Duration::from_secs(1)),
        ..Config::default()
    })
}

fn consecutive() -> impl failsafe::CircuitBreaker + Sync {
    let backoff = failsafe::backoff::constant(Duration::from_secs(60));
    let policy = failsafe::failure_policy::consecutive_failures(5, backoff);
    failsafe::Config::new().failure_policy(policy).build()
}

/// Through a tower service, as tower-resilience is used.
fn service(c: &mut Criterion) {
    use tower_service::Service;

    async fn answer<S: Service<u64, Response = u64>>(service: &mut S) -> Option<u64> {
        std::future::poll_fn(|context| service.poll_ready(context))
            .await
            .ok()?;
        service.call(black_box(7)).await.ok()
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    #[derive(Clone)]
    struct Echo;
    impl Service<u64> for Echo {
        type Response = u64;
        type Error = std::io::Error;
        type Future = std::future::Ready<Result<u64, std::io::Error>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), std::io::Error>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: u64) -> Self::Future {
            std::future::ready(Ok(request))
        }
    }
    use tower_layer::Layer as _;
    let mut ours = seawall::breaker::layer::BreakerLayer::new(breaker()).layer(Echo);
    let theirs = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder().build();
    let mut theirs = theirs.layer(Echo);
    let mut group = c.benchmark_group("a tower service, closed");
    group.bench_function("seawall", |b| {
        b.iter(|| runtime.block_on(answer(&mut ours)));
    });
    group.bench_function("tower-resilience", |b| {
        b.iter(|| runtime.block_on(answer(&mut theirs)));
    });
    group.finish();
}

fn refused(c: &mut Criterion) {
    let open = breaker();
    let now = clock::now();
    for _ in 0..5 {
        if let Ok(permit) = open.admit(now) {
            permit.record(CallOutcome::Failure, now);
        }
    }
    assert!(open.admit(now).is_err());
    let mut group = c.benchmark_group("a refusal");
    group.bench_function("seawall", |b| {
        b.iter(|| assert!(black_box(open.admit(now)).is_err()));
    });
    let failsafe = consecutive();
    while !matches!(
        failsafe.call(|| Err::<(), ()>(())),
        Err(failsafe::Error::Rejected)
    ) {}
    group.bench_function("failsafe, consecutive", |b| {
        b.iter(|| black_box(failsafe.call(|| Ok::<(), ()>(()))));
    });
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
}

criterion_group! {
    name = benches;
    config = short();
    targets = closed, service, refused
}
criterion_main!(benches);
