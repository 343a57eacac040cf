//! One fault under load, with everything counted twice: by the metrics, and by those who were
//! there.

use std::{sync::Arc, time::Duration};

use reports::experiments::observability::{Compared, Exam, Quantile, Sessions};
use seawall::{
    Pool, PoolConfig,
    breaker::{Event, State},
    clock::{self, Instant},
    exposition,
    metrics::{Counter, OutcomeLabel, QueryKind, ResultLabel, STATES, Timing},
    status::Watched,
};
use tokio::task::JoinSet;

use super::{
    callers::{Callers, Statements, patience, served_again},
    pool_through, pool_with,
    scraped::Scraped,
    witness::{self, CountingTcp, Tally},
};
use crate::{
    environment::chain,
    stage::{Interrupted, Stage, Stop},
};

/// From one scrape to the next.
const SCRAPE_EVERY: Duration = Duration::from_millis(50);
/// Load before a fault, and after it.
const BESIDE: Duration = Duration::from_millis(500);
/// Longest wait until the pool serves again.
const AGAIN: Duration = Duration::from_secs(20);
/// Longest wait until what was given up is over, and the server counts as the pool does.
const SETTLED: Duration = Duration::from_secs(15);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Carries one out. `planned`: the entry of the schedule; `None` for load alone.
pub(super) async fn carry_out(
    stage: &Stage<'_>,
    config: &PoolConfig,
    planned: Option<usize>,
) -> Result<Exam, Stop> {
    let fault = planned.map_or("none", |i| &stage.run.schedule[i].name);
    let proxied = stage.environment.endpoint().through(stage.toxics.port());
    let tcp = CountingTcp::default();
    let name = format!("observed-{}", planned.map_or(0, |i| i + 1));
    let pool = pool_with(stage, config.clone(), &proxied, &name, tcp.clone())?;
    let tally = Tally::default();
    let changes = Changes::follow(&pool);
    let scrapes = Scrapes::start(pool.watched());
    let statements = Statements::on(&stage.workload.ledger(), stage.workload.scripts());
    let callers = Callers::start(&pool, &tally, &statements, stage.run.seed);
    stage.until(clock::now() + BESIDE).await?;
    let mut sessions = Vec::new();
    if let Some(planned) = planned {
        stage.fault(planned).await?;
    }
    let served = tokio::select! {
        biased;
        () = stage.interrupt.raised() => return Err(Interrupted.into()),
        served = served_again(&pool, &tally, clock::now() + AGAIN) => served,
    };
    stage.until(clock::now() + BESIDE).await?;
    let ended = callers.end(patience(config.statement_timeout)).await;
    settled(&pool).await;
    let compared_sessions = settled_sessions(stage, &pool, &name).await?;
    sessions.push(compared_sessions);
    let changed = changes.end(&pool).await;
    let (scrapes, contradictions) = scrapes.end().await;
    let last = Scraped::of(&exposition::text(
        &[pool.watched()],
        exposition::Format::Text,
    ));
    let mut compared = compare(&tally, &last);
    for (i, state) in STATES.iter().enumerate() {
        let label = format!("to=\"{state}\"");
        compared.push(Compared {
            what: format!("changes of the circuit to {state}"),
            happened: changed[i],
            counted: last.count("circuit_breaker_transitions_total", &label),
        });
    }
    compared.push(Compared {
        what: "connections tried".to_owned(),
        happened: tcp.asked(),
        counted: last.count("connect_attempts_total", ""),
    });
    pool.close();
    Ok(Exam {
        fault: fault.to_owned(),
        compared,
        scrapes,
        contradictions,
        sessions,
        served_again: served,
        callers_ended: ended,
    })
}

fn compare(tally: &Tally, last: &Scraped) -> Vec<Compared> {
    let mut all = Vec::new();
    let mut one = |what: String, counted: u64| {
        all.push(Compared {
            happened: tally.of(&what),
            what,
            counted,
        });
    };
    for label in ResultLabel::all() {
        let of = format!("result=\"{}\"", label.name());
        one(
            witness::result(label),
            last.count("query_results_total", &of),
        );
    }
    for kind in QueryKind::ALL.iter().copied() {
        let of = format!("kind=\"{}\"", kind.name());
        one(
            witness::kind(kind),
            last.count("queries_by_kind_total", &of),
        );
    }
    for label in OutcomeLabel::ALL.iter().copied() {
        let of = format!("outcome=\"{}\"", label.name());
        one(
            witness::outcome(label),
            last.count("pipeline_outcomes_total", &of),
        );
    }
    all
}

/// Waits until nothing of what was given up is under way any more.
async fn settled(pool: &Pool) {
    let by = clock::now() + SETTLED;
    let idle = || {
        let status = pool.status();
        status.idle == status.size
    };
    while !idle() && clock::now() < by {
        clock::sleep(LOOK).await;
    }
}

/// Counts the sessions of the pool as the server does, once they are as many as the pool
/// says, or it has become clear that they will not be.
async fn settled_sessions(stage: &Stage<'_>, pool: &Pool, name: &str) -> Result<Sessions, Stop> {
    let by = clock::now() + SETTLED;
    loop {
        let server = sessions(stage, name, by).await?;
        let metrics = pool.metrics();
        let counted = Sessions {
            server,
            pool: pool.status().size as u64,
            counted: metrics.counter(Counter::Created) - metrics.counter(Counter::Closed),
        };
        if counted.agree() || clock::now() >= by {
            return Ok(counted);
        }
        stage.until(clock::now() + LOOK).await?;
    }
}

