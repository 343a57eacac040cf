//! [`Connector`]: makes sessions for the pool and its probe, and counts the attempts.

use std::sync::Arc;

use crate::{
    connect::{Connect, Connecting},
    metrics::{Counter, Metrics},
};

/// The transport of a pool, and where it connects to.
#[derive(Clone)]
pub(super) struct Connector {
    connect: Arc<dyn Connect>,
    config: tokio_postgres::Config,
    pub(super) metrics: Arc<Metrics>,
}

impl Connector {
    pub(super) fn new(
        connect: Arc<dyn Connect>,
        config: tokio_postgres::Config,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            connect,
            config,
            metrics,
        }
    }

    /// Makes a session. Cancel safe: a dropped future leaves no socket.
    pub(super) fn connect(&self) -> Connecting<'_> {
        self.metrics.count(Counter::ConnectAttempts);
        self.connect.connect(&self.config)
    }
}
