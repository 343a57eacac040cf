//! `/api/status` and `/api/pools`: how things stand.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::App;
use crate::monitor::message;

/// Everything, as pages are told it.
pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    let text = message::write(&app, None, None).await;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, axum::body::Body::from(axum::body::Bytes::from(text))).into_response()
}

/// The pools, and whether they are well.
pub(super) async fn pools(State(app): State<Arc<App>>) -> Response {
    let all = app.pools.all().into_iter().map(|shown| {
        let status = shown.pool.comprehensive_status();
        json!({
            "id": &*shown.id,
            "name": status.pool_name,
            "role": status.role,
            "health": status.health,
            "history_minutes": status.history.retention_minutes,
            "metrics": shown.pool.history_names(),
        })
    });
    Json(json!({ "pools": all.collect::<Vec<_>>() })).into_response()
}
