//! What the API can do to one proxy.
//!
//! Invariants: a proxy is enabled exactly while it listens; a call that fails
//! leaves it as it was (but for a move to another address on the same port,
//! which has to give up the port first).

use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;

use super::{Address, Chain, Connections, Limits, Running, Traffic, bind};
use crate::api::{ApiError, NewProxy, NewToxic, Object, ProxyChange};
use crate::registry::ProxyView;
use crate::toxic::{Attributes, Toxic};

/// Toxics on one proxy: each byte passes all of one stream.
const TOXICS_MAX: usize = 64;

/// One proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    name: String,
    listen: Address,
    upstream: String,
    limits: Limits,
    connections: Arc<Connections>,
    running: Option<Running>,
    next_toxic: u64,
}

impl Proxy {
    /// Listens, if it is to be enabled.
    ///
    /// # Errors
    /// [`ApiError::Address`].
    pub(crate) async fn new(new: NewProxy, seed: u64, limits: Limits) -> Result<Self, ApiError> {
        let mut proxy = Self {
            connections: Connections::new(seed, &new.name),
            name: new.name,
            listen: new.listen,
            upstream: new.upstream,
            limits,
            running: None,
            next_toxic: 0,
        };
        if new.enabled {
            proxy.enable().await?;
        }
        Ok(proxy)
    }

    pub(crate) fn view(&self) -> ProxyView<'_> {
        ProxyView {
            name: &self.name,
            listen: &self.listen.text,
            upstream: &self.upstream,
            enabled: self.running.is_some(),
            toxics: self.toxics(),
        }
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.connections.traffic
    }

    /// Listens, if it does not yet.
    ///
    /// # Errors
    /// [`ApiError::Address`].
    pub(crate) async fn enable(&mut self) -> Result<(), ApiError> {
        if self.running.is_none() {
            let listener = bind(self.listen.resolved.clone()?).await?;
            self.run(listener);
        }
        Ok(())
    }

    /// Closes every connection. What is returned listens until it is dropped.
    pub(crate) async fn stop(&mut self) -> Option<TcpListener> {
        self.running.take()?.stop().await
    }

    fn run(&mut self, listener: TcpListener) {
        // The port may have been 0: show which one it got.
        if let Ok(address) = listener.local_addr() {
            self.listen = Address {
                text: address.to_string(),
                resolved: Ok(address),
            };
        }
        let connections = Arc::clone(&self.connections);
        let upstream = self.upstream.clone();
        self.running = Some(Running::start(
            listener,
            upstream,
            connections,
            self.limits.clone(),
        ));
    }

    /// Applies a change; true if it changed where the proxy listens or leads
    /// to, which drops the connections.
    ///
    /// # Errors
    /// [`ApiError::Address`].
    pub(crate) async fn update(&mut self, change: ProxyChange) -> Result<bool, ApiError> {
        let listen = change.listen.unwrap_or_else(|| self.listen.clone());
        let upstream = change.upstream.unwrap_or_else(|| self.upstream.clone());
        let is_enabled = change.enabled.unwrap_or(self.running.is_some());
        let address = listen.resolved.clone()?;
        let has_moved = self.listen.resolved.as_ref().ok() != Some(&address);
        let is_changed = has_moved || upstream != self.upstream;
        if !is_enabled {
            drop(self.stop().await);
            if has_moved {
                self.listen = listen;
            }
            self.upstream = upstream;
            return Ok(is_changed);
        }
        if self.running.is_some() && !is_changed {
            return Ok(false);
        }
        let old = self.listen.resolved.as_ref();
        let listener = if old.is_ok_and(|old| old.port() == address.port()) {
            // The listener stays, or gives up its port to the new one.
            match self.stop().await.filter(|_| !has_moved) {
                Some(listener) => listener,
                None => bind(address).await?,
            }
        } else {
            let listener = bind(address).await?;
            drop(self.stop().await);
            listener
        };
        self.upstream = upstream;
        self.run(listener);
        Ok(is_changed)
    }

    /// All toxics, those of the upstream first.
    pub(crate) fn toxics(&self) -> Vec<Toxic> {
        self.connections
            .chain()
            .iter()
            .map(|toxic| Toxic::clone(toxic))
            .collect()
    }

    /// # Errors
    /// [`ApiError::ToxicNotFound`].
    pub(crate) fn toxic(&self, name: &str) -> Result<Arc<Toxic>, ApiError> {
        self.connections
            .chain()
            .find(name)
            .cloned()
            .ok_or(ApiError::ToxicNotFound)
    }

    /// # Errors
    /// As [`NewToxic::read`] and [`NewToxic::attributes`]; the name is taken;
    /// there are too many.
    pub(crate) fn add_toxic(&mut self, body: &Value) -> Result<Arc<Toxic>, ApiError> {
        let new = NewToxic::read(body)?;
        let chain = self.connections.chain();
        if chain.find(&new.name).is_some() {
            return Err(ApiError::ToxicExists);
        }
        let attributes = new.attributes()?;
        if chain.len() >= TOXICS_MAX {
            return Err(ApiError::TooMany {
                what: "toxics",
                max: TOXICS_MAX,
            });
        }
        let id = self.next_toxic;
        self.next_toxic += 1;
        let toxic = Toxic {
            attributes,
            name: new.name,
            kind: new.kind,
            stream_text: new.stream_text,
            toxicity: new.toxicity,
            stream: new.stream,
            id,
            revision: 0,
        };
        let name = toxic.name.clone();
        self.connections.install(chain.with(toxic));
        self.toxic(&name)
    }

    /// Merges what is given into the attributes and the toxicity.
    ///
    /// # Errors
    /// [`ApiError::ToxicNotFound`], [`ApiError::BadBody`].
    pub(crate) async fn update_toxic(
        &mut self,
        name: &str,
        body: &Value,
    ) -> Result<Arc<Toxic>, ApiError> {
        let old = self.toxic(name)?;
        let body = Object::of(body, "toxic")?;
        let given = body.object("attributes")?;
        let attributes = old
            .kind
            .read(Some(&old.attributes), |name| given.integer(name))?;
        let toxicity = body.share("toxicity")?.unwrap_or(old.toxicity);
        let revision = old.revision + 1;
        let new = Toxic {
            attributes,
            toxicity,
            revision,
            ..Toxic::clone(&old)
        };
        self.settle().await;
        self.connections.install(self.connections.chain().with(new));
        self.toxic(name)
    }

    /// # Errors
    /// [`ApiError::ToxicNotFound`].
    pub(crate) async fn delete_toxic(&mut self, name: &str) -> Result<(), ApiError> {
        let toxic = self.toxic(name)?;
        self.settle().await;
        self.connections
            .install(self.connections.chain().without(toxic.id));
        Ok(())
    }

    pub(crate) async fn clear_toxics(&mut self) {
        if self.connections.chain().len() > 0 {
            self.settle().await;
            self.connections.install(Chain::default());
        }
    }

    /// Before a toxic goes that acts at once: it also acts on those who
    /// connected while it stood and were not accepted yet.
    async fn settle(&self) {
        let chain = self.connections.chain();
        let acts_at_once = |toxic: &Arc<Toxic>| {
            matches!(toxic.attributes, Attributes::Blackhole | Attributes::Reset)
        };
        if let Some(running) = &self.running
            && chain.iter().any(acts_at_once)
        {
            running.settle().await;
        }
    }
}
