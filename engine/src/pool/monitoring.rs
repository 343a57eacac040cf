//! [`Monitoring`]: has the pool shown by the process's monitor, if it is to be.
//!
//! As all that a pool does in the background, it begins in the runtime of a caller, and begins
//! anew in that of another if that one ends. A pool that cannot be shown works all the same: it
//! is said once, and kept for its status.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::runtime::Handle;

use super::acquire::Inner;
use crate::{
    config::PoolConfig,
    monitor::{self, Monitor, Settings},
    status::{MonitoringStatus, Watched},
};

/// Where the pool is shown.
pub(super) struct Monitoring {
    /// It is to be shown, and nobody has seen to it.
    due: Arc<AtomicBool>,
    shown: Mutex<Shown>,
}

#[derive(Default)]
enum Shown {
    #[default]
    Nowhere,
    By(Arc<Monitor>, Weak<dyn Watched>),
    Failed(String),
}

impl Monitoring {
    pub(super) fn new(config: &PoolConfig) -> Self {
        let wanted = config.enable_monitoring || config.enable_metrics_endpoint;
        Self {
            due: Arc::new(AtomicBool::new(wanted)),
            shown: Mutex::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self) -> bool {
        self.due.load(Ordering::Relaxed)
    }

    fn show(&self, shown: Shown) {
        let before = std::mem::replace(&mut *self.lock(), shown);
        if let Shown::By(monitor, pool) = before {
            monitor.remove(&pool);
        }
    }

    /// Shows it no longer.
    pub(super) fn stop(&self) {
        self.due.store(false, Ordering::Relaxed);
        self.show(Shown::Nowhere);
    }

    pub(super) fn status(&self) -> MonitoringStatus {
        match &*self.lock() {
            Shown::Nowhere => MonitoringStatus::default(),
            Shown::By(monitor, _) => MonitoringStatus {
                dashboard_enabled: monitor.dashboard().is_some(),
                dashboard_url: monitor.dashboard().map(|at| format!("http://{at}/")),
                metrics_url: monitor.metrics().map(|at| format!("http://{at}/metrics")),
                error: None,
            },
            Shown::Failed(error) => MonitoringStatus {
                error: Some(error.clone()),
                ..MonitoringStatus::default()
            },
        }
    }
}

impl Inner {
    /// Has the pool shown, if it is to be and nobody has seen to it. Without a runtime, the next
    /// caller that has one does.
    #[inline]
    pub(super) fn keep_shown(self: &Arc<Self>) {
        if self.monitoring.is_due() {
            self.begin_showing();
        }
    }

    #[cold]
    fn begin_showing(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let due = &self.monitoring.due;
        if self.stopped() || !due.swap(false, Ordering::AcqRel) {
            return;
        }
        let shown = match monitor::shared(settings(&self.config), &runtime) {
            Ok(monitor) => {
                let pool: Arc<dyn Watched> = self.clone();
                let pool = Arc::downgrade(&pool);
                monitor.add(pool.clone());
                monitor.tell_when_over(due);
                Shown::By(monitor, pool)
            }
            Err(error) => {
                let pool = &self.config.name;
                tracing::error!(pool, %error, "the pool goes on without its monitor");
                Shown::Failed(error.to_string())
            }
        };
        self.monitoring.show(shown);
        if self.stopped() {
            self.monitoring.stop();
        }
    }
}

fn settings(config: &PoolConfig) -> Settings {
    // It was checked.
    let address = config.monitoring_address.parse::<IpAddr>();
    let address = address.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let at = |served: bool, port| served.then(|| SocketAddr::new(address, port));
    Settings {
        dashboard: at(config.enable_monitoring, config.monitoring_port),
        metrics: at(config.enable_metrics_endpoint, config.metrics_port),
        token: config.monitoring_token.clone(),
    }
}
