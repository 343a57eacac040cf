//! What a pool can do: as many callers as connections, each of which asks again as soon as
//! it is answered.

use std::{sync::Arc, time::Duration};

use reports::run::{ARM_BARE, Kind, Load, Outcome};
use seawall::clock::{self, Instant};
use tokio::task::JoinSet;

use super::{Interrupted, Stage, Stop};
use crate::load::{arrivals::max_in_flight, client::Client, operation::Operation};

/// Operations of a caller that are not timed: its connection is made in the first.
const WARM_UP: u32 = 4;
/// How much longer than planned is waited for the callers.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long callers ask before a rate is fitted to what they get.
const FITTED_IN: Duration = Duration::from_millis(1_500);
/// Part of what pools can do that an open loop asks of them: a fault is to be seen, and not
/// the queue that was there before it.
const FITTED: f64 = 0.3;
/// The least rate that a window of 250 ms holds operations of.
const LEAST_PER_S: u32 = 8;

/// What pools did together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Pools at once.
    pub(crate) pools: u32,
    /// Connections of each.
    pub(crate) connections: u32,
    /// Operations that all callers had answered without error.
    pub(crate) operations: u64,
    /// How long the callers took, each by itself, added up.
    pub(crate) took_us: u64,
}

impl Capacity {
    /// Operations a second of one pool. `None` if nothing was answered.
    fn per_s(&self) -> Option<f64> {
        let took_s = self.took_us as f64 / 1e6;
        let per_s = self.operations as f64 / took_s * f64::from(self.connections);
        (self.operations > 0 && took_s > 0.0).then_some(per_s)
    }
}

impl Stage<'_> {
    /// Measures what a bare pool in the place of each of these arms can do at once, through
    /// the proxy: each of its callers holds a session of the server, or runs a script of the
    /// user's.
    ///
    /// # Errors
    /// If an operation fails (of scripts, all of a caller's), or the user wants to stop.
    pub(crate) async fn capacity(
        &self,
        arms: &[String],
        length: Duration,
    ) -> Result<Capacity, Stop> {
        let mut clients = Vec::new();
        for arm in arms {
            let bare = self.in_the_place_of(arm, ARM_BARE).await?;
            clients.push(Arc::new(bare));
        }
        self.capacity_of(&clients, length).await
    }

    async fn capacity_of(
        &self,
        clients: &[Arc<Client>],
        length: Duration,
    ) -> Result<Capacity, Stop> {
        let end = clock::now() + length;
        let mut callers = JoinSet::new();
        for client in clients {
            for number in 0..client.max_connections() {
                callers.spawn(caller(client.clone(), number, end));
            }
        }
        let connections = clients.first().map_or(0, |client| client.max_connections());
        let mut capacity = Capacity {
            pools: u32::try_from(clients.len()).unwrap_or(u32::MAX),
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
            () = self.interrupt.raised() => return Err(Interrupted.into()),
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

    /// Lowers the rate of a load of the user's scripts to what pools of these arms can do side
    /// by side: nobody knows before what they cost. The usual load stays as it is.
    ///
    /// # Errors
    /// As [`capacity`](Self::capacity).
    pub(crate) async fn fit(&self, load: &mut Load, arms: &[String]) -> Result<(), Stop> {
        if self.workload.scripts().is_none() || load.clients.is_some() {
            return Ok(());
        }
        let mut clients = Vec::new();
        for arm in arms {
            clients.push(Arc::new(self.proxied(arm).await?));
        }
        let capacity = self.capacity_of(&clients, FITTED_IN).await?;
        let Some(per_s) = capacity.per_s() else {
            return Ok(());
        };
        let rate = (per_s * FITTED).min(f64::from(load.rate_per_s));
        let most = (LEAST_PER_S..=load.rate_per_s)
            .rev()
            .find(|n| f64::from(*n) <= rate);
        let rate_per_s = most.unwrap_or(LEAST_PER_S);
        if rate_per_s < load.rate_per_s {
            tracing::warn!(
                "the rate is {rate_per_s} a second and arm: pools do {per_s:.0} runs of the \
                 scripts here, and --rate was not given"
            );
            load.rate_per_s = rate_per_s;
            let deadline = Duration::from_micros(load.deadline_us);
            load.max_in_flight = max_in_flight(rate_per_s, deadline);
        }
        Ok(())
    }
}

/// How many operations a caller had done, and how long they took.
async fn caller(
    client: Arc<Client>,
    number: u32,
    end: Instant,
) -> Result<(u64, Duration), Outcome> {
    let mut seq = i64::from(number) << 32;
    let scripts = client.scripts().is_some();
    let mut ask = async || {
        seq += 1;
        let kind = if scripts { Kind::Script(0) } else { Kind::Hold };
        let operation = Operation {
            seq,
            kind,
            caller: number,
        };
        client.run(operation, || {}).await
    };
    let fails = |outcome: Outcome| outcome != Outcome::Ok && !scripts;
    for _ in 0..WARM_UP {
        let outcome = ask().await;
        if fails(outcome) {
            return Err(outcome);
        }
    }
    let (began, mut operations) = (clock::now(), 0);
    let mut last = Outcome::Ok;
    while (operations == 0 && last == Outcome::Ok) || clock::now() < end {
        last = ask().await;
        if fails(last) {
            return Err(last);
        }
        operations += u64::from(last == Outcome::Ok);
    }
    if operations == 0 {
        return Err(last);
    }
    Ok((operations, clock::now() - began))
}
