//! [`Site`]: one server, what it shows, and its end.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};

use tokio::runtime::Handle;

use super::{
    MonitorError,
    actions::Actions,
    counts::Counts,
    door::Door,
    life::{Ended, Life, Serving},
    listen::{self, Listener},
    pools::Pools,
    routes::{self, App},
    sampler,
};
use crate::config::Secret;

/// The longest token.
const TOKEN: usize = 1_024;

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Dashboard,
    Metrics,
}

impl Use {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "a dashboard",
            Self::Metrics => "metrics",
        }
    }
}

/// A server. Dropped, its port is free, and all that runs for it ends.
pub(super) struct Site {
    used: Use,
    token: Secret,
    listener: Arc<Listener>,
    app: Arc<App>,
    ended: Arc<Ended>,
    _life: Life,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("used", &self.used)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

impl Site {
    /// Begins to listen, and serves in a runtime.
    pub(super) fn start(
        address: SocketAddr,
        used: Use,
        token: &Secret,
        runtime: &Handle,
    ) -> Result<Self, MonitorError> {
        let visible = token.expose().bytes().all(|b| b.is_ascii_graphic());
        if !visible || token.expose().len() > TOKEN {
            return Err(MonitorError::Token);
        }
        if token.is_empty() && !address.ip().is_loopback() {
            let address = address.ip();
            return Err(MonitorError::Open { address });
        }
        let listener = Arc::new(Listener::bind(address, runtime)?);
        let (life, over) = Life::new();
        let counts = Arc::new(Counts::default());
        let door = Door::new(token.clone(), listener.address(), counts.clone());
        let app = App::new(Pools::default(), counts.clone(), door, over.clone());
        let app = Arc::new(app);
        let router = match used {
            Use::Dashboard => routes::dashboard(app.clone()),
            Use::Metrics => routes::metrics(app.clone()),
        };
        let ended = Arc::new(Ended::default());
        let serving = Serving {
            listener: listener.clone(),
            ended: ended.clone(),
        };
        let serve = listen::serve(serving, router, counts, over);
        drop(runtime.spawn(serve));
        if used == Use::Dashboard {
            drop(runtime.spawn(sampler::run(app.clone())));
        }
        tracing::info!(address = %listener.address(), "{} served", used.name());
        Ok(Self {
            used,
            token: token.clone(),
            listener,
            app,
            ended,
            _life: life,
        })
    }

    pub(super) fn used(&self) -> Use {
        self.used
    }

    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.app.pools
    }

    /// Offers actions on it.
    pub(super) fn offer(&self, actions: Arc<dyn Actions>) {
        self.app.offer(actions);
    }

    /// Shows what another server has served, too.
    pub(super) fn beside(&self, other: &Self) {
        self.app.beside(&other.app.counts);
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_over()
    }

    pub(super) fn tell_when_over(&self, flag: &Arc<AtomicBool>) {
        self.ended.tell(flag);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.listener.close();
    }
}
