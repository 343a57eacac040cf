//! Where connections come from.
//!
//! The seam is deadpool-postgres's [`Connect`]: plain TCP ([`Tcp`]), TLS
//! (`deadpool_postgres::ConfigConnectImpl` with a TLS connector), or bytes in
//! memory for a simulation. The pool and the breaker's probe share one.

use std::{future::Future, pin::Pin, sync::Arc};

pub use deadpool_postgres::Connect;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::{Client, Config, Error, NoTls};

use crate::metrics::{Counter, Metrics};

/// What [`Connect::connect`] returns.
pub type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

/// Plain TCP or a unix socket, without TLS.
///
/// Cancel safe: a dropped `connect` closes its socket; the task that drives a
/// finished connection is handed to the caller, who aborts it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Connect for Tcp {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let config = config.clone();
        Box::pin(async move {
            let (client, connection) = config.connect(NoTls).await?;
            let task = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
            });
            Ok((client, task))
        })
    }
}

/// A [`Connect`] that several own, and that counts what is tried.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) connect: Arc<dyn Connect>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Connect for Shared {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        self.metrics.count(Counter::ConnectAttempts);
        self.connect.connect(config)
    }
}

/// Ends a task with its owner.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
