//! [`Connector`]: makes sessions for the pool and its probe, and counts the attempts.

use std::sync::Arc;

use super::{hosts::Hosts, startup::Startup};
use crate::{
    clock::{self, Elapsed, Instant},
    connect::{Connect, Session},
    error::Error,
    metrics::Metrics,
};

/// The transport of a pool, and where it connects to. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connector {
    connect: Arc<dyn Connect>,
    startup: Arc<Startup>,
    hosts: Arc<Hosts>,
    pub(super) metrics: Arc<Metrics>,
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum Unreachable {
    /// The last host that was tried refused, or could not be connected to.
    Failed(Error),
    /// The last host that was tried said nothing.
    Mute,
}

impl Connector {
    pub(super) fn new(
        connect: Arc<dyn Connect>,
        config: &tokio_postgres::Config,
        startup: Startup,
        rng: fastrand::Rng,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            connect,
            startup: Arc::new(startup),
            hosts: Arc::new(Hosts::new(config, rng)),
            metrics,
        }
    }

    /// Makes a session with the first host that gives one. Each has an even share of the time
    /// that is left until `deadline`, and no more than the configuration's `connect_timeout`.
    /// Cancel safe: a dropped future leaves no socket.
    pub(super) async fn connect(&self, deadline: Instant) -> Result<Session, Unreachable> {
        let tour = self.hosts.tour(clock::now());
        let mut left = u32::try_from(tour.len()).unwrap_or(u32::MAX);
        let mut last = Unreachable::Mute;
        for host in tour {
            let (now, config) = (clock::now(), self.hosts.config(host));
            let share = deadline.saturating_duration_since(now) / left.max(1);
            let most = config.get_connect_timeout().copied().unwrap_or(share);
            let until = now + share.min(most);
            left -= 1;
            let attempt = self.hosts.watch(host, now, until);
            let connecting = self.startup.connect(&*self.connect, config, &self.metrics);
            match clock::timeout_at(until, connecting).await {
                Ok(Ok(session)) => {
                    attempt.answered();
                    return Ok(session);
                }
                Ok(Err(error)) => {
                    attempt.answered();
                    last = Unreachable::Failed(error);
                }
                Err(Elapsed) => last = Unreachable::Mute,
            }
        }
        Err(last)
    }
}
