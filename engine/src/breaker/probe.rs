//! Finds out that the server is back, so that no caller has to.
//!
//! While the circuit is open, one task asks the server on a connection of its
//! own: connect, log in, one query, all within one deadline, with jittered
//! backoff between. A connection that was open before proves nothing about a
//! host that came back, so none is reused.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::Connect;
use tokio_postgres::SimpleQueryMessage;

use super::{Backoff, Breaker};
use crate::{
    clock,
    metrics::{Counter, Metrics},
};

/// Probes whenever `breaker` is open, for ever. To be run as a task that is
/// aborted when its pool goes away; aborting closes the connection in use.
pub(crate) async fn run(
    breaker: Breaker,
    connect: impl Connect,
    config: tokio_postgres::Config,
    metrics: Arc<Metrics>,
    mut rng: fastrand::Rng,
) {
    loop {
        breaker.opened().await;
        let settings = breaker.config();
        let mut backoff = Backoff::new(settings.probe_interval_min, settings.probe_interval_max);
        while breaker.open_epoch().is_some() {
            let at = clock::now() + backoff.next(&mut rng);
            breaker.probe_scheduled(at);
            clock::sleep_until(at).await;
            // Half-open is up to the callers; closed needs no probe.
            let Some(epoch) = breaker.open_epoch() else {
                break;
            };
            metrics.count(Counter::Probes);
            if answers(&connect, &config, settings.probe_timeout).await {
                breaker.probe_answered(epoch, clock::now());
            } else {
                metrics.count(Counter::ProbesFailed);
            }
        }
    }
}

/// Whether the server takes a new session and answers a query on it in time.
async fn answers(
    connect: &impl Connect,
    config: &tokio_postgres::Config,
    timeout: Duration,
) -> bool {
    let ask = async {
        let (client, task) = connect.connect(config).await?;
        let _closes_the_socket = AbortOnDrop(task.abort_handle());
        client.simple_query("SELECT pg_is_in_recovery()").await
    };
    match clock::timeout_at(clock::now() + timeout, ask).await {
        Ok(Ok(messages)) => messages
            .iter()
            .any(|m| matches!(m, SimpleQueryMessage::Row(_))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "probe failed");
            false
        }
        Err(clock::Elapsed) => false,
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
