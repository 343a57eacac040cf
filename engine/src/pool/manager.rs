//! [`Manager`]: makes sessions for deadpool and stamps them with the host's epoch.
//!
//! When a host is found dead, the epoch goes up, and every connection with an
//! older stamp is unfit: the idle ones are dropped at once, the others on their
//! return. The stamp is taken *before* connecting, so that a connection that was
//! being made while the host died counts as old.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};

use deadpool::managed::{self, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;

use super::{
    connector::{Connector, Unreachable},
    holders::Holders,
    session::PooledSession,
    spare::Spare,
};
use crate::{
    clock::{self, Instant},
    config::PoolConfig,
    connect::Session,
    metrics::{Counter, Timing},
    wire::Wire,
};

tokio::task_local! {
    /// Until when the caller waits for the session that is made for it: deadpool does not
    /// pass it on.
    pub(super) static DEADLINE: Instant;
}

/// Counts how often the host was found dead.
#[derive(Debug, Clone, Default)]
pub(super) struct HostEpoch(Arc<AtomicU64>);

impl HostEpoch {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Ends `epoch`. True for the one caller that ended it.
    pub(super) fn end(&self, epoch: u64) -> bool {
        let next = epoch.wrapping_add(1);
        let swap = self
            .0
            .compare_exchange(epoch, next, Ordering::AcqRel, Ordering::Acquire);
        swap.is_ok()
    }
}

/// Makes sessions, and says which are fit to be lent again.
pub(super) struct Manager {
    connector: Connector,
    epoch: HostEpoch,
    spare: Spare,
    holders: Holders,
    /// Whether sessions keep statements under names.
    named: bool,
    /// Most statements that are kept for each session.
    statements: usize,
}

impl Manager {
    pub(super) fn new(
        config: &PoolConfig,
        connector: Connector,
        epoch: HostEpoch,
        spare: Spare,
        holders: Holders,
    ) -> Self {
        Self {
            connector,
            epoch,
            spare,
            holders,
            named: config.names_statements(),
            statements: config.known_statements(),
        }
    }

    /// A session that was made in `epoch`, as the pool keeps it.
    fn pooled(&self, made: Session, epoch: u64) -> PooledSession {
        let open = self.holders.open(self.connector.metrics.clone());
        if !self.named {
            made.wire.iter().for_each(Wire::forego_names);
        }
        PooledSession {
            open,
            client: Arc::new(ClientWrapper::new(made.client, made.task)),
            wire: made.wire,
            cancel: planted!(CancelsAnotherSession, made.cancel =>
                crate::planted::previous(made.cancel)),
            epoch,
            heard: clock::now(),
            most: self.statements,
            incarnation: None,
        }
    }
}

impl managed::Manager for Manager {
    type Type = PooledSession;
    type Error = Unreachable;

    async fn create(&self) -> Result<PooledSession, Unreachable> {
        // Who polls once finds an idle session, or has begun nothing.
        later().await;
        if let Some((epoch, session)) = self.spare.take() {
            return Ok(self.pooled(session, epoch));
        }
        let epoch = self.epoch.current();
        let started = clock::now();
        // Nobody makes a session without one.
        let deadline = DEADLINE.try_with(|deadline| *deadline);
        let made = self.connector.connect(deadline.unwrap_or(started)).await?;
        let metrics = &self.connector.metrics;
        metrics.time(Timing::Connect, clock::now() - started);
        Ok(self.pooled(made, epoch))
    }

    async fn recycle(
        &self,
        session: &mut PooledSession,
        _: &managed::Metrics,
    ) -> RecycleResult<Unreachable> {
        if session.epoch != self.epoch.current() {
            self.connector.metrics.count(Counter::Evicted);
            return Err(RecycleError::message("made before its host was found dead"));
        }
        if session.client.is_closed() {
            self.connector.metrics.count(Counter::Evicted);
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

/// Ready when it is polled again.
async fn later() {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
