//! [`Monitor`]: a dashboard and metrics of pools, over HTTP.
//!
//! Two servers: one shows people how pools do, and watches alerts; the other is scraped. Both are
//! bounded in all that they take: connections, headers, bodies, requests a second, and how long a
//! client may take nothing. None of them is ever in the way of a pool: they only read, through
//! [`Watched`].
//!
//! - `site`: one server: what it shows, and its end; `shared`: those of the process, by address
//! - `listen`, `patient`, `life`: connections, their limits, and that all ends with the server
//! - `door`: who may come in: host, origin, token, rate
//! - `routes`: what there is; `page`: the dashboard, as the browser gets it
//! - `sampler`, `message`: what all pages are told every second, made once
//! - `actions`: what can be done from the page, if somebody offers it
//! - `alerts`: when somebody is to be told (pure)
//!
//! # Who may look
//! On a loopback address everybody on the machine may, as long as no token is set; any other
//! address needs one. With a token, all routes want `Authorization: Bearer <token>` or the cookie
//! of who has logged in, but for these: `/healthz` (the process is up), `/readyz` (a pool is up;
//! both are asked by machines that have no token, and name no pool), `/login`, and
//! `/page/style.css` that it is drawn with.
//!
//! Without a token, requests have to name a loopback host, so that no foreign page can come in
//! through a name that it has pointed at this machine (DNS rebinding). What changes something,
//! and WebSockets, must come from a page of the same origin. There is no CORS.

mod actions;
mod alerts;
mod counts;
mod door;
mod holder;
mod life;
mod listen;
mod message;
mod patient;
mod pools;
mod routes;
mod sampler;
mod shared;
mod site;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak, atomic::AtomicBool},
};

use tokio::runtime::Handle;

use self::site::{Site, Use};
pub use self::{
    actions::{Action, Actions, NotBegun},
    holder::Holder,
    shared::shared,
};
use crate::{config::Secret, status::Watched};

/// Where a monitor listens, and who may look.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where the dashboard is. `None`: nowhere. Port 0: where the system likes.
    pub dashboard: Option<SocketAddr>,
    /// Where the metrics are. `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// What a client has to know, visible ASCII characters; empty for nothing, which is allowed
    /// on loopback addresses only.
    pub token: Secret,
}

/// A monitor cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// Somebody else listens there.
    #[error("{address} is taken{}", .holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Taken {
        /// The address.
        address: SocketAddr,
        /// Who does, if that can be found out.
        holder: Option<Holder>,
    },
    /// The system does not let us listen there.
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it says.
        error: io::Error,
    },
    /// Everybody on the network could look.
    #[error(
        "monitoring_address: {address}, allowed without a monitoring_token: a loopback address \
         (127.0.0.1 or ::1)"
    )]
    Open {
        /// The address.
        address: IpAddr,
    },
    /// No header can hold the token.
    #[error("monitoring_token: (hidden), allowed: visible ASCII characters, 1024 at most")]
    Token,
    /// Another pool of the process is shown there, to others.
    #[error("{address} is served by this process already, with another monitoring_token")]
    OtherToken {
        /// The address.
        address: SocketAddr,
    },
    /// Another pool of the process has something else there.
    #[error("{address} is served by this process already, as {what}")]
    OtherUse {
        /// The address.
        address: SocketAddr,
        /// What is there.
        what: &'static str,
    },
}

/// A dashboard, metrics, or both. Dropped, it stops, with all that runs for it, unless another
/// shares its servers.
#[derive(Debug)]
pub struct Monitor {
    dashboard: Option<Arc<Site>>,
    metrics: Option<Arc<Site>>,
}

impl Monitor {
    /// Begins to listen, and serves in a runtime.
    ///
    /// # Errors
    /// [`MonitorError`], and then nothing is served.
    pub fn start(settings: Settings, runtime: &Handle) -> Result<Self, MonitorError> {
        let site = |address, used| Site::start(address, used, &settings.token, runtime);
        Self::of(&settings, |address, used| site(address, used).map(Arc::new))
    }

    fn of(
        settings: &Settings,
        mut site: impl FnMut(SocketAddr, Use) -> Result<Arc<Site>, MonitorError>,
    ) -> Result<Self, MonitorError> {
        let dashboard = settings
            .dashboard
            .map(|at| site(at, Use::Dashboard))
            .transpose()?;
        let metrics = settings
            .metrics
            .map(|at| site(at, Use::Metrics))
            .transpose()?;
        if let (Some(dashboard), Some(metrics)) = (&dashboard, &metrics) {
            dashboard.beside(metrics);
        }
        Ok(Self { dashboard, metrics })
    }

    fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.dashboard.iter().chain(&self.metrics)
    }

    /// Shows a pool too, for as long as there is one.
    pub fn add(&self, pool: Weak<dyn Watched>) {
        self.sites().for_each(|site| site.pools().add(pool.clone()));
    }

    /// Shows a pool no longer.
    pub fn remove(&self, pool: &Weak<dyn Watched>) {
        self.sites().for_each(|site| site.pools().remove(pool));
    }

    /// Shows what can be done on the dashboard too: what was offered first.
    pub fn offer(&self, actions: Arc<dyn Actions>) {
        if let Some(dashboard) = &self.dashboard {
            dashboard.offer(actions);
        }
    }

    /// Where the dashboard is.
    #[must_use]
    pub fn dashboard(&self) -> Option<SocketAddr> {
        self.dashboard.as_ref().map(|site| site.address())
    }

    /// Where the metrics are.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|site| site.address())
    }

    /// Has a flag set once one of its servers has stopped, as it does if its runtime ends.
    pub fn tell_when_over(&self, flag: &Arc<AtomicBool>) {
        self.sites().for_each(|site| site.tell_when_over(flag));
    }
}

#[cfg(test)]
mod tests;
