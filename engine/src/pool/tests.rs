//! The pool in paused time, against a stub of the wire protocol in memory.

mod answers;
mod changes;
mod given_up;
mod leaks;
mod minimum;
mod pipelines;
mod quarantine;
mod silence;
mod waiting;
mod watched;

use std::{
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_postgres::NoTls;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::*;
use crate::{
    breaker::{self, Breaker, CallOutcome, Probe, State},
    clock::{self, Elapsed, Instant},
    config::{PoolConfig, WhenOpen},
    connect::{Connect, Connecting, Session},
    error::{AcquireStage, Error, ErrorClass},
    metrics::Counter,
    wire::{Transport, Wire},
};

/// What the stub does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Answers.
    Well,
    /// Accepts, and says nothing more.
    Mute,
    /// Closes every connection, and each new one.
    Gone,
    /// Refuses every log-in, as a pooler does whose server is gone.
    LoginRefused,
    /// Ends the session at the next statement, with an error of any class.
    Fatal,
    /// Answers every statement as a ROLLBACK.
    RollsBack,
    /// Refuses every statement.
    Refuses,
}

/// `ErrorResponse`: ERROR, 23505.
const REFUSED: &[u8] = b"E\0\0\0\x1dSERROR\0VERROR\0C23505\0Mx\0\0";

/// `ErrorResponse`: FATAL, 08P01.
const FATAL: &[u8] = b"E\0\0\0\x1dSFATAL\0VFATAL\0C08P01\0Mx\0\0";

#[derive(Clone)]
struct Stub {
    mood: Arc<Mutex<Mood>>,
    /// What it does on connections that are made from now on, if that is something else.
    new_mood: Arc<Mutex<Option<Mood>>>,
    changed: Arc<tokio::sync::Notify>,
    live: Arc<AtomicUsize>,
    parses: Arc<AtomicUsize>,
    /// Which server it is, if it says so: a letter.
    server: Arc<Mutex<Option<u8>>>,
    /// Whether connections go through a transport of ours.
    wired: bool,
}

impl Stub {
    fn new() -> Self {
        Self {
            mood: Arc::new(Mutex::new(Mood::Well)),
            new_mood: Arc::default(),
            changed: Arc::default(),
            live: Arc::default(),
            parses: Arc::default(),
            server: Arc::default(),
            wired: true,
        }
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    /// One row: with which server it is, or without columns.
    fn row(&self) -> Vec<u8> {
        let server = *self.server.lock().unwrap();
        let mut row: Vec<u8> = match server {
            None => b"T\0\0\0\x06\0\0D\0\0\0\x06\0\0".to_vec(),
            Some(letter) => {
                let mut row = b"T\0\0\0\x1a\0\x01s\0".to_vec();
                row.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
                row.extend_from_slice(b"D\0\0\0\x0b\0\x01\0\0\0\x01");
                row.push(letter);
                row
            }
        };
        row.extend_from_slice(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
        row
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        self.changed.notify_waiters();
    }

    /// From now on this is what it does on connections that are made; on those that are there
    /// nothing changes.
    fn for_new_ones(&self, mood: Mood) {
        *self.new_mood.lock().unwrap() = Some(mood);
    }

    /// The server as a connection that is made now will see it.
    fn now(&self) -> Self {
        match *self.new_mood.lock().unwrap() {
            None => self.clone(),
            Some(mood) => Self {
                mood: Arc::new(Mutex::new(mood)),
                ..self.clone()
            },
        }
    }

    /// Serves one connection until either side ends it.
    async fn serve(self, mut stream: DuplexStream) {
        self.live.fetch_add(1, Ordering::SeqCst);
        let served = self.answer(&mut stream).await;
        self.live.fetch_sub(1, Ordering::SeqCst);
        drop(served);
    }

    async fn answer(&self, stream: &mut DuplexStream) -> std::io::Result<()> {
        let mut startup = vec![0; stream.read_u32().await? as usize - 4];
        stream.read_exact(&mut startup).await?;
        // AuthenticationOk, ReadyForQuery.
        let mut answer = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".to_vec();
        if self.mood() == Mood::LoginRefused {
            return stream.write_all(FATAL).await;
        }
        loop {
            match self.mood() {
                Mood::Well | Mood::RollsBack | Mood::Refuses => {
                    stream.write_all(&answer).await?;
                    answer.clear();
                }
                Mood::Gone => return Ok(()),
                Mood::Mute | Mood::LoginRefused | Mood::Fatal => {}
            }
            let message = tokio::select! {
                message = read(stream) => message?,
                () = self.changed.notified() => continue,
            };
            if self.mood() == Mood::Fatal {
                return stream.write_all(FATAL).await;
            }
            if message == b'P' {
                self.parses.fetch_add(1, Ordering::SeqCst);
            }
            let row = self.row();
            let now: &[u8] = match message {
                // ParseComplete; ParameterDescription and NoData; BindComplete.
                b'P' => b"1\0\0\0\x04",
                b'D' => b"t\0\0\0\x06\0\0n\0\0\0\x04",
                b'B' => b"2\0\0\0\x04",
                // CommandComplete; CloseComplete; ReadyForQuery.
                b'E' if self.mood() == Mood::RollsBack => b"C\0\0\0\x0dROLLBACK\0",
                b'E' if self.mood() == Mood::Refuses => REFUSED,
                b'E' => b"C\0\0\0\x0dSELECT 0\0",
                b'C' => b"3\0\0\0\x04",
                b'S' => b"Z\0\0\0\x05I",
                b'H' => b"",
                b'Q' => &row,
                _ => return Ok(()),
            };
            answer.extend_from_slice(now);
        }
    }
}

async fn read(stream: &mut DuplexStream) -> std::io::Result<u8> {
    let kind = stream.read_u8().await?;
    let mut body = vec![0; stream.read_u32().await? as usize - 4];
    stream.read_exact(&mut body).await?;
    Ok(kind)
}

impl Connect for Stub {
    fn connect(&self, config: &tokio_postgres::Config) -> Connecting<'_> {
        let config = config.clone();
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            let server = self.now();
            if server.mood() == Mood::Gone {
                drop(theirs);
            } else {
                tokio::spawn(server.serve(theirs));
            }
            if !self.wired {
                let (client, connection) = config.connect_raw(ours, NoTls).await?;
                let task = tokio::spawn(async move {
                    let _ended = connection.await;
                });
                return Ok(Session {
                    client,
                    task,
                    wire: None,
                    cancel: None,
                });
            }
            let wire = Wire::default();
            let ours = Transport::plain(ours, wire.clone());
            let (client, connection) = config.connect_raw(ours, NoTls).await?;
            let task = tokio::spawn(async move {
                let _ended = connection.await;
            });
            Ok(Session {
                client,
                task,
                wire: Some(wire),
                cancel: None,
            })
        })
    }
}