async fn sessions(stage: &Stage<'_>, name: &str, by: Instant) -> Result<u64, Stop> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let asked = async {
        let session = stage.environment.endpoint().session(by).await;
        let session = session.map_err(|error| chain(&error))?;
        let row = session
            .client
            .query_one(sql, &[&super::session_name(name)])
            .await;
        let row = row.map_err(|error| chain(&error))?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    };
    let asked = clock::timeout_at(by.max(clock::now() + LOOK), asked).await;
    asked
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
        .map_err(|reason: String| {
            Stop::NoSteadyState(format!("counting the server's sessions: {reason}"))
        })
}

/// Counts changes of the circuit as they are told to whoever follows them.
struct Changes {
    task: JoinSet<[u64; 3]>,
    end: tokio::sync::watch::Sender<u64>,
}

impl Changes {
    fn follow(pool: &Pool) -> Self {
        let (end, mut until) = tokio::sync::watch::channel(u64::MAX);
        let mut events = pool.breaker().events();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (mut counts, mut seen) = ([0_u64; 3], 0);
            while seen < *until.borrow_and_update() {
                tokio::select! {
                    biased;
                    event = events.next() => match event {
                        Event::Changed(change) => {
                            seen += 1;
                            counts[match change.to {
                                State::Closed => 0,
                                State::HalfOpen => 1,
                                State::Open => 2,
                            }] += 1;
                        }
                        Event::Missed(n) => seen += n,
                        _ => {}
                    },
                    changed = until.changed() => if changed.is_err() {
                        break;
                    },
                }
            }
            counts
        });
        Self { task, end }
    }

    /// What there was, once all changes so far were told.
    async fn end(mut self, pool: &Pool) -> [u64; 3] {
        self.end.send_replace(pool.breaker().transitions());
        let ended = clock::timeout_at(clock::now() + AGAIN, self.task.join_next()).await;
        match ended {
            Ok(Some(Ok(counts))) => counts,
            _ => [u64::MAX; 3],
        }
    }
}

/// Scrapes all the while, and looks whether what is said can be.
struct Scrapes {
    task: JoinSet<(u64, Vec<String>)>,
    end: tokio::sync::watch::Sender<bool>,
}

/// Most contradictions that are kept.
const KEPT: usize = 20;

impl Scrapes {
    fn start(pool: Arc<dyn Watched>) -> Self {
        let (end, until) = tokio::sync::watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (mut n, mut found, mut earlier) = (0, Vec::new(), None);
            while !*until.borrow() {
                let text = exposition::text(std::slice::from_ref(&pool), exposition::Format::Text);
                let now = Scraped::of(&text);
                found.extend(now.contradictions(earlier.as_ref()));
                found.truncate(KEPT);
                (n, earlier) = (n + 1, Some(now));
                clock::sleep(SCRAPE_EVERY).await;
            }
            (n, found)
        });
        Self { task, end }
    }

    async fn end(mut self) -> (u64, Vec<String>) {
        self.end.send_replace(true);
        match self.task.join_next().await {
            Some(Ok(ended)) => ended,
            _ => (0, vec!["the scraper ended".to_owned()]),
        }
    }
}

/// Compares the quantiles of the histogram with those of the times themselves.
pub(super) async fn quantiles(
    stage: &Stage<'_>,
    config: &PoolConfig,
    queries: u32,
) -> Result<Vec<Quantile>, Stop> {
    let direct = stage.environment.endpoint().clone();
    let pool = pool_through(stage, config.clone(), &direct, "quantiles")?;
    let failed = |error: seawall::Error| {
        let text = format!("expected every query that is timed to be answered, saw: {error}");
        Stop::NoSteadyState(text)
    };
    let mut connection = pool.acquire().await.map_err(failed)?;
    let mut rng = fastrand::Rng::with_seed(stage.run.seed);
    let mut exact_us = Vec::new();
    for _ in 0..queries {
        // A few take long.
        let s = 0.02 * rng.f64().powi(6);
        let began = clock::now();
        let asked = connection.query("SELECT pg_sleep($1)", &[&s]).await;
        asked.map_err(failed)?;
        let took = clock::now() - began;
        exact_us.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if stage.interrupt.is_raised() {
            return Err(Interrupted.into());
        }
    }
    drop(connection);
    exact_us.sort_unstable();
    let histogram = pool.metrics().snapshot().histogram(Timing::Query);
    pool.close();
    let percents = [10, 25, 50, 75, 90, 95, 99];
    let at = |percent: usize| {
        // By nearest rank.
        let rank = (percent * exact_us.len()).div_ceil(100);
        let share = percent as f64 / 100.0;
        let exact_us = exact_us.get(rank.saturating_sub(1)).copied();
        Some(Quantile {
            share,
            exact_us: exact_us?,
            histogram_us: histogram.quantile(share)?,
        })
    };
    Ok(percents.into_iter().filter_map(at).collect())
}
