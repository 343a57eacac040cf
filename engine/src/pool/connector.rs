//! [`Connector`]: makes sessions for the pool and its probe, and counts the attempts.

use std::sync::Arc;

use super::startup::Startup;
use crate::{
    connect::{Connect, Session},
    error::Error,
    metrics::Metrics,
};

/// The transport of a pool, and where it connects to.
#[derive(Clone)]
pub(super) struct Connector {
    connect: Arc<dyn Connect>,
    config: tokio_postgres::Config,
    startup: Arc<Startup>,
    pub(super) metrics: Arc<Metrics>,
}

impl Connector {
    pub(super) fn new(
        connect: Arc<dyn Connect>,
        config: tokio_postgres::Config,
        startup: Startup,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            connect,
            config,
            startup: Arc::new(startup),
            metrics,
        }
    }

    /// Makes a session. Cancel safe: a dropped future leaves no socket.
    pub(super) async fn connect(&self) -> Result<Session, Error> {
        let (connect, metrics) = (&*self.connect, &self.metrics);
        // In a box: it is rare, and part of the future of every caller.
        Box::pin(self.startup.connect(connect, &self.config, metrics)).await
    }
}
