//! How many connections a pool is to have: windows of pools of different sizes, in rounds, the
//! better half of them again and again.

use std::time::Duration;

use reports::{
    experiments::tune::{Data, Dropped, Round, Window, kept},
    run::Outcome,
};
use seawall::clock::{self, Instant};

use crate::stage::{Finished, Interrupted, Loaded, Stage, Stop};

/// Connections of a server that are left to others.
const OTHERS: u32 = 10;
/// The fewest connections that a pool is tried with.
const FEWEST: u32 = 2;
/// Rounds that are enough, however much time there is.
const MOST_ROUNDS: usize = 40;
/// Rounds that it has whatever its share, unless it would be late by far.
const FEWEST_ROUNDS: usize = 1;
/// Longest wait for a pool to make its connections.
const CONNECTING: Duration = Duration::from_millis(600);
/// How long callers ask, once it has asked for them, before anything counts.
const WARM_UP: Duration = Duration::from_millis(60);
/// Longest wait for the server to say what it is set to.
const ASKED: Duration = Duration::from_secs(5);

/// Takes rounds until a moment.
pub(super) async fn carry_out(
    stage: &Stage<'_>,
    data: &mut Data,
    until: Instant,
) -> Result<(), Stop> {
    data.pool.most = Some(room(stage).await?);
    let mut rng = fastrand::Rng::with_seed(stage.run.seed);
    let mut longest = Duration::ZERO;
    while data.pool.rounds.len() < MOST_ROUNDS {
        let began = clock::now();
        let late = began + longest > until;
        if late && data.pool.rounds.len() >= FEWEST_ROUNDS {
            break;
        }
        let mut left = kept(&data.pool);
        drop_others(data, &left);
        rng.shuffle(&mut left);
        let mut round = Round {
            windows: Vec::new(),
        };
        for connections in left {
            let window = window(stage, data, connections).await?;
            round.windows.push(window);
            if stage.interrupt.is_raised() {
                return Err(Interrupted.into());
            }
        }
        let n = u32::try_from(round.windows.len().max(1)).unwrap_or(u32::MAX);
        data.pool.rounds.push(round);
        stage.save(data);
        // The next has as many windows, or half as many.
        let each = (clock::now() - began) / n;
        let next = u32::try_from(kept(&data.pool).len()).unwrap_or(u32::MAX);
        longest = each * next;
    }
    Ok(())
}

/// Gives up candidates that are not left, but for those that never had a turn.
fn drop_others(data: &mut Data, left: &[u32]) {
    let after = data.pool.rounds.len();
    let most = data.pool.most.unwrap_or(u32::MAX);
    for candidate in &data.pool.candidates {
        let connections = candidate.connections;
        let known = data
            .pool
            .dropped
            .iter()
            .any(|d| d.connections == connections);
        if after > 0 && connections <= most && !known && !left.contains(&connections) {
            data.pool.dropped.push(Dropped { connections, after });
        }
    }
}

/// The most connections that the server has room for, with some left to others.
async fn room(stage: &Stage<'_>) -> Result<u32, Stop> {
    let direct = stage.environment.endpoint();
    let deadline = clock::now() + ASKED;
    let session = direct.session(deadline).await?;
    let sql = "SELECT current_setting('max_connections')::bigint";
    let asked = clock::timeout_at(deadline, session.client.query_one(sql, &[])).await;
    let row = match asked {
        Ok(Ok(row)) => row,
        Ok(Err(error)) => return Err(Stop::Other(Box::new(error))),
        Err(error) => return Err(Stop::Other(format!("max_connections: {error:?}").into())),
    };
    let all = u32::try_from(row.get::<_, i64>(0)).unwrap_or(u32::MAX);
    Ok(all.saturating_sub(OTHERS).max(FEWEST))
}

/// A pool of a size under load, once it has its connections.
async fn window(stage: &Stage<'_>, data: &Data, connections: u32) -> Result<Window, Stop> {
    let pool = &data.pool;
    let candidates = pool.candidates.iter();
    let names: Vec<String> = candidates
        .filter(|candidate| candidate.connections == connections)
        .map(|candidate| candidate.arm.clone())
        .collect();
    let mut loaded = Loaded::start(stage, &pool.load, None, &names).await?;
    let at_most = loaded.zero() + CONNECTING;
    let connected = loaded
        .until_all(at_most, |_, arm| {
            arm.client().attempts().connects >= u64::from(connections)
        })
        .await;
    let from = clock::now() + WARM_UP;
    let until = from + Duration::from_micros(pool.length_us);
    let waited = match connected {
        Ok(()) => loaded.until(until).await,
        Err(interrupted) => Err(interrupted),
    };
    let span = (loaded.us(from), loaded.us(until));
    let finished = loaded.finish(clock::now()).await?.pop();
    waited?;
    let Some(finished) = finished else {
        return Err(Stop::NoSteadyState(format!("{names:?} was not under load")));
    };
    let ledger = stage.check(None, &pool.load, &finished).await.ledger;
    let mut window = counted(&finished, span);
    window.connections = connections;
    window.ledger = ledger;
    Ok(window)
}

/// What ended between two moments of the load's clock.
fn counted(finished: &Finished, (from, until): (u64, u64)) -> Window {
    let operations = &finished.operations;
    let mut latencies = Vec::new();
    let mut failed = 0;
    let each = operations.due_us.iter().zip(&operations.latencies_us);
    for ((due, latency), outcome) in each.zip(operations.outcomes.chars()) {
        let end = due + latency;
        if end < from || end >= until {
            continue;
        }
        if outcome == Outcome::Ok.letter() {
            latencies.push(*latency);
        } else {
            failed += 1;
        }
    }
    latencies.sort_unstable();
    let quantile = |percent: usize| {
        let at = (latencies.len() * percent).div_ceil(100).max(1) - 1;
        latencies.get(at).copied().unwrap_or(0)
    };
    Window {
        connections: 0,
        length_us: until.saturating_sub(from).max(1),
        ok: latencies.len() as u64,
        failed,
        p50_us: quantile(50),
        p99_us: quantile(99),
        ledger: None,
    }
}
