//! Makes connections and stamps them with the host's epoch.
//!
//! When a host is found dead, the epoch goes up, and every connection with an
//! older stamp is unfit: the idle ones are dropped at once, the others on their
//! return. The stamp is taken *before* connecting, so that a connection that was
//! being made while the host died counts as old.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use deadpool::managed::{self, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;

use super::ramp::Ramp;
use crate::{
    clock,
    connect::Shared,
    metrics::{Counter, Metrics, Timing},
    pipeline::Incarnation,
    wire::Wire,
};

/// Counts how often the host was found dead.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostEpoch(Arc<AtomicU64>);

impl HostEpoch {
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Ends `epoch`. True for the one caller that did it.
    pub(crate) fn end(&self, epoch: u64) -> bool {
        let next = epoch.wrapping_add(1);
        let swap = self
            .0
            .compare_exchange(epoch, next, Ordering::AcqRel, Ordering::Acquire);
        swap.is_ok()
    }
}

/// A pooled connection.
pub(crate) struct Link {
    /// Shared with the statements of a pipeline that are under way.
    pub(crate) client: Arc<ClientWrapper>,
    pub(crate) wire: Option<Wire>,
    pub(crate) epoch: u64,
    /// Who the server is, if a pipeline has asked.
    pub(crate) incarnation: Option<Incarnation>,
}

pub(crate) struct Manager {
    config: tokio_postgres::Config,
    connect: Shared,
    epoch: HostEpoch,
    ramp: Ramp,
    metrics: Arc<Metrics>,
}

impl Manager {
    pub(crate) fn new(
        config: tokio_postgres::Config,
        connect: Shared,
        epoch: HostEpoch,
        ramp: Ramp,
    ) -> Self {
        Self {
            config,
            metrics: connect.metrics.clone(),
            connect,
            epoch,
            ramp,
        }
    }
}

impl managed::Manager for Manager {
    type Type = Link;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Link, tokio_postgres::Error> {
        let place = self.ramp.enter().await;
        let epoch = self.epoch.current();
        let started = clock::now();
        let session = self.connect.connect(&self.config).await?;
        place.made();
        self.metrics.time(Timing::Connect, clock::now() - started);
        self.metrics.count(Counter::Created);
        Ok(Link {
            client: Arc::new(ClientWrapper::new(session.client, session.task)),
            wire: session.wire,
            epoch,
            incarnation: None,
        })
    }

    async fn recycle(
        &self,
        link: &mut Link,
        _: &managed::Metrics,
    ) -> RecycleResult<tokio_postgres::Error> {
        if link.epoch != self.epoch.current() {
            self.metrics.count(Counter::Evicted);
            return Err(RecycleError::message("made before its host was found dead"));
        }
        if link.client.is_closed() {
            self.metrics.count(Counter::Evicted);
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_once() {
        let epoch = HostEpoch::default();
        let seen = epoch.current();
        assert!(epoch.end(seen));
        assert!(!epoch.end(seen));
        assert_eq!(epoch.current(), seen + 1);
    }
}
