//! The one task that owns the proxies.
//!
//! Requests send it a [`Call`] and get an [`Answer`]. So calls are done one
//! after another, whole, and in the order in which they came; a client that
//! hangs up in the middle of its request leaves no proxy half changed; and
//! there is no lock to hold across an await. Nothing that a call does waits
//! for a peer.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::api::{ApiError, NewProxy, ProxyChange};
use crate::registry::{ProxyView, Registry};
use crate::stop::Stop;

/// Calls that wait their turn; more wait in their own tasks, of which the
/// API's listener allows a bounded number.
const WAITING_MAX: usize = 64;

/// What the API can ask for.
#[derive(Debug)]
pub(crate) enum Call {
    Version,
    Metrics,
    ListProxies,
    CreateProxy(NewProxy),
    Populate(Vec<NewProxy>),
    Reset,
    ShowProxy(String),
    /// A bad change is refused only if the proxy exists, as in Toxiproxy.
    UpdateProxy(String, Result<ProxyChange, ApiError>),
    DeleteProxy(String),
    ListToxics(String),
    AddToxic(String, Result<Value, ApiError>),
    ShowToxic(String, String),
    UpdateToxic(String, String, Result<Value, ApiError>),
    DeleteToxic(String, String),
}

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(String),
    Created(String),
    /// A populate, which lists what it did also when it failed midway.
    Populated {
        status: StatusCode,
        json: String,
    },
    /// The version whose API this is.
    Version,
    /// Prometheus' text format.
    Metrics(String),
    Done,
}

type Reply = oneshot::Sender<Result<Answer, ApiError>>;

/// The way to the task.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    calls: mpsc::Sender<(Call, Reply)>,
}

impl Control {
    /// The handle, and the task to run: it ends, with every proxy stopped, once
    /// `stop` is requested.
    pub(crate) fn new(
        mut registry: Registry,
        mut stop: Stop,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, mut calls) = mpsc::channel::<(Call, Reply)>(WAITING_MAX);
        let task = async move {
            loop {
                tokio::select! {
                    biased;
                    () = stop.requested() => break,
                    Some((call, reply)) = calls.recv() => {
                        // Nobody waits any more if this fails.
                        let _ = reply.send(perform(&mut registry, call).await);
                    }
                }
            }
            registry.stop_all().await;
        };
        (Self { calls: sender }, task)
    }

    /// Performs a call. If the future is dropped, a call that was sent is
    /// still performed.
    ///
    /// # Errors
    /// What the API answers.
    pub(crate) async fn ask(&self, call: Call) -> Result<Answer, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.calls
            .send((call, reply))
            .await
            .map_err(|_| ApiError::ShuttingDown)?;
        answer.await.map_err(|_| ApiError::ShuttingDown)?
    }
}

async fn perform(registry: &mut Registry, call: Call) -> Result<Answer, ApiError> {
    match call {
        Call::Version => Ok(Answer::Version),
        Call::Metrics => Ok(Answer::Metrics(registry.metrics())),
        Call::ListProxies => Ok(Answer::Json(json(&registry.views()))),
        Call::CreateProxy(new) => {
            let proxy = registry.create(new).await?;
            Ok(Answer::Created(json(&proxy.view())))
        }
        Call::Populate(list) => Ok(populate(registry, list).await),
        Call::Reset => registry.reset().await.map(|()| Answer::Done),
        Call::ShowProxy(name) => Ok(Answer::Json(json(&registry.find(&name)?.view()))),
        Call::UpdateProxy(name, change) => {
            let proxy = registry.find(&name)?;
            proxy.update(change?).await?;
            Ok(Answer::Json(json(&proxy.view())))
        }
        Call::DeleteProxy(name) => registry.delete(&name).await.map(|()| Answer::Done),
        Call::ListToxics(name) => Ok(Answer::Json(json(&registry.find(&name)?.toxics()))),
        Call::AddToxic(name, body) => {
            let toxic = registry.find(&name)?.add_toxic(&body?)?;
            Ok(Answer::Json(json(&*toxic)))
        }
        Call::ShowToxic(name, toxic) => {
            Ok(Answer::Json(json(&*registry.find(&name)?.toxic(&toxic)?)))
        }
        Call::UpdateToxic(name, toxic, body) => {
            let proxy = registry.find(&name)?;
            proxy.toxic(&toxic)?;
            let toxic = proxy.update_toxic(&toxic, &body?).await?;
            Ok(Answer::Json(json(&*toxic)))
        }
        Call::DeleteToxic(name, toxic) => registry
            .find(&name)?
            .delete_toxic(&toxic)
            .await
            .map(|()| Answer::Done),
    }
}

/// A populate's answer. Its errors stand beside the proxies, and unlike the
/// other errors they are typed as JSON: so Toxiproxy does it.
#[derive(Serialize)]
struct PopulateView<'a> {
    #[serde(flatten)]
    error: Option<crate::api::ErrorView>,
    proxies: Option<Vec<ProxyView<'a>>>,
}

async fn populate(registry: &mut Registry, list: Vec<NewProxy>) -> Answer {
    let mut names = Vec::with_capacity(list.len());
    let mut failure = None;
    for new in list {
        let name = new.name.clone();
        if let Err(error) = registry.create_or_replace(new).await {
            failure = Some(error);
            break;
        }
        names.push(name);
    }
    let views: Vec<_> = names
        .iter()
        .filter_map(|name| registry.view(name))
        .collect();
    let status = failure
        .as_ref()
        .map_or(StatusCode::CREATED, ApiError::status);
    let error = failure.map(|error| error.view());
    // An empty list is null, as Go writes a slice that was never made.
    let proxies = (!views.is_empty()).then_some(views);
    Answer::Populated {
        status,
        json: json(&PopulateView { error, proxies }),
    }
}

/// The body for a populate that was refused before it began.
pub(crate) fn populate_error(error: &ApiError) -> String {
    json(&PopulateView {
        error: Some(error.view()),
        proxies: None,
    })
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Every view is made of strings, numbers and maps with string keys, which
    // cannot fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}