fn pool(stub: &Stub, max_connections: u32) -> Pool {
    let config = PoolConfig {
        max_connections,
        acquire_timeout: Duration::from_millis(200),
        statement_timeout: Duration::from_millis(300),
        circuit_breaker_recovery_timeout: Duration::from_secs(1),
        circuit_breaker_when_open: WhenOpen::Refuse,
        ..PoolConfig::default()
    };
    Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1)).expect("valid")
}

#[tokio::test(start_paused = true)]
async fn an_opening_circuit_wakes_those_who_wait_and_those_who_connect() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    stub.set(Mood::Mute);
    let started = clock::now();
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.query("SELECT 1", &[]).await.expect_err("mute") })
        })
        .collect();
    clock::sleep(Duration::from_millis(10)).await;
    for _ in 0..5 {
        let permit = pool.breaker().admit(clock::now()).expect("closed");
        permit.record(CallOutcome::Failure, clock::now());
    }
    for caller in callers {
        let error = caller.await.expect("no panic");
        assert!(matches!(error, Error::CircuitOpen { .. }), "{error:?}");
    }
    assert!(
        clock::now() - started < Duration::from_millis(20),
        "at once, not at the deadline"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_queueing_and_connecting_together() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    let held = pool.acquire().await.expect("one");
    let started = clock::now();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    clock::sleep(Duration::from_millis(150)).await;
    stub.set(Mood::Mute);
    // Broken, so that the next has to connect, with 50 ms left of its 200.
    pool.inner.evict(pool.inner.epoch.current());
    drop(held);
    let error = waiting.await.expect("no panic").expect_err("mute");
    assert!(
        matches!(
            error,
            Error::AcquireTimeout {
                stage: AcquireStage::Connecting,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!((clock::now() - started).as_millis(), 200);
}

/// Once the probe was a task of the runtime that the pool was made in: of a pool in a static
/// it ended with that runtime, or stood still while nobody drove it.
#[test]
fn a_probe_that_ended_or_stands_still_with_its_runtime_is_begun_in_another() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
    };
    for ends in [true, false] {
        let stub = Stub::new();
        let config = PoolConfig::default();
        let pool = Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1));
        let pool = pool.expect("outside of any runtime");
        stub.set(Mood::Gone);
        let first = runtime();
        first.block_on(async {
            while pool.breaker().state() != State::Open {
                let hurried = pool.within(Duration::from_millis(1));
                let asked = hurried.query("SELECT 1", &[]).await;
                asked.expect_err("nobody there");
            }
        });
        let kept = (!ends).then_some(first);
        stub.set(Mood::Well);
        let refused = runtime().block_on(async {
            let began = clock::now();
            while let Err(error) = pool.query("SELECT 1", &[]).await {
                assert!(matches!(error, Error::CircuitOpen { .. }), "{error:?}");
                clock::sleep(Duration::from_millis(5)).await;
            }
            clock::now() - began
        });
        // Of a task that stands still nobody can know before it is late.
        let most = if ends { 60 } else { 2_700 };
        assert!(refused < Duration::from_millis(most), "{refused:?}");
        assert!(pool.metrics().counter(Counter::Probes) > 0);
        drop(kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_says_so() {
    let stub = Stub::new();
    let pool = pool(&stub, 2);
    pool.query("SELECT 1", &[]).await.expect("answered");
    pool.close();
    assert!(matches!(
        pool.query("SELECT 1", &[]).await,
        Err(Error::Closed)
    ));
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!(stub.live.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_opening_circuit_evicts_what_was_made_before() {
    let stub = Stub::new();
    let pool = pool(&stub, 10);
    let loans = join_all((0..10).map(|_| pool.acquire())).await;
    drop(loans);
    assert_eq!(pool.status().idle, 10);
    stub.set(Mood::Mute);
    // Five time-outs in a row, on five of them.
    let asked = join_all((0..5).map(|_| pool.query("SELECT 1", &[]))).await;
    assert!(asked.iter().all(Result::is_err));
    assert_eq!(pool.breaker().state(), State::Open);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!(pool.status().idle, 0, "the other five are as silent");
    stub.set(Mood::Gone);
    clock::sleep(Duration::from_millis(1)).await;
    assert_eq!(pool.status().size, 0, "nor do they ever answer");
    assert_eq!(pool.metrics().counter(Counter::Evicted), 5);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_an_answer_outstanding_is_not_lent_again() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    for (made, waits_ms) in [(1, 10), (2, 400)] {
        pool.query("SELECT 1", &[]).await.expect("well");
        assert_eq!(pool.metrics().counter(Counter::Created), made);
        stub.set(Mood::Mute);
        // Given up by its caller the first time, by its deadline the second.
        let until = clock::now() + Duration::from_millis(waits_ms);
        let answer = clock::timeout_at(until, pool.query("SELECT 1", &[])).await;
        assert!(!matches!(answer, Ok(Ok(_))));
        // As long as a probe may take.
        clock::sleep(Duration::from_millis(201)).await;
        assert_eq!(pool.status().size, 0);
        stub.set(Mood::Well);
    }
    assert_eq!(pool.metrics().counter(Counter::Discarded), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_log_in_is_no_sign_of_life() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    stub.set(Mood::LoginRefused);
    for _ in 0..5 {
        let error = pool.query("SELECT 1", &[]).await.expect_err("refused");
        assert_eq!(error.class(), ErrorClass::Network, "{error:?}");
    }
    assert_eq!(pool.breaker().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_ends_the_session_leaves_the_outcome_unknown() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    pool.query("SELECT 1", &[]).await.expect("well");
    stub.set(Mood::Fatal);
    let error = pool.query("SELECT 1", &[]).await.expect_err("fatal");
    assert_eq!(error.class(), ErrorClass::Unavailable, "whatever its code");
    assert!(error.may_have_run());
    assert_eq!(pool.status().size, 0, "not lent again");
    stub.set(Mood::Well);
    pool.query("SELECT 1", &[]).await.expect("on a new one");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_encoded_says_nothing_about_the_server() {
    let stub = Stub::new();
    let pool = pool(&stub, 1);
    for _ in 0..10 {
        let error = pool.query("SELECT 'a\0b'", &[]).await.expect_err("a NUL");
        assert_eq!(error.class(), ErrorClass::Statement, "{error:?}");
    }
    assert_eq!(pool.breaker().state(), State::Closed);
    assert_eq!(
        pool.metrics().counter(Counter::Created),
        1,
        "none was evicted"
    );
    // Neither is it a sign of life: it hides no time-out between two of them.
    for _ in 0..5 {
        stub.set(Mood::Mute);
        let _timed_out = pool.query("SELECT 1", &[]).await;
        stub.set(Mood::Well);
        let _not_sent = pool.query("SELECT 'a\0b'", &[]).await;
    }
    assert_eq!(pool.breaker().history_since(0).len(), 1, "opened");
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_just_full_is_of_use() {
    let stub = Stub::new();
    let config = PoolConfig {
        max_connections: 1,
        statement_cache_size: 8,
        ..PoolConfig::default()
    };
    let pool =
        Pool::with_connect(config, stub.clone(), fastrand::Rng::with_seed(1)).expect("valid");
    for i in 0..80 {
        pool.query(&format!("SELECT {}", i % 8), &[])
            .await
            .expect("well");
    }
    assert_eq!(stub.parses.load(Ordering::SeqCst), 8);
}
