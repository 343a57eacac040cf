//! What a pool can do: as many callers as connections, each of which asks again as soon as
//! it is answered.

use std::{sync::Arc, time::Duration};

use reports::{
    experiments::near_capacity::Capacity,
    run::{ARM_BARE, Kind, Outcome},
};
use seawall::clock::{self, Instant};
use tokio::task::JoinSet;

use crate::{
    load::{client::Client, operation::Operation},
    stage::{Interrupted, Stage, Stop},
};

/// Operations of a caller that are not timed: its connection is made in the first.
const WARM_UP: u32 = 4;
/// How much longer than planned is waited for the callers.
const PATIENCE: Duration = Duration::from_secs(15);

/// Measures it with so many bare pools at once, through the proxy, as they are later used:
/// what they take of this machine is part of what they can do.
///
/// # Errors
/// If an operation fails, or the user wants to stop.
pub(super) async fn measure(
    stage: &Stage<'_>,
    pools: usize,
    length: Duration,
) -> Result<Capacity, Stop> {
    let mut clients = Vec::new();
    for _ in 0..pools {
        clients.push(Arc::new(stage.proxied(ARM_BARE).await?));
    }
    let end = clock::now() + length;
    let mut callers = JoinSet::new();
    for client in &clients {
        for _ in 0..client.max_connections() {
            callers.spawn(caller(client.clone(), end));
        }
    }
    let connections = clients.first().map_or(0, |client| client.max_connections());
    let mut capacity = Capacity {
        pools: u32::try_from(pools).unwrap_or(u32::MAX),
        connections,
        operations: 0,
        took_us: 0,
    };
    let all = async {
        while let Some(timed) = callers.join_next().await {
            let (operations, took) = timed.unwrap_or(Err(Outcome::Failed))?;
            capacity.operations += operations;
            capacity.took_us += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        }
        Ok(())
    };
    let all = tokio::select! {
        biased;
        () = stage.interrupt.raised() => return Err(Interrupted.into()),
        all = clock::timeout_at(end + PATIENCE, all) => all,
    };
    let all = all.unwrap_or(Err(Outcome::TimedOut));
    all.map_err(|outcome| {
        let outcome = outcome.name();
        Stop::NoSteadyState(format!(
            "expected every operation to be answered while the capacity was measured, saw one \
             that was {outcome}"
        ))
    })?;
    Ok(capacity)
}

/// How many operations a caller had done, and how long they took.
async fn caller(client: Arc<Client>, end: Instant) -> Result<(u64, Duration), Outcome> {
    let operation = Operation {
        seq: 0,
        kind: Kind::Hold,
    };
    let ask = || async {
        match client.run(operation, || {}).await {
            Outcome::Ok => Ok(()),
            other => Err(other),
        }
    };
    for _ in 0..WARM_UP {
        ask().await?;
    }
    let (began, mut operations) = (clock::now(), 0);
    while operations == 0 || clock::now() < end {
        ask().await?;
        operations += 1;
    }
    Ok((operations, clock::now() - began))
}
