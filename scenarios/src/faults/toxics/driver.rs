//! What runs on the thread that drives the proxy.

use std::{collections::BTreeMap, net::SocketAddr};

use reports::run::{Step, Stream};
use serde_json::{Value, json};
use toxiproxy_rust::{
    client::Client,
    proxy::{Proxy, ProxyPack},
    toxic::ToxicPack,
};

use super::{super::kind, ANSWER, ToxicsError};

/// A toxic, as it is told to the proxy and read back from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Toxic {
    kind: &'static str,
    stream: &'static str,
    toxicity: f64,
    attributes: BTreeMap<&'static str, u32>,
}

impl Toxic {
    pub(super) fn plain(kind: &'static str) -> Self {
        Self {
            kind,
            stream: "downstream",
            toxicity: 1.0,
            attributes: BTreeMap::new(),
        }
    }

    /// Lets nothing pass before so many milliseconds, and nothing later.
    pub(super) fn latency(stream: &'static str, ms: u32) -> Self {
        Self {
            stream,
            attributes: BTreeMap::from([("latency", ms)]),
            ..Self::plain("latency")
        }
    }
}

/// What a step of a fault of the network is in the proxy: a toxic, or `None` where the
/// proxy is disabled.
pub(super) fn toxic(shape: &kind::Toxic, step: &Step) -> Option<Toxic> {
    let attributes = shape.attributes.iter();
    Some(Toxic {
        kind: shape.name?,
        stream: step.stream.map_or("downstream", Stream::name),
        toxicity: step.toxicity.unwrap_or(1.0),
        attributes: attributes
            .map(|(attribute, parameter)| (*attribute, parameter.of(step)))
            .collect(),
    })
}

/// Drives the proxy: knows what should be in force, and after each change compares it with what is.
pub(super) struct Driver {
    client: Client,
    http: reqwest::blocking::Client,
    api: SocketAddr,
    name: String,
    enabled: bool,
    toxics: BTreeMap<String, Toxic>,
}

impl Driver {
    pub(super) fn new(api: SocketAddr, name: String) -> Result<Self, ToxicsError> {
        let http = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .map_err(|error| ToxicsError::Api(error.to_string()))?;
        Ok(Self {
            client: Client::new(api),
            http,
            api,
            name,
            enabled: true,
            toxics: BTreeMap::new(),
        })
    }

    pub(super) fn create(&mut self, upstream: &str) -> Result<(String, SocketAddr), ToxicsError> {
        let version = self.client.version().map_err(ToxicsError::Api)?;
        let version = serde_json::from_str::<Value>(&version)
            .ok()
            .and_then(|v| v.get("version")?.as_str().map(str::to_owned))
            .ok_or_else(|| ToxicsError::Api(format!("{version:?} is no version")))?;
        let pack = ProxyPack::new(
            self.name.clone(),
            "127.0.0.1:0".to_owned(),
            upstream.to_owned(),
        );
        let made = self.client.populate(vec![pack]).map_err(ToxicsError::Api)?;
        let proxy = made
            .first()
            .ok_or_else(|| ToxicsError::Api("no proxy was made".to_owned()))?;
        let listen = proxy.proxy_pack.listen.parse().map_err(|_| {
            ToxicsError::Api(format!("{:?} is no address", proxy.proxy_pack.listen))
        })?;
        self.compare()?;
        Ok((version, listen))
    }

    fn proxy(&self) -> Result<Proxy, ToxicsError> {
        self.client.find_proxy(&self.name).map_err(ToxicsError::Api)
    }

    pub(super) fn enable(&mut self, enabled: bool) -> Result<(), ToxicsError> {
        let proxy = self.proxy()?;
        let done = if enabled {
            proxy.enable()
        } else {
            proxy.disable()
        };
        done.map_err(ToxicsError::Api)?;
        self.enabled = enabled;
        self.compare()
    }

    pub(super) fn add(&mut self, name: &str, toxic: Toxic) -> Result<(), ToxicsError> {
        let url = format!("http://{}/proxies/{}/toxics", self.api, self.name);
        let body = json!({
            "name": name,
            "type": toxic.kind,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": toxic.attributes,
        });
        answered(self.http.post(url).json(&body))?;
        self.toxics.insert(name.to_owned(), toxic);
        self.compare()
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), ToxicsError> {
        if self.toxics.remove(name).is_none() {
            return Ok(());
        }
        let url = format!("http://{}/proxies/{}/toxics/{name}", self.api, self.name);
        answered(self.http.delete(url))?;
        self.compare()
    }

    pub(super) fn delete(&mut self) -> Result<(), ToxicsError> {
        self.proxy()?.delete().map_err(ToxicsError::Api)?;
        let left = self.client.all().map_err(ToxicsError::Api)?;
        if left.contains_key(&self.name) {
            return Err(ToxicsError::NotTaken {
                wanted: format!("no proxy {}", self.name),
                found: self.name.clone(),
            });
        }
        Ok(())
    }

    /// Reads the proxy back: exactly what should be there is there.
    fn compare(&self) -> Result<(), ToxicsError> {
        let proxy = self.proxy()?;
        let pack = &proxy.proxy_pack;
        let same = |found: &ToxicPack| {
            let Some(wanted) = self.toxics.get(&found.name) else {
                return false;
            };
            let attribute = |name: &str| found.attributes.get(name).copied().unwrap_or(0);
            found.r#type == wanted.kind
                && found.stream == wanted.stream
                && (f64::from(found.toxicity) - wanted.toxicity).abs() < 1e-3
                && wanted.attributes.iter().all(|(k, v)| attribute(k) == *v)
        };
        let all_there = pack.toxics.len() == self.toxics.len() && pack.toxics.iter().all(same);
        if pack.enabled == self.enabled && all_there {
            return Ok(());
        }
        Err(ToxicsError::NotTaken {
            wanted: format!("enabled {}, toxics {:?}", self.enabled, self.toxics),
            found: format!("enabled {}, toxics {:?}", pack.enabled, pack.toxics),
        })
    }
}

/// Sends a request and makes an error of what is no success.
fn answered(request: reqwest::blocking::RequestBuilder) -> Result<(), ToxicsError> {
    let api = |error: reqwest::Error| ToxicsError::Api(error.to_string());
    let response = request.send().map_err(api)?;
    if response.status().is_success() {
        return Ok(());
    }
    let answer = response.text().map_err(api)?;
    Err(ToxicsError::Api(answer.trim().to_owned()))
}
