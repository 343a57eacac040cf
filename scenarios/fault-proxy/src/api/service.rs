//! From axum's request to a call, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::ApiError;
use super::body::{NewProxy, ProxyChange, parse};
use super::route::{Miss, Route, route};
use crate::control::{Answer, Call, Control};

/// What `/version` tells: the version whose API this is. Clients check it.
const VERSION: &str = "{\"version\": \"2.12.0\"}\n";

/// A populate request of a thousand proxies has about a tenth of this.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Toxiproxy's own deadline for reading a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-toxiproxy-request-id");

/// What every request needs.
#[derive(Debug)]
struct Api {
    control: Control,
    has_metrics: bool,
    requests: AtomicU64,
}

/// The whole API. One fallback instead of a route table, because axum's own
/// answers (405 with a body, HEAD for GET) are not Toxiproxy's.
pub(crate) fn router(control: Control, has_metrics: bool) -> Router {
    let api = Arc::new(Api {
        control,
        has_metrics,
        requests: AtomicU64::new(0),
    });
    Router::new().fallback(answer).with_state(api)
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let matched = match route(request.method(), request.uri().path(), api.has_metrics) {
        Ok(matched) => matched,
        Err(Miss::NotFound) => return plain(StatusCode::NOT_FOUND, "404 page not found\n"),
        Err(Miss::Moved(path)) => return moved(&path),
        Err(Miss::MethodNotAllowed) => return empty(StatusCode::METHOD_NOT_ALLOWED),
    };
    let mut response = match refusal_of_browsers(request.headers()) {
        Some(reason) => plain(StatusCode::FORBIDDEN, reason),
        None => api.perform(matched, request).await,
    };
    let id = api.requests.fetch_add(1, Ordering::Relaxed);
    if let Ok(id) = HeaderValue::from_str(&format!("{id:020}")) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A page in a browser must not drive the proxy. The user agent is what
/// Toxiproxy looks at; a page can change that but neither of the others.
fn refusal_of_browsers(headers: &HeaderMap) -> Option<&'static str> {
    let agent = headers.get(header::USER_AGENT);
    if agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/")) {
        Some("User agent not allowed\n")
    } else if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        Some("Origin not allowed\n")
    } else {
        None
    }
}

impl Api {
    async fn perform(&self, matched: Route, request: Request) -> Response {
        let is_populate = matched == Route::Populate;
        let answer = match call(matched, request.into_body()).await {
            Ok(call) => self.control.ask(call).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Answer::Json(json)) => with_body(StatusCode::OK, "application/json", json),
            Ok(Answer::Created(json)) => with_body(StatusCode::CREATED, "application/json", json),
            Ok(Answer::Populated { status, json }) => with_body(status, "application/json", json),
            Ok(Answer::Version) => {
                with_body(StatusCode::OK, "application/json;charset=utf-8", VERSION)
            }
            Ok(Answer::Metrics(text)) => with_body(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                text,
            ),
            Ok(Answer::Done) => empty(StatusCode::NO_CONTENT),
            Err(error) if is_populate => {
                let json = crate::control::populate_error(&error);
                with_body(error.status(), "application/json", json)
            }
            Err(error) => {
                let json = serde_json::to_string(&error.view()).unwrap_or_default();
                plain(error.status(), json + "\n")
            }
        }
    }
}

async fn call(matched: Route, body: Body) -> Result<Call, ApiError> {
    Ok(match matched {
        Route::Version => Call::Version,
        Route::Metrics => Call::Metrics,
        Route::ListProxies => Call::ListProxies,
        Route::CreateProxy => Call::CreateProxy(NewProxy::read(&parse(&read(body).await?)?).await?),
        Route::Populate => Call::Populate(NewProxy::read_all(&parse(&read(body).await?)?).await?),
        Route::Reset => Call::Reset,
        Route::ShowProxy(proxy) => Call::ShowProxy(proxy),
        Route::UpdateProxy(proxy) => {
            let change = match parse(&read(body).await?) {
                Ok(body) => ProxyChange::read(&body).await,
                Err(error) => Err(error),
            };
            Call::UpdateProxy(proxy, change)
        }
        Route::DeleteProxy(proxy) => Call::DeleteProxy(proxy),
        Route::ListToxics(proxy) => Call::ListToxics(proxy),
        Route::AddToxic(proxy) => Call::AddToxic(proxy, parse(&read(body).await?)),
        Route::ShowToxic(proxy, toxic) => Call::ShowToxic(proxy, toxic),
        Route::UpdateToxic(proxy, toxic) => {
            Call::UpdateToxic(proxy, toxic, parse(&read(body).await?))
        }
        Route::DeleteToxic(proxy, toxic) => Call::DeleteToxic(proxy, toxic),
    })
}

async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    let whole = async {
        let mut bytes = Vec::new();
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            // Its client hung up in the middle, or framed it wrongly.
            let piece = piece.map_err(|_| ApiError::BadBody("unexpected EOF".to_owned()))?;
            if bytes.len() + piece.len() > BODY_BYTES_MAX {
                return Err(ApiError::BodyTooLarge {
                    max_bytes: BODY_BYTES_MAX,
                });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    let late = |_| Err(ApiError::BadBody("i/o timeout".to_owned()));
    timeout(BODY_TIMEOUT, whole).await.unwrap_or_else(late)
}

/// As Go's http.Redirect writes it.
fn moved(path: &str) -> Response {
    let quoted = path
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;");
    let body = format!("<a href=\"{quoted}\">Moved Permanently</a>.\n\n");
    let mut response = with_body(
        StatusCode::MOVED_PERMANENTLY,
        "text/html; charset=utf-8",
        body,
    );
    // What a URL may hold, a header may.
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// As Go's http.Error writes it.
fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = with_body(status, "text/plain; charset=utf-8", body);
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn with_body(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
