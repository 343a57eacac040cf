//! False alarms: what a server that is well answers, and what our own load does to
//! a pool, in the way of errors. No breaker should open for any of it.
//!
//! Each is driven until callers have really met it, and counted by what they met:
//! an alarm that nobody heard proves nothing.

use std::time::Duration;

use futures_util::future::join_all;
use reports::experiments::breaker_sweep::Alarm;
use seawall::{Connection, ErrorClass, Pool};
use tokio_postgres::error::SqlState;

use crate::load::workload::Workload;

/// Violations one after another: five times what the most patient threshold of the
/// guide allows.
const VIOLATIONS: usize = 40;
/// Conflicts, and deadlocks.
const CONFLICTS: usize = 6;
/// Callers at once: a pool of two serves eight of them in time.
const CALLERS: usize = 40;
/// A deadlock is looked for after this, not after the second that is usual: a
/// statement's deadline would be over before. Takes a superuser.
const DEADLOCK_TIMEOUT_MS: u32 = 20;

/// Raises an alarm with a cell's pool, and says how many callers met it. `row`
/// keeps cells out of each other's way: it and the next one are its own.
///
/// The stall is not raised here: the proxy does it.
pub(super) async fn raise(
    pool: &Pool,
    workload: &Workload,
    kind: Alarm,
    row: i32,
    deadline: Duration,
) -> u64 {
    match kind {
        Alarm::Constraint => violations(pool, workload, row).await,
        Alarm::Conflict => conflicts(pool, workload, row).await,
        Alarm::Saturation => saturation(pool, deadline).await,
        Alarm::Stall => 0,
    }
}

async fn violations(pool: &Pool, workload: &Workload, row: i32) -> u64 {
    let mut met = 0;
    for _ in 0..VIOLATIONS {
        met += u64::from(is(
            &pool.execute(&workload.again, &[&row]).await,
            &[SqlState::UNIQUE_VIOLATION],
        ));
    }
    met
}

async fn conflicts(pool: &Pool, workload: &Workload, row: i32) -> u64 {
    let mut met = 0;
    for _ in 0..CONFLICTS {
        let (Ok(mut a), Ok(mut b)) = (pool.acquire().await, pool.acquire().await) else {
            continue;
        };
        met += serialization(&mut a, &mut b, workload, row)
            .await
            .unwrap_or(0);
        met += deadlock(&mut a, &mut b, workload, row).await.unwrap_or(0);
    }
    met
}

/// `a` changes what `b` has changed since `a` looked.
async fn serialization(
    a: &mut Connection,
    b: &mut Connection,
    workload: &Workload,
    row: i32,
) -> Result<u64, seawall::Error> {
    let update = update(workload);
    a.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", &[])
        .await?;
    let look = format!("SELECT n FROM {} WHERE client = $1", workload.counts());
    a.query(&look, &[&row]).await?;
    b.execute(&update, &[&row]).await?;
    let met = is(
        &a.execute(&update, &[&row]).await,
        &[SqlState::T_R_SERIALIZATION_FAILURE],
    );
    a.execute("ROLLBACK", &[]).await?;
    Ok(u64::from(met))
}

/// Each waits for what the other has locked.
async fn deadlock(
    a: &mut Connection,
    b: &mut Connection,
    workload: &Workload,
    row: i32,
) -> Result<u64, seawall::Error> {
    let update = update(workload);
    let other = row + 1;
    let sooner = format!("SET LOCAL deadlock_timeout = {DEADLOCK_TIMEOUT_MS}");
    for (connection, row) in [(&mut *a, row), (&mut *b, other)] {
        connection.execute("BEGIN", &[]).await?;
        // Not allowed to: a deadlock would outlast the statement's deadline, which
        // is another matter.
        connection.execute(&sooner, &[]).await?;
        connection.execute(&update, &[&row]).await?;
    }
    let locked = tokio::join!(async { a.execute(&update, &[&other]).await }, async {
        b.execute(&update, &[&row]).await
    },);
    let met = [&locked.0, &locked.1].map(|done| is(done, &[SqlState::T_R_DEADLOCK_DETECTED]));
    for connection in [a, b] {
        connection.execute("ROLLBACK", &[]).await?;
    }
    Ok(met.map(u64::from).iter().sum())
}

fn update(workload: &Workload) -> String {
    let counts = workload.counts();
    format!("UPDATE {counts} SET n = n WHERE client = $1")
}

async fn saturation(pool: &Pool, deadline: Duration) -> u64 {
    // Well within the deadline of a statement, so that only the queue is too long.
    let sql = format!("SELECT pg_sleep({})", (deadline / 4).as_secs_f64());
    let callers = (0..CALLERS).map(|_| pool.query(&sql, &[]));
    let answers = join_all(callers).await;
    let turned_away = answers.iter().filter(|answer| {
        answer
            .as_ref()
            .is_err_and(|error| error.class() == ErrorClass::Exhausted)
    });
    turned_away.count() as u64
}

fn is<T>(done: &Result<T, seawall::Error>, states: &[SqlState]) -> bool {
    let state = done.as_ref().err().and_then(seawall::Error::sqlstate);
    state.is_some_and(|state| states.contains(state))
}
