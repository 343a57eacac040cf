//! `/api/alerts`: rules and what has become of them; adding and removing rules.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};

use super::{App, Refusal};
use crate::monitor::{
    alerts::{NewRule, Refused},
    counts::Count,
};

pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let all = app.with_alerts(|alerts| {
        serde_json::json!({
            "rules": alerts.rules(),
            "alerts": alerts.status(),
            "events": alerts.events(usize::MAX),
        })
    });
    Json(all).into_response()
}

/// Adds a rule: `{"name": "slow", "expression": "query_p99_seconds > 0.5", "for_s": 30,
/// "severity": "warning"}`. The type must be said: a page of somebody else cannot say it without
/// being asked first.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let body = body.map_err(|rejected| {
        app.counts.add(Count::BodyRefused);
        Refusal(rejected.status(), format!("body: {rejected}"))
    })?;
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| {
        kind.trim()
            .to_ascii_lowercase()
            .starts_with("application/json")
    }) {
        let error = "content-type: allowed: application/json".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    let new: NewRule = serde_json::from_slice(&body)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("body: {error}")))?;
    let added = app
        .with_alerts(|alerts| alerts.add(new))
        .map_err(|refused| {
            let status = match refused {
                Refused::Invalid(_) => StatusCode::BAD_REQUEST,
                Refused::Exists(_) | Refused::Full => StatusCode::CONFLICT,
            };
            Refusal(status, refused.to_string())
        })?;
    tracing::info!(
        rule = added.name,
        expression = added.expression,
        "alert added"
    );
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    if app.with_alerts(|alerts| alerts.remove(&name)) {
        tracing::info!(rule = name, "alert removed");
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal(
        StatusCode::NOT_FOUND,
        format!("name: {name:?}: no such rule"),
    ))
}
