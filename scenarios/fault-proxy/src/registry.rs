//! All proxies of a server, by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::api::{ApiError, NewProxy, ProxyChange};
use crate::proxy::{Limits, Proxy, Traffic};
use crate::toxic::{Stream, Toxic};

/// Proxies of one server. Each holds a port, of which there are 64 Ki.
const PROXIES_MAX: usize = 1024;

/// A proxy as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ProxyView<'a> {
    pub(crate) name: &'a str,
    pub(crate) listen: &'a str,
    pub(crate) upstream: &'a str,
    pub(crate) enabled: bool,
    pub(crate) toxics: Vec<Toxic>,
}

/// The proxies, and what they share.
#[derive(Debug)]
pub(crate) struct Registry {
    seed: u64,
    limits: Limits,
    proxies: BTreeMap<String, Proxy>,
}

impl Registry {
    pub(crate) fn new(seed: u64, limits: Limits) -> Self {
        Self {
            seed,
            limits,
            proxies: BTreeMap::new(),
        }
    }

    /// # Errors
    /// [`ApiError::ProxyNotFound`].
    pub(crate) fn find(&mut self, name: &str) -> Result<&mut Proxy, ApiError> {
        self.proxies.get_mut(name).ok_or(ApiError::ProxyNotFound)
    }

    pub(crate) fn view(&self, name: &str) -> Option<ProxyView<'_>> {
        self.proxies.get(name).map(Proxy::view)
    }

    pub(crate) fn views(&self) -> BTreeMap<&str, ProxyView<'_>> {
        self.proxies
            .iter()
            .map(|(name, proxy)| (name.as_str(), proxy.view()))
            .collect()
    }

    /// # Errors
    /// The name is taken, there are too many, or it cannot listen. Then there
    /// is no new proxy.
    pub(crate) async fn create(&mut self, new: NewProxy) -> Result<&Proxy, ApiError> {
        if self.proxies.contains_key(&new.name) {
            return Err(ApiError::ProxyExists);
        }
        if self.proxies.len() >= PROXIES_MAX {
            return Err(ApiError::TooMany {
                what: "proxies",
                max: PROXIES_MAX,
            });
        }
        let name = new.name.clone();
        let proxy = Proxy::new(new, self.seed, self.limits.clone()).await?;
        Ok(self.proxies.entry(name).or_insert(proxy))
    }

    /// Makes the proxy, or changes the one of that name. One that is the same
    /// but for being enabled keeps its toxics and connections.
    ///
    /// # Errors
    /// As [`Registry::create`] and [`Proxy::update`].
    pub(crate) async fn create_or_replace(&mut self, new: NewProxy) -> Result<(), ApiError> {
        let Some(proxy) = self.proxies.get_mut(&new.name) else {
            return self.create(new).await.map(drop);
        };
        let change = ProxyChange {
            listen: Some(new.listen),
            upstream: Some(new.upstream),
            enabled: Some(new.enabled),
        };
        if proxy.update(change).await? {
            proxy.clear_toxics().await;
        }
        Ok(())
    }

    /// # Errors
    /// [`ApiError::ProxyNotFound`].
    pub(crate) async fn delete(&mut self, name: &str) -> Result<(), ApiError> {
        let mut proxy = self.proxies.remove(name).ok_or(ApiError::ProxyNotFound)?;
        drop(proxy.stop().await);
        Ok(())
    }

    /// Removes every toxic and enables every proxy.
    ///
    /// # Errors
    /// The first proxy that cannot listen. The others are reset all the same.
    pub(crate) async fn reset(&mut self) -> Result<(), ApiError> {
        let mut result = Ok(());
        for proxy in self.proxies.values_mut() {
            proxy.clear_toxics().await;
            let enabled = proxy.enable().await;
            result = result.and(enabled);
        }
        result
    }

    pub(crate) async fn stop_all(&mut self) {
        for proxy in self.proxies.values_mut() {
            drop(proxy.stop().await);
        }
    }

    /// Toxiproxy's metrics of its proxies, in Prometheus' text format.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        self.write_counter(&mut text, "received", Traffic::received);
        self.write_counter(&mut text, "sent", Traffic::sent);
        text
    }

    fn write_counter(&self, text: &mut String, what: &str, count: fn(&Traffic, Stream) -> u64) {
        let name = format!("toxiproxy_proxy_{what}_bytes_total");
        // Writing into a string does not fail.
        let _ = writeln!(text, "# HELP {name} Bytes {what}.\n# TYPE {name} counter");
        for proxy in self.proxies.values() {
            let view = proxy.view();
            let [listener, proxy_name, upstream] =
                [view.listen, view.name, view.upstream].map(escape);
            for stream in [Stream::Downstream, Stream::Upstream] {
                let direction = stream.name();
                let bytes = count(proxy.traffic(), stream);
                let _ = writeln!(
                    text,
                    "{name}{{direction=\"{direction}\",listener=\"{listener}\",\
                     proxy=\"{proxy_name}\",upstream=\"{upstream}\"}} {bytes}",
                );
            }
        }
    }
}

/// A label's value, as Prometheus' text format wants it.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
