//! What a query costs while nothing is wrong: short windows of each arm, one at a time.
//!
//! One caller asks a query at a time, so that latency is what the client and the server
//! need, and no queue. Nothing else runs in the runner meanwhile: its processor time is the
//! client's. The arms take turns in an order that is drawn anew for each round, so that what
//! the machine does besides hits all of them alike.
//!
//! Behind each window of the engine a statement fails and a pipeline sends a batch, which are
//! not timed here; what the pool's metrics have counted by then is compared with all that was
//! asked of it.

use std::time::Duration;

use reports::{
    experiments::failure_sim::{Counted, Data, Side, Window},
    run::{Kind, Outcome},
};
use seawall::{
    ErrorClass, Pool, clock,
    metrics::{Counter, OutcomeLabel, Timing},
    pipeline::Strategy,
};

use crate::{
    load::{client::Client, operation::Operation},
    stage::{Interrupted, Stage, Step, Stop},
};

/// Longest wait for an answer: a pool without deadlines would wait for ever.
const PATIENCE: Duration = Duration::from_secs(5);
/// In a round, each arm has a window.
const ROUND: &str = "round";
/// How long a window is.
const LENGTH: Duration = Duration::from_millis(150);
/// Queries before the first window, so that the session is there and knows its statement.
const WARM_UP: i64 = 200;

/// Measures all windows. What was measured is in `data`, also where this is an error. `after` is
/// how long everything behind them takes by the plan.
pub(super) async fn carry_out(
    stage: &Stage<'_>,
    data: &mut Data,
    after: Duration,
) -> Result<(), Stop> {
    let mut rng = fastrand::Rng::with_seed(stage.run.seed);
    let mut clients = Vec::new();
    for arm in &stage.run.arms {
        let client = stage.direct(&arm.name).await?;
        for seq in 0..WARM_UP {
            ask(stage, &client, seq).await?;
        }
        clients.push((arm.name.clone(), client));
    }
    let mut seq = WARM_UP;
    let rounds = async {
        let arms = u32::try_from(clients.len()).unwrap_or(u32::MAX);
        for round in 0..data.rounds {
            stage.step(Step {
                unit: ROUND,
                done: round as usize,
                of: data.rounds as usize,
                subject: "queries while nothing is wrong",
                left: Some(LENGTH * arms * (data.rounds - round) + after),
            });
            rng.shuffle(&mut clients);
            for (arm, client) in &clients {
                let window = window(stage, arm, round, client, &mut seq).await?;
                data.windows.push(window);
            }
        }
        Ok(())
    };
    let done = rounds.await;
    stage.steps_over(ROUND);
    let answers = clients.into_iter();
    let answers = answers.map(|(arm, client)| (arm, client.proofs().counted()));
    data.window_answers = answers.collect();
    done
}

async fn window(
    stage: &Stage<'_>,
    arm: &str,
    round: u32,
    client: &Client,
    seq: &mut i64,
) -> Result<Window, Stop> {
    let mut latencies_us = Vec::new();
    let mut failed = 0;
    let before_it = client.engine().map(Totals::of);
    let began = clock::now();
    let end = began + LENGTH;
    let before = processor_time();
    let mut at = began;
    while at < end {
        *seq += 1;
        let outcome = ask(stage, client, *seq).await?;
        let answered = clock::now();
        if outcome == Outcome::Ok {
            let us = (answered - at).as_micros();
            latencies_us.push(u64::try_from(us).unwrap_or(u64::MAX));
        } else {
            failed += 1;
        }
        at = answered;
    }
    let took = at - began;
    let cpu = processor_time().saturating_sub(before);
    latencies_us.sort_unstable();
    let n = latencies_us.len();
    // By nearest rank.
    let rank = |percent: usize| {
        let rank = (n * percent).div_ceil(100);
        rank.checked_sub(1).map_or(0, |i| latencies_us[i])
    };
    let mut window = Window {
        arm: arm.to_owned(),
        round,
        queries: n as u64,
        failed,
        p50_us: rank(50),
        p99_us: rank(99),
        cpu_us: u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
        resident_bytes: 0,
        counted: None,
    };
    if let (Some(pool), Some(before)) = (client.engine(), before_it) {
        let took_us = Side {
            metrics: Totals::of(pool).took_us.saturating_sub(before.took_us),
            known: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        window.counted = counted(stage, client, pool, before, &window, took_us).await?;
    }
    window.resident_bytes = resident_bytes();
    Ok(window)
}

/// What a pool has counted so far.
struct Totals {
    queries: u64,
    errors: u64,
    timed: u64,
    piped: u64,
    took_us: u64,
}

impl Totals {
    fn of(pool: &Pool) -> Self {
        let metrics = pool.metrics();
        let query = metrics.quantiles_us(Timing::Query);
        Self {
            queries: metrics.counter(Counter::QueriesSent),
            errors: ErrorClass::ALL.iter().map(|c| metrics.errors(*c)).sum(),
            timed: query.count,
            piped: metrics.outcomes(OutcomeLabel::Ok),
            took_us: query.sum,
        }
    }
}

/// Asks what is not timed, and compares. `None` if it did not go as it must: what there is to
/// count is not known then.
async fn counted(
    stage: &Stage<'_>,
    client: &Client,
    pool: &Pool,
    before: Totals,
    window: &Window,
    took_us: Side,
) -> Result<Option<Counted>, Stop> {
    let mistake = Operation {
        seq: 0,
        kind: Kind::Mistake,
        caller: 0,
    };
    let failed = in_time(stage, client.run(mistake, || {})).await?;
    let batch = in_time(stage, client.read_batch(Strategy::BestEffort)).await?;
    let (Some(Outcome::Ok), Some(Some(batch)), 0) = (failed, batch, window.failed) else {
        return Ok(None);
    };
    let after = Totals::of(pool);
    let all = window.queries + 1 + batch;
    let side = |before: u64, after: u64, known: u64| Side {
        metrics: after.saturating_sub(before),
        known,
    };
    Ok(Some(Counted {
        queries: side(before.queries, after.queries, all),
        errors: side(before.errors, after.errors, 1),
        timed: side(before.timed, after.timed, all),
        piped: side(before.piped, after.piped, batch),
        took_us,
    }))
}

/// Asks one query, unless the user wants to stop.
async fn ask(stage: &Stage<'_>, client: &Client, seq: i64) -> Result<Outcome, Stop> {
    let read = Operation {
        seq,
        kind: Kind::Read,
        caller: 0,
    };
    let asked = in_time(stage, client.run(read, || {})).await?;
    Ok(asked.unwrap_or(Outcome::TimedOut))
}

/// Waits for an answer, unless the user wants to stop. `None` if it does not come.
async fn in_time<T>(
    stage: &Stage<'_>,
    answer: impl Future<Output = T>,
) -> Result<Option<T>, Interrupted> {
    let by = clock::now() + PATIENCE;
    tokio::select! {
        biased;
        () = stage.interrupt.raised() => Err(Interrupted),
        answer = clock::timeout_at(by, answer) => Ok(answer.ok()),
    }
}

/// What this process has used of its processors so far.
fn processor_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Memory of this process, resident. 0 where the system does not say.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_memory_of_the_process_are_known() {
        let before = processor_time();
        let worked = (0..200_000_000_u64)
            .find(|i| std::hint::black_box(i) % 1_000 == 0 && processor_time() > before);
        assert!(worked.is_some(), "it stands still");
        #[cfg(target_os = "linux")]
        assert!(resident_bytes() > 1 << 20);
    }
}
