//! The probe: finds out that the server is back, so that no caller has to.
//!
//! While the circuit is open, one task asks the server on a connection of its
//! own: connect, log in, one query, all within one deadline, with jittered
//! backoff between. A connection that was open before proves nothing about a
//! host that came back, so none is reused.
//!
//! A probe that hangs does not hold up the next one: a host that swallows packets
//! and then comes back is seen by the next probe, not after the time-out of the
//! last one that it swallowed.

use std::time::Duration;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio_postgres::SimpleQueryMessage;

use super::connector::Connector;
use crate::{
    breaker::{Backoff, Breaker},
    clock,
    config::Role,
    error::{Error, ErrorClass},
    metrics::Counter,
    task::AbortOnDrop,
};

/// The most probes under way at once: a server that answers none of them must not collect
/// connections from us.
const IN_FLIGHT: usize = 4;

/// Probes whenever `breaker` is open, for ever. To be run as a task that is
/// aborted when its pool goes away; aborting closes the connection in use.
pub(super) async fn run(
    breaker: Breaker,
    connector: Connector,
    role: Role,
    mut rng: fastrand::Rng,
) {
    loop {
        breaker.probing().await;
        probe_until_closed(&breaker, &connector, role, &mut rng).await;
    }
}

async fn probe_until_closed(
    breaker: &Breaker,
    connector: &Connector,
    role: Role,
    rng: &mut fastrand::Rng,
) {
    let (settings, metrics) = (breaker.config(), &connector.metrics);
    let mut backoff = Backoff::new(settings.probe_interval_min, settings.probe_interval_max);
    let mut under_way = FuturesUnordered::new();
    let mut next = clock::now() + backoff.next(rng);
    let mut said = false;
    // Half-open is up to the callers; closed needs no probe.
    while breaker.open_epoch().is_some() {
        let room = under_way.len() < IN_FLIGHT;
        if room {
            breaker.probe_scheduled(next);
        }
        tokio::select! {
            biased;
            Some((epoch, answered)) = under_way.next() => {
                match answered {
                    ProbeResult::Fit => breaker.probe_answered(epoch, clock::now()),
                    ProbeResult::Unfit => metrics.count(Counter::ProbesFailed),
                    ProbeResult::Refused(why) => {
                        metrics.count(Counter::ProbesFailed);
                        // Once an outage: it is not the server that has to be mended.
                        if !std::mem::replace(&mut said, true) {
                            tracing::error!(why, "probing will not help");
                        }
                    }
                }
            }
            () = clock::sleep_until(next), if room => {
                if let Some(epoch) = breaker.open_epoch() {
                    metrics.count(Counter::Probes);
                    under_way.push(async move {
                        (epoch, ask(connector, role, settings.probe_timeout).await)
                    });
                }
                next = clock::now() + backoff.next(rng);
            }
        }
    }
}

/// What came of a probe.
enum ProbeResult {
    /// The server takes sessions, and has the role that it should have.
    Fit,
    /// The server does not answer, or has another role.
    Unfit,
    /// The server refuses the session, and will do so for ever.
    Refused(String),
}

/// Asks whether the server takes a new session, answers a query on it in time, and is what
/// it should be.
async fn ask(connector: &Connector, role: Role, timeout: Duration) -> ProbeResult {
    let ask = async {
        let session = connector.connect().await?;
        let _closes_the_socket = AbortOnDrop(session.task.abort_handle());
        let asked = session.client.simple_query("SELECT pg_is_in_recovery()");
        asked.await.map_err(Error::Connect)
    };
    match clock::timeout_at(clock::now() + timeout, ask).await {
        Ok(Ok(messages)) => {
            let mut rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.try_get(0).ok().flatten()),
                _ => None,
            });
            match rows.next() {
                Some(in_recovery) if role.is(in_recovery) => ProbeResult::Fit,
                _ => ProbeResult::Unfit,
            }
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "probe failed");
            match error.class() {
                ErrorClass::Configuration => ProbeResult::Refused(error.cause().to_string()),
                _ => ProbeResult::Unfit,
            }
        }
        Err(clock::Elapsed) => ProbeResult::Unfit,
    }
}
