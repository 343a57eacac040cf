//! `/api/actions`: what can be done from the page, and doing it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{App, Refusal};
use crate::monitor::actions::NotBegun;

pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    let all = app.actions.get().map(|actions| actions.all());
    let all = all.unwrap_or_default();
    Json(serde_json::json!({ "actions": all })).into_response()
}

pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    let begun = match app.actions.get() {
        Some(actions) => actions.begin(&name),
        None => Err(NotBegun::Unknown),
    };
    begun.map_err(|error| match error {
        NotBegun::Unknown => {
            let text = format!("name: {name:?}: {error}");
            Refusal(StatusCode::NOT_FOUND, text)
        }
        NotBegun::NotNow(_) => Refusal(StatusCode::CONFLICT, error.to_string()),
    })?;
    tracing::info!(action = name, "begun from the page");
    Ok(StatusCode::ACCEPTED)
}
