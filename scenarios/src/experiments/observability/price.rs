//! What observing costs: throughput and processor time with a part of it on and off, in pairs.

use std::{sync::Arc, time::Duration};

use reports::experiments::observability::{Observed, Window};
use seawall::{
    Pool, PoolConfig,
    clock::{self, Instant},
    exposition,
};
use tokio::task::JoinSet;

use crate::{
    environment::Endpoint,
    stage::{Interrupted, Stage, Stop},
};

use super::pool_through;

/// Connections, and callers that ask again as soon as they are answered.
const CONNECTIONS: u32 = 2;
/// How often it is scraped: some thirty times as often as usual.
const SCRAPE_EVERY: Duration = Duration::from_millis(500);
/// How much longer than planned is waited for a window.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures each part in so many pairs of windows.
///
/// # Errors
/// If a query fails, or the user wants to stop.
pub(super) async fn measure(
    stage: &Stage<'_>,
    config: &PoolConfig,
    pairs: u32,
    length: Duration,
    mut take: impl FnMut(Window),
) -> Result<(), Stop> {
    let direct = stage.environment.endpoint().clone();
    let mut rng = fastrand::Rng::with_seed(stage.run.seed ^ 0x0b5e);
    // Before the first, everything is made once.
    window(stage, config, &direct, Observed::Nothing, length / 4).await?;
    for pair in 0..pairs {
        let mut parts = Observed::PARTS;
        rng.shuffle(&mut parts);
        for part in parts {
            let mut turns = [Observed::Nothing, part];
            rng.shuffle(&mut turns);
            for with in turns {
                let (queries, took, cpu) = window(stage, config, &direct, with, length).await?;
                let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                take(Window {
                    pair,
                    of: part,
                    with,
                    queries,
                    took_us: us(took),
                    cpu_us: us(cpu),
                });
            }
        }
    }
    Ok(())
}

async fn window(
    stage: &Stage<'_>,
    config: &PoolConfig,
    direct: &Endpoint,
    with: Observed,
    length: Duration,
) -> Result<(u64, Duration, Duration), Stop> {
    let keeps = matches!(with, Observed::History | Observed::Everything);
    let config = PoolConfig {
        min_connections: CONNECTIONS,
        max_connections: CONNECTIONS,
        metrics_retention_minutes: if keeps { 60 } else { 0 },
        ..config.clone()
    };
    let pool = pool_through(stage, config, direct, "price")?;
    let warm = pool.warm_up().await;
    warm.map_err(|error| Stop::NoSteadyState(format!("warming up: {error}")))?;
    let observer = Observer::start(&pool, with);
    let (began, cpu) = (clock::now(), processor_time());
    let end = began + length;
    let mut callers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        callers.spawn(caller(pool.clone(), end));
    }
    let all = async {
        let mut queries = 0;
        while let Some(asked) = callers.join_next().await {
            queries += asked.unwrap_or_else(|error| Err(error.to_string()))?;
        }
        Ok(queries)
    };
    let all = tokio::select! {
        biased;
        () = stage.interrupt.raised() => return Err(Interrupted.into()),
        all = clock::timeout_at(end + PATIENCE, all) => all,
    };
    let (took, cpu) = (clock::now() - began, processor_time().saturating_sub(cpu));
    drop(observer);
    pool.close();
    let queries = all.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    let queries = queries.map_err(|reason| {
        let text = format!("expected every query of the price to be answered, saw: {reason}");
        Stop::NoSteadyState(text)
    })?;
    Ok((queries, took, cpu))
}

async fn caller(pool: Pool, end: Instant) -> Result<u64, String> {
    let mut queries = 0;
    while queries == 0 || clock::now() < end {
        let answer = pool.query("SELECT 1", &[]).await;
        answer.map_err(|error| error.to_string())?;
        queries += 1;
    }
    Ok(queries)
}

/// Who looks at a pool meanwhile. Dropped, nobody does.
struct Observer {
    tasks: JoinSet<()>,
}

impl Observer {
    fn start(pool: &Pool, with: Observed) -> Self {
        let mut tasks = JoinSet::new();
        if matches!(with, Observed::Scrapes | Observed::Everything) {
            tasks.spawn(scrape(pool.watched()));
        }
        if matches!(with, Observed::Dashboard | Observed::Everything) {
            tasks.spawn(look(pool.watched()));
        }
        Self { tasks }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

async fn scrape(pool: Arc<dyn seawall::status::Watched>) {
    let pools = [pool];
    loop {
        clock::sleep(SCRAPE_EVERY).await;
        drop(exposition::text(&pools, exposition::Format::Text));
    }
}

async fn look(pool: Arc<dyn seawall::status::Watched>) {
    loop {
        clock::sleep(Duration::from_secs(1)).await;
        drop(serde_json::to_string(&pool.comprehensive_status()));
    }
}

/// The processor time that this process has used so far.
fn processor_time() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (s, ns) = (u64::try_from(at.tv_sec), u32::try_from(at.tv_nsec));
    Duration::new(s.unwrap_or(0), ns.unwrap_or(0))
}
