//! `/metrics`: what Prometheus scrapes.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};

use super::{App, Refusal};
use crate::exposition::{self, Format};

pub(super) async fn pointer() -> &'static str {
    "metrics are at /metrics\n"
}

pub(super) async fn scrape(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let format = Format::negotiate(accept);
    let pools: Vec<_> = app
        .pools
        .all()
        .into_iter()
        .map(|shown| shown.pool)
        .collect();
    let text = app
        .look_back(move || exposition::text(&pools, format))
        .await?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}
