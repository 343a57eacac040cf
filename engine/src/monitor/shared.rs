//! The servers of the process, by address: pools with the same address are shown together.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::runtime::Handle;

use super::{
    Monitor, MonitorError, Settings,
    site::{Site, Use},
};
use crate::config::Secret;

static SITES: Mutex<Vec<Weak<Site>>> = Mutex::new(Vec::new());

/// A monitor on servers that are shared by all of the process that have the same address. One
/// that has ended with its runtime is served anew.
///
/// # Errors
/// As [`Monitor::start`]; and if the address is served already with another token, or as
/// something else.
pub fn shared(settings: Settings, runtime: &Handle) -> Result<Arc<Monitor>, MonitorError> {
    let mut sites = SITES.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that end here are dropped behind the lock: they may be the last.
    let known: Vec<Arc<Site>> = sites.iter().filter_map(Weak::upgrade).collect();
    let monitor = Monitor::of(&settings, |address, used| {
        if let Some(site) = found(&known, address, used, &settings.token)? {
            return Ok(site);
        }
        Site::start(address, used, &settings.token, runtime).map(Arc::new)
    });
    if let Ok(monitor) = &monitor {
        sites.retain(|site| site.strong_count() > 0);
        for site in monitor.sites().map(Arc::downgrade) {
            if !sites.iter().any(|other| Weak::ptr_eq(other, &site)) {
                sites.push(site);
            }
        }
    }
    drop(sites);
    monitor.map(Arc::new)
}

fn found(
    known: &[Arc<Site>],
    address: SocketAddr,
    used: Use,
    token: &Secret,
) -> Result<Option<Arc<Site>>, MonitorError> {
    let mut alive = known.iter().filter(|site| !site.is_over());
    // Port 0 is another one each time.
    let Some(site) = alive.find(|site| site.address() == address && address.port() != 0) else {
        return Ok(None);
    };
    if site.used() != used {
        let what = site.used().name();
        return Err(MonitorError::OtherUse { address, what });
    }
    if site.token() != token {
        return Err(MonitorError::OtherToken { address });
    }
    Ok(Some(site.clone()))
}
